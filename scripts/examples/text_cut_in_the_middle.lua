-- A stream carries bytes. A character of UTF-8 may be several, and the network may cut it in
-- the middle: decode whole lines, not what one receive gave.
local echolot = require "echolot"
target(echolot.servers.echo { chunk = 2, chunk_delay = 0.02 })

conversation("one receive may hold half a character", function(peer)
    peer:send "h\u{e9}\n" -- h, then two bytes, then the newline
    local piece = peer:recv()
    if #piece == 2 then -- as our server cuts it; another may cut elsewhere
        local length, broken_at = utf8.len(piece)
        assert.is_nil(length)
        assert.equal(2, broken_at)
    end
    local line = piece .. peer:read "L"
    assert.equal(3, utf8.len(line))
    assert.equal("h\u{e9}\n", line)
end)
