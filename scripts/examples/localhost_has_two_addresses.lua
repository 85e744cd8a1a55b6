-- "localhost" may be ::1 first, while the server listens on 127.0.0.1 only. connect tries the
-- addresses of a name in turn; who takes only the first would be refused.
local echolot = require "echolot"

it("finds a server that listens on IPv4 only", function()
    local server <close> = echolot.serve("127.0.0.1:0", function(client)
        client:send "here\n"
    end)
    local conn <close> = echolot.connect("localhost", server.port)
    assert.equal("here", conn:read "l")
    assert.equal("127.0.0.1", conn.peer.host)
end)
