-- Spies, stubs and matchers: the words of their failures, what they keep, when they end. That they behave as busted's
-- do is what tests/e2e/busted_test.py is about.
local failures = require "assert_failures"
local inner = require "suite_inner"
local subject = require "echolot.assert"

local ours = subject.new()

local failure, fails = failures.failure, failures.fails

local function misuse(message, f, ...)
    local raised = failures.misuse(message, f, ...)
    assert.matches("^tests/lua/spy_test%.lua:%d+$", raised.where:gsub("^.*(tests/lua/)", "%1"))
end

describe("the failure of called_with", function()
    local s
    before_each(function()
        s = spy.new()
    end)

    it("shows all calls, and where the nearest parts", function()
        s "hello world"
        s("hello", 2)
        s { a = 1 }
        local raised = fails(table.concat({
            'expected a call with ("hello", 3), got 3 others',
            '  call 1: ("hello world")',
            '  call 2: ("hello", 2)',
            "  call 3: ({a = 1})",
            "  call 2, argument 2:",
            "  - 3",
            "  + 2",
        }, "\n"), ours.spy(s).was.called_with, "hello", 3)
        assert.equal('with ("hello", 3)', raised.expected)
        assert.equal("with ({a = 1})", raised.actual)
    end)

    it("shows what an eye would miss", function()
        s "hello\r\n"
        local raised = failure(ours.spy(s).was.called_with, "hello\n")
        assert.contains("only the line ends differ", raised.message)
    end)

    it("shows the key at which tables part", function()
        s { user = { name = "ada" } }
        local raised = failure(ours.spy(s).was.called_with, { user = { name = "bob" } })
        assert.contains(".user.name", raised.message)
    end)

    it("says that there are more or fewer arguments", function()
        s(1, nil)
        fails("expected a call with (1), got 1 other\n  call 1: (1, nil)\n  call 1 has 2 arguments instead of 1",
            ours.spy(s).was.called_with, 1)
    end)

    it("says that there was none", function()
        fails("expected a call with (1), got none", ours.spy(s).was.called_with, 1)
        fails("sent: expected a call with (), got none", ours.spy(s, "sent").was.called_with)
    end)

    it("says that a table has changed since", function()
        local t = { 1 }
        s(t)
        t[1] = 2
        assert.contains("its content has changed since", failure(ours.spy(s).was.called_with, t).message)
    end)

    it("names matchers", function()
        s(1)
        fails("expected a call with (match.is_string()), got 1 other\n  call 1: (1)\n  call 1, argument 1:\n"
            .. "  - match.is_string()\n  + 1", ours.spy(s).was.called_with, match.is_string())
        local raised = failure(ours.spy(s).was.called_with, match.is_all_of(match.is_not_near(1, 0.5), match.has_match "x"))
        assert.contains('match.is_all_of(match.is_not_near(1, 0.5), match.is_matches("x"))', raised.message)
    end)

    it("names the call that should not have been", function()
        s(1)
        s "a"
        s(2)
        fails('expected no call with (match.is_string()), but call 2 is one: ("a")',
            ours.spy(s).was_not.called_with, match.is_string())
    end)

    it("is short, however much there is", function()
        for index = 1, 1000 do
            s(index, ("x"):rep(10000), table.unpack({}, 1, 50))
        end
        local raised = failure(ours.spy(s).was.called_with, 5000)
        assert.is_true(#raised.message < 4000, #raised.message .. " bytes")
        assert.contains("(995 earlier)", raised.message)
        assert.contains("...42 more", raised.message)
    end)

    it("survives matchers that raise for other calls", function()
        ours:register("matcher", "above", function(_, arguments)
            return function(value) return value > arguments[1] end
        end)
        s(1)
        s "text"
        local raised = failure(ours.spy(s).was.called_with, 7, match.is_above(5))
        assert.equal("mismatch", raised.kind)
        ours:unregister("matcher", "above")
    end)
end)

describe("other failures", function()
    local s
    before_each(function()
        s = spy.new(function(x) return x end)
    end)

    it("count calls", function()
        fails("expected a call, got none", ours.spy(s).was.called)
        s(1)
        fails("expected no call, got 1\n  call 1: (1)", ours.spy(s).was_not.called)
        fails("expected 2 calls, got 1\n  call 1: (1)", ours.spy(s).was.called, 2)
        fails("expected no call, got 1\n  call 1: (1)", ours.spy(s).was.called, 0)
        fails("expected anything but 1 call, got 1\n  call 1: (1)", ours.spy(s).was_not.called, 1)
        fails("expected at least 2 calls, got 1\n  call 1: (1)", ours.spy(s).was.called_at_least, 2)
        fails("expected at most 0 calls, got 1\n  call 1: (1)", ours.spy(s).was.called_at_most, 0)
        fails("expected more than 1 call, got 1\n  call 1: (1)", ours.spy(s).was.called_more_than, 1)
        fails("expected less than 1 call, got 1\n  call 1: (1)", ours.spy(s).was.called_less_than, 1)
        fails("expected less than 1 call, got 1\n  call 1: (1)", ours.spy(s).was_not.called_at_least, 1)
    end)

    it("show results", function()
        s(1)
        fails("expected a return of (2), got 1 other\n  return 1: (1)\n  return 1, result 1:\n  - 2\n  + 1",
            ours.spy(s).was.returned_with, 2)
        fails("expected no return of (1), but return 1 is one: (1)", ours.spy(s).was_not.returned_with, 1)
    end)

    it("name holes and counts", function()
        fails("expected no holes, but [2] is nil in {1, nil, 3}", ours.array({ 1, nil, 3 }).has.no.holes)
        fails("expected holes, got none in {1}", ours.array({ 1 }).has.holes)
        fails("expected 2 values, got 1", ours.returned_arguments, 2, nil)
        fails("expected not 1 values, got 1", ours.not_returned_arguments, 1, nil)
    end)
end)

describe("misuse", function()
    it("of spies is the script's", function()
        misuse("assert.called: the spy itself is needed, not the function that it calls", function()
            ours.spy(print).was.called()
        end)
        misuse("assert.called_with: say of which spy: assert.spy(s)", function() ours.called_with(1) end)
        misuse("assert.called_at_least(times) needs 1 argument, got 0", function()
            ours.spy(spy.new()).was.called_at_least()
        end)
        misuse('assert.called: a number of calls is expected, got "x"', function() ours.spy(spy.new()).was.called "x" end)
        misuse("a function is needed to spy on, got number", function() spy.new(5) end)
        misuse("a table is needed first, got nil", function() spy.on(nil, "f") end)
        misuse("the table has no function there, but number", function() spy.on({ f = 1 }, "f") end)
        misuse("a table and a key of it are needed, got number and string", function() stub(5, "f") end)
        misuse("the table has no function there, but number", function() stub({ f = 1 }, "f") end)
    end)

    it("of matchers is the script's", function()
        misuse("match has no .is_strin", function() return match.is_strin end)
        misuse("match.is_near needs 2 arguments, got 1", function() match.is_near(1) end)
        misuse("match.is_any_of needs matchers, got number", function() match.is_any_of(1) end)
        misuse("match.is_ref needs a table, function, thread or userdata, got string", function() match.is_ref "x" end)
        misuse("match.matches: malformed pattern (ends with '%')", function() match.matches "%" end)
    end)

    it("of words is the script's", function()
        misuse("assert has no .foo", function() return ours.spy(spy.new()).foo end)
        misuse("assert has no .called_by", function() return ours.called_by end)
        misuse("assert: the words before the call name no assertion", function() ours.called_at(1) end)
        misuse("assert.spy: an assertion has to follow", function() ours.spy(spy.new())() end)
    end)

    it("of registering is the script's", function()
        misuse('assertion, modifier or matcher is expected first, got "word"', function() ours:register("word", "x", print) end)
        misuse("a name is expected, got nil", function() ours:register("assertion", nil, print) end)
        misuse("a function is expected, got nil", function() ours:register("assertion", "x") end)
    end)
end)

insulate("a group that is insulated", function()
    local concurrency = require "echolot.concurrency"
    package.loaded["echolot.spy_test"] = "kept"
    package.loaded.own_module = "own"
    it("has what its body did", function()
        assert.equal("own", package.loaded.own_module)
        assert.is_true(rawequal(concurrency, package.loaded["echolot.concurrency"]))
    end)
end)

describe("behind an insulated group", function()
    it("there are Echolot's modules, and no others", function()
        assert.is_nil(package.loaded.own_module)
        assert.equal("kept", package.loaded["echolot.spy_test"])
    end)
end)

describe("assert", function()
    it("keeps the fields that a script gives it, whatever is registered", function()
        ours.own_helper = print
        ours:register("assertion", "own_word", function() return true end)
        assert.equal(print, ours.own_helper)
        ours.own_word()
        ours:unregister("assertion", "own_word")
        misuse("assert has no .own_word", function() return ours.own_word end)
        ours.own_helper = nil
    end)

    it("lets a name be registered that is built in, until it is unregistered", function()
        ours:register("assertion", "equal", function() return true end)
        ours.equal(1, 2)
        ours.are.equal(1, 2)
        ours:unregister("assertion", "equal")
        fails("expected 1, got 2", ours.equal, 1, 2)
        fails("expected 1, got 2", ours.are.equal, 1, 2)
    end)
end)

describe("what is kept", function()
    it("are copies, of any nesting and with cycles", function()
        local deep = {}
        local at = deep
        for _ = 1, 200000 do
            at.next = {}
            at = at.next
        end
        at.next = deep
        local s = spy.new()
        s(deep)
        assert.is_false(rawequal(deep, s.calls[1].vals[1]))
        assert.is_true(rawequal(deep, s.calls[1].refs[1]))
    end)

    it("are no copies of what is finalized, of spies and of matchers", function()
        local count, s, other = 0, spy.new(), spy.new()
        local object = setmetatable({}, { __gc = function() count = count + 1 end })
        s(object, other, match._)
        assert.is_true(rawequal(object, s.calls[1].vals[1]))
        assert.is_true(rawequal(other, s.calls[1].vals[2]))
        assert.is_true(rawequal(match._, s.calls[1].vals[3]))
        s:clear()
        collectgarbage()
        assert.equal(0, count)
    end)

    it("is forgotten with a spy that nobody holds", function()
        local weak = setmetatable({ spy.new() }, { __mode = "v" })
        collectgarbage()
        collectgarbage()
        assert.is_nil(weak[1])
    end)
end)

describe("a spy", function()
    it("lets what it calls wait", function()
        local echolot = require "echolot"
        local s = spy.new(function(x)
            echolot.sleep(0)
            return x
        end)
        local one, other = echolot.parallel(function() return s(1) end, function() return s(2) end)
        assert.same({ 1, 2 }, { one, other })
        assert.spy(s).was.returned_with(2)
    end)

    it("leaves an inherited function inherited", function()
        local class = { f = print }
        local object = setmetatable({}, { __index = class })
        spy.on(object, "f"):revert()
        stub(object, "f"):revert()
        assert.is_nil(rawget(object, "f"))
        assert.equal(print, object.f)
    end)
end)

describe("a test", function()
    before_each(function()
        inner.need_program(pending)
    end)

    it("ends its spies after its hooks, in the reverse of their order", function()
        local result = inner.run [[
            local t = { f = function() return "original" end }
            before_each(function() stub(t, "f").returns "stubbed" end)
            after_each(function() log(t.f()) end)
            it("one", function()
                stub(t, "f").returns "again"
                log(t.f())
            end)
            it("two", function()
                log(t.f())
                error "fails"
            end)
            describe("group", function()
                setup(function() log(t.f()) end)
                it("three", function() end)
            end)
        ]]
        assert.equal("again again stubbed stubbed original stubbed", table.concat(result.logs, " "))
    end)

    it("that is a property ends them with each case", function()
        local result = inner.run [[
            local gen = require("echolot").gen
            local t = { f = function() return "original" end }
            property("one", { runs = 3 }, gen.integer(0, 9), function(value)
                local seen = t.f()
                stub(t, "f").returns "stubbed"
                assert.equal("original", seen)
            end)
            it("two", function() assert.equal("original", t.f()) end)
        ]]
        assert.same({ "one=pass", "two=pass" }, inner.outcome(result))
    end)

    it("leaves spies of setup alone", function()
        local result = inner.run [[
            local t = { f = print }
            setup(function() stub(t, "f") end)
            it("one", function() t.f() end)
            it("two", function() assert.stub(t.f).was.called(1) end)
        ]]
        assert.same({ "one=pass", "two=pass" }, inner.outcome(result))
    end)

    it("may put stubs in the place of the library's own functions", function()
        local result = inner.run [[
            local libraries = { _G = _G, table = table, string = string, math = math, os = os, io = io,
                coroutine = coroutine, debug = debug, utf8 = utf8, package = package }
            for name, library in pairs(libraries) do
                for key, value in pairs(library) do
                    if type(value) == "function" then
                        it(name .. "." .. key .. " passes", function() stub(library, key) end)
                        it(name .. "." .. key .. " fails", function()
                            stub(library, key)
                            assert.spy(spy.new()).was.called_with({ 1 }, "x")
                        end)
                    end
                end
            end
        ]]
        assert.is_true(#result.tests > 200)
        for _, test in ipairs(result.tests) do
            local wanted = test.name:find " passes$" and "pass" or "fail"
            assert.equal(wanted, test.status, test.name)
        end
    end)

    it("is not lost by a table that cannot be put back", function()
        local result = inner.run [[
            it("one", function()
                local t = {}
                stub(t, "f")
                t.f.target_table = nil
                setmetatable(t, { __newindex = function() error "no more" end })
                t.f = nil
                local s = spy.on({ f = print }, "f")
                s.revert = function() error "cannot be put back" end
                t = s
                finally(function() collectgarbage() end)
                keep = { t, s }
            end)
            it("two", function() end)
        ]]
        assert.equal("two=pass", inner.outcome(result)[2])
        assert.equal("error", result.tests[1].status)
    end)

    it("goes on past checks of spies and of registered assertions", function()
        local result = inner.run [[
            assert:register("assertion", "odd", function(_, arguments) return arguments[1] % 2 == 1 end, "say.odd")
            require("say"):set("say.odd", "%s is not odd")
            it("one", function()
                local s = spy.new()
                check.spy(s).was.called()
                check.spy(s).was.called_with(1)
                check.odd(2)
                check.message("here").odd(4)
                check.is_not.odd(2)
                log "end"
            end)
        ]]
        assert.same({ "one=fail" }, inner.outcome(result))
        assert.same({ "end" }, result.logs)
        local texts = {}
        for index, failed in ipairs(result.tests[1].failed_checks) do
            texts[index] = failed.message
        end
        assert.same({ "expected a call, got none", "expected a call with (1), got none", "2 is not odd",
            "here: 4 is not odd" }, texts)
        assert.equal(5, result.tests[1].checks)
    end)
end)
