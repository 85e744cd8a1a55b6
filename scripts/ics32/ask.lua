-- What the course's programs share: asking for what they need, and how they end.
local M = {}

local host = require "echolot.host"

-- Who types sees the answer beside its prompt; from a pipe it is shown here.
local function show(answer)
    if not host.is_terminal(0) then
        io.write(answer, "\n")
    end
end

--- Asks until `check` has made something of the answer, which is nil and the reason where it
--- will not do; nil at the end of the input.
---@param prompt string
---@param check fun(text: string): any, string?
---@return any
function M.ask(prompt, check)
    while true do
        io.write(prompt)
        io.flush() -- a prompt without a newline would wait in a buffer when this is a pipe
        local answer = io.read "l"
        if not answer then
            io.write "\n"
            return nil
        end
        answer = answer:gsub("\r$", "")
        show(answer)
        local value, why = check(answer)
        if value ~= nil then
            return value
        end
        print(why)
    end
end

--- The same for what may have been given as an argument. One that will not do ends the program:
--- nobody is there to be asked again.
---@param argument? string
---@param prompt string
---@param check fun(text: string): any, string?
---@return any
function M.given_or_asked(argument, prompt, check)
    if argument == nil then
        return M.ask(prompt, check)
    end
    local value, why = check(argument)
    return value or error(why, 0)
end

--- Checks the name of a host.
function M.host(text)
    local name = text:match "^%s*(.-)%s*$"
    if name == "" then
        return nil, "Please name a host, such as localhost."
    end
    return name
end

--- Checks a port.
function M.port(text)
    local port = text:match "^%s*(%d+)%s*$"
    port = port and math.tointeger(tonumber(port))
    if not port or port > 65535 then
        return nil, "Please give a port, a number from 0 to 65535."
    end
    return port
end

local EXPLANATIONS = {
    refused = "Nobody listens there: the host answers, but refuses the connection.",
    resolve = "There is no host of that name.",
    timeout = "No answer came in time.",
    unreachable = "There is no way to that host.",
    reset = "The server has broken off the connection.",
    limit = "The server says more than it should.",
}

--- Runs a program. What ends it is explained in one line, with exit status 1.
---@param main fun(...)
function M.run(main, ...)
    local ok, problem = pcall(main, ...)
    if ok then
        return
    end
    local kind = type(problem) == "table" and problem.kind
    io.stdout:flush()
    if EXPLANATIONS[kind] then
        io.stderr:write(("%s (%s)\n"):format(EXPLANATIONS[kind], tostring(problem)))
    else
        io.stderr:write(kind and problem.message or tostring(problem), "\n")
    end
    os.exit(1)
end

return M
