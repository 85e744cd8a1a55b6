-- Properties: cases, seeds, what is told of one that does not hold, and what it leaves behind.
local inner = require "suite_inner"

before_each(function()
    inner.need_program(pending)
end)

local PREAMBLE = [[
local echolot = require "echolot"
local gen = echolot.gen
]]

-- Runs a suite of properties; its only test, or all by name.
local function run(source, options)
    local result = inner.run(PREAMBLE .. source, options or "--seed 1")
    return result, result.tests[1]
end

-- A property that sends each line to an echo server with that flaw.
local function echoes(server, options)
    return run(([[
        local t = target(%s)
        property("echoes lines", gen.line(), function(line)
            local peer = t:connect()
            assert.equal(line, peer:send(line, "\n"):read())
        end)
    ]]):format(server), options)
end

local MANGLER = [[{
    start = function(_, address)
        return echolot.serve(address, function(client)
            for line in client:lines "L" do
                client:send((line:gsub("\xff", "?")))
            end
        end)
    end,
}]]

describe("a property that holds", function()
    it("runs a hundred cases, and says so", function()
        local result, test = run [[
            local count = 0
            property("holds #tag", gen.integer(0, 9), gen.line(), function(n, line)
                count = count + 1
                assert.is_true(n >= 0)
                fact("count", count)
            end)
        ]]
        assert.equal("pass", test.status)
        assert.same({ runs = 100, cases = 100, seed = 1 }, test.property)
        assert.equal(100, test.checks)
        assert.equal(100, test.facts.count)
        assert.same({ "tag" }, { table.unpack(test.tags) })
        assert.equal(4, test.line)
        assert.equal(0, result.status)
    end)

    it("runs as many as it says", function()
        local _, test = run [[
            property("few", { runs = 7.0, tags = { "t" } }, gen.boolean(), function() end)
        ]]
        assert.equal(7, test.property.cases)
        assert.same({ "t" }, { table.unpack(test.tags) })
    end)

    it("begins with the simplest", function()
        local result = run [[
            property("first", { runs = 1 }, gen.line(), gen.integer(3, 9), gen.list(gen.boolean(), 1), function(...)
                log(require("echolot.inspect").value({ ... }))
            end)
        ]]
        assert.same({ '{"", 3, {false}}' }, result.logs)
    end)

    it("may be skipped by a case, or have no function yet", function()
        local result = run [[
            property("skipped", gen.integer(0, 9), function(n) if n > 4 then pending "no such n yet" end end)
            property("unwritten", gen.integer(0, 9))
            property "nameless"
        ]]
        assert.same({ "skipped=skip", "unwritten=skip", "nameless=skip" }, inner.outcome(result))
        assert.equal("no such n yet", result.tests[1].reason)
    end)

    it("shows its last conversation where all are to be shown", function()
        local _, test = run [[
            local t = target(echolot.servers.echo())
            property("says", { runs = 3 }, gen.constant "x", function(x) t:connect():send(x, "\n"):read() end)
        ]]
        assert.equal("open", test.transcript[1].dir)
        assert.equal(1, test.transcript[1].conn)
    end)
end)

describe("a server", function()
    it("that breaks lines beyond 100 bytes is told by 101 of one simple character", function()
        for _, overflow in ipairs { "truncate", "split", "close" } do
            for seed = 1, 10 do
                local server = ("echolot.servers.echo { max_line = 100, overflow = %q }"):format(overflow)
                local _, test = echoes(server, "--seed " .. seed)
                assert.equal("fail", test.status)
                assert.equal(("a"):rep(101), test.property.arguments[1].data)
                assert.equal('"a" × 101 (101 bytes)', test.property.arguments[1].value)
            end
        end
    end)

    it("that mangles one byte is told by that byte", function()
        for seed = 1, 10 do
            local _, test = echoes(MANGLER, "--seed " .. seed)
            assert.equal("fail", test.status)
            assert.equal('"\\xff"', test.property.arguments[1].value)
            assert.equal("/w==", test.property.arguments[1].data.base64)
        end
    end)

    it("is told with the difference and the conversation of the smallest case alone", function()
        local result, test = echoes "echolot.servers.echo { max_line = 100 }"
        local err, property = test.error, test.property
        assert.equal(1, result.status)
        assert.equal("mismatch", err.kind)
        assert.matches("^falsified after %d+ cases and %d+ shrinking steps %(%-%-seed 1%): "
            .. 'line = "a" × 101 %(101 bytes%)\nexpected 101 bytes, got 100', err.message)
        assert.contains(("after %d cases and %d shrinking steps"):format(property.cases, property.shrinks), err.message)
        assert.equal("line", property.arguments[1].name)
        assert.equal(1, property.seed)
        assert.equal(100, property.runs)
        assert.is_true(property.shrinks > 0 and property.cases > 1)
        assert.matches("_test%.lua:6$", err.where)
        assert.contains("in function", err.traceback)
        assert.is_not_nil(err.diff[1])
        local dirs = {}
        for i, event in ipairs(test.transcript) do
            dirs[i] = event.dir
        end
        assert.same({ "open", "send", "send", "recv", "close" }, dirs)
        assert.equal(("a"):rep(101), test.transcript[2].data)
    end)

    it("that does not answer is told without waiting the whole limit at each step", function()
        local _, test = run([[
            local t = target(echolot.servers.echo())
            property("answers", gen.line(), function(line)
                t:connect():send(line:find "%z" and line or line .. "\n"):read()
            end)
        ]], "--seed 5 --timeout 1")
        assert.equal("error", test.status)
        assert.equal("timeout", test.error.kind)
        assert.equal('"\\x00"', test.property.arguments[1].value)
        assert.contains("timeout after 1 s", test.error.message)
    end)
end)

