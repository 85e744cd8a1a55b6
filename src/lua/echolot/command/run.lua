--- echolot run FILE [ARG...]: a script as a program.
local core = require "echolot.core"
local concurrency = require "echolot.concurrency"
local script = require "echolot.script"

local M = {}

local function complain(message)
    io.stdout:flush()
    io.stderr:write("echolot: ", core.text.for_terminal(message, true), "\n")
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
    local chunk, why = script.load(path)
    if not chunk then
        complain(why)
        return 2
    end
    script.set_package_path(path)
    arg = table.move(options, 2, #options, 1, { [0] = path })
    local ok, err = pcall(concurrency.run, function()
        return chunk(table.unpack(options, 2))
    end)
    if ok then
        return 0
    end
    complain(script.describe_error(err))
    return 1
end

return M
