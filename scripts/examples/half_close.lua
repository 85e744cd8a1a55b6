-- Two streams, one each way: we can end ours and go on reading the other.
local echolot = require "echolot"
target(echolot.servers.echo { delay = 0.01 })

conversation("what was sent before the end is still answered", function(peer)
    peer:send("one\n", "two\n", "three"):shutdown()
    assert.equal("one\ntwo\nthree", peer:read "a")
    assert.equal("", peer:recv(), "the server has ended, too")
end)

conversation("after shutdown nothing more can be sent", function(peer)
    peer:shutdown()
    local err = assert.has_error(function() peer:send "too late\n" end)
    assert.equal("usage", err.kind)
end)
