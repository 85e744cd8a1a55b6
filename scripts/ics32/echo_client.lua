-- The course's first client: sends each message as a line, and prints what one receive gives.
--
--   echolot run echo_client.lua [HOST [PORT]]
--
-- An empty message, or the end of the input, ends it. Against port 5150 of `echolot serve ics32`
-- it shows that one receive is not one message; against 5152, that one message may get two.
local echolot = require "echolot"

local RECEIVE_MAX = 4096

-- Asks until `check` has made something of the answer; nil at the end of the input.
local function ask(prompt, check)
    while true do
        io.write(prompt)
        io.flush() -- a prompt without a newline would wait in a buffer when this is a pipe
        local answer = io.read "l"
        if not answer then
            io.write "\n"
            return nil
        end
        local value, why = check((answer:gsub("\r$", "")))
        if value then
            return value
        end
        print(why)
    end
end

local function host_of(text)
    local host = text:match "^%s*(.-)%s*$"
    if host == "" then
        return nil, "Please name a host, such as localhost."
    end
    return host
end

local function port_of(text)
    local port = text:match "^%s*(%d+)%s*$"
    port = port and math.tointeger(tonumber(port))
    if not port or port > 65535 then
        return nil, "Please give a port, a number from 0 to 65535."
    end
    return port
end

local function any(text)
    return text
end

-- An argument that will not do ends the program: nobody is there to be asked again.
local function given_or_asked(argument, prompt, check)
    if argument == nil then
        return ask(prompt, check)
    end
    local value, why = check(argument)
    return value or error(why, 0)
end

local function converse(connection)
    while true do
        local message = ask("Message: ", any)
        if not message or message == "" then
            print "Goodbye!"
            return
        end
        local reply = connection:send(message, "\r\n"):recv(RECEIVE_MAX)
        if reply == "" then
            error("The server has closed the connection.", 0)
        end
        print((reply:gsub("%s+$", "")))
    end
end

local function main(host_given, port_given)
    local host = given_or_asked(host_given, "Host: ", host_of)
    local port = host and given_or_asked(port_given, "Port: ", port_of)
    if not port then
        return
    end
    print(("Connecting to %s, port %d ..."):format(host, port))
    local connection <close> = echolot.connect(host, port)
    print "Connected! An empty message ends the conversation."
    converse(connection)
end

local EXPLANATIONS = {
    refused = "Nobody listens there: the host answers, but refuses the connection.",
    resolve = "There is no host of that name.",
    timeout = "No answer came in time.",
    unreachable = "There is no way to that host.",
    reset = "The server has broken off the connection.",
}

local ok, problem = pcall(main, ...)
if not ok then
    local kind = type(problem) == "table" and problem.kind
    io.stdout:flush()
    if EXPLANATIONS[kind] then
        io.stderr:write(("%s (%s)\n"):format(EXPLANATIONS[kind], tostring(problem)))
    else
        io.stderr:write(kind and problem.message or tostring(problem), "\n")
    end
    os.exit(1)
end
