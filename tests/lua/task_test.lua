-- "Concurrency" of the contract: spawn, join, sleep, now, parallel, timeout.
local echolot = require "echolot"
local pair = require "conn_pair"

describe("spawn and join", function()
    it("pass arguments and results, nils too", function()
        local task = echolot.spawn(function(...)
            return select("#", ...), ...
        end, 1, nil, "x", nil)
        local results = table.pack(task:join())
        assert.equal(5, results.n)
        assert.equal(4, results[1])
        assert.equal(1, results[2])
        assert.is_nil(results[3])
        assert.equal("x", results[4])
        assert.equal(0, select("#", echolot.spawn(function() end):join()))
    end)

    it("pass thousands of values", function()
        local many = {}
        for i = 1, 5000 do
            many[i] = i
        end
        local results = { echolot.spawn(function(...) return ... end, table.unpack(many)):join() }
        assert.equal(5000, #results)
        assert.equal(5000, results[5000])
    end)

    it("run while the caller waits, not before", function()
        local order = {}
        local task = echolot.spawn(function()
            order[#order + 1] = "task"
        end)
        order[#order + 1] = "caller"
        task:join()
        assert.same({ "caller", "task" }, order)
    end)

    it("raise the task's error again, whatever its type", function()
        local value = { code = 7 }
        for _, err in ipairs { "text", 42, true, value } do
            local task = echolot.spawn(error, err, 0)
            local ok, got = pcall(task.join, task)
            assert.is_false(ok)
            assert.is_true(rawequal(err, got))
        end
        local none = echolot.spawn(error, nil)
        local results = table.pack(pcall(none.join, none))
        assert.is_false(results[1])
        assert.is_nil(results[2])
    end)

    it("join a second time, and from several tasks", function()
        local task = echolot.spawn(function()
            echolot.sleep(0)
            return "result"
        end)
        local joiners = {}
        for i = 1, 5 do
            joiners[i] = echolot.spawn(task.join, task)
        end
        assert.equal("result", task:join())
        assert.equal("result", task:join())
        for _, joiner in ipairs(joiners) do
            assert.equal("result", joiner:join())
        end
    end)

    it("join a failed task twice", function()
        local task = echolot.spawn(error, "failed", 0)
        for _ = 1, 2 do
            local ok, err = pcall(task.join, task)
            assert.is_false(ok)
            assert.equal("failed", err)
        end
    end)

    it("a failure joined after the task's end has been seen", function()
        local task = pair.start(error, "failed", 0)
        pair.settle()
        local ok, err = pcall(task.join, task)
        assert.is_false(ok)
        assert.equal("failed", err)
    end)

    it("a task cannot join itself", function()
        local task
        task = echolot.spawn(function()
            task:join()
        end)
        assert.equal("join", pair.fails("usage", task, "join").op)
    end)

    it("refuse what is no function or no task", function()
        for _, wrong in ipairs { 1, "x", {}, true } do
            assert.equal("spawn", pair.failure("usage", echolot.spawn, wrong).op)
        end
        pair.failure("usage", echolot.spawn)
        local task = echolot.spawn(function() end)
        pair.failure("usage", task.join)
        pair.failure("usage", task.cancel, {})
        assert.matches("^task", tostring(task))
    end)

    it("hold thousands of tasks", function()
        local tasks, sum = {}, 0
        for i = 1, 5000 do
            tasks[i] = echolot.spawn(function()
                echolot.sleep(0)
                return i
            end)
        end
        for _, task in ipairs(tasks) do
            sum = sum + task:join()
        end
        assert.equal(5000 * 5001 // 2, sum)
    end)

    it("make chains of tasks that join each other", function()
        local task = echolot.spawn(function() return 0 end)
        for _ = 1, 3000 do
            local before = task
            task = echolot.spawn(function()
                return before:join() + 1
            end)
        end
        assert.equal(3000, task:join())
    end)

    it("collect tasks that have ended", function()
        local weak = setmetatable({}, { __mode = "k" })
        for _ = 1, 100 do
            local task = echolot.spawn(function() end)
            weak[task] = true
            task:join()
        end
        collectgarbage()
        collectgarbage()
        local left = 0
        for _ in pairs(weak) do
            left = left + 1
        end
        assert.is_true(left <= 2) -- what the stack still holds
    end)
end)

describe("sleep and now", function()
    it("do not end early", function()
        for _, seconds in ipairs { 0, 0.001, 0.02 } do
            local started = echolot.now()
            echolot.sleep(seconds)
            assert.is_true(echolot.now() - started >= seconds)
        end
    end)

    it("let others run meanwhile, the shorter one first", function()
        local order = {}
        echolot.parallel(function()
            echolot.sleep(0.1)
            order[#order + 1] = "long"
        end, function()
            echolot.sleep(0.01)
            order[#order + 1] = "short"
        end)
        assert.same({ "short", "long" }, order)
    end)

    it("never go back", function()
        local last = echolot.now()
        for _ = 1, 1000 do
            local now = echolot.now()
            assert.is_true(now >= last)
            last = now
        end
    end)

    it("take seconds", function()
        for _, wrong in ipairs { -1, 0 / 0, "1", {}, true } do
            assert.equal("sleep", pair.failure("usage", echolot.sleep, wrong).op)
        end
        pair.failure("usage", echolot.sleep)
    end)
end)

describe("parallel", function()
    it("returns the first result of each, in their order", function()
        local a, b, c, d = echolot.parallel(function()
            echolot.sleep(0.02)
            return "a", "dropped"
        end, function() end, function()
            return "c"
        end, function()
            return false
        end)
        assert.equal("a", a)
        assert.is_nil(b)
        assert.equal("c", c)
        assert.is_false(d)
        assert.equal(2, select("#", echolot.parallel(function() end, function() end)))
    end)

    it("of nothing is nothing", function()
        assert.equal(0, select("#", echolot.parallel()))
    end)

    it("raises the first error and cancels the others", function()
        local seen
        local err = assert.has_error(function()
            echolot.parallel(function()
                local ok, why = pcall(echolot.sleep, 3600)
                seen = not ok and why.kind
            end, function()
                echolot.sleep(0.01)
                error("first", 0)
            end)
        end)
        assert.equal("first", err)
        assert.equal("cancelled", seen)
    end)

    it("has ended all of them before it raises", function()
        local ended = 0
        pcall(echolot.parallel, function()
            local guard <close> = setmetatable({}, { __close = function() ended = ended + 1 end })
            echolot.sleep(3600)
        end, error)
        assert.equal(1, ended)
    end)

    it("cancelled itself, cancels all of them", function()
        local cancelled = 0
        local function wait()
            local guard <close> = setmetatable({}, { __close = function() cancelled = cancelled + 1 end })
            echolot.sleep(3600)
        end
        local task = pair.start(echolot.parallel, wait, wait, wait)
        task:cancel()
        pair.fails("cancelled", task, "join")
        pair.settle()
        assert.equal(3, cancelled)
    end)

    it("takes functions only", function()
        local err = pair.failure("usage", echolot.parallel, print, 7)
        assert.contains("argument 2", err.message)
    end)

    it("nests", function()
        local function two(x)
            return function()
                return select("#", echolot.parallel(function() return x end, function() return x end))
            end
        end
        assert.same({ 2, 2 }, { echolot.parallel(two(1), two(2)) })
    end)
end)

describe("timeout", function()
    it("returns what the function does", function()
        assert.same({ 1, 2, 3 }, { echolot.timeout(5, function(...) return ... end, 1, 2, 3) })
        assert.equal(0, select("#", echolot.timeout(5, function() end)))
    end)

    it("raises timeout once the time is up, and cancels", function()
        local why
        local started = echolot.now()
        local err = pair.failure("timeout", echolot.timeout, 0.03, function()
            local ok, reason = pcall(echolot.sleep, 3600)
            why = not ok and reason.kind
            error(reason, 0)
        end)
        assert.is_true(echolot.now() - started >= 0.03)
        assert.equal("cancelled", why)
        assert.equal("timeout", err.op)
        assert.contains("0.03", tostring(err))
    end)

    it("raises the function's own error", function()
        assert.equal("own", assert.has_error(function()
            echolot.timeout(5, error, "own", 0)
        end))
    end)

    it("nests: the shorter one counts", function()
        local outer = pair.failure("timeout", echolot.timeout, 0.02, function()
            echolot.timeout(3600, echolot.sleep, 3600)
        end)
        assert.contains("0.02", tostring(outer))
        local inner = pair.failure("timeout", echolot.timeout, 3600, function()
            echolot.timeout(0.02, echolot.sleep, 3600)
        end)
        assert.contains("0.02", tostring(inner))
    end)

    it("limits a wait on a connection", function()
        local ours, theirs = pair.pair()
        pair.failure("timeout", echolot.timeout, 0.02, ours.recv, ours)
        theirs:send "later"
        assert.equal("later", ours:recv()) -- nobody waits for it any more
    end)

    it("cancelled itself, cancels the function", function()
        local cancelled
        local task = pair.start(echolot.timeout, 3600, function()
            local guard <close> = setmetatable({}, { __close = function() cancelled = true end })
            echolot.sleep(3600)
        end)
        task:cancel()
        pair.fails("cancelled", task, "join")
        pair.settle()
        assert.is_true(cancelled)
    end)

    it("takes seconds and a function", function()
        for _, wrong in ipairs { -1, 0 / 0, "1", {} } do
            pair.failure("usage", echolot.timeout, wrong, print)
        end
        pair.failure("usage", echolot.timeout, 1)
        pair.failure("usage", echolot.timeout, 1, "x")
    end)
end)

describe("run", function()
    it("returns what its function does, once all it spawned has ended", function()
        local ended = 0
        local a, b = echolot.run(function(x)
            for _ = 1, 3 do
                echolot.spawn(function()
                    echolot.sleep(0.01)
                    ended = ended + 1
                end)
            end
            return x, "b"
        end, "a")
        assert.equal("a", a)
        assert.equal("b", b)
        assert.equal(3, ended)
    end)

    it("raises the error of a task that nobody joined", function()
        assert.equal("unseen", assert.has_error(function()
            echolot.run(function()
                echolot.spawn(error, "unseen", 0)
            end)
        end))
    end)

    it("closes what was opened in it", function()
        local kept
        echolot.run(function()
            kept = pair.pair()
        end)
        pair.fails("usage", kept, "recv")
    end)

    it("closes it, too, when it is cancelled", function()
        local kept
        local task = pair.start(echolot.run, function()
            kept = echolot.listen(pair.LOCAL)
            kept:timeout(3600):accept()
        end)
        task:cancel()
        pair.fails("cancelled", task, "join")
        pair.settle()
        pair.settle()
        assert.contains("closed", tostring(kept))
    end)
end)
