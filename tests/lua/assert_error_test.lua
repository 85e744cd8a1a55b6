-- The assertions about functions that raise: has_error, has_no_error, error_matches.
local failures = require "assert_failures"
local subject = require "echolot.assert"

local ours = subject.new()
local is, failure, fails, misuse, raises =
    failures.is, failures.failure, failures.fails, failures.misuse, failures.raises

local function nothing() end

-- An error as the program's own are: fields, and one line of text.
local timeout = setmetatable({ kind = "timeout", op = "recv", message = "timeout after 5 s" }, {
    __tostring = function()
        return "recv tcp://127.0.0.1:7: timeout after 5 s"
    end,
})

describe("assert.has_error", function()
    it("returns the error, a string without its position", function()
        is("boom", (ours.has_error(raises "boom")))
        is(timeout, (ours.has.errors(raises(timeout))))
        is(nil, (ours.error(raises(nil))))
        is(5, (ours.has.error(raises(5))))
        is("connect 127.0.0.1:80: refused", (ours.has_error(raises("connect 127.0.0.1:80: refused", 0))))
        ours.has_error(setmetatable({}, { __call = raises "called" }), "called")
    end)

    it("takes positions off, wherever they were put on", function()
        ours.has_error(raises("boom", 2), "boom")
        ours.has_error(load("error 'boom'", "=no file"), "boom")
        ours.has_error(load "error 'boom'", "boom")
        ours.has_error(function()
            coroutine.wrap(raises "boom")()
        end, "boom")
        ours.has_error(function()
            local _, raised = pcall(raises "boom")
            error(raised, 0)
        end, "boom")
    end)

    it("compares with what was expected", function()
        ours.has_error(raises "boom", "boom")
        ours.has_error(raises { code = 1 }, { code = 1 })
        ours.has_error(raises(timeout), { kind = "timeout" })
        ours.has_error(raises(timeout), timeout)
        ours.has_error(raises(timeout), "timeout after 5 s")
        ours.has_error(raises(timeout), "recv tcp://127.0.0.1:7: timeout after 5 s")
        ours.has_error(raises(7), 7)
        ours.has_error(raises "7", 7)
        fails('expected the error "boom", got "bang": they part at byte 2\n  - boom\n  + bang\n     ^',
            ours.has_error, raises "bang", "boom")
        fails('expected the error {kind = "reset"}, got <recv tcp://127.0.0.1:7: timeout after 5 s>: '
            .. 'they differ at .kind\n  .kind\n    - "reset"\n    + "timeout"',
            ours.has_error, raises(timeout), { kind = "reset" })
        fails("expected the error {a = 1}, got {a = 1, b = 2}: they differ at .b\n  .b: not expected\n    + 2",
            ours.has_error, raises { a = 1, b = 2 }, { a = 1 })
    end)

    it("fails when there was none", function()
        fails("expected an error, but none was raised", ours.has_error, nothing)
        fails('expected the error "boom", but none was raised', ours.has_error, nothing, "boom")
        fails("late: expected an error, but none was raised", ours.has_error, nothing, nil, "late")
        misuse("assert.has_error: the first argument must be a function, got 5", ours.has_error, 5)
    end)

    it("survives errors that leave no room", function()
        local function endless()
            return 1 + endless()
        end
        assert((ours.has_error(endless)):find "overflow")
        local hostile = setmetatable({}, { __tostring = error, __index = error, __eq = error })
        ours.has_error(raises(hostile))
        is("mismatch", failure(ours.has_error, raises(hostile), "boom").kind)
        is("mismatch", failure(ours.has_error, raises(hostile), { kind = "boom" }).kind)
        is("mismatch", failure(ours.has_no_error, raises(hostile)).kind)
        is("mismatch", failure(ours.error_matches, raises(hostile), "x").kind)
    end)

    it("may yield inside", function()
        local step = coroutine.wrap(function()
            return ours.has_error(function()
                error(coroutine.yield "waiting", 0)
            end)
        end)
        is("waiting", step())
        is("woken", step "woken")
    end)
end)

describe("assert.has_no_error", function()
    it("returns what the function returned", function()
        local a, b = ours.has_no_error(function()
            return 1, nil
        end)
        is(1, a)
        is(nil, b)
        ours.has_no.errors(nothing, "a message")
    end)

    it("fails for any error, and for a named one only where it is named", function()
        fails("expected no error, got <recv tcp://127.0.0.1:7: timeout after 5 s>", ours.has_no_error, raises(timeout))
        fails('must work: expected no error, got "boom"', ours.has_no.errors, raises("boom", 0), "must work")
        ours.has_no_error(raises(timeout), { kind = "reset" })
        fails("expected no error, got <recv tcp://127.0.0.1:7: timeout after 5 s>",
            ours.has_no_error, raises(timeout), { kind = "timeout" })
        misuse("assert.has_no_error: the first argument must be a function, got nil", ours.has_no_error, nil)
    end)
end)

describe("assert.error_matches", function()
    it("matches a message, with or without what stands in front", function()
        is("42", (ours.error_matches(raises "code 42", "^code (%d+)")))
        ours.has.error.matches(raises(timeout), "^timeout")
        ours.error_matches(raises(timeout), "^recv ")
        ours.error_matches(raises "a.c", "a.c", 1, true)
        ours.matches_error(raises "abc", "b")
        is("mismatch", failure(ours.error_matches, raises "abc", "assert_error").kind)
        ours.error_matches(raises(42), "^42$")
        ours.no_error_matches(raises "abc", "^x")
        ours.not_error_matches(nothing, "x")
    end)

    it("says what came", function()
        fails('expected an error matching "^x", got "abc"', ours.error_matches, raises "abc", "^x")
        fails('expected an error matching "x", but none was raised', ours.error_matches, nothing, "x")
        fails('expected no error matching "b", got "abc"', ours.no_error_matches, raises "abc", "b")
        misuse("assert.error_matches: malformed pattern (ends with '%')", ours.error_matches, nothing, "%")
        misuse("assert.error_matches(f, pattern [, init [, plain]]) needs 2 arguments, got 1",
            ours.error_matches, nothing)
    end)
end)
