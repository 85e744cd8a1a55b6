-- A blank line is data: one newline. The end is something else: recv gives "", read gives nil.
local echolot = require "echolot"
target(echolot.servers.echo { close_after = 2 })

conversation("a blank line, then the end", function(peer)
    assert.equal("\n", peer:send("\n"):recv(), "a blank line is one byte")
    assert.equal("", peer:send("\n"):read "l", "and for read a line without text")
    assert.is_nil(peer:read "l", "the end is no line")
    assert.equal("", peer:recv(), "and for recv no bytes")
    assert.equal("", peer:recv(), "however often it is asked")
end)
