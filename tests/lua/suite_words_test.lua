-- "Suites" of the contract: words and their nesting, pending, tags, targets, reports.
local inner = require "suite_inner"

before_each(function()
    inner.need_program(pending)
end)

describe("names", function()
    it("are those of the groups and the test, with a space between", function()
        local result = inner.run [[
            it("alone", function() end)
            describe("outer", function()
                it("first", function() end)
                context("inner", function()
                    it("second", function() end)
                end)
                it("third", function() end)
            end)
        ]]
        assert.same({
            "alone=pass", "outer first=pass", "outer inner second=pass", "outer third=pass",
        }, inner.outcome(result))
        assert.equal(0, result.status)
        assert.equal(3, result.tests[2].line)
    end)

    it("bear tags, which groups hand down", function()
        local result = inner.run [[
            describe("slow ones #slow", function()
                it("one #net #x", function() end)
                conversation("two", { tags = { "listed" }, target = "127.0.0.1:1" }, nil)
            end)
            it("none", function() end)
        ]]
        assert.same({ "slow", "net", "x" }, { table.unpack(result.tests[1].tags) })
        assert.same({ "slow", "listed" }, { table.unpack(result.tests[2].tags) })
        assert.equal(0, #result.tests[3].tags)
    end)
end)

describe("a test", function()
    it("without a function is skipped, as pending ones are", function()
        local result = inner.run [[
            it "to be written"
            pending "later"
            pending("with a body", function() error "not called" end)
            conversation "to be held"
            it("goes on until pending", function()
                log "before"
                pending "no server here"
                log "after"
            end)
        ]]
        assert.same({
            "to be written=skip", "later=skip", "with a body=skip", "to be held=skip", "goes on until pending=skip",
        }, inner.outcome(result))
        assert.equal("no server here", result.tests[5].reason)
        assert.same({ "before" }, result.logs)
        assert.equal(0, result.status)
    end)

    it("fails by a mismatch, and has an error of any other kind", function()
        local result = inner.run [[
            it("fails", function() assert.equal(1, 2) end)
            it("raises text", function() error "text" end)
            it("raises a table", function() error { code = 1 } end)
            it("raises nil", function() error() end)
            it("waits too long", function()
                local echolot = require "echolot"
                local listener = echolot.listen "127.0.0.1:0"
                listener:timeout(0.01):accept()
            end)
            it("overflows the stack", function()
                local function deeper() return 1 + deeper() end
                deeper()
            end)
            it("passes all the same", function() end)
        ]]
        assert.same({
            "fails=fail", "raises text=error", "raises a table=error", "raises nil=error", "waits too long=error",
            "overflows the stack=error", "passes all the same=pass",
        }, inner.outcome(result))
        assert.equal("mismatch", result.tests[1].error.kind)
        assert.matches(":2: text$", result.tests[2].error.message)
        assert.equal("{code = 1}", result.tests[3].error.message)
        assert.equal("an error that is nil", result.tests[4].error.message)
        assert.equal("timeout", result.tests[5].error.kind)
        assert.matches("_test%.lua:8", result.tests[5].error.traceback)
        assert.equal(1, result.status)
    end)

    it("ends at --test-timeout, whether it waits or computes", function()
        local result = inner.run([[
            it("waits", function() require("echolot").sleep(3600) end)
            it("goes on", function() end)
            it("waits for what nothing brings about", function() require("echolot").channel():get() end)
            it("spins", function() while true do end end)
            it("goes on again", function() end)
        ]], "--test-timeout 0.2")
        assert.same({
            "waits=timeout", "goes on=pass", "waits for what nothing brings about=timeout", "spins=timeout",
            "goes on again=pass",
        }, inner.outcome(result))
        assert.equal("timeout", result.tests[1].error.kind)
    end)

    it("that is lost costs only itself", function()
        local result = inner.run([[
            it("before", function() end)
            it("exits", function() os.exit(0) end)
            it("eats", function() local t = {} while true do t[#t + 1] = ("x"):rep(1 << 20) .. #t end end)
            it("after", function() end)
        ]], "--memory-limit 64M")
        assert.same({ "before=pass", "exits=error", "eats=error", "after=pass" }, inner.outcome(result))
        assert.equal("limit", result.tests[3].error.kind)
        assert.equal(1, result.status)
    end)
end)

describe("a suite word", function()
    it("is the script's mistake where it cannot be", function()
        local result = inner.run [[
            local words = {
                it = it, describe = describe, before_each = before_each, setup = setup, conversation = conversation,
            }
            for name, word in pairs(words) do
                it(name, function()
                    local ok, err = pcall(word, "name", function() end)
                    if name == "before_each" or name == "setup" then
                        ok, err = pcall(word, function() end)
                    end
                    assert.is_false(ok)
                    assert.equal("usage", err.kind)
                end)
            end
            for name, word in pairs { finally = finally, fact = fact, step = step } do
                local ok, err = pcall(word, name == "finally" and function() end or "name", function() end)
                it("outside: " .. name, function()
                    assert.is_false(ok)
                    assert.equal("usage", err.kind)
                end)
            end
        ]]
        assert.equal(8, #result.tests)
        for _, test in ipairs(result.tests) do
            assert.equal("pass", test.status, test.name)
        end
    end)

    it("with wrong arguments keeps the file from loading", function()
        for _, source in ipairs {
            "it(7, print)", "it('x', 7)", "describe('x')", "describe(print)", "before_each 'x'", "target(7)",
            "target()", "conversation('x', 7, print)", "conversation('x', { peers = 0 }, print)",
            "conversation('x', { peers = 1.5 }, print)", "error 'of the file'", "local = 1",
        } do
            local result = inner.run(source .. "\nit('never runs', function() end)")
            assert.equal(0, #result.tests, source)
            assert.equal(2, result.status, source)
        end
    end)
end)

describe("what a test reports", function()
    it("stands in its event", function()
        local result = inner.run [[
            it("reports", function()
                fact("number", 7)
                fact("text", "seven")
                fact("bytes", "\255\0")
                fact("table", { list = { 1, 2 }, yes = true })
                print("printed", 1, nil, true)
                log("logged", "twice")
                local a, b = step("a step", function(x) return x, "b" end, "a")
                assert.equal("a", a)
                assert.equal("b", b)
                pcall(step, "one that fails", error)
                assert.is_true(true)
                check.equal(1, 1)
            end)
        ]]
        local test = result.tests[1]
        assert.equal("pass", test.status, test.error and test.error.message)
        assert.equal(7, test.facts.number)
        assert.equal("seven", test.facts.text)
        assert.equal("/wA=", test.facts.bytes.base64)
        assert.equal(2, test.facts.table.list[2])
        assert.is_true(test.facts.table.yes)
        assert.same({ "printed\t1\tnil\ttrue", "logged\ttwice" }, result.logs)
        assert.equal("a step", test.steps[1].name)
        assert.is_true(test.steps[1].duration >= 0)
        assert.equal("one that fails", test.steps[2].name)
        assert.equal(4, test.checks)
        assert.is_true(test.duration >= 0)
    end)

    it("has steps with a name and a function only", function()
        local result = inner.run [[
            it("no function", function() step "x" end)
            it("no name", function() step(function() end) end)
        ]]
        assert.contains("a function is expected, got nil", result.tests[1].error.message)
        assert.equal("usage", result.tests[1].error.kind)
        assert.matches("_test%.lua:1$", result.tests[1].error.where)
        assert.is_nil(result.tests[1].steps)
        assert.contains("a name is expected first, got function", result.tests[2].error.message)
    end)

    it("may be facts of no other kind", function()
        local result = inner.run [[
            for name, value in pairs { f = print, nested = { print }, co = coroutine.create(print) } do
                it(name, function() fact("x", value) end)
            end
            it("itself", function() local t = {} t.t = t fact("x", t) end)
            it("nameless", function() fact(7, 7) end)
        ]]
        assert.equal(5, #result.tests)
        for _, test in ipairs(result.tests) do
            assert.equal("error", test.status)
            assert.equal("usage", test.error.kind)
        end
    end)

    it("by check goes on, and fails at its end with all of them", function()
        local result = inner.run [[
            it("checks", function()
                check.equal(1, 2)
                log "goes on"
                check.is_true(false)
            end)
            it("checks, then errs", function()
                check.equal(1, 2)
                error "out"
            end)
        ]]
        assert.same({ "checks=fail", "checks, then errs=error" }, inner.outcome(result))
        assert.same({ "goes on" }, result.logs)
        assert.equal(2, #result.tests[1].failed_checks)
        assert.equal("mismatch", result.tests[1].error.kind)
        assert.equal(1, #result.tests[2].failed_checks)
    end)

    it("keeps a script's own globals from others", function()
        local result = inner.run [[
            shared = (shared or 0) + 1
            it("sees its own", function() assert.equal(1, shared) end)
        ]]
        assert.same({ "sees its own=pass" }, inner.outcome(result))
    end)
end)

describe("a run", function()
    it("is a stream of events", function()
        local result = inner.run [[
            it("one", function() end)
            it("two", function() end)
        ]]
        local kinds = {}
        for i, event in ipairs(result.events) do
            kinds[i] = event.event
            assert.is_number(event.t)
        end
        assert.same({
            "run_start", "file_start", "test_start", "test_end", "test_start", "test_end", "file_end", "run_end",
        }, kinds)
        assert.equal("", result.out)
    end)

    it("of nothing has status 5", function()
        assert.equal(5, inner.run("describe('empty', function() end)").status)
        assert.equal(5, inner.run("it('left out', function() end)", "--filter nothing").status)
    end)

    it("selects by name", function()
        local source = [[
            describe("group", function()
                it("one", function() end)
                it("two", function() end)
            end)
            it("three", function() end)
        ]]
        assert.same({ "group one=pass", "group two=pass" }, inner.outcome(inner.run(source, "--filter '^group'")))
        assert.same({ "group one=pass", "three=pass" }, inner.outcome(inner.run(source, "--filter-out two")))
        assert.same({ "group one=pass", "three=pass" },
            inner.outcome(inner.run(source, "--filter one --filter three")))
    end)

    it("stops at the first failure where that is asked", function()
        local source = [[
            it("passes", function() end)
            it("fails", function() error "x" end)
            it("never runs", function() end)
        ]]
        assert.same({ "passes=pass", "fails=error" }, inner.outcome(inner.run(source, "--fail-fast")))
    end)

    it("takes every number of seconds that its options take", function()
        local source = "it('waits', function() require('echolot').sleep(0) end)"
        for _, seconds in ipairs { "0.5", "1e3", "1e9", "inf" } do
            local result = inner.run(source, "--timeout " .. seconds .. " --test-timeout " .. seconds)
            -- refused as an option, or else it works
            assert.is_true(result.status == 0 or result.status == 2 and #result.events == 0, seconds)
        end
    end)

    describe("with a process that a script has left behind", function()
        local fifo

        before_each(function()
            fifo = os.tmpname()
            os.remove(fifo)
            assert.is_true(os.execute("mkfifo " .. fifo))
        end)

        -- The process waits until somebody has opened the other end.
        after_each(function()
            io.open(fifo, "r+"):close()
            os.remove(fifo)
        end)

        it("does not wait for it", function()
            local result = inner.run(([[
                it("leaves one", function() os.execute "cat %s &" end)
            ]]):format(fifo))
            assert.same({ "leaves one=pass" }, inner.outcome(result))
            assert.equal(0, result.status)
        end)

        it("hears of a lost worker at once", function()
            local result = inner.run(([[
                it("leaves one", function()
                    os.execute "cat %s >/dev/null 2>&1 &"
                    os.execute "kill -KILL $PPID"
                end)
                it("goes on", function() end)
            ]]):format(fifo), "--test-timeout 10")
            assert.same({ "leaves one=error", "goes on=pass" }, inner.outcome(result))
        end)
    end)
end)
