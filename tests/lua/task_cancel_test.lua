-- "Concurrency" of the contract: cancelling, at each kind of wait.
local echolot = require "echolot"
local pair = require "conn_pair"

-- Cancels `f` at its wait; the error that it gets there.
local function cancelled_in(f, ...)
    local seen
    local task = pair.start(function(...)
        local results = table.pack(pcall(f, ...))
        seen = results[2]
        error(results[2], 0)
    end, ...)
    task:cancel()
    pair.fails("cancelled", task, "join")
    assert.equal("cancelled", seen.kind)
    return seen
end

describe("cancel", function()
    it("ends a sleep", function()
        local started = echolot.now()
        assert.equal("sleep", cancelled_in(echolot.sleep, 3600).op)
        assert.is_true(echolot.now() - started < 3600)
    end)

    it("ends each wait for bytes, and the connection goes on", function()
        local ours, theirs = pair.pair()
        for _, call in ipairs {
            { "recv" }, { "read" }, { "read", "a" }, { "read", 100 }, { "unpack", ">I4" },
        } do
            cancelled_in(ours[call[1]], ours, table.unpack(call, 2))
        end
        cancelled_in(ours:lines())
        theirs:send "after all"
        assert.equal("after all", ours:recv())
    end)

    it("ends a send; what others send is not mixed up by it", function()
        local ours, theirs = pair.pair { timeout = 30 }
        cancelled_in(ours.send, ours, ("x"):rep(64 << 20))
        local after = pair.start(ours.send, ours, "|after")
        local all = {}
        repeat
            all[#all + 1] = theirs:recv(1 << 20)
        until all[#all]:find("after", 1, true)
        after:join()
        assert.matches("^x*|after$", table.concat(all))
    end)

    it("ends the second of two that send, not the first", function()
        local ours, theirs = pair.pair { timeout = 30 }
        local size = 16 << 20
        local first = pair.start(ours.send, ours, ("1"):rep(size))
        cancelled_in(ours.send, ours, ("2"):rep(size))
        local third = pair.start(ours.send, ours, ("3"):rep(size))
        local done = echolot.spawn(function()
            first:join()
            third:join()
            ours:shutdown()
        end)
        local counts = { ["1"] = 0, ["2"] = 0, ["3"] = 0 }
        repeat
            local piece = theirs:recv(1 << 20)
            for digit in pairs(counts) do
                counts[digit] = counts[digit] + select(2, piece:gsub(digit, ""))
            end
        until piece == ""
        done:join()
        assert.same({ ["1"] = size, ["2"] = 0, ["3"] = size }, counts)
    end)

    it("ends the wait for a connection", function()
        local listener = echolot.listen(pair.LOCAL)
        assert.equal("accept", cancelled_in(listener.accept, listener:timeout(3600)).op)
        local conn <close> = echolot.connect(listener.address)
        assert.equal(conn.local_address, listener:accept().peer)
    end)

    it("ends a connect, by address and by name", function()
        local listener = echolot.listen(pair.LOCAL)
        for _, host in ipairs { "127.0.0.1", "localhost" } do
            local task = echolot.spawn(echolot.connect, host, listener.port)
            local canceller = echolot.spawn(task.cancel, task)
            canceller:join()
            pair.fails("cancelled", task, "join")
        end
    end)

    it("ends a join; the other task goes on", function()
        local gate = echolot.channel()
        local other = pair.start(gate.get, gate)
        cancelled_in(other.join, other)
        gate:put "value"
        assert.equal("value", other:join())
    end)

    it("ends waits at barriers and channels", function()
        local barrier, channel = echolot.barrier(2), echolot.channel()
        cancelled_in(barrier.wait, barrier)
        cancelled_in(channel.get, channel)
        cancelled_in(channel.put, channel, "lost")
    end)

    it("ends parallel, timeout and run", function()
        cancelled_in(echolot.parallel, function() echolot.sleep(3600) end)
        cancelled_in(echolot.timeout, 3600, echolot.sleep, 3600)
        cancelled_in(echolot.run, echolot.sleep, 3600)
    end)

    it("before the task has begun keeps it from beginning", function()
        local begun = false
        local task = echolot.spawn(function()
            begun = true
        end)
        task:cancel()
        pair.fails("cancelled", task, "join")
        assert.is_false(begun)
    end)

    it("is raised at every later wait, too", function()
        local kinds = {}
        local task = pair.start(function()
            for i = 1, 3 do
                local _, err = pcall(echolot.sleep, 3600)
                kinds[i] = err.kind
            end
            return "done all the same"
        end)
        task:cancel()
        assert.equal("done all the same", task:join())
        assert.same({ "cancelled", "cancelled", "cancelled" }, kinds)
    end)

    it("closes what was to be closed, in order", function()
        local order = {}
        local function closing(name)
            return setmetatable({}, { __close = function() order[#order + 1] = name end })
        end
        local task = pair.start(function()
            local first <close> = closing "first"
            do
                local second <close> = closing "second"
                echolot.sleep(3600)
            end
            order[#order + 1] = "never"
        end)
        task:cancel()
        pair.fails("cancelled", task, "join")
        assert.same({ "second", "first" }, order)
    end)

    it("goes through coroutines of the script's own, closing there", function()
        local order = {}
        local task = pair.start(function()
            local next_value = coroutine.wrap(function()
                local guard <close> = setmetatable({}, { __close = function() order[#order + 1] = "inner" end })
                echolot.sleep(3600)
            end)
            local ok, err = pcall(next_value)
            order[#order + 1] = not ok and err.kind
            error(err, 0)
        end)
        task:cancel()
        pair.fails("cancelled", task, "join")
        assert.same({ "inner", "cancelled" }, order)
    end)

    it("twice, or of a task that has ended, is harmless", function()
        local task = pair.start(echolot.sleep, 3600)
        assert.is_true(rawequal(task, task:cancel()))
        task:cancel()
        pair.fails("cancelled", task, "join")
        task:cancel()
        local ended = echolot.spawn(function() return 1 end)
        assert.equal(1, ended:join())
        ended:cancel()
        assert.equal(1, ended:join())
    end)

    it("of oneself is raised at the next wait", function()
        local reached = false
        local task
        task = echolot.spawn(function()
            task:cancel()
            reached = true
            echolot.sleep(0)
            error "not reached"
        end)
        pair.fails("cancelled", task, "join")
        assert.is_true(reached)
    end)

    it("loses against what has already come", function()
        local channel = echolot.channel()
        local task = pair.start(channel.get, channel)
        channel:put "first"
        task:cancel()
        assert.equal("first", task:join())
    end)
end)

describe("a cancel is not lost", function()
    it("on a sender whose turn has just come", function()
        local ours, theirs = pair.pair { timeout = 30 }
        local block = ("x"):rep(64 << 20)
        local first = pair.start(ours.send, ours, block)
        local second = pair.start(ours.send, ours, block)
        first:cancel()
        second:cancel()
        pair.fails("cancelled", first, "join")
        pair.fails("cancelled", second, "join")
        theirs:close()
    end)

    it("by a run that goes while its tasks are still ending", function()
        local inner
        local outer = pair.start(echolot.run, function()
            inner = echolot.spawn(function()
                pcall(echolot.sleep, 3600)
                error("swallowed the cancel, then failed", 0)
            end)
            echolot.sleep(3600)
        end)
        outer:cancel()
        pair.fails("cancelled", outer, "join")
        pair.settle()
        collectgarbage()
        local ok, err = pcall(inner.join, inner)
        assert.is_false(ok)
        assert.equal("swallowed the cancel, then failed", err)
    end)
end)

it("an accept without a limit is not ended by the limit of the one before", function()
    local listener = echolot.listen(pair.LOCAL):timeout(0.05)
    local first = pair.start(listener.accept, listener)
    local one <close> = echolot.connect(listener.address)
    first:join()
    listener:timeout(math.huge)
    local second = pair.start(listener.accept, listener)
    pair.fails("timeout", echolot.listen(pair.LOCAL, { timeout = 0.1 }), "accept") -- longer than that
    local other <close> = echolot.connect(listener.address)
    second:join()
end)
