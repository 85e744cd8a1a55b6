-- Who counts "one reply for each line" falls behind here: the second reply waits for the next
-- receive, and answers a question that was asked before.
local echolot = require "echolot"
target(echolot.servers.echo { repeat_reply = 2 })

conversation("the second reply is what the next read gives", function(peer)
    assert.equal("one", peer:send("one\n"):read "l")
    assert.equal("one", peer:send("two\n"):read "l", "still the answer to the first line")
    assert.equal("two", peer:read "l")
    assert.equal("two", peer:read "l")
end)
