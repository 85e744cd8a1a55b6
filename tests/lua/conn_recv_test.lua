-- "Connections" of the contract: recv, unread, timeouts, what the end looks like.
local echolot = require "echolot"
local pair = require "conn_pair"

describe("recv", function()
    it("returns some bytes, at most max", function()
        local ours, theirs = pair.pair()
        theirs:send "hello world"
        assert.equal("hello", ours:recv(5))
        assert.equal(" ", ours:recv(1))
        assert.equal("world", ours:recv(100))
    end)

    it("gives 4096 bytes where no count is given", function()
        local ours, theirs = pair.pair()
        theirs:send(("x"):rep(10000)):shutdown()
        local first = ours:recv()
        assert.is_true(#first >= 1 and #first <= 4096)
        repeat
            local whole = #ours:unread() >= 4096
            local piece = ours:recv()
            assert.is_true(#piece <= 4096)
            assert.is_true(not whole or #piece == 4096)
        until piece == ""
    end)

    it("waits for what has not come", function()
        local ours, theirs = pair.pair()
        local task = pair.start(ours.recv, ours)
        theirs:send "late"
        assert.equal("late", task:join())
    end)

    it("returns \"\" once the peer has finished, again and again", function()
        local ours, theirs = pair.pair()
        theirs:send("last"):shutdown()
        assert.equal("last", ours:recv())
        for _ = 1, 3 do
            assert.equal("", ours:recv())
        end
        ours:send "we may still send"
        assert.equal("we may still send", theirs:recv())
    end)

    it("keeps every byte, NUL too", function()
        local ours, theirs = pair.pair()
        local all = pair.pattern(256)
        theirs:send(all, "\0\0")
        assert.equal(all .. "\0\0", ours:read(258))
    end)

    it("takes a whole number from 1", function()
        local ours = pair.pair()
        for _, wrong in ipairs { 0, -1, 1.5, "x", {}, true } do
            local err = pair.fails("usage", ours, "recv", wrong)
            assert.equal("recv", err.op)
        end
        assert.equal("usage", pair.failure("usage", ours.recv).kind) -- without its connection
        assert.equal("usage", pair.failure("usage", ours.recv, {}).kind)
    end)

    it("takes max as large as it likes", function()
        local ours, theirs = pair.pair()
        theirs:send "x"
        assert.equal("x", ours:recv(math.maxinteger))
    end)

    it("raises reset when the peer resets, with what had come before it", function()
        pair.needs "reset"
        local ours, theirs = pair.pair()
        theirs:send "before"
        assert.equal("bef", ours:recv(3))
        theirs:reset()
        assert.equal("ore", ours:recv())
        local err = pair.fails("reset", ours, "recv")
        assert.equal("ECONNRESET", err.errno)
        assert.equal("recv", err.op)
        pair.fails("reset", ours, "recv") -- it stays so
    end)

    it("raises reset though a send noticed it first", function()
        pair.needs "reset"
        local ours, theirs = pair.pair()
        theirs:reset()
        pcall(ours.send, ours, "x")
        pcall(ours.send, ours, "x")
        pair.fails("reset", ours, "recv")
        pair.fails("reset", ours, "send", "x")
    end)

    it("goes on after its time is up", function()
        local ours, theirs = pair.pair()
        ours:timeout(0.01)
        pair.fails("timeout", ours, "recv")
        theirs:send "later"
        assert.equal("later", ours:timeout(5):recv())
    end)
end)

describe("unread", function()
    it("tells the bytes that were not consumed", function()
        local ours, theirs = pair.pair()
        assert.equal("", ours:unread())
        theirs:send "abcdef"
        assert.equal("ab", ours:recv(2))
        assert.equal("cdef", ours:unread())
        assert.equal("cdef", ours:unread())
        assert.equal("cdef", ours:recv())
        assert.equal("", ours:unread())
    end)

    it("is empty once closed", function()
        local ours, theirs = pair.pair()
        theirs:send "abc"
        ours:recv(1)
        ours:close()
        assert.equal("", ours:unread())
    end)
end)

describe("timeout", function()
    it("limits later waits and gives back the connection", function()
        local ours = pair.pair()
        assert.is_true(rawequal(ours, ours:timeout(0.02)))
        local started = echolot.now()
        pair.fails("timeout", ours, "read", 5)
        assert.is_true(echolot.now() - started >= 0.02)
    end)

    it("may be raised and lowered", function()
        local ours, theirs = pair.pair { timeout = 0.01 }
        ours:timeout(20)
        local task = pair.start(ours.recv, ours)
        echolot.sleep(0.02) -- past the first limit, which holds no longer
        theirs:send "x"
        assert.equal("x", task:join())
        pair.fails("timeout", ours:timeout(0.01), "recv")
    end)

    it("0 does not wait long, math.huge for ever", function()
        local ours, theirs = pair.pair()
        pair.fails("timeout", ours:timeout(0), "recv")
        local task = pair.start(ours.recv, ours:timeout(math.huge))
        theirs:send "x"
        assert.equal("x", task:join())
    end)

    it("is a number of seconds", function()
        local ours = pair.pair()
        for _, wrong in ipairs { -1, 0 / 0, "1", {}, false } do
            pair.fails("usage", ours, "timeout", wrong)
        end
        pair.fails("usage", ours, "timeout")
    end)
end)

describe("backpressure", function()
    it("holds the peer, and lets it go on when the script consumes", function()
        local ours, theirs = pair.pair({ max_buffer = 65536 }, { timeout = 20 })
        local data = pair.pattern(16 << 20):gsub("\n", "-")
        local sent = false
        local sender = pair.start(function()
            theirs:send(data):shutdown()
            sent = true
        end)
        pair.fails("limit", ours, "read", "L") -- the buffer is full by now
        assert.equal(65536, #ours:unread())
        assert.is_false(sent)
        local parts = {}
        repeat
            parts[#parts + 1] = ours:recv(60000)
            assert.is_true(#ours:unread() <= 65536)
        until parts[#parts] == ""
        sender:join()
        assert.is_true(table.concat(parts) == data)
    end)
end)
