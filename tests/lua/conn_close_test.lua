-- "Connections" of the contract: close, <close>, garbage collection, reset.
local echolot = require "echolot"
local pair = require "conn_pair"

describe("close", function()
    it("is the proper end for the peer", function()
        local ours, theirs = pair.pair()
        ours:send "bye"
        ours:close()
        assert.equal("bye", theirs:read "a")
    end)

    it("twice is harmless", function()
        local ours = pair.pair()
        ours:close()
        ours:close()
        ours:reset()
        ours:close()
    end)

    it("makes every other use the script's mistake", function()
        local ours = pair.pair()
        ours:close()
        for _, call in ipairs {
            { "send", "x" }, { "send" }, { "recv" }, { "read" }, { "read", "a" }, { "lines" },
            { "pack", "b", 1 }, { "unpack", "b" }, { "shutdown" }, { "write", "x" },
        } do
            local err = pair.fails("usage", ours, table.unpack(call))
            assert.contains("closed", err.message)
        end
    end)

    it("is done by <close>", function()
        local ours, theirs = pair.pair()
        do
            local closing <close> = ours
            closing:send "bye"
        end
        assert.equal("bye", theirs:read "a")
        pair.fails("usage", ours, "recv")
    end)

    it("is done by <close> when an error passes", function()
        local ours, theirs = pair.pair()
        local ok, err = pcall(function()
            local closing <close> = ours
            error "on the way"
        end)
        assert.is_false(ok)
        assert.contains("on the way", err)
        assert.equal("", theirs:read "a")
    end)

    it("is done by garbage collection", function()
        local listener = echolot.listen(pair.LOCAL)
        local theirs
        do
            local ours = echolot.connect(listener.address)
            theirs = listener:accept()
            ours:send "bye"
        end
        collectgarbage()
        collectgarbage()
        assert.equal("bye", theirs:timeout(2):read "a")
    end)

    it("does not happen while a task waits for the connection", function()
        local ours, theirs = pair.pair()
        local task = pair.start(ours.recv, ours)
        ours = nil
        for _ = 1, 3 do
            collectgarbage()
        end
        theirs:send "still here"
        assert.equal("still here", task:join())
    end)

    it("wakes whoever waits, with usage", function()
        local ours, theirs = pair.pair() -- theirs is not collected, so it stays open
        local large = ("x"):rep(64 << 20)
        local reader = pair.start(ours.recv, ours)
        local writer = pair.start(ours.send, ours, large)
        ours:close()
        assert.equal("recv", pair.fails("usage", reader, "join").op)
        assert.equal("send", pair.fails("usage", writer, "join").op)
        theirs:close()
    end)

    it("by the task that another one's wait has woken does no harm", function()
        local ours, theirs = pair.pair()
        local closer = pair.start(function()
            ours:recv()
            ours:close()
        end)
        local writer = pair.start(ours.send, ours, ("x"):rep(64 << 20))
        theirs:send "go"
        closer:join()
        pair.fails("usage", writer, "join")
        assert.is_not_nil(theirs)
    end)
end)

describe("reset", function()
    it("is a reset for the peer", function()
        pair.needs "reset"
        local ours, theirs = pair.pair()
        assert.is_true(rawequal(ours, ours:reset()))
        assert.equal("ECONNRESET", pair.fails("reset", theirs, "recv").errno)
        pair.fails("usage", ours, "recv")
    end)

    it("leaves what was received before it readable", function()
        pair.needs "reset"
        local ours, theirs = pair.pair()
        ours:send "before"
        assert.equal("b", theirs:recv(1))
        ours:reset()
        assert.equal("efore", theirs:recv())
        pair.fails("reset", theirs, "recv")
    end)

    it("twice, or after close, is harmless", function()
        local ours = pair.pair()
        ours:reset()
        ours:reset()
        ours:close()
        assert.contains("closed", tostring(ours))
    end)

    it("wakes whoever waits", function()
        pair.needs "reset"
        local ours, theirs = pair.pair()
        local reader = pair.start(ours.read, ours, "a")
        ours:reset()
        pair.fails("usage", reader, "join")
        pair.fails("reset", theirs, "recv")
    end)
end)