describe("what falsifies", function()
    it("has the names of the parameters, and its values as they were before the call", function()
        local _, test = run [[
            property("changes them", gen.list(gen.integer(0, 9), 1), gen.boolean(), gen.integer(), function(list, flag, ...)
                list[1] = "changed"
                error "x"
            end)
        ]]
        assert.equal("error", test.status)
        assert.contains("falsified after 1 case and 0 shrinking steps (--seed 1): list = {0}, flag = false, value 3 = 0",
            test.error.message)
        assert.contains("x", test.error.message)
        assert.same({ name = "list", value = "{0}" }, test.property.arguments[1])
    end)

    it("may be a failed check, a task left behind, what finally does", function()
        local result = run [[
            property("check", gen.integer(0, 1000), function(n) check.is_true(n < 500) end)
            property("task", gen.integer(0, 1000), function(n)
                if n >= 500 then
                    echolot.spawn(error, "left")
                    echolot.sleep(0)
                end
            end)
            property("finally", gen.integer(0, 1000), function(n)
                finally(function() if n >= 500 then error "at last" end end)
            end)
        ]]
        assert.same({ "check=fail", "task=error", "finally=error" }, inner.outcome(result))
        for _, test in ipairs(result.tests) do
            assert.equal("500", test.property.arguments[1].value, test.name)
        end
        assert.equal(1, #result.tests[1].failed_checks)
    end)

    it("is never shrunk into a failure of another kind", function()
        local _, test = run [[
            property("two ways", gen.integer(0, 1000), function(n)
                if n > 50 then
                    assert.equal(1, 2)
                elseif n > 10 then
                    echolot.connect "nowhere"
                elseif n > 5 then
                    pending "too small"
                elseif n > 2 then
                    error "other"
                end
            end)
        ]]
        assert.equal("fail", test.status)
        assert.equal("51", test.property.arguments[1].value)
    end)

    it("is told as flaky where it does not fail again", function()
        local _, test = run [[
            local calls = 0
            property("once", gen.integer(0, 9), function()
                calls = calls + 1
                assert.not_equal(5, calls)
            end)
        ]]
        assert.equal("fail", test.status)
        assert.contains("flaky: the same case passed when it was run again", test.error.message)
        assert.same({ 5, 0, true }, { test.property.cases, test.property.shrinks, test.property.flaky })
    end)

    it("is told with its own logs only", function()
        local result = run [[
            property("talks", gen.integer(0, 100), function(n)
                print("n is " .. n)
                assert.is_true(n < 20)
            end)
            property("talks and holds", { runs = 2 }, gen.constant(1), function(n) log("n is", n) end)
        ]]
        assert.same({ "n is 20", "n is\t1", "n is\t1" }, result.logs)
    end)

    it("bears the steps and facts of the smallest case", function()
        local _, test = run [[
            before_each(function() fact("before", 1) end)
            property("steps", gen.integer(0, 100), function(n)
                step("step " .. n, function() fact("n", n) end)
                assert.is_true(n < 20)
            end)
        ]]
        assert.same({ before = 1, n = 20 }, test.facts)
        assert.equal("step 20", test.steps[1].name)
        assert.equal(1, #test.steps)
    end)
end)

describe("a seed", function()
    local NUMBERS = [[
        property("numbers", { runs = 5 }, gen.integer(), function(n) log(n) end)
    ]]

    it("repeats the cases, whatever else runs", function()
        local alone = run(NUMBERS, "--seed 7")
        local among = run([[
            property("other", gen.line(), function() math.random() end)
        ]] .. NUMBERS .. NUMBERS:gsub("numbers", "numbers too"), "--seed 7")
        assert.equal(5, #alone.logs)
        assert.same(alone.logs, { table.unpack(among.logs, 1, 5) })
        assert.is_not.same(alone.logs, { table.unpack(among.logs, 6) })
        local filtered = run(NUMBERS:gsub("numbers", "numbers too") .. NUMBERS, "--seed 7 --filter numbers$")
        assert.same(alone.logs, filtered.logs)
    end)

    it("of another number makes others, and so does each run without one", function()
        local one = run(NUMBERS, "--seed 7")
        assert.is_not.same(one.logs, run(NUMBERS, "--seed 8").logs)
        local first, second = run(NUMBERS, ""), run(NUMBERS, "")
        assert.is_not.same(first.logs, second.logs)
        assert.is_not.equal(first.tests[1].property.seed, second.tests[1].property.seed)
    end)

    it("that a report names repeats the failure", function()
        local source = [[
            property("fails", gen.list(gen.integer(0, 99)), function(list) assert.is_true(#list < 3) end)
        ]]
        local _, test = run(source, "")
        local seed = test.error.message:match "%(%-%-seed (%d+)%)"
        local _, again = run(source, "--seed " .. seed)
        assert.same(test.property, again.property)
        assert.equal(math.tointeger(seed), test.property.seed)
    end)

    it("of the script's own comes first", function()
        local source = [[
            property("own", { seed = 3 }, gen.integer(), function(n) log(n) error "x" end)
        ]]
        local one, test = run(source, "--seed 1")
        assert.same(one.logs, run(source, "--seed 2").logs)
        assert.contains("(seed 3)", test.error.message)
        assert.equal(3, test.property.seed)
    end)

    it("is told at the start of the run", function()
        assert.equal(12, run(NUMBERS, "--seed 12").events[1].seed)
    end)
end)

describe("bounds", function()
    it("of steps hold", function()
        local result = run [[
            local function fails(n) assert.is_true(n < 1000) end
            property("none", { max_shrinks = 0 }, gen.integer(), fails)
            property("few", { max_shrinks = 3 }, gen.integer(), fails)
        ]]
        assert.equal(0, result.tests[1].property.shrinks)
        assert.equal(3, result.tests[2].property.shrinks)
        assert.contains("there may be a smaller one: shrinking ended by max_shrinks = 3", result.tests[2].error.message)
    end)

    it("of a case end it, and it is shrunk", function()
        local _, test = run [[
            property("hangs", { timeout = 0.02 }, gen.line(), function(line)
                if #line > 30 then echolot.sleep(100) end
            end)
        ]]
        assert.equal("error", test.status)
        assert.equal("timeout", test.error.kind)
        assert.equal(("a"):rep(31), test.property.arguments[1].data)
        assert.contains("the case took longer than 0.02 s", test.error.message)
    end)

    it("of the test are kept, and the case is named that was running", function()
        local _, test = run([[
            property("hangs", gen.integer(0, 9), function(n)
                if n == 7 then echolot.sleep(100) end
            end)
        ]], "--seed 1 --test-timeout 0.3")
        assert.equal("timeout", test.status)
        assert.matches("^case %d+ of 100 was running %(%-%-seed 1%): n = 7\n", test.error.message)
        assert.contains("the test took longer than 0.3 s (--test-timeout)", test.error.message)
    end)

    it("of the worker are kept: the case that took it along is named", function()
        local _, spinning = run([[
            property("spins", gen.integer(0, 9), function(n)
                while n == 7 do end
            end)
        ]], "--seed 1 --test-timeout 0.3")
        assert.equal("timeout", spinning.status)
        assert.matches("^case %d+ of 100 was running %(%-%-seed 1%): n = 7\nno answer", spinning.error.message)
        local _, leaving = run [[
            property("leaves", gen.line(), function(line)
                if #line > 1000 then os.exit(3) end
            end)
        ]]
        assert.matches('^case %d+ of 100 was running .* line = ".*"...%(%d+ bytes%)\n.*os.exit%(3%)', leaving.error.message)
    end)

    it("of the test end shrinking in time", function()
        local _, test = run([[
            property("slow to fail", gen.bytes(400, 600), function(s)
                if #s > 450 then echolot.sleep(0.15) error "long" end
            end)
        ]], "--seed 1 --test-timeout 1")
        assert.equal("error", test.status)
        assert.contains("falsified", test.error.message)
        assert.contains("shrinking ended for want of time", test.error.message)
    end)
end)

describe("a case", function()
    it("closes what it opened, and ends what it spawned, before the next", function()
        local _, test = run [[
            local t = target(echolot.servers.echo())
            local last, task
            property("opens", gen.integer(0, 1), function()
                if last then
                    assert.is_false(pcall(last.send, last, "x"))
                    assert.contains("ended", tostring(task):gsub("failed", "ended"))
                end
                last = t:connect()
                task = echolot.spawn(echolot.sleep, 100)
            end)
        ]]
        assert.equal("pass", test.status)
    end)

    it("leaves no descriptor, over all cases and steps", function()
        local result, test = run [[
            local t = target(echolot.servers.echo())
            local function descriptors()
                local pipe <close> = io.popen "ls /proc/$PPID/fd | wc -l"
                return tonumber(pipe:read "a")
            end
            local before
            property("opens", { max_shrinks = 1000 }, gen.bytes(300, 400), function(s)
                local peer, other = t:connect(), t:connect()
                before = before or descriptors()
                peer:send "x"
                local sum = 0
                for i = 1, #s do sum = sum * 31 + s:byte(i) & 0xffff end
                assert.is_true(sum % 16 ~= 5)
            end)
            it("is as before", function()
                log(before, descriptors())
                assert.is_true(descriptors() <= before)
            end)
        ]]
        assert.equal("fail", test.status)
        assert.is_true(test.property.shrinks > 300, tostring(test.property.shrinks))
        assert.equal("pass", result.tests[2].status)
    end)

    it("calls its finally functions at its own end, the last first; hooks stand around the property", function()
        local result = run [[
            local said = {}
            before_each(function() said[#said + 1] = "before" end)
            after_each(function() log(table.concat(said, " ")) end)
            property("twice", { runs = 2 }, gen.constant(0), function()
                said[#said + 1] = "case"
                finally(function() said[#said + 1] = "last" end)
                finally(function() said[#said + 1] = "first" end)
            end)
        ]]
        assert.same({ "before case first last case first last" }, result.logs)
    end)

    it("may hold tasks, and wait", function()
        local _, test = run [[
            local t = target(echolot.servers.echo())
            property("both", { runs = 10 }, gen.line(), gen.line(), function(one, other)
                local function ask(line) return function() return t:connect():send(line, "\n"):read() end end
                assert.same({ one, other }, { echolot.parallel(ask(one), ask(other)) })
            end)
        ]]
        assert.equal("pass", test.status)
    end)
end)

describe("misuse", function()
    local MISUSES = {
        { "property(5, gen.line(), print)", "a name is expected first, got number" },
        { 'property("x", print)', "a generator is expected before the function" },
        { 'property("x", {}, print)', "a generator is expected before the function" },
        { 'property("x", 5, print)', "a generator is expected, got number" },
        { 'property("x", gen.line(), {}, print)', "a generator is expected, got table" },
        { 'property("x", gen.line(), print, 7)', "a generator is expected, got function" },
        { 'property("x", { run = 5 }, gen.line(), print)', "there is no option 'run'" },
        { 'property("x", { runs = 0 }, gen.line(), print)', "option 'runs' is a whole number from 1" },
        { 'property("x", { seed = "a" }, gen.line(), print)', "option 'seed' is a whole number" },
        { 'property("x", { max_shrinks = -1 }, gen.line(), print)', "option 'max_shrinks' is a whole number from 0" },
        { 'property("x", { timeout = 0 }, gen.line(), print)', "option 'timeout' is a positive number of seconds" },
        { "property(gen.line(), print)", "a name is expected first, got table" },
        { 'property("x", gen.integer(5, 1), print)', "lo is greater than hi: 5 > 1" },
    }
    for _, misuse in ipairs(MISUSES) do
        local call, message = table.unpack(misuse)
        it("does not load, and is told: " .. call, function()
            local result = run(call)
            local err = result.events[#result.events - 1].error
            assert.equal(2, result.status)
            assert.contains(message, err.message)
            assert.matches("_test%.lua:3$", err.where)
        end)
    end

    it("of such_that is told by its test", function()
        local _, test = run [[
            property("never", gen.integer():such_that(function() return false end), function() end)
        ]]
        assert.equal("usage", test.error.kind)
        assert.matches("^gen%.such_that: gave up after", test.error.message)
        assert.matches("_test%.lua:3$", test.error.where)
    end)

    it("within a test is told", function()
        local _, test = run [[
            it("holds one", function() property("x", gen.line(), print) end)
        ]]
        assert.equal("usage", test.error.kind)
    end)

    it("of a function that raises while values are made is an error of the test", function()
        local _, test = run [[
            property("bad map", gen.integer(0, 9):map(function(n) return n.x.y end), function() end)
        ]]
        assert.equal("error", test.status)
        assert.contains("attempt to index a number value", test.error.message)
    end)
end)
