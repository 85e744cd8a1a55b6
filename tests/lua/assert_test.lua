-- The assertions: what holds, what fails, what they return, and the exact words of their failures.
local failures = require "assert_failures"
local subject = require "echolot.assert"

local MIB = 1 << 20

local ours = subject.new()
local is, failure, fails, misuse, raises =
    failures.is, failures.failure, failures.fails, failures.misuse, failures.raises

-- An error as the program's own are: fields, and one line of text.
local timeout = setmetatable({ kind = "timeout", op = "recv", message = "timeout after 5 s" }, {
    __tostring = function()
        return "recv tcp://127.0.0.1:7: timeout after 5 s"
    end,
})

describe("assert as a function", function()
    it("returns all its arguments", function()
        local packed = table.pack(ours(1, nil, "x", nil))
        is(4, packed.n)
        is(1, packed[1])
        is("x", packed[3])
        is(0, ours(0))
        is("", ours(""))
    end)

    it("raises a mismatch", function()
        fails("assertion failed!", ours, nil)
        fails("assertion failed!", ours, false)
        fails("no greeting", ours, nil, "no greeting")
        is("nil", failure(ours, nil).actual)
        is("false", failure(ours, false).actual)
    end)

    it("raises a message that is no string as it is", function()
        is(timeout, failure(ours, nil, timeout))
        is(5, failure(ours, false, 5))
    end)

    it("needs an argument", function()
        misuse("assert(value [, message]) needs 1 argument, got 0", ours)
    end)
end)

