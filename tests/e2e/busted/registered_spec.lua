-- Assertions, modifiers, matchers and formatters of the script's own.
local say = require "say"
local luassert = require "luassert"

local function fails(f, ...)
    local ok, err = pcall(f, ...)
    if ok then
        error("it holds", 2)
    end
    return tostring(err)
end

say:set_namespace "en"

local function has_property(state, arguments)
    local object, wanted = arguments[1], arguments[2]
    for key in pairs(object) do
        if key == wanted then
            return true
        end
    end
    return false
end
say:set("assertion.has_property.positive", "Expected %s\nto have property: %s")
say:set("assertion.has_property.negative", "Expected %s\nto not have property: %s")
assert:register("assertion", "has_property", has_property, "assertion.has_property.positive",
    "assertion.has_property.negative")

describe("a registered assertion", function()
    it("holds", function()
        assert.has_property({ name = "jack" }, "name")
        assert.not_has_property({ name = "jack" }, "surname")
        luassert.has_property({ name = "jack" }, "name")
        luassert.is_not.has_property({}, "name")
    end)
    it("returns its arguments", function()
        local t = { name = 1 }
        assert.equal(t, (assert.has_property(t, "name")))
    end)
    it("fails", function() assert.has_property({}, "name") end)
    it("fails negated", function() assert.not_has_property({ name = 1 }, "name") end)
    it("fails with its texts", function()
        assert.matches("to have property: .*surname", fails(function() assert.has_property({}, "surname") end))
        assert.matches("to not have property: .*name", fails(function() assert.not_has_property({ name = 1 }, "name") end))
    end)
    it("has a message", function()
        assert.matches("this message", fails(function() assert.message("this message").has_property({}, "x") end))
    end)
    it("returns what it wants to", function()
        assert:register("assertion", "answer", function(_, arguments)
            return true, { arguments[1] + 1, "more" }
        end)
        assert.same({ 3, "more" }, { assert.answer(2) })
        assert:unregister("assertion", "answer")
        fails(function() assert.answer(2) end)
    end)
    it("sets the message of its failure", function()
        assert:register("assertion", "explained", function(state, arguments)
            state.failure_message = "own explanation of " .. tostring(arguments[1])
            return false
        end)
        assert.matches("own explanation of 5", fails(function() assert.explained(5) end))
        assert:unregister("assertion", "explained")
    end)
    it("knows how many arguments there are", function()
        local seen
        assert:register("assertion", "counted", function(_, arguments)
            seen = arguments.n
            return true
        end)
        assert.counted(1, nil, nil)
        assert.equal(3, seen)
        assert:unregister("assertion", "counted")
    end)
end)

describe("a registered modifier", function()
    it("hands something on", function()
        assert:register("modifier", "subject", function(state, arguments)
            rawset(state, "own subject", arguments[1])
            return state
        end)
        assert:register("assertion", "divisible_by", function(state, arguments)
            return rawget(state, "own subject") % arguments[1] == 0
        end, "assertion.same.positive", "assertion.same.negative")
        assert.subject(6).is.divisible_by(3)
        assert.subject(6).is_not.divisible_by(4)
        fails(function() assert.subject(6).is.divisible_by(4) end)
        assert:unregister("modifier", "subject")
        assert:unregister("assertion", "divisible_by")
    end)
    it("negates", function()
        assert:register("modifier", "never", function(state)
            state.mod = not state.mod
            return state
        end)
        assert.never.equal(1, 2)
        assert.is.never.equal(1, 2)
        fails(function() assert.never.equal(1, 1) end)
        assert:unregister("modifier", "never")
    end)
end)

describe("a registered matcher", function()
    it("takes arguments", function()
        assert:register("matcher", "even", function()
            return function(value) return value % 2 == 0 end
        end)
        assert:register("matcher", "multiple_of", function(_, arguments)
            return function(value) return value % arguments[1] == 0 end
        end)
        local s = spy.new()
        s(6)
        assert.spy(s).was.called_with(match.is_even())
        assert.spy(s).was.called_with(match.is_multiple_of(3))
        assert.spy(s).was_not.called_with(match.is_not_even())
        assert.spy(s).was_not.called_with(match.multiple_of(4))
        assert:unregister("matcher", "even")
        assert:unregister("matcher", "multiple_of")
    end)
end)

describe("a formatter", function()
    it("prints what is wrong", function()
        local function formatter(value)
            if type(value) == "table" and value.is_point then
                return "a point at " .. value.x
            end
        end
        assert:add_formatter(formatter)
        assert.matches("a point at 1", fails(assert.is_nil, { is_point = true, x = 1 }))
        assert:remove_formatter(formatter)
        assert.does_not.match("a point at 1", fails(assert.is_nil, { is_point = true, x = 1 }))
    end)
    it("goes with its snapshot", function()
        local snapshot = assert:snapshot()
        assert:add_formatter(function() return "anything" end)
        assert.matches("anything", fails(assert.is_nil, 1))
        snapshot:revert()
        assert.does_not.match("anything", fails(assert.is_nil, 1))
    end)
end)

describe("luassert's other modules", function()
    it("help assertions", function()
        local util = require "luassert.util"
        local t = { 1, nil, 3, n = 3 }
        util.tinsert(t, 1, "new")
        assert.same({ "new", 1, nil, 3, n = 4 }, t)
        util.tinsert(t, "last")
        assert.equal("last", t[5])
        assert.equal(1, util.tremove(t, 2))
        assert.same({ "new", nil, 3, "last", n = 4 }, t)
        assert.equal("last", util.tremove(t))
        assert.same({ 1, nil, n = 2 }, util.pack(1, nil))
        assert.returned_arguments(2, util.unpack({ nil, nil, n = 2 }))
        assert.is_true((util.deepcompare({ a = { 1 } }, { a = { 1 } })))
        assert.is_false((util.deepcompare({ a = { 1 } }, { a = { 2 } })))
        assert.is_true(util.callable(print))
        assert.is_true(util.callable(spy.new()))
        assert.is_false(util.callable {})
        assert.is_true(util.hastostring "")
        assert.is_false(util.hastostring {})
        local mt = {}
        local original = setmetatable({ { 1 } }, mt)
        local copy = util.deepcopy(original)
        assert.same(original, copy)
        assert.is_not.equal(original[1], copy[1])
        assert.equal(mt, getmetatable(copy))
        assert.equal(original[1], util.shallowcopy(original)[1])
        assert.is_true(util.is_arglist(util.make_arglist(1)))
        assert.equal(2, util.make_arglist(1, nil).n)
    end)
    it("print bytes", function()
        local format = require "luassert.formatters.binarystring"
        assert.is_nil(format(1))
        assert.matches("2 bytes", format "\1\2")
        assert.has_no.errors(function() format(("x"):rep(100)) end)
    end)
end)

describe("say", function()
    it("has texts by language", function()
        say:set("own.greeting", "hello %s")
        assert.equal("hello ada", say("own.greeting", { "ada" }))
        say:set_namespace "nl"
        assert.equal("hello ada", say("own.greeting", { "ada" }))
        say:set("own.greeting", "hallo %s en %s")
        assert.equal("hallo ada en nil", say("own.greeting", { "ada", nil, n = 2 }))
        say:set_namespace "en"
        assert.equal("hello %s", say "own.greeting")
        assert.is_nil(say "own.missing")
    end)
end)
