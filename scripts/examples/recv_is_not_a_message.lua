-- recv gives what has come: 1 to n bytes, never "a message". This server sends its reply in
-- pieces of four bytes; only the newline tells where the reply ends.
local echolot = require "echolot"
target(echolot.servers.echo { chunk = 4, chunk_delay = 0.02 })

conversation("a reply comes in pieces", function(peer)
    peer:send "hello, world\n"
    local reply, receives = "", 0
    repeat
        local piece = peer:recv()
        receives = receives + 1
        reply = reply .. piece
    until reply:find "\n" or piece == ""
    assert.equal("hello, world\n", reply)
    fact("receives for one line", receives)
end)

conversation("read puts the pieces together", function(peer)
    peer:send "hello, world\n"
    assert.equal("hello, world", peer:read "l")
end)
