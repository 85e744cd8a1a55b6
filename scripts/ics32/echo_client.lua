-- The course's first client: sends each message as a line, and prints what one receive gives.
--
--   echolot run echo_client.lua [HOST [PORT]]
--
-- An empty message, or the end of the input, ends it. Against port 5150 of `echolot serve ics32`
-- it shows that one receive is not one message; against 5152, that one message may get two.
local echolot = require "echolot"
local ask = require "ask"

local RECEIVE_MAX = 4096

local function any(text)
    return text
end

local function converse(connection)
    while true do
        local message = ask.ask("Message: ", any)
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

ask.run(function(host_given, port_given)
    local host = ask.given_or_asked(host_given, "Host: ", ask.host)
    local port = host and ask.given_or_asked(port_given, "Port: ", ask.port)
    if not port then
        return
    end
    print(("Connecting to %s, port %d ..."):format(host, port))
    local connection <close> = echolot.connect(host, port)
    print "Connected! An empty message ends the conversation."
    converse(connection)
end, ...)
