--- echolot run FILE [ARG...]: a script as a program.
local core = require "echolot.core"
local concurrency = require "echolot.concurrency"
local host = require "echolot.host"
local resolver = require "echolot.resolver"
local script = require "echolot.run.script"

local M = {}

local function complain(message)
    io.stdout:flush()
    io.stderr:write("echolot: ", core.text.for_terminal(message, true), "\n")
end

-- The suite words mean something under `echolot test` only, and say so.
local function explain_suite_words()
    for _, word in ipairs { "describe", "it", "conversation", "property", "target" } do
        _G[word] = function()
            error(core.error.new {
                kind = "usage", op = word,
                message = "this is a test script: run it with `echolot test`",
            }, 0)
        end
    end
end

--- Runs it; the exit status.
function M.main(options)
    local path = options[1]
    if not path then
        complain "run needs a FILE (see echolot run --help)"
        return 2
    end
    if options.timeout then
        core.set_timeout(options.timeout)
    end
    local resolves, problem = resolver.use(options.resolver)
    if not resolves then
        complain(problem)
        return 2
    end
    local chunk, why = script.load(path)
    if not chunk then
        complain(why)
        return 2
    end
    script.set_package_path(path)
    explain_suite_words()
    arg = table.move(options, 2, #options, 1, { [0] = path })
    local ok, err = pcall(concurrency.run, function()
        return chunk(table.unpack(options, 2))
    end)
    if ok then
        return 0
    end
    if not host.interrupted() then -- a signal needs no explanation
        complain(script.describe_error(err))
    end
    return 1
end

return M
