-- Conversations that fail: what of them a report shows.
local echolot = require "echolot"
target(echolot.servers.echo { framing = "raw" })

describe("a conversation", function()
    conversation("with facts, steps and a log", function(peer)
        fact("banner", "echo \0 1.0")
        fact("sizes", { 1, 10, 100 })
        log("before", 1)
        step("greets", function() peer:send "hello\n" end)
        print "two\nlines"
        step("asks and is answered", function()
            assert.equal("HELLO", peer:read())
        end)
    end)

    it("of several parties", function()
        local listener <close> = echolot.listen "127.0.0.1:0"
        local client = echolot.connect(listener.address, { name = "client" })
        local server = listener:accept()
        client:send("PUT ", ("x"):rep(3000), "\nmore\n")
        local bytes = {}
        for i = 1, 200 do
            bytes[i] = string.char(i * 7 % 256)
        end
        server:read(10)
        server:send(table.concat(bytes), "surprise\r\n")
        client:read(200)
        error "it went wrong"
    end)

    conversation("that goes on and on", function(peer)
        for i = 1, 60 do
            peer:send("line ", i, "\n")
            assert.equal("line " .. i, peer:read())
        end
        assert.equal("end", peer:send("x\n"):read())
    end)

    conversation("that waits in vain", { timeout = 0.01 }, function(peer)
        peer:send "half a line"
        peer:read()
    end)
end)
