-- "Concurrency" of the contract: calls that wait, inside coroutines of the script's own.
local echolot = require "echolot"
local pair = require "conn_pair"

-- Two ends, the second of which sends each line when the first has asked for it.
local function slow_lines(...)
    local ours, theirs = pair.pair()
    local lines = table.pack(...)
    echolot.spawn(function()
        for i = 1, lines.n do
            pair.settle()
            theirs:send(lines[i], "\n")
        end
        theirs:shutdown()
    end)
    return ours, theirs
end

describe("a wait", function()
    it("may be in an iterator made by wrap", function()
        local ours = slow_lines("one", "two", "three")
        local words = coroutine.wrap(function()
            for line in ours:lines() do
                coroutine.yield(line, #line)
            end
        end)
        local seen = {}
        for word, length in words do
            seen[#seen + 1] = word .. length
        end
        assert.same({ "one3", "two3", "three5" }, seen)
    end)

    it("may be three coroutines deep", function()
        local ours = slow_lines("1", "2", "3", "4")
        local numbers = coroutine.wrap(function()
            local lines = coroutine.wrap(function()
                local raw = coroutine.wrap(function()
                    for line in ours:lines "L" do
                        coroutine.yield(line)
                    end
                end)
                for line in raw do
                    coroutine.yield((line:gsub("\n", "")))
                end
            end)
            for line in lines do
                coroutine.yield(tonumber(line))
            end
        end)
        local sum = 0
        for number in numbers do
            sum = sum + number
        end
        assert.equal(10, sum)
    end)

    it("may be fifty coroutines deep", function()
        local ours = slow_lines("deep", "er")
        local function nest(depth)
            if depth == 0 then
                return function() return ours:read() end
            end
            return function()
                local inner = coroutine.wrap(nest(depth - 1))
                return inner()
            end
        end
        assert.equal("deep", nest(50)())
        assert.equal("er", ours:read())
    end)

    it("may be between yields of the script's own", function()
        local ours = slow_lines("a", "b")
        local log = {}
        local co = coroutine.create(function(x)
            log[#log + 1] = x
            log[#log + 1] = ours:read()
            log[#log + 1] = coroutine.yield "first"
            echolot.sleep(0)
            log[#log + 1] = ours:read()
            log[#log + 1] = coroutine.yield "second"
            return "end", nil, 3
        end)
        assert.same({ true, "first" }, { coroutine.resume(co, "x") })
        assert.equal("suspended", coroutine.status(co))
        assert.same({ true, "second" }, { coroutine.resume(co, "y") })
        local results = table.pack(coroutine.resume(co, "z"))
        assert.equal(4, results.n)
        assert.equal("end", results[2])
        assert.equal(3, results[4])
        assert.equal("dead", coroutine.status(co))
        assert.same({ "x", "a", "y", "b", "z" }, log)
    end)

    it("may be inside pcall and xpcall in there", function()
        local ours, theirs = pair.pair { timeout = 0.02 }
        theirs:send "half"
        local results = coroutine.wrap(function()
            local ok, err = pcall(ours.read, ours, "l")
            coroutine.yield(ok, err.kind)
            coroutine.yield(xpcall(ours.read, function(e) return e.received end, ours, 100))
            ours:timeout(5)
            theirs:send " done\n"
            return pcall(ours.read, ours)
        end)
        assert.same({ false, "timeout" }, { results() })
        assert.same({ false, "half" }, { results() })
        assert.same({ true, "half done" }, { results() })
    end)

    it("raises through wrap, and the coroutine is dead", function()
        local ours = pair.pair()
        ours:close()
        local read = coroutine.wrap(function()
            echolot.sleep(0)
            return ours:read()
        end)
        local err = pair.failure("usage", read)
        assert.equal("read", err.op)
        local ok, why = pcall(read)
        assert.is_false(ok)
        assert.contains("dead coroutine", why)
    end)

    it("raises out of resume as false and the error", function()
        local co = coroutine.create(function()
            echolot.sleep(0)
            error({ code = 7 })
        end)
        local ok, err = coroutine.resume(co)
        assert.is_false(ok)
        assert.equal(7, err.code)
        assert.equal("dead", coroutine.status(co))
        assert.same({ false, "cannot resume dead coroutine" }, { coroutine.resume(co) })
    end)

    it("may be in metamethods", function()
        local ours = slow_lines("index", "call", "concat", "3", "eq", "len", "lt")
        local object = setmetatable({}, {
            __index = function() return ours:read() end,
            __call = function(_, x) return x .. ours:read() end,
            __concat = function() return ours:read() end,
            __add = function(_, n) return n + tonumber(ours:read()) end,
            __eq = function() return ours:read() == "eq" end,
            __len = function() return #ours:read() end,
            __lt = function() return ours:read() == "lt" end,
        })
        local other = setmetatable({}, getmetatable(object))
        assert.equal("index", object.field)
        assert.equal("a call", object "a ")
        assert.equal("concat", object .. "x")
        assert.equal(10, object + 7)
        assert.is_true(object == other)
        assert.equal(3, #object)
        assert.is_true(object < other)
    end)

    it("may be in a for loop's iterator, its state and its closing", function()
        local ours = slow_lines("one", "two", "closing")
        local closed
        local function each()
            return function() return ours:read() end, nil, nil, setmetatable({}, {
                __close = function() closed = ours:read() end,
            })
        end
        local seen = {}
        for line in each() do
            seen[#seen + 1] = line
            if line == "two" then
                break
            end
        end
        assert.same({ "one", "two" }, seen)
        assert.equal("closing", closed)
    end)

    it("may be in <close>, after an error too", function()
        local ours = slow_lines("first", "second")
        local seen = {}
        local function closing()
            return setmetatable({}, { __close = function() seen[#seen + 1] = ours:read() end })
        end
        do
            local guard <close> = closing()
        end
        local ok = pcall(function()
            local guard <close> = closing()
            error "out"
        end)
        assert.is_false(ok)
        assert.same({ "first", "second" }, seen)
    end)

    it("lets others go on while a coroutine waits", function()
        local ours, theirs = pair.pair()
        local steps = 0
        local ticker = echolot.spawn(function()
            for _ = 1, 5 do
                echolot.sleep(0)
                steps = steps + 1
            end
            theirs:send "now\n"
        end)
        local read = coroutine.wrap(function() return ours:read() end)
        assert.equal("now", read())
        assert.equal(5, steps)
        ticker:join()
    end)
end)

describe("a coroutine that waits", function()
    -- One inside of a task, and that task.
    local function waiting(f)
        local co = coroutine.create(f)
        local task = pair.start(function()
            return coroutine.resume(co)
        end)
        return co, task
    end

    it("cannot be resumed by others", function()
        local channel = echolot.channel()
        local co, task = waiting(function() return channel:get() end)
        local ok, why = coroutine.resume(co, "intruder")
        assert.is_false(ok)
        assert.is_string(why)
        channel:put "value"
        assert.same({ true, "value" }, { task:join() })
    end)

    it("is a task's own cannot be resumed either", function()
        for _, wait in ipairs {
            function(gate) return gate:get() end,
            function(gate)
                local inner = echolot.spawn(gate.get, gate)
                return inner:join()
            end,
        } do
            local gate, thread = echolot.channel(), nil
            local task = pair.start(function()
                thread = coroutine.running()
                return wait(gate)
            end)
            pair.settle()
            local ok, why = coroutine.resume(thread, "intruder")
            assert.is_false(ok)
            assert.is_string(why)
            gate:put "value"
            assert.equal("value", task:join())
        end
    end)

    it("and is a task's own does no harm when another closes it", function()
        for _, wait in ipairs {
            function() echolot.sleep(3600) end,
            function() echolot.channel():get() end,
            function() echolot.listen(pair.LOCAL):accept() end,
        } do
            local thread
            local task = pair.start(function()
                thread = coroutine.running()
                wait()
            end)
            pcall(coroutine.close, thread) -- be it refused or not
            collectgarbage()
            task:cancel()
            local ok = pcall(task.join, task)
            assert.is_false(ok)
        end
        echolot.sleep(0) -- and others go on
    end)

    it("is suspended, to those outside", function()
        local channel = echolot.channel()
        local co, task = waiting(function() return channel:get() end)
        assert.equal("suspended", coroutine.status(co))
        channel:put "x"
        task:join()
        assert.equal("dead", coroutine.status(co))
    end)

    it("cannot be closed: what it waits for lies on its stack", function()
        local ours, theirs = pair.pair()
        local listener = echolot.listen(pair.LOCAL)
        for _, wait in ipairs {
            function() return ours:read() end,
            function() return ours:unpack ">I4" end,
            function() echolot.channel():get() end,
            function() echolot.connect("localhost", listener.port):recv() end,
            function() echolot.listen(pair.LOCAL):accept() end,
            function() echolot.sleep(3600) end,
        } do
            local co, task = waiting(wait)
            local ok, why = pcall(coroutine.close, co)
            assert.is_false(ok)
            assert.contains("waits", why)
            assert.equal("suspended", coroutine.status(co))
            collectgarbage()
            task:cancel()
            pcall(task.join, task)
        end
        theirs:send "line\n"
        assert.equal("line", ours:read())
    end)

    it("was a task's own tells nothing and does nothing once that has ended", function()
        local thread
        local called = false
        local task = echolot.spawn(function()
            thread = coroutine.running()
            return 1, function() called = true end
        end)
        task:join()
        assert.is_false((coroutine.resume(thread, "hello")))
        pcall(coroutine.close, thread)
        assert.equal(1, (task:join()))
        assert.is_false(called)
    end)

    it("may be dropped with its task", function()
        for _ = 1, 20 do
            local channel = echolot.channel()
            local _, task = waiting(function() channel:get() end)
            task:cancel()
            pcall(task.join, task)
        end
        collectgarbage()
    end)
end)

describe("coroutine", function()
    it("works without waits as Lua's own does", function()
        local co = coroutine.create(function(a, b)
            local c = coroutine.yield(a + b)
            local d, e = coroutine.yield(c * 2)
            return d .. e
        end)
        assert.same({ true, 3 }, { coroutine.resume(co, 1, 2) })
        assert.same({ true, 10 }, { coroutine.resume(co, 5) })
        assert.same({ true, "xy" }, { coroutine.resume(co, "x", "y") })
        assert.same({ false, "cannot resume dead coroutine" }, { coroutine.resume(co) })
    end)

    it("tells states apart", function()
        local outer, inner
        outer = coroutine.create(function()
            inner = coroutine.create(function()
                return coroutine.status(outer), coroutine.status(inner)
            end)
            return coroutine.resume(inner)
        end)
        assert.same({ true, true, "normal", "running" }, { coroutine.resume(outer) })
        assert.equal("dead", coroutine.status(outer))
    end)

    it("knows which runs", function()
        local seen, main
        local co = coroutine.create(function()
            seen, main = coroutine.running()
            echolot.sleep(0)
            assert.equal(seen, (coroutine.running()))
        end)
        assert.is_true(coroutine.resume(co))
        assert.equal(co, seen)
        assert.is_false(main)
    end)

    it("may yield inside coroutines, but not out of a test or a task", function()
        assert.is_true(coroutine.wrap(function() return coroutine.isyieldable() end)())
        local ok, err = pcall(coroutine.yield, "x")
        assert.is_false(ok)
        assert.contains("outside a coroutine", err)
        local task = echolot.spawn(coroutine.yield)
        ok, err = pcall(task.join, task)
        assert.is_false(ok)
        assert.contains("outside a coroutine", err)
    end)

    it("cannot resume itself, or one that has resumed it", function()
        local co
        co = coroutine.create(function()
            return coroutine.resume(co)
        end)
        local ok, inner, why = coroutine.resume(co)
        assert.is_true(ok)
        assert.is_false(inner)
        assert.contains("non-suspended", why)
        local test = coroutine.running()
        local results = { coroutine.wrap(function() return coroutine.resume(test) end)() }
        assert.is_false(results[1])
        assert.contains("non-suspended", results[2])
    end)

    it("takes functions and coroutines only", function()
        assert.has_error(function() coroutine.wrap(1) end)
        assert.has_error(function() coroutine.create "x" end)
        assert.has_error(function() coroutine.resume(print) end)
    end)

    it("passes many values both ways", function()
        local many = {}
        for i = 1, 5000 do
            many[i] = i
        end
        local echo = coroutine.wrap(function(...)
            return select("#", ...), select("#", coroutine.yield(...))
        end)
        assert.equal(5000, select("#", echo(table.unpack(many))))
        local first, second = echo(table.unpack(many))
        assert.equal(5000, first)
        assert.equal(5000, second)
    end)

    it("adds the place to an error's text, as Lua's own does", function()
        local fail = coroutine.wrap(function() error "plain" end)
        local ok, err = pcall(fail)
        assert.is_false(ok)
        assert.matches("plain$", err)
    end)

    it("made in one task may be resumed in another", function()
        local co = coroutine.create(function()
            for i = 1, 3 do
                echolot.sleep(0)
                coroutine.yield(i)
            end
        end)
        for i = 1, 3 do
            assert.same({ true, i }, { echolot.spawn(coroutine.resume, co):join() })
        end
    end)

    it("closed before its end closes what it holds", function()
        local closed = {}
        local co = coroutine.create(function()
            local guard <close> = setmetatable({}, { __close = function() closed[#closed + 1] = "guard" end })
            echolot.sleep(0)
            coroutine.yield()
        end)
        coroutine.resume(co)
        assert.is_true(coroutine.close(co))
        assert.same({ "guard" }, closed)
        assert.equal("dead", coroutine.status(co))
    end)
end)
