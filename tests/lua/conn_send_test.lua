-- "Connections" of the contract: send, shutdown, chaining.
local echolot = require "echolot"
local pair = require "conn_pair"

local MIB = 1 << 20

describe("send", function()
    it("sends every string in order", function()
        local ours, theirs = pair.pair()
        ours:send("one ", "two ", "three"):shutdown()
        assert.equal("one two three", theirs:read "a")
    end)

    it("sends numbers as their text", function()
        local ours, theirs = pair.pair()
        ours:send(1, " ", 2.5, " ", -3, " ", 1e100):shutdown()
        assert.equal("1 2.5 -3 1e+100", theirs:read "a")
    end)

    it("sends nothing for nothing", function()
        local ours, theirs = pair.pair()
        ours:send():send(""):send("", "", ""):send("", "x", ""):shutdown()
        assert.equal("x", theirs:read "a")
    end)

    it("sends many strings, empty ones between", function()
        local ours, theirs = pair.pair()
        local parts, expected = {}, {}
        for i = 1, 200 do
            parts[i] = i % 3 == 0 and "" or ("%d,"):format(i)
            expected[i] = parts[i]
        end
        ours:send(table.unpack(parts)):shutdown()
        assert.equal(table.concat(expected), theirs:read "a")
    end)

    it("sends 5000 strings in one call", function()
        local ours, theirs = pair.pair()
        local parts = {}
        for i = 1, 5000 do
            parts[i] = i .. "\n"
        end
        ours:send(table.unpack(parts)):shutdown()
        assert.equal(table.concat(parts), theirs:read "a")
    end)

    it("gives back the connection", function()
        local ours = pair.pair()
        assert.is_true(rawequal(ours, ours:send "x"))
        assert.is_true(rawequal(ours, ours:send()))
        assert.is_true(rawequal(ours, ours:shutdown()))
        assert.is_true(rawequal(ours, ours:close()))
        assert.is_true(rawequal(ours, ours:close()))
    end)

    it("takes strings and numbers only, and sends nothing of a wrong call", function()
        local ours, theirs = pair.pair()
        for _, wrong in ipairs { true, {}, print } do
            local err = pair.fails("usage", ours, "send", "good", wrong)
            assert.equal("send", err.op)
        end
        pair.fails("usage", ours, "send", nil)
        pair.fails("usage", ours, "send", "a", nil, "b")
        ours:shutdown()
        assert.equal("", theirs:read "a")
    end)

    it("sends 64 MiB through a slow reader", function()
        local ours, theirs = pair.pair({ timeout = 30 }, { timeout = 30, max_buffer = 256 << 10 })
        local block = pair.pattern(MIB)
        local task = echolot.spawn(function()
            ours:send(block:rep(48), "|", block:rep(15), block, ""):shutdown()
        end)
        local total, wrong = 0, 0
        local carry = ""
        repeat
            local piece = theirs:recv(200000)
            echolot.sleep(0) -- others have their turn at each piece
            total = total + #piece
            carry = carry .. piece
            while #carry >= MIB do -- held against the pattern, but for the mark in the middle
                local at = total - #carry
                local expected = at < 48 * MIB and block or nil
                if expected and carry:sub(1, MIB) ~= expected then
                    wrong = wrong + 1
                end
                carry = carry:sub(MIB + 1)
            end
        until piece == ""
        task:join()
        assert.equal(64 * MIB + 1, total)
        assert.equal(0, wrong)
        assert.equal(block:sub(-1), carry)
    end)

    it("waits for its whole time again whenever the peer has taken some", function()
        local ours, theirs = pair.pair { timeout = 0.2 }
        local task = pair.start(function()
            ours:send(("x"):rep(16 * MIB)):shutdown()
        end)
        local total = 0
        repeat
            local piece = theirs:recv(MIB)
            total = total + #piece
        until piece == ""
        task:join()
        assert.equal(16 * MIB, total)
    end)

    it("raises timeout where the peer takes nothing", function()
        local ours, theirs = pair.pair { timeout = 0.05 }
        local started = echolot.now()
        local err = pair.fails("timeout", ours, "send", ("x"):rep(64 * MIB))
        assert.is_true(echolot.now() - started >= 0.05)
        assert.equal("send", err.op)
        assert.equal(("send %s: timeout after 0.05 s"):format(ours.peer), tostring(err))
        theirs:close()
    end)

    it("raises reset once the peer has reset", function()
        pair.needs "reset"
        local ours, theirs = pair.pair()
        theirs:reset()
        pair.fails("reset", ours, "recv")
        local err = pair.fails("reset", ours, "send", "x")
        assert.is_true(err.errno == "EPIPE" or err.errno == "ECONNRESET")
        assert.equal("send", err.op)
    end)

    it("raises reset to one that waits for room", function()
        local ours, theirs = pair.pair()
        local task = pair.start(ours.send, ours, ("x"):rep(64 * MIB))
        theirs:reset()
        pair.fails("reset", task, "join")
    end)
end)

describe("shutdown", function()
    it("ends our half, receiving goes on", function()
        local ours, theirs = pair.pair()
        ours:send("question"):shutdown()
        assert.equal("question", theirs:read "a")
        theirs:send("answer"):shutdown()
        assert.equal("answer", ours:read "a")
    end)

    it("twice is harmless", function()
        local ours, theirs = pair.pair()
        ours:shutdown():shutdown()
        assert.equal("", theirs:recv())
        assert.equal("", theirs:recv())
    end)

    it("after which sending is the script's mistake", function()
        local ours = pair.pair()
        ours:shutdown()
        local err = pair.fails("usage", ours, "send", "x")
        assert.equal("send", err.op)
    end)

    it("while another task still sends is the script's mistake", function()
        local ours, theirs = pair.pair { timeout = 30 }
        local task = pair.start(ours.send, ours, ("x"):rep(64 * MIB))
        pair.fails("usage", ours, "shutdown")
        theirs:reset()
        pair.fails("reset", task, "join")
    end)
end)

describe("calls chain", function()
    it("wherever there is nothing better to return", function()
        local ours, theirs = pair.pair()
        theirs:send("x\n"):timeout(5):write("y\n"):pack(">I2", 7):shutdown():close()
        assert.equal("x", ours:timeout(5):read())
        assert.equal("y", ours:read "l")
        assert.equal(7, ours:unpack ">I2")
        assert.is_true(rawequal(ours, ours:reset()))
    end)
end)
