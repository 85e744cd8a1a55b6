-- A connection reads and writes as a file does: write, read, lines.
local echolot = require "echolot"
target(echolot.servers.echo { reply = "upper" })

conversation("lines come one by one, up to the end", function(peer)
    peer:write("first\n", "second\r\n", "third"):shutdown()
    local lines = {}
    for line in peer:lines() do
        lines[#lines + 1] = line
    end
    assert.same({ "FIRST", "SECOND", "THIRD" }, lines)
end)

conversation("formats are those of io.read", function(peer)
    peer:write("with its end\n", "12345678\n", "all\nthe rest"):shutdown()
    assert.equal("WITH ITS END\n", peer:read "L")
    local count, rest = peer:read(4, "l")
    assert.equal("1234", count)
    assert.equal("5678", rest)
    assert.equal("ALL\nTHE REST", peer:read "a")
end)
