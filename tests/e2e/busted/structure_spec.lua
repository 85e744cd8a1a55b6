-- Groups, tests, hooks: their names, outcomes and order.
require "busted.runner"()
local busted = require "busted"
local assert = require "luassert"

print(type(busted.describe), type(busted.it))

describe("hooks", function()
    strict_setup(function() print "strict setup" end)
    lazy_setup(function() print "lazy setup" end)
    setup(function() print "setup" end)
    before_each(function() print "before 1" end)
    before_each(function() print "before 2" end)
    after_each(function() print "after 1" end)
    after_each(function() print "after 2" end)
    teardown(function() print "teardown" end)
    lazy_teardown(function() print "lazy teardown" end)

    it("surround", function() print "outer test" end)

    describe("inner", function()
        setup(function() print "inner setup" end)
        before_each(function() print "inner before" end)
        after_each(function() print "inner after" end)
        teardown(function() print "inner teardown" end)
        it("a test", function() print "inner test" end)
        it("one that fails", function() print "failing test"; assert.is_true(false) end)
        it("one that errs", function() print "erring test"; error "oops" end)
    end)

    it("and end", function()
        finally(function() print "finally" end)
        print "last test"
    end)
end)

describe("words", function()
    context("of groups", function()
        it("it", function() end)
        spec("spec", function() end)
        test("test", function() end)
    end)
    it "may be called with what comes behind" (function() print "behind" end)
    describe "of groups, too" (function()
        it("is inside", function() print "inside" end)
    end)
    busted.it("are fields of busted", function() end)
end)

describe("pending", function()
    pending "has no function"
    pending("has one", function() error "not called" end)
    it("is said inside", function()
        pending "later"
        error "not reached"
    end)
    it("does not reach what comes behind, but finally", function()
        finally(function() print "finally of a pending one" end)
        pending("in a while")
    end)
end)

describe("errors", function()
    it("may be text", function() error "text" end)
    it("may be tables", function() error { code = 1 } end)
    it("may be objects", function()
        error(setmetatable({}, { __tostring = function() return "an object" end }))
    end)
    it("may be nil", function() error() end)
    it("are caught", function() assert.is_false((pcall(error, "caught"))) end)
    it("come from the language", function() local t; return t.x end)
    it("are failures of assert", function() assert(false, "why") end)
    it("are failures of assert, without a word", function() assert(nil) end)
    it("in finally", function() finally(function() error "in finally" end) end)
    it("keep a failure that came first", function()
        finally(function() error "in finally" end)
        assert.is_true(false)
    end)
end)

describe("tags #slow #net", function()
    it("are part of the name #quick", function() end)
end)

describe("a describe that raises", function()
    it("is never seen", function() print "never" end)
    error "in the group"
end)

describe("a group behind it", function()
    randomize()
    it("is run", function() print "behind it" end)
end)

describe("misplaced words", function()
    it("it", function() it("inside", function() end) end)
    it("describe", function() describe("inside", function() end) end)
    it("before_each", function() before_each(function() end) end)
end)

local level = 0
describe("values", function()
    before_each(function() level = level + 1 end)
    it("are seen by hooks and tests", function() assert.equal(1, level) end)
    it("and stay", function() assert.equal(2, level) end)
end)
