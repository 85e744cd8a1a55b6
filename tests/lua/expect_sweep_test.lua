-- "It never depends on how the bytes were cut into segments": every matcher, with its bytes sent one at a time, cut
-- at every offset, and all at once. Each is decided by the same byte, with the same outcome.
local echolot = require "echolot"
local lpeg = require "lpeg"
local pair = require "conn_pair"

local line, bytes, hex, pattern = echolot.line, echolot.bytes, echolot.hex, echolot.pattern
local regex, delimited, counted = echolot.regex, echolot.delimited, echolot.counted
local json, either = echolot.json, echolot.either

-- A length in text and a colon, then as many bytes: "5:hello".
local function netstring(buffer)
    local digits, colon = buffer:match "^(%d*)(:?)"
    if colon == "" then
        if #digits < #buffer then
            return false
        end
        return nil
    end
    local stop = #digits + 1 + (tonumber(digits) or 0)
    if #buffer >= stop then
        return stop, buffer:sub(#digits + 2, stop)
    end
end

-- sent: what the peer sends before it ends. call: method, arguments. gives: what is returned, or `fails`: the kind of
-- the error. by: after how many bytes that is decided; "end": not before the peer has ended. left: bytes not consumed.
local CASES = {
    -- literals
    { sent = "hello\nworld", call = { "expect", "hello\n" }, gives = { "hello\n" }, by = 6 },
    { sent = "hello", call = { "expect", "hexlo" }, fails = "mismatch", by = 3 },
    { sent = "hell", call = { "expect", "hello" }, fails = "eof", by = "end" },
    { sent = "", call = { "expect", "hello" }, fails = "eof", by = "end" },
    { sent = "\0\xff\r", call = { "expect", hex "00 ff 0d" }, gives = { "\0\xff\r" }, by = 3 },
    { sent = "\0\xff\r", call = { "expect", hex "00ff0a" }, fails = "mismatch", by = 3 },
    -- lines
    { sent = "one\r\ntwo", call = { "expect_line" }, gives = { "one" }, by = 5 },
    { sent = "one\r\r\n", call = { "expect_line" }, gives = { "one\r" }, by = 6 },
    { sent = "\n", call = { "expect_line", "" }, gives = { "" }, by = 1 },
    { sent = "one\r\n", call = { "expect_line", "one" }, gives = { "one" }, by = 5 },
    { sent = "oxe\n", call = { "expect_line", "one" }, fails = "mismatch", by = 2 },
    { sent = "ones\n", call = { "expect_line", "one" }, fails = "mismatch", by = 4 },
    { sent = "on\n", call = { "expect_line", "one" }, fails = "mismatch", by = 3 },
    { sent = "o\rne\n", call = { "expect_line", "one" }, fails = "mismatch", by = 3 },
    { sent = "one", call = { "expect_line", "one" }, fails = "eof", by = "end" },
    { sent = "a 12\r\n", call = { "expect_line", pattern "%a (%d+)" }, gives = { "a 12", "12" }, by = 6 },
    { sent = "a 12x\r\n", call = { "expect_line", pattern "%a (%d+)" }, fails = "mismatch", by = 5 },
    { sent = "ab\n", call = { "expect_line", pattern "a" }, fails = "mismatch", by = 2 },
    { sent = "abab\n", call = { "expect_line", pattern "(a.-b)" }, gives = { "abab", "abab" }, by = 5 },
    { sent = "a 12\r\n", call = { "expect_line", regex "\\w (\\d+)" }, gives = { "a 12", "12" }, by = 6 },
    { sent = "a x\r\n", call = { "expect_line", regex "\\w (\\d+)" }, fails = "mismatch", by = 3 },
    { sent = "abc\n", call = { "expect_line", regex "a|abc" }, gives = { "abc" }, by = 4 },
    { sent = "a;b\n", call = { "expect", line() }, gives = { "a;b" }, by = 4 },
    { sent = "a;b\n", call = { "expect", line(pattern "(%a);(%a)") }, gives = { "a", "b" }, by = 4 },
    { sent = "a;b\n", call = { "expect", line(delimited(";")) }, fails = "mismatch", by = 3 },
    -- bytes
    { sent = "abcdef", call = { "expect", bytes(4) }, gives = { "abcd" }, by = 4 },
    { sent = "abc", call = { "expect", bytes(4) }, fails = "eof", by = "end" },
    { sent = "abcdef", call = { "expect", bytes(4, "abcd") }, gives = { "abcd" }, by = 4 },
    { sent = "abcdef", call = { "expect", bytes(4, "abxd") }, fails = "mismatch", by = 3 },
    { sent = "abcdef", call = { "expect", bytes(4, "abc") }, fails = "mismatch", by = 0 },
    { sent = "abcdef", call = { "expect", bytes(4, pattern "(.)(.-)") }, gives = { "a", "bcd" }, by = 4 },
    { sent = "abcdef", call = { "expect", bytes(4, regex "ab(?=c)(..)") }, gives = { "cd" }, by = 4 },
    { sent = "12;4ef", call = { "expect", bytes(4, lpeg.C(lpeg.R "09" ^ 1) * ";" * 1) }, gives = { "12" }, by = 4 },
    { sent = "1234ef", call = { "expect", bytes(4, lpeg.R "09" ^ 1) }, gives = { "1234" }, by = 4 },
    { sent = "123xef", call = { "expect", bytes(4, lpeg.R "09" ^ 1) }, fails = "mismatch", by = 4 },
    { sent = "", call = { "expect", bytes(0) }, gives = { "" }, by = 0 },
    -- patterns
    { sent = "OK 12\r\n!", call = { "expect", pattern "^OK (%d+)\r\n" }, gives = { "12" }, by = 7 },
    { sent = "123x", call = { "expect", pattern "%d+" }, gives = { "123" }, by = 4 },
    { sent = "123", call = { "expect", pattern "%d+" }, gives = { "123" }, by = "end" },
    { sent = "12", call = { "expect", pattern "%d%d%d" }, fails = "eof", by = "end" },
    { sent = "12x", call = { "expect", pattern "%d%d%d" }, fails = "mismatch", by = 3 },
    { sent = "<<a>>b", call = { "expect", pattern "%b<>" }, gives = { "<<a>>" }, by = 5 },
    { sent = "a=a;", call = { "expect", pattern "(%a+)=%1;" }, gives = { "a" }, by = 4 },
    { sent = "ab12", call = { "expect", pattern "()%a+()%f[%d]%d" }, gives = { 1, 3 }, by = 3 },
    { sent = "aaab", call = { "expect", pattern "a-b" }, gives = { "aaab" }, by = 4 },
    { sent = "ac", call = { "expect", pattern "ab?c" }, gives = { "ac" }, by = 2 },
    { sent = "ab", call = { "expect", pattern "ab$" }, gives = { "ab" }, by = "end" },
    { sent = "abc", call = { "expect", pattern "ab$" }, fails = "mismatch", by = 3 },
    { sent = "aaaa!", call = { "expect", pattern "a*a!" }, gives = { "aaaa!" }, by = 5 },
    -- regular expressions
    { sent = "OK 12\r\n!", call = { "expect", regex "^OK (\\d+)\\r\\n" }, gives = { "12" }, by = 7 },
    { sent = "123x", call = { "expect", regex "\\d+" }, gives = { "123" }, by = 4 },
    { sent = "123", call = { "expect", regex "\\d+" }, gives = { "123" }, by = "end" },
    { sent = "12", call = { "expect", regex "\\d{3}" }, fails = "eof", by = "end" },
    { sent = "12x", call = { "expect", regex "\\d{3}" }, fails = "mismatch", by = 3 },
    { sent = "abc", call = { "expect", regex "ab(?=c)" }, gives = { "ab" }, by = 3 },
    { sent = "abd", call = { "expect", regex "a|ab" }, gives = { "a" }, by = 1 },
    { sent = "abd", call = { "expect", regex "ab|a" }, gives = { "ab" }, by = 2 },
    { sent = "x\xc3\xa9!", call = { "expect", regex("x(\\w)!", "u") }, gives = { "\xc3\xa9" }, by = 4 },
    { sent = "HELLO", call = { "expect", regex("hello", "i") }, gives = { "HELLO" }, by = 5 },
    { sent = "ac", call = { "expect", regex "(a)(b)?(c)" }, gives = { "a", nil, "c", n = 3 }, by = 2 },
    { sent = "end", call = { "expect", regex "end\\b" }, gives = { "end" }, by = "end" },
    -- delimited
    { sent = "a;b", call = { "expect", delimited ";" }, gives = { "a" }, by = 2 },
    { sent = ";", call = { "expect", delimited ";" }, gives = { "" }, by = 1 },
    { sent = "aab-aab--", call = { "expect", delimited "aab--" }, gives = { "aab-" }, by = 9 },
    { sent = "aaaab", call = { "expect", delimited "aaab" }, gives = { "a" }, by = 5 },
    { sent = "a\r\n.\r\n", call = { "expect", delimited("\r\n.\r\n", "a") }, gives = { "a" }, by = 6 },
    { sent = "ab\r\n.\r\n", call = { "expect", delimited("\r\n.\r\n", "a") }, fails = "mismatch", by = 2 },
    { sent = "a;b", call = { "expect", delimited(";;", "a") }, fails = "mismatch", by = 3 },
    { sent = "12;", call = { "expect", delimited(";", pattern "(%d)(%d)") }, gives = { "1", "2" }, by = 3 },
    { sent = "a;b", call = { "expect", delimited ";;" }, fails = "eof", by = "end" },
    -- counted
    { sent = "\0\3abcd", call = { "expect", counted ">I2" }, gives = { "abc" }, by = 5 },
    { sent = "\3\0abcd", call = { "expect", counted("<i2", "abc") }, gives = { "abc" }, by = 5 },
    { sent = "\3abcd", call = { "expect", counted("B", "abx") }, fails = "mismatch", by = 4 },
    { sent = "\3abcd", call = { "expect", counted("B", "ab") }, fails = "mismatch", by = 1 },
    { sent = "\3abcd", call = { "expect", counted("B", pattern "a(.*)") }, gives = { "bc" }, by = 4 },
    { sent = "\5\0\2okx", call = { "expect", counted("B", counted(">I2")) }, fails = "mismatch", by = 3 },
    { sent = "\4\0\2ok", call = { "expect", counted("B", counted(">I2")) }, gives = { "ok" }, by = 5 },
    { sent = "\xff", call = { "expect", counted "b" }, fails = "mismatch", by = 1 },
    { sent = "\3ab", call = { "expect", counted "B" }, fails = "eof", by = "end" },
    { sent = "\0", call = { "expect", counted "B" }, gives = { "" }, by = 1 },
    { sent = "\xff\xff\xff\xff", call = { "expect", counted ">I4" }, fails = "limit", by = 4 },
    { sent = ("\1"):rep(16), call = { "expect", counted ">I16" }, fails = "limit", by = 16 },
    { sent = ("\xff"):rep(16), call = { "expect", counted ">i16" }, fails = "mismatch", by = 16 },
    -- JSON
    { sent = '{"a":[1,2]}\n', call = { "expect", json() }, gives = { { a = { 1, 2 } } }, by = 12 },
    { sent = '{"a":1,"b":2}\r\n', call = { "expect", json { a = 1 } }, gives = { { a = 1, b = 2 } }, by = 15 },
    { sent = '{"a":1}\n', call = { "expect", json { a = 2 } }, fails = "mismatch", by = 8 },
    { sent = '{"a":1\n', call = { "expect", json() }, fails = "mismatch", by = 7 },
    { sent = '\2[]', call = { "expect", counted("B", json()) }, gives = { {} }, by = 3 },
    { sent = '"x"\n', call = { "expect_line", json "x" }, gives = { '"x"', "x" }, by = 4 },
    { sent = '{"id":"a7"}\n', call = { "expect", json { id = pattern "a%d" } }, gives = { { id = "a7" } }, by = 12 },
    -- alternatives
    { sent = "no\n", call = { "expect", either("yes\n", "no\n") }, gives = { "no\n" }, by = 3 },
    { sent = "ab", call = { "expect", either("abc", "ab") }, gives = { "ab" }, by = "end" },
    { sent = "abd", call = { "expect", either("abc", "ab") }, gives = { "ab" }, by = 3 },
    { sent = "abd", call = { "expect", either("ab", "abd") }, gives = { "ab" }, by = 2 },
    { sent = "x", call = { "expect", either("ab", "cd") }, fails = "mismatch", by = 1 },
    { sent = "b7\n", call = { "expect", either(line "a", line(pattern "b(%d)")) }, gives = { "7" }, by = 3 },
    { sent = "b7;", call = { "expect_any", "a", pattern "b(%d)", "c" }, gives = { 2, "7" }, by = 2 },
    { sent = "c\n", call = { "expect_any", line "a", json(), "c\n" }, gives = { 3, "c\n" }, by = 2 },
    { sent = "12;\n", call = { "expect_line", either("1", pattern "12(.)") }, gives = { "12;", ";" }, by = 4 },
    -- functions
    { sent = "5:hello!", call = { "expect", netstring }, gives = { "hello" }, by = 7 },
    { sent = "5x", call = { "expect", netstring }, fails = "mismatch", by = 2 },
    { sent = "5:he", call = { "expect", netstring }, fails = "eof", by = "end" },
    { sent = "5:hello\n", call = { "expect_line", netstring }, gives = { "5:hello", "hello" }, by = 8 },
    { sent = "5:hello!\n", call = { "expect_line", netstring }, fails = "mismatch", by = 9 },
    { sent = "x2:ok", call = { "expect_any", netstring, pattern "x%d" }, gives = { 2, "x2" }, by = 2 },
    -- searches
    { sent = "..ab..", call = { "skip_until", "ab" }, gives = { "..", "ab" }, by = 4 },
    { sent = "aaab", call = { "skip_until", "aab" }, gives = { "a", "aab" }, by = 4 },
    { sent = "..a", call = { "skip_until", "ab" }, fails = "eof", by = "end" },
    { sent = "--12;", call = { "skip_until", pattern "(%d+);" }, gives = { "--", "12" }, by = 5 },
    { sent = "--12;", call = { "skip_until", pattern "^(%d+);" }, gives = { "--", "12" }, by = 5 },
    { sent = "--12;", call = { "skip_until", regex "(\\d+);" }, gives = { "--", "12" }, by = 5 },
    { sent = "--12;", call = { "skip_until", regex "^(\\d+);" }, gives = { "--", "12" }, by = 5 },
    { sent = "acab", call = { "skip_until", regex "a(*COMMIT)b" }, gives = { "ac", "ab" }, by = 4 },
    { sent = "aaac", call = { "skip_until", regex "aa(*SKIP)b|ac" }, gives = { "aa", "ac" }, by = 4 },
    { sent = "xab", call = { "skip_until", regex "\\Gab|b" }, gives = { "x", "ab" }, by = 3 },
    { sent = "\xc3\xa9a", call = { "skip_until", regex "(*UTF).a" }, gives = { "", "\xc3\xa9a" }, by = 3 },
    { sent = "a;b;;x;", call = { "skip_until", delimited(";;", "b") }, gives = { "a;", "b" }, by = 5 },
    { sent = "ababac;", call = { "skip_until", delimited("abac", "ab") }, gives = { "", "ab" }, by = 6 },
    { sent = "aabaabac", call = { "skip_until", delimited("aabac", "b") }, gives = { "aa", "b" }, by = 8 },
    { sent = "caababc", call = { "skip_until", delimited("ab", "a") }, gives = { "c", "a" }, by = 4 },
    { sent = "a ok\nok\n", call = { "skip_until", line "ok" }, gives = { "a ok\n", "ok" }, by = 8 },
    { sent = "a\nb\n", call = { "skip_until", line "ok" }, fails = "eof", by = "end" },
    { sent = "x\n{}\n", call = { "skip_until", json() }, gives = { "x\n", {} }, by = 5 },
    { sent = "ab;x;", call = { "skip_until", delimited(";", "x") }, gives = { "ab;", "x" }, by = 5 },
    { sent = "zz3:abc", call = { "skip_until", netstring }, gives = { "zz", "abc" }, by = 7 },
    { sent = "zzcd", call = { "skip_until", either("ab", "cd") }, gives = { "zz", "cd" }, by = 4 },
    -- ends
    { sent = "", call = { "expect_eof" }, gives = "connection", by = "end" },
    { sent = "x", call = { "expect_eof" }, fails = "mismatch", by = 1 },
    { sent = "", call = { "expect_reset" }, fails = "mismatch", by = "end" },
    { sent = "", call = { "expect_silence", 5 }, fails = "mismatch", by = "end" },
}

local function name_of(case)
    local arguments = {}
    for index, argument in ipairs(case.call) do
        local is_text = index == 1 or type(argument) == "number"
        arguments[index] = type(argument) == "function" and "netstring" or lpeg.type(argument) and "lpeg"
            or is_text and tostring(argument) or type(argument) == "string" and ("%q"):format(argument)
            or tostring(argument)
    end
    return ("%s of %q"):format(table.concat(arguments, " "), case.sent):gsub("\n", "n")
end

-- Delivers the segments one by one, then the end. What the call gave, how many bytes had come when it was decided,
-- and what was left unread.
local function outcome_of(case, segments)
    local ours, theirs = pair.pair()
    local arrived, done = pair.arrivals()
    local outcome = {}
    local sent = 0
    local call = pair.start(function()
        local results = table.pack(pcall(ours[case.call[1]], ours, table.unpack(case.call, 2)))
        outcome.results, outcome.by = results, sent
    end)
    for _, segment in ipairs(segments) do
        sent = sent + #segment
        theirs:send(segment)
        arrived()
    end
    sent = "end"
    theirs:shutdown()
    arrived()
    call:join()
    outcome.left = ours:unread()
    ours:close()
    theirs:close()
    done()
    return outcome
end

local function check_outcome(case, outcome, way)
    local results = outcome.results
    if case.fails then
        assert.is_false(results[1], way)
        assert.equal(case.fails, results[2].kind, way .. ": " .. tostring(results[2]))
        assert.equal(case.sent:sub(1, #outcome.left), outcome.left, way)
        return
    end
    assert.is_true(results[1], way .. ": " .. tostring(results[2]))
    if case.gives == "connection" then
        assert.equal("userdata", type(results[2]), way)
        return
    end
    local wanted = table.pack(table.unpack(case.gives, 1, case.gives.n or #case.gives))
    assert.same(wanted, table.pack(table.unpack(results, 2, results.n)), way)
end

local function cuts(text)
    local ways = { { "all at once", { text } } }
    for at = 1, #text - 1 do
        ways[#ways + 1] = { "cut at " .. at, { text:sub(1, at), text:sub(at + 1) } }
    end
    return ways
end

local function one_by_one(text)
    local segments = {}
    for at = 1, #text do
        segments[at] = text:sub(at, at)
    end
    return segments
end

describe("the way in which bytes are delivered here", function()
    it("is one segment at a time", function()
        local ours, theirs = pair.pair()
        local arrived = pair.arrivals()
        for at = 1, 3 do
            theirs:send "x"
            arrived()
            assert.equal(("x"):rep(at), ours:unread())
        end
    end)
end)

describe("whatever the segments", function()
    for _, case in ipairs(CASES) do
        it(name_of(case), function()
            local outcome = outcome_of(case, one_by_one(case.sent))
            check_outcome(case, outcome, "one by one")
            assert.equal(case.by, outcome.by, "the byte that decides")
            local left = not case.fails and outcome.left
            for _, way in ipairs(cuts(case.sent)) do
                local other = outcome_of(case, way[2])
                check_outcome(case, other, way[1])
                if left then
                    -- what came behind the match is unread, however it came
                    local behind = case.sent:sub(#case.sent - #other.left + 1)
                    assert.equal(behind, other.left, way[1])
                end
            end
        end)
    end
end)
