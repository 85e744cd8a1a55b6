-- A test that passes, with all that -v shows of it.
local echolot = require "echolot"
target(echolot.servers.echo { framing = "raw" })

conversation("passes and leaves bytes unread", { name = "client" }, function(peer)
    fact("count", 7)
    fact("list", { 1, "two", { three = 3 } })
    step("talks", function()
        peer:send "one\ntwo\n"
        assert.equal("one", peer:read())
    end)
    log("a\tb", 1)
end)

it("passes with nothing to say", function() end)
