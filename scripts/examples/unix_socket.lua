-- A Unix socket is a stream as TCP's is, between programs of one machine: a path instead of host and
-- port, permissions instead of a firewall. Its file comes with the listener, and goes with it.
local echolot = require "echolot"

local path = os.tmpname() -- a file's name; the socket shall be beside it
local address = ("unix:%s.socket"):format(path)
teardown(function() os.remove(path) end)

it("talks over a path", function()
    local server <close> = echolot.serve(address, function(client)
        client:send("welcome to ", client.local_address.path, "\n")
        client:send("you said ", client:read "L")
    end)
    local peer <close> = echolot.connect(address)
    peer:expect_line("welcome to " .. path .. ".socket")
    peer:send("hello\n"):expect "you said hello\n"
    peer:expect_eof()
end)

it("is refused once the listener, and its file, are gone", function()
    local err = assert.has_error(function() echolot.connect(address) end)
    assert.equal("refused", err.kind)
    assert.equal("ENOENT", err.errno)
end)
