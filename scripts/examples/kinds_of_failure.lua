-- Refused, silent, reset, ended: four ways in which a server is not there for us, and what we
-- can tell from each.
local echolot = require "echolot"

local function failure_of(f, ...)
    local ok, err = pcall(f, ...)
    assert.is_false(ok)
    return err.kind
end

it("refused: the host is there, but nobody listens at that port", function()
    local listener = echolot.listen "127.0.0.1:0"
    local address = listener.address
    listener:close()
    assert.equal("refused", failure_of(echolot.connect, address))
end)

it("timeout: somebody listens, and says nothing", function()
    local listener <close> = echolot.listen "127.0.0.1:0"
    local conn <close> = echolot.connect(listener.address, { timeout = 0.05 })
    assert.equal("timeout", failure_of(conn.recv, conn))
end)

it("reset: the server breaks the connection off", function()
    local server <close> = echolot.serve("127.0.0.1:0", function(client) client:reset() end)
    local conn <close> = echolot.connect(server.address)
    assert.equal("reset", failure_of(conn.recv, conn))
end)

it("the end: the server has finished properly, which is no error", function()
    local server <close> = echolot.serve("127.0.0.1:0", function(client) client:close() end)
    local conn <close> = echolot.connect(server.address)
    assert.equal("", conn:recv())
end)
