-- What the tests of programs share: programs that tell when they are ready, and whether one still runs.
local echolot = require "echolot"

local M = {}

--- The state of a process as the system tells it ("Z": nobody has asked how it ended); nil where there is none.
function M.state(pid)
    local file = io.open(("/proc/%d/stat"):format(pid))
    if not file then
        return nil
    end
    local stat <close> = file
    local text = stat:read "a"
    return text and text:match "^%d+ %(.*%) (%a)"
end

--- Whether a process runs. What nobody's child has left for the system's first process to bury does not.
function M.runs(pid)
    local state = M.state(pid)
    return state ~= nil and state ~= "Z" and state ~= "X"
end

--- Waits until one has gone that is no child of ours, under the test's limit.
function M.await_gone(pid)
    while M.runs(pid) do
        echolot.sleep(0.005)
    end
end

--- A shell that runs `before`, then waits for ever; it, and the number of a child of its own.
function M.shell(before, options)
    local given = { "sh", "-c", before .. "\nsleep 1000 & echo $!; while :; do wait; done" }
    for key, value in pairs(options or {}) do
        given[key] = value
    end
    local shell = echolot.process(given)
    return shell, math.tointeger(shell:read())
end

--- A shell that does not hear SIGTERM, nor does its child.
function M.stubborn(options)
    return M.shell("trap '' TERM", options)
end

return M
