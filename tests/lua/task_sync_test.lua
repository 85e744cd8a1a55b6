-- "Concurrency" of the contract: barriers and channels.
local echolot = require "echolot"
local pair = require "conn_pair"

describe("a barrier", function()
    it("lets nobody pass before all are there", function()
        local barrier, passed = echolot.barrier(3), 0
        local function one()
            barrier:wait()
            passed = passed + 1
        end
        local first, second = pair.start(one), pair.start(one)
        assert.equal(0, passed)
        barrier:wait()
        first:join()
        second:join()
        assert.equal(2, passed)
    end)

    it("can be used again and again", function()
        local barrier, rounds = echolot.barrier(2), {}
        local function one(name)
            return function()
                for round = 1, 5 do
                    barrier:wait()
                    rounds[#rounds + 1] = round
                    barrier:wait()
                end
                return name
            end
        end
        echolot.parallel(one "a", one "b")
        assert.same({ 1, 1, 2, 2, 3, 3, 4, 4, 5, 5 }, rounds)
    end)

    it("of one holds nobody", function()
        local barrier = echolot.barrier(1)
        barrier:wait()
        barrier:wait()
    end)

    it("does not count one that was cancelled", function()
        local barrier, passed = echolot.barrier(2), 0
        local function one()
            barrier:wait()
            passed = passed + 1
        end
        local gone = pair.start(one)
        gone:cancel()
        local here = pair.start(one)
        pair.fails("cancelled", gone, "join")
        pair.settle()
        assert.equal(0, passed)
        barrier:wait()
        here:join()
        assert.equal(1, passed)
    end)

    it("does not count one that was cancelled just now", function()
        local barrier = echolot.barrier(2)
        local gone = pair.start(barrier.wait, barrier)
        local arrived = false
        local partner = echolot.spawn(function()
            pcall(gone.join, gone)
            arrived = true
            barrier:wait()
        end)
        gone:cancel()
        barrier:wait() -- the one that is gone has had no turn yet to say so
        assert.is_true(arrived)
        partner:join()
    end)

    it("still takes as many after one was cancelled", function()
        local barrier = echolot.barrier(2)
        local gone = pair.start(barrier.wait, barrier)
        gone:cancel()
        local first = echolot.spawn(barrier.wait, barrier)
        local second = echolot.spawn(barrier.wait, barrier)
        echolot.timeout(2, function()
            first:join()
            second:join()
        end)
        local third = pair.start(barrier.wait, barrier)
        barrier:wait()
        third:join()
    end)

    it("is for a whole number of tasks", function()
        for _, wrong in ipairs { 0, -1, 1.5, "2", {} } do
            pair.failure("usage", echolot.barrier, wrong)
        end
        pair.failure("usage", echolot.barrier)
    end)
end)

describe("a channel", function()
    it("hands values over in order", function()
        local channel = echolot.channel()
        local got = {}
        local getter = echolot.spawn(function()
            for value in channel.get, channel do
                got[#got + 1] = value
            end
        end)
        for i = 1, 10 do
            assert.is_true(rawequal(channel, channel:put(i)))
        end
        channel:close()
        getter:join()
        assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, got)
    end)

    it("without a size waits until a value is taken", function()
        local channel, put = echolot.channel(), false
        local putter = pair.start(function()
            channel:put "x"
            put = true
        end)
        assert.is_false(put)
        assert.equal("x", channel:get())
        putter:join()
        assert.is_true(put)
    end)

    it("with a size waits once it is full", function()
        local channel, puts = echolot.channel(2), 0
        local putter = pair.start(function()
            for i = 1, 4 do
                channel:put(i)
                puts = puts + 1
            end
        end)
        assert.equal(2, puts)
        assert.equal(1, channel:get())
        pair.settle()
        assert.equal(3, puts)
        assert.equal(2, channel:get())
        assert.equal(3, channel:get())
        assert.equal(4, channel:get())
        putter:join()
    end)

    it("carries any value but nil", function()
        local channel = echolot.channel(10)
        local t = {}
        channel:put(false):put(0):put(""):put(t)
        assert.is_false(channel:get())
        assert.equal(0, channel:get())
        assert.equal("", channel:get())
        assert.is_true(rawequal(t, channel:get()))
        assert.equal("put", pair.fails("usage", channel, "put", nil).op)
        local waiting = pair.start(channel.get, channel)
        channel:put(false)
        assert.is_false(waiting:join())
    end)

    it("closed gives what it holds, then nil for ever", function()
        local channel = echolot.channel(5)
        channel:put(1):put(2):close()
        assert.equal(1, channel:get())
        assert.equal(2, channel:get())
        assert.is_nil(channel:get())
        assert.is_nil(channel:get())
        pair.fails("usage", channel, "put", 3)
        channel:close() -- harmless
    end)

    it("closed wakes all who wait for a value", function()
        local channel = echolot.channel()
        local tasks = {}
        for i = 1, 3 do
            tasks[i] = pair.start(function()
                return "got", channel:get()
            end)
        end
        channel:close()
        for _, task in ipairs(tasks) do
            local word, value = task:join()
            assert.equal("got", word)
            assert.is_nil(value)
        end
    end)

    it("closed still hands over what somebody waits to put", function()
        local channel = echolot.channel()
        local putter = pair.start(channel.put, channel, "waiting")
        channel:close()
        assert.equal("waiting", channel:get())
        putter:join()
        assert.is_nil(channel:get())
    end)

    it("serves those who wait in the order in which they came", function()
        local channel = echolot.channel()
        local order = {}
        local tasks = {}
        for i = 1, 3 do
            tasks[i] = pair.start(function()
                local value = channel:get()
                order[#order + 1] = i .. value
            end)
        end
        channel:put("a"):put("b"):put("c")
        for _, task in ipairs(tasks) do
            task:join()
        end
        assert.same({ "1a", "2b", "3c" }, order)
    end)

    it("passes over a getter and a putter that were cancelled", function()
        local channel = echolot.channel()
        local getter = pair.start(channel.get, channel)
        getter:cancel()
        local next_getter = pair.start(channel.get, channel)
        channel:put "value"
        assert.equal("value", next_getter:join())
        pair.fails("cancelled", getter, "join")

        local putter = pair.start(channel.put, channel, "never")
        putter:cancel()
        pair.fails("cancelled", putter, "join")
        local next_putter = pair.start(channel.put, channel, "second")
        assert.equal("second", channel:get())
        next_putter:join()
    end)

    it("does not count the value of a putter that was cancelled", function()
        local channel = echolot.channel(1)
        channel:put(1)
        local gone = pair.start(channel.put, channel, 2)
        local put = false
        local third = pair.start(function()
            channel:put(3)
            put = true
        end)
        gone:cancel()
        pair.fails("cancelled", gone, "join")
        assert.equal(1, channel:get())
        pair.settle()
        assert.is_true(put) -- there is room for one
        assert.equal(3, channel:get())
        third:join()
    end)

    it("carries thousands of values between many tasks", function()
        local channel, sum = echolot.channel(7), 0
        local producers, consumers = {}, {}
        for i = 1, 20 do
            producers[i] = echolot.spawn(function()
                for j = 1, 250 do
                    channel:put(j)
                end
            end)
        end
        for i = 1, 10 do
            consumers[i] = echolot.spawn(function()
                for value in channel.get, channel do
                    sum = sum + value
                end
            end)
        end
        for _, task in ipairs(producers) do
            task:join()
        end
        channel:close()
        for _, task in ipairs(consumers) do
            task:join()
        end
        assert.equal(20 * 250 * 251 // 2, sum)
    end)

    it("has a whole number as its size", function()
        for _, wrong in ipairs { -1, 1.5, "2", {} } do
            pair.failure("usage", echolot.channel, wrong)
        end
    end)
end)
