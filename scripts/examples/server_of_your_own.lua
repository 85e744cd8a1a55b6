-- The server under test, started by its own test. A program that has been started is no server
-- yet: to connect at once would be refused. wait_port waits until it accepts.
local echolot = require "echolot"

local free = echolot.listen "127.0.0.1:0" -- the system knows a port that nobody uses
local address = target(tostring(free.address))
free:close()

setup(function()
    local listen = ("TCP-LISTEN:%d,bind=127.0.0.1,reuseaddr,fork"):format(address.port)
    local server = echolot.process { "socat", listen, "EXEC:sed -u s/h/H/", name = "server" }
    server:wait_port(address) -- what it complains of, if it ends, stands in the error
end)

conversation("answers", function(peer)
    peer:send "hello\n":expect "Hello\n"
end)

conversation("answers two at once", { peers = 2 }, function(one, two)
    one:send "hi\n"
    two:send "ho\n":expect "Ho\n"
    one:expect "Hi\n"
end)