describe("assert.equal", function()
    it("compares as == does", function()
        ours.equal(1, 1.0)
        ours.equals("a", "a")
        ours.are.equal(nil, nil)
        ours.is_not.equal("1", 1)
        ours.are_not.equals({}, {})
        ours.not_equal(0 / 0, 0 / 0)
        local metatable = { __eq = function()
            return true
        end }
        ours.equal(setmetatable({ 1 }, metatable), setmetatable({ 2 }, metatable))
    end)

    it("returns its arguments", function()
        local expected, actual, message = ours.equal(1, 1.0, "m")
        is(1, expected)
        is(1.0, actual)
        is("m", message)
        is(4, select("#", ours.equal(nil, nil, nil, nil)))
    end)

    it("shows short values", function()
        fails("expected 200, got 404", ours.equal, 200, 404)
        fails('expected "1", got 1', ours.equal, "1", 1)
        fails("expected nil, got false", ours.equal, nil, false)
        fails("status: expected 200, got 404", ours.equal, 200, 404, "status")
        fails("expected anything but 1, got 1.0", ours.not_equal, 1, 1.0)
        fails("expected nan, got nan: nan is not equal to itself", ours.equal, 0 / 0, 0 / 0)
    end)

    it("shows where strings part", function()
        fails('expected "hello", got "hellO": they part at byte 5\n  - hello\n  + hellO\n        ^',
            ours.equal, "hello", "hellO")
        fails('expected "a\\nb\\n", got "a\\nB\\n": they part at byte 3 (line 2)\n    a\n  - b\n  + B\n    ^',
            ours.equal, "a\nb\n", "a\nB\n")
    end)

    it("does not repeat long strings", function()
        local raised = failure(ours.equal, ("x"):rep(MIB) .. "a", ("x"):rep(MIB) .. "b")
        is("expected 1048577 bytes, got 1048577: they part at byte 1048577", raised.summary)
        is(raised.summary .. "\n" .. raised.diff[1].text .. "\n" .. raised.diff[2].text .. "\n" .. raised.diff[3].text,
            raised.message)
        is("expected", raised.diff[1].kind)
        is("actual", raised.diff[2].kind)
        is("note", raised.diff[3].kind)
        assert(#raised.expected < 5000 and #raised.actual < 5000)
    end)

    it("tells tables with the same content from the same table", function()
        fails("expected the very table {1}, got another one with the same content (same compares content)",
            ours.equal, { 1 }, { 1 })
        fails("expected {1}, got {2}: they differ at [1]\n  [1]\n    - 1\n    + 2", ours.equal, { 1 }, { 2 })
    end)

    it("tells objects that print alike", function()
        local alike = { __tostring = function()
            return "same"
        end, __eq = error }
        local raised = failure(ours.same, io.stdout, nil)
        is("mismatch", raised.kind)
        local one, other = setmetatable({}, { __tostring = alike.__tostring }), function() end
        debug.setmetatable(other, { __tostring = alike.__tostring })
        raised = failure(ours.equal, one, other)
        debug.setmetatable(other, nil)
        is("expected <same>, got <same>: they only look the same", raised.message)
    end)
end)

describe("assert.same", function()
    it("compares content", function()
        ours.same({ 1, { a = 2 } }, { 1, { a = 2.0 } })
        ours.are.same("x", "x")
        ours.are_not.same({ 1 }, { 2 })
        ours.is_not_same({ 1 }, "x")
    end)

    it("names the key", function()
        fails([[
expected {user = {name = "anna"}}, got {user = {name = "Anna"}}: they differ at .user.name
  .user.name
    - "anna"
    + "Anna"]], ours.same, { user = { name = "anna" } }, { user = { name = "Anna" } })
        fails("expected {1}, got 5", ours.same, { 1 }, 5)
        fails("expected anything but the content of {1}, got {1.0}", ours.not_same, { 1 }, { 1.0 })
    end)

    it("leaves long tables to the difference", function()
        fails([[
expected the same content: they differ at 2 keys
  [1]
    - 1
    + 2
  .a
    - <60 bytes>xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    + <60 bytes>xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
                                                        ^]],
            ours.same, { 1, a = ("x"):rep(100) }, { 2, a = ("x"):rep(101) })
    end)

    it("takes cycles and any nesting", function()
        local a, b = {}, {}
        a.own, b.own = a, b
        ours.same(a, b)
        local deep, deeper = {}, {}
        for _ = 1, 100000 do
            deep, deeper = { deep }, { deeper }
        end
        ours.same(deep, deeper)
        ours.are_not.same(deep, { deeper })
        is("mismatch", failure(ours.same, deep, { deeper }).kind)
    end)
end)

describe("assert on one value", function()
    it("is_true and is_false want just these", function()
        ours.is_true(true)
        ours.is_false(false)
        ours.True(true)
        ours.is_not_true(1)
        ours.is_not_false(nil)
        fails("expected true, got 1", ours.is_true, 1)
        fails("expected false, got nil", ours.is_false, nil)
        fails("expected anything but true, got true", ours.is_not_true, true)
    end)

    it("is_nil and is_not_nil", function()
        ours.is_nil(nil)
        is(false, (ours.is_not_nil(false)))
        fails('expected nil, got "x"', ours.is_nil, "x")
        fails("the banner: expected anything but nil, got nil", ours.is_not_nil, nil, "the banner")
    end)

    it("truthy and falsy take what Lua takes", function()
        ours.truthy(0)
        ours.is_truthy ""
        ours.falsy(nil)
        ours.is_falsy(false)
        ours.is_not_truthy(nil)
        ours.is.Not.falsy(1)
        fails("expected a truthy value, got false", ours.truthy, false)
        fails("expected nil or false, got 0", ours.falsy, 0)
    end)

    it("knows each type", function()
        local values = {
            string = "", number = 1, table = {}, ["function"] = print, boolean = false, userdata = io.stdout,
            thread = coroutine.create(print),
        }
        for wanted in pairs(values) do
            for name, value in pairs(values) do
                is(wanted == name, (pcall(ours["is_" .. wanted], value)))
                is(wanted ~= name, (pcall(ours["is_not_" .. wanted], value)))
            end
            is(values[wanted], (ours["is_" .. wanted](values[wanted])))
        end
        fails("expected a string, got nil", ours.is_string, nil)
        fails('expected anything but a string, got ""', ours.is_not_string, "")
        fails("expected userdata, got {}", ours.is_userdata, {})
    end)

    it("passes calls with several results", function()
        ours.is_nil(tonumber "x", "no number", 2)
        ours.is_true(pcall(string.rep, "x", 1))
        ours.is_number(("a.b"):find(".", 1, true))
        ours.equal("b", ("a"):gsub("a", "b"))
    end)
end)

describe("assert.matches", function()
    it("returns the captures, or the whole match", function()
        local a, b = ours.matches("(%d+)%-(%d+)", "x 12-34")
        is("12", a)
        is("34", b)
        is("12", (ours.match("%d+", "x12")))
        is("5", (ours.matches("%d", 5)))
        is("timeout", (ours.matches("timeout", timeout)))
    end)

    it("takes init and plain", function()
        ours.matches("b", "ab", 2)
        ours.not_matches("a", "ab", 2)
        ours.matches("a.c", "xa.c", 1, true)
        ours.not_matches("a.c", "abc", nil, true)
        fails('here: expected a string with "a.c" from byte 2, got "abc"', ours.matches, "a.c", "abc", 2, true, "here")
        fails('here: expected a string matching "^b", got "abc"', ours.matches, "^b", "abc", "here")
    end)

    it("fails in either form for what is no text", function()
        fails('expected a string matching "^OK", got nil', ours.matches, "^OK", nil)
        fails('expected a string not matching "^OK", got nil', ours.not_matches, "^OK", nil)
        fails('expected a string not matching "^OK", got "OK"', ours.not_matches, "^OK", "OK")
    end)

    it("tells the script's mistakes", function()
        misuse("assert.matches: malformed pattern (ends with '%')", ours.matches, "%", "x")
        misuse("assert.not_matches: malformed pattern (ends with '%')", ours.does_not.match, "%", "x")
        misuse("assert.matches: the pattern must be a string, got nil", ours.matches, nil, "x")
        misuse("assert.matches: init must be a whole number, got true", ours.matches, "x", "x", true)
    end)

    it("shows only some of a huge string", function()
        local raised = failure(ours.matches, "y", ("x"):rep(MIB))
        assert(#raised.message < 400 and raised.message:find("...(1048576 bytes)", 1, true))
    end)
end)

describe("assert.contains", function()
    it("looks into strings plainly, and into tables deeply", function()
        ours.contains("b.", "ab.c")
        ours.contains(5, "a5")
        ours.contains(2, { 1, 2 })
        ours.contains({ id = 1 }, { x = { id = 1 } })
        ours.does_not.contain("b.", "abc")
        ours.not_contains(3, { 1, 2, [3] = 4 })
    end)

    it("says what was missing or too much", function()
        fails('expected a string with "x", got "abc"', ours.contains, "x", "abc")
        fails('expected a string without "b", got "abc"', ours.not_contains, "b", "abc")
        fails("expected a table with 5, got {1, 2}", ours.contains, 5, { 1, 2 })
        fails("expected a string or table with 5, got nil", ours.contains, 5, nil)
        fails("expected a string or table without 5, got nil", ours.not_contains, 5, nil)
        misuse("assert.contains: what a string contains must be a string, got nil", ours.contains, nil, "x")
    end)
end)

describe("assert.near", function()
    it("takes numbers within the tolerance, its ends too", function()
        ours.near(10, 12, 2)
        ours.near(10, 8, 2)
        ours.near(0.3, 0.1 + 0.2, 1e-9)
        ours.near(1, "1.5", 0.5)
        ours.is_not.near(10, 12.5, 2)
        ours.is_not.near(1, 0 / 0, 100)
        ours.near(math.huge, math.huge, 0)
    end)

    it("does not overflow", function()
        ours.near(math.maxinteger, math.maxinteger - 1, 1)
        ours.is_not.near(math.maxinteger, math.mininteger, math.maxinteger)
        ours.near(math.mininteger, math.mininteger, 5)
    end)

    it("says how far off", function()
        fails("expected 3.14 +/- 0.01, got 3.2 (off by 0.06)", ours.near, 3.14, 3.2, 0.01)
        fails("expected a number outside 3 +/- 1, got 3.5", ours.not_near, 3, 3.5, 1)
        fails("expected 3 +/- 1, got nil", ours.near, 3, nil, 1)
        misuse("assert.near(expected, actual, tolerance) needs 3 arguments, got 2", ours.near, 1, 2)
        misuse("assert.near: the tolerance must be a number of at least 0, got -1", ours.near, 1, 2, -1)
        misuse('assert.near: expected must be a number, got "x"', ours.near, "x", 2, 1)
    end)
end)

describe("assert.unique", function()
    it("compares values as == does, or deeply", function()
        ours.unique { 1, 2, "1", true }
        ours.is_unique {}
        ours.unique { {}, {} }
        ours.unique { 0 / 0, 0 / 0 }
        ours.is_not.unique { 1, 1.0 }
        ours.is_not.unique({ {}, {} }, true)
    end)

    it("names the keys", function()
        fails("expected unique values, but [1] and [3] are both 1", ours.unique, { 1, 2, 1 })
        fails("expected unique values, but [1] and [2] are both {}", ours.unique, { {}, {} }, true)
        fails("ids: expected unique values, but [1] and [2] are both 1", ours.unique, { 1, 1 }, "ids")
        fails("expected a value that is there twice, got {1, 2}", ours.is_not_unique, { 1, 2 })
        fails("expected a table, got nil", ours.unique, nil)
    end)

    it("takes long lists", function()
        local list = {}
        for index = 1, 100000 do
            list[index] = index
        end
        ours.unique(list)
        list[100000] = 1
        fails("expected unique values, but [1] and [100000] are both 1", ours.unique, list)
    end)
end)

describe("words", function()
    it("may stand between, in any case, with dots or underscores", function()
        for key in ("is are was were has have had does do be been being a an the to"):gmatch "%a+" do
            ours[key].equal(1, 1)
            ours[key:upper()].Not.equal(1, 2)
            ours[key .. "_not_equal"](1, 2)
        end
        ours.is.to.be.a.string "x"
        ours.is_equal_to(1, 1)
        ours.IS_NOT_NIL(1)
    end)

    it("negate, and twice negated affirm", function()
        ours.no["not"].equal(1, 1)
        fails("expected 1, got 2", ours.is_not_not_equal, 1, 2)
    end)

    it("that mean nothing are the script's mistake", function()
        misuse("assert has no .frobnicates", function()
            ours.frobnicates(1)
        end)
        misuse("assert has no .is_strin", function()
            ours.is_strin "x"
        end)
        misuse("assert has no [1]", function()
            return ours[1]
        end)
        misuse("assert has no .no", function()
            return ours.equal.no
        end)
        misuse("assert: the words before the call name no assertion", function()
            ours.is(1)
        end)
    end)

    it("lead to one object each, and say what they are", function()
        is(ours.is_not.equal, ours.are_not_equal)
        is(ours.is_nil, ours["nil"])
        is("assert.is_not_nil", tostring(ours.is.Not["nil"]))
        is("assert", tostring(ours))
    end)
end)

describe("arguments", function()
    it("that are too few are the script's mistake", function()
        misuse("assert.equal(expected, actual) needs 2 arguments, got 1", ours.equal, 1)
        misuse("assert.not_same(expected, actual) needs 2 arguments, got 0", ours.are_not.same)
        misuse("assert.is_truthy(value) needs 1 argument, got 0", ours.truthy)
    end)

    it("may be none where a call that returns nothing is asked about", function()
        ours.is_nil((function() end)())
        fails("expected anything but nil, got nil", ours.is_not_nil)
        fails("expected a string, got nil", ours.is_string)
    end)

    it("end with the message, which may be an error object", function()
        fails("recv tcp://127.0.0.1:7: timeout after 5 s: expected a truthy value, got nil", ours.truthy, nil, timeout)
        fails("expected 1, got 2", ours.equal, 1, 2, 3)
    end)
end)

describe("a failure", function()
    it("bears the script's line", function()
        local line = debug.getinfo(1, "l").currentline
        local raised = failure(function()
            ours.equal(1, 2)
        end)
        assert(raised.where:find("assert_test%.lua:" .. line + 2 .. "$"), raised.where)
        raised = failure(function()
            ours(false)
        end)
        assert(raised.where:find("assert_test%.lua:" .. line + 6 .. "$"), raised.where)
        raised = failure(function()
            ours.equal(1)
        end)
        assert(raised.where:find("assert_test%.lua:" .. line + 10 .. "$"), raised.where)
    end)

    it("bears the line beyond Echolot's own chunks", function()
        for _, name in ipairs { "=echolot/expect.lua", "@echolot/report/tap.lua" } do
            local own = load("local ours = ... ours.is_nil(1)", name)
            local line = debug.getinfo(1, "l").currentline
            local raised = failure(function()
                own(ours)
            end)
            assert(raised.where:find("assert_test%.lua:" .. line + 2 .. "$"), raised.where)
        end
    end)

    it("is made by the constructor that is put in place", function()
        local make_error = subject.make_error
        subject.make_error = function(fields)
            return { wrapped = fields }
        end
        local ok, raised = pcall(ours.equal, "a", "b", "why")
        subject.make_error = make_error
        is(false, ok)
        is('why: expected "a", got "b": they part at byte 1', raised.wrapped.summary)
        is("mismatch", raised.wrapped.kind)
        is("assert", raised.wrapped.op)
        is('"a"', raised.wrapped.expected)
        is('"b"', raised.wrapped.actual)
        is(3, #raised.wrapped.diff)
        is(raised.wrapped.summary .. "\n  - a\n  + b\n    ^", raised.wrapped.message)
    end)

    it("shows hostile values", function()
        local hostile = setmetatable({}, { __index = error, __tostring = error, __len = error, __name = {} })
        fails("expected 1, got {}", ours.equal, 1, hostile)
        fails("expected a string, got {}", ours.is_string, hostile)
        fails('expected "a", got "\\x1b[2J\\u{202e}\\xff": they part at byte 1\n  - a\n  + \\x1b[2J\\u{202e}\\xff\n'
            .. "    ^\n  - 0000  61                       |a|\n  + 0000  1b 5b 32 4a e2 80 ae ff  |.[2J....|\n"
            .. "          ^^",
            ours.equal, "a", "\27[2J\u{202e}\255")
    end)
end)

describe("check", function()
    it("records and goes on", function()
        local recorded = {}
        local check = subject.new(function(raised)
            recorded[#recorded + 1] = raised
        end)
        is(0, select("#", check.equal(1, 2)))
        is(0, select("#", check(nil, "message")))
        is(0, select("#", check(nil, timeout)))
        is("x", (check.is_string "x"))
        is(1, (check(1)))
        is(3, #recorded)
        is("expected 1, got 2", recorded[1].message)
        is("check", recorded[1].op)
        is("message", recorded[2].message)
        is(timeout, recorded[3])
        assert(recorded[1].where:find "assert_test%.lua:%d+$")
    end)

    it("raises the script's mistakes", function()
        local check = subject.new(function()
            error "recorded"
        end)
        misuse("check.equal(expected, actual) needs 2 arguments, got 1", check.equal, 1)
        misuse("check has no .foo", function()
            return check.foo
        end)
    end)
end)

describe("the count of checks", function()
    it("is told once for each that was decided", function()
        local passed, failed = 0, 0
        local counted = subject.new(nil, function(ok)
            passed, failed = passed + (ok and 1 or 0), failed + (ok and 0 or 1)
        end)
        counted(true)
        counted.equal(1, 1)
        counted.has_error(raises "x")
        pcall(counted, false)
        pcall(counted.equal, 1, 2)
        pcall(counted.equal, 1)
        is(3, passed)
        is(2, failed)
    end)
end)

describe("an assertion that holds", function()
    it("leaves no garbage", function()
        local text, same = ("x"):rep(MIB), ("x"):rep(MIB)
        local function run()
            for index = 1, 200 do
                ours(index)
                ours.equal(index, index)
                ours.are.equal(text, same)
                ours.is_not.equal(index, 0)
                ours.same(index, index)
                ours.is_string ""
                ours.is_not_nil(index)
                ours.is.truthy(index)
                ours.contains("b", "abc")
                ours.near(1, 1, 0)
            end
        end
        collectgarbage()
        collectgarbage "stop"
        run() -- a collection also frees what calls keep for the next ones
        local before = collectgarbage "count"
        run()
        local after = collectgarbage "count"
        collectgarbage "restart"
        is(0.0, after - before)
    end)
end)
