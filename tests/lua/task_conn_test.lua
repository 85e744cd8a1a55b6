-- "Concurrency" of the contract: several tasks on one connection.
local echolot = require "echolot"
local pair = require "conn_pair"

describe("two tasks on one connection", function()
    it("cannot both wait to receive", function()
        local ours, theirs = pair.pair()
        local first = pair.start(ours.read, ours, "l")
        for _, call in ipairs { { "recv" }, { "read" }, { "read", "a" }, { "unpack", "b" } } do
            local err = pair.fails("usage", ours, table.unpack(call))
            assert.equal(call[1], err.op)
        end
        theirs:send "for the first\n"
        assert.equal("for the first", first:join())
        theirs:send "next\n"
        assert.equal("next", ours:read())
    end)

    it("may receive and send at once", function()
        local ours, theirs = pair.pair({ timeout = 30 }, { timeout = 30 })
        local data = pair.pattern(8 << 20)
        local echo = echolot.spawn(function()
            local conn <close> = theirs
            repeat
                local piece = conn:recv(1 << 16)
                conn:send(piece)
            until piece == ""
            conn:shutdown()
        end)
        local sender = echolot.spawn(function()
            ours:send(data):shutdown()
        end)
        local parts = {}
        repeat
            parts[#parts + 1] = ours:recv(1 << 16)
        until parts[#parts] == ""
        sender:join()
        echo:join()
        assert.is_true(table.concat(parts) == data)
    end)

    it("do not mix what they send", function()
        local ours, theirs = pair.pair({ timeout = 30 }, { timeout = 30 })
        local size, digits = 4 << 20, { "a", "b", "c", "d" }
        local tasks = {}
        for i, digit in ipairs(digits) do
            tasks[i] = pair.start(ours.send, ours, digit:rep(size), digit:rep(size))
        end
        local ending = echolot.spawn(function()
            for _, task in ipairs(tasks) do
                task:join()
            end
            ours:shutdown()
        end)
        local runs, last, total = {}, nil, 0
        repeat
            local piece = theirs:recv(1 << 18)
            total = total + #piece
            local at = 1
            while at <= #piece do
                local digit = piece:sub(at, at)
                if digit ~= last then
                    runs[#runs + 1] = digit
                    last = digit
                end
                at = piece:find("[^" .. digit .. "]", at) or #piece + 1
            end
        until piece == ""
        ending:join()
        assert.same(digits, runs) -- in the order in which they asked
        assert.equal(8 * size, total)
    end)

    it("a small send waits behind a large one", function()
        local ours, theirs = pair.pair { timeout = 30 }
        local large = pair.start(ours.send, ours, ("x"):rep(16 << 20))
        local small = pair.start(ours.send, ours, "small")
        local seen = 0
        while seen < 16 << 20 do
            seen = seen + #theirs:recv(math.min(1 << 20, (16 << 20) - seen))
        end
        large:join()
        small:join()
        assert.equal("small", theirs:read(5))
    end)

    it("the second one that sends times out by itself", function()
        local ours, theirs = pair.pair { timeout = 30 }
        local size = 16 << 20
        local large = pair.start(ours.send, ours, ("x"):rep(size))
        ours:timeout(0.02)
        pair.fails("timeout", ours, "send", "never sent")
        ours:timeout(30)
        local task = echolot.spawn(function()
            large:join()
            ours:shutdown()
        end)
        local total = 0
        repeat
            local piece = theirs:recv(1 << 20)
            total = total + #piece
        until piece == ""
        task:join()
        assert.equal(size, total)
    end)

    it("a send keeps the limit under which it began", function()
        local ours, theirs = pair.pair { timeout = 30 }
        local large = pair.start(ours.send, ours, ("x"):rep(64 << 20))
        ours:timeout(0.02)
        for _ = 1, 8 do -- which lets the large one go on, and wait again
            theirs:read(1 << 20)
        end
        local ok, err = pcall(echolot.timeout, 0.1, large.join, large)
        assert.is_false(ok)
        assert.equal("timeout", err.op, tostring(err)) -- ours of 0.1 s: the send still waits
        theirs:reset()
        pair.fails("reset", large, "join")
    end)

    it("hundreds of connections wait at once", function()
        local listener = echolot.listen(pair.LOCAL)
        local clients, tasks = {}, {}
        local server = echolot.spawn(function()
            local accepted = {}
            for i = 1, 300 do
                accepted[i] = listener:accept()
            end
            for i = 300, 1, -1 do
                local conn = accepted[i]
                conn:send("number ", conn:read(), "\n")
            end
        end)
        for i = 1, 300 do
            clients[i] = echolot.connect(listener.address)
            tasks[i] = echolot.spawn(function()
                return clients[i]:send(i, "\n"):read()
            end)
        end
        for i, task in ipairs(tasks) do
            assert.equal("number " .. i, task:join())
        end
        server:join()
    end)
end)
