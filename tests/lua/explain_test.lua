-- Mismatches of expectations: their words, byte for byte, and that whatever came they are bounded and harmless.
local explain = require "echolot.explain"

local MIB = 1 << 20

local function mismatch(fields)
    fields.op = fields.op or "expect"
    fields.address = "tcp://h:1"
    return explain.mismatch(fields)
end

-- What `tostring` of the error has to be: a line with call, address and summary, and the difference below it.
local function explains(fields)
    return function(expected)
        local actual = tostring(mismatch(fields))
        if expected ~= actual then
            error(("expected:\n%s\ngot:\n%s"):format(expected, actual), 2)
        end
    end
end

describe("a mismatch", function()
    it("a literal that parts", function()
        explains {
            awaited = '"250 OK\\r\\n"',
            expected = "250 OK\r\n",
            came = "250 no\r\n",
            at = 4,
        } [==[
expect tcp://h:1: expected "250 OK\r\n", got "250 no\r\n": they part at byte 5
  - 250 OK\r\n
  + 250 no\r\n
        ^]==]
    end)

    it("what came after the line is counted, not shown", function()
        explains {
            awaited = '"250 OK\\r\\n"',
            expected = "250 OK\r\n",
            came = "550 no\r\n220 ready\r\n",
            at = 0,
        } [==[
expect tcp://h:1: expected "250 OK\r\n", got "550 no\r\n": they part at byte 1
  - 250 OK\r\n
  + 550 no\r\n
    ^
    (11 more bytes came after this)]==]
    end)

    it("the peer ended in the middle", function()
        explains {
            awaited = '"250 OK\\r\\n"',
            expected = "250 OK\r\n",
            came = "250 ",
            ended = "eof",
            why = "the peer ended in the middle of what was awaited",
        } [==[
expect tcp://h:1: expected "250 OK\r\n", but the peer ended after "250 "
  - 250 OK\r\n
  + 250\x20
        ^]==]
    end)

    it("the peer ended before anything", function()
        explains {
            awaited = '"250 OK\\r\\n"',
            expected = "250 OK\r\n",
            came = "",
            ended = "eof",
        } [==[
expect tcp://h:1: expected "250 OK\r\n", but the peer ended before anything came
  - 250 OK\r\n
  + (empty)]==]
    end)

    it("the peer reset", function()
        explains {
            awaited = '"250 OK\\r\\n"',
            expected = "250 OK\r\n",
            came = "2",
            ended = "reset",
        } [==[
expect tcp://h:1: expected "250 OK\r\n", but the peer reset the connection after "2"
  - 250 OK\r\n
  + 2
     ^]==]
    end)

    it("the time is up in the middle", function()
        explains {
            awaited = '"250 OK\\r\\n"',
            expected = "250 OK\r\n",
            came = "250",
            more = true,
            why = "nothing more came for 0.5 s",
        } [==[
expect tcp://h:1: expected "250 OK\r\n", got only "250"
nothing more came for 0.5 s
  - 250 OK\r\n
  + 250
       ^]==]
    end)

    it("LF for CR LF", function()
        explains {
            awaited = '"250 OK\\r\\n"',
            expected = "250 OK\r\n",
            came = "250 OK\n",
            at = 6,
        } [==[
expect tcp://h:1: expected "250 OK\r\n", got "250 OK\n": they part at byte 7
  - 250 OK\r\n
  + 250 OK\n
          ^
    (only the line ends differ: CR LF expected, LF got)]==]
    end)

    it("a no-break space", function()
        explains {
            awaited = '"250 OK\\r\\n"',
            expected = "250 OK\r\n",
            came = "250\u{a0}OK\r\n",
            at = 3,
        } [==[
expect tcp://h:1: expected "250 OK\r\n", got "250\u{a0}OK\r\n": they part at byte 4
  - 250 OK\r\n
  + 250\u{a0}OK\r\n
       ^
    characters: U+0020 (space) expected, U+00A0 (no-break space) got
    (only blanks differ)]==]
    end)

    it("a zero width space", function()
        explains {
            awaited = '"OK\\n"',
            expected = "OK\n",
            came = "\u{200b}OK\n",
            at = 0,
        } [==[
expect tcp://h:1: expected "OK\n", got "\u{200b}OK\n": they part at byte 1
  - OK\n
  + \u{200b}OK\n
    ^
    characters: U+004F expected, U+200B (zero width space) got]==]
    end)

    it("a NUL", function()
        explains {
            awaited = '"OK\\n"',
            expected = "OK\n",
            came = "OK\0\n",
            at = 2,
        } [==[
expect tcp://h:1: expected "OK\n", got "OK\x00\n": they part at byte 3
  - OK\n
  + OK\x00\n
      ^
  - 0000  4f 4b 0a     |OK.|
  + 0000  4f 4b 00 0a  |OK..|
                ^^]==]
    end)

    it("a bidirectional override", function()
        explains {
            awaited = '"evil\\n"',
            expected = "evil\n",
            came = "\u{202e}live\n",
            at = 0,
        } [==[
expect tcp://h:1: expected "evil\n", got "\u{202e}live\n": they part at byte 1
  - evil\n
  + \u{202e}live\n
    ^
    characters: U+0065 expected, U+202E (right-to-left override) got]==]
    end)

    it("several lines", function()
        explains {
            awaited = '"HTTP/1.1 200 OK\\r\\nHost: a\\r\\n"...(37 bytes)',
            expected = "HTTP/1.1 200 OK\r\nHost: a\r\nDate: x\r\n\r\n",
            came = "HTTP/1.1 200 OK\r\nHost: b\r\nDate: x\r\n\r\nbody and more\r\n",
            at = 23,
        } [==[
expect tcp://h:1: expected 37 bytes: what came parts from them at byte 24 (line 2)
    HTTP/1.1 200 OK\r
  - Host: a\r
  + Host: b\r
          ^
    Date: x\r
    \r
    (15 more bytes came after this)]==]
    end)

    it("a long common part", function()
        explains {
            awaited = '"aaaaaaaa"...(504 bytes)',
            expected = ("a"):rep(500) .. "left",
            came = ("a"):rep(500) .. "right" .. ("b"):rep(900),
            at = 500,
        } [==[
expect tcp://h:1: expected 504 bytes: what came parts from them at byte 501
  - <460 bytes>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaleft
  + <460 bytes>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaarightbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb<845 bytes>
                                                       ^]==]
    end)

    it("bytes", function()
        explains {
            awaited = "the bytes 00 01 02 03",
            expected = "\0\1\2\3",
            came = "\0\1\3\3\4\5",
            at = 2,
        } [==[
expect tcp://h:1: expected the bytes 00 01 02 03, got "\x00\x01\x03\x03\x04\x05": they part at byte 3
  - 0000  00 01 02 03        |....|
  + 0000  00 01 03 03 04 05  |......|
                ^^]==]
    end)

    it("a line", function()
        explains {
            op = "expect_line",
            awaited = 'the line "250 OK"',
            expected = "250 OK",
            frame = "line",
            came = "250 OK \r\nmore",
            at = 6,
        } [==[
expect_line tcp://h:1: expected the line "250 OK", got "250 OK ": the line goes on at byte 7
  - 250 OK
  + 250 OK\x20
          ^
    (only blanks differ)
    (4 more bytes came after this)]==]
    end)

    it("a line that ends early", function()
        explains {
            op = "expect_line",
            awaited = 'the line "250 OK"',
            expected = "250 OK",
            frame = "line",
            came = "250\r\n",
            at = 3,
        } [==[
expect_line tcp://h:1: expected the line "250 OK", got "250": the line ends before byte 4
  - 250 OK
  + 250
       ^]==]
    end)

    it("a line that was awaited with its end", function()
        explains {
            op = "expect_line",
            awaited = 'a line "250 OK\\r\\n"',
            expected = "250 OK\r\n",
            frame = "line",
            came = "250 OK\r\n",
            at = 6,
        } [==[
expect_line tcp://h:1: expected a line "250 OK\r\n", got "250 OK": the line ends before byte 7
  - 250 OK\r\n
  + 250 OK
          ^
    (a line is compared without its end: leave it out)]==]
    end)

    it("a line that another CR stands in", function()
        explains {
            op = "expect_line",
            awaited = 'the line "OK"',
            expected = "OK",
            frame = "line",
            came = "O\rK\r\n",
            at = 1,
        } [==[
expect_line tcp://h:1: expected the line "OK", got "O\rK": they part at byte 2
  - OK
  + O\rK
     ^]==]
    end)

    it("a line of a pattern", function()
        explains {
            op = "expect_line",
            awaited = 'a line matching pattern "^OK (%d+)$"',
            came = "OK abc\r\nmore",
            at = 3,
        } [==[
expect_line tcp://h:1: expected a line matching pattern "^OK (%d+)$", got "OK abc\r\n": it cannot match from byte 4 on
  + OK abc\r\n
       ^]==]
    end)

    it("a pattern from the first byte", function()
        explains {
            awaited = 'pattern "^OK (%d+)\\r\\n"',
            came = "ERR\r\n",
            at = 0,
        } [==[
expect tcp://h:1: expected pattern "^OK (%d+)\r\n", got "ERR\r\n"]==]
    end)

    it("a pattern over lines", function()
        explains {
            awaited = 'regex "^(?s).*\\n\\nend"',
            came = "one\ntwo\nthree\nfour\nfive\n",
            at = 14,
        } [==[
expect tcp://h:1: expected regex "^(?s).*\n\nend", got "one\ntwo\nthree\nfour\nfive\n": it cannot match from byte 15 on
    (2 lines before this)
  + three\n
  + four\n
    ^
  + five\n]==]
    end)

    it("a pattern in binary bytes", function()
        explains {
            awaited = 'pattern "^(a+)$"',
            came = ("a\0\1\2"):rep(40) .. "b",
            at = 100,
        } [==[
expect tcp://h:1: expected pattern "^(a+)$", got "a\x00\x01\x02a\x00\x01\x02a\x00\x01\x02a\x00\x01\x02a\x00"...(161 bytes): it cannot match from byte 101 on
    (64 bytes before this)
  + 0040  61 00 01 02 61 00 01 02 61 00 01 02 61 00 01 02  |a...a...a...a...|
  + 0050  61 00 01 02 61 00 01 02 61 00 01 02 61 00 01 02  |a...a...a...a...|
  + 0060  61 00 01 02 61 00 01 02 61 00 01 02 61 00 01 02  |a...a...a...a...|
                      ^^
  + 0070  61 00 01 02 61 00 01 02 61 00 01 02 61 00 01 02  |a...a...a...a...|
    (33 bytes after this)]==]
    end)

    it("a delimited part", function()
        explains {
            awaited = '"key" up to "="',
            came = "kay=1",
            why = '"kay" came before the delimiter',
        } [==[
expect tcp://h:1: expected "key" up to "=", got "kay=1"
"kay" came before the delimiter]==]
    end)

    it("json", function()
        explains {
            awaited = 'a JSON line with {ok = true}',
            came = '{"ok": false}\n',
            why = ".ok: expected true, got false",
        } [==[
expect tcp://h:1: expected a JSON line with {ok = true}, got '{"ok": false}\n'
.ok: expected true, got false]==]
    end)

    it("alternatives", function()
        explains {
            op = "expect_any",
            awaited = "any of 3",
            alternatives = {
                { awaited = '"250 OK\\r\\n"', at = 0 },
                { awaited = 'a line matching pattern "^251 (.*)$"', at = 2 },
                { awaited = "a JSON line", why = "no JSON: unexpected 'E'" },
            },
            came = "25 ERR\r\nmore",
            at = 0,
        } [==[
expect_any tcp://h:1: expected any of 3, got "25 ERR\r\nmore"
  - 1. "250 OK\r\n": it parts at byte 1
  - 2. a line matching pattern "^251 (.*)$": it parts at byte 3
  - 3. a JSON line: no JSON: unexpected 'E'
  + 25 ERR\r\n
      ^
  + more]==]
    end)

    it("skip_until at the end", function()
        explains {
            op = "skip_until",
            awaited = '"END"',
            expected = "END",
            came = ("line\n"):rep(20),
            ended = "eof",
            why = "\"END\" came nowhere in 100 bytes",
        } [==[
skip_until tcp://h:1: expected "END" somewhere, but the peer ended: 100 bytes came without it
"END" came nowhere in 100 bytes
    (75 bytes before this)
  + line\n
  + line\n
  + line\n
  + line\n
  + line\n]==]
    end)

    it("skip_until in another case: told, but long literals are not sought again", function()
        local function told(expected, came)
            local text = tostring(mismatch { op = "skip_until", awaited = "x", expected = expected, came = came })
            return text:match "upper and lower case it came at byte (%d+)"
        end
        assert.equal("3", told("END", "x\nend\n"))
        assert.equal(nil, told("END", "x\nand\n"))
        assert.equal("1", told(("E"):rep(1000), ("e"):rep(2000)))
        -- In the worst case each byte of a whole buffer is held against each of the literal.
        assert.equal(nil, told(("E"):rep(2000), ("e"):rep(2000)))
    end)

    it("skip_until with a pattern at the end", function()
        explains {
            op = "skip_until",
            awaited = 'pattern "END%d"',
            came = ("line\n"):rep(20),
            ended = "eof",
        } [==[
skip_until tcp://h:1: expected pattern "END%d" somewhere, but the peer ended: 100 bytes came without it
    (75 bytes before this)
  + line\n
  + line\n
  + line\n
  + line\n
  + line\n]==]
    end)

    it("the end, but bytes", function()
        explains {
            op = "expect_eof",
            awaited = "the end",
            came = "surprise\r\n",
        } [==[
expect_eof tcp://h:1: expected the end, got 10 bytes: "surprise\r\n"]==]
    end)

    it("the end, but a reset", function()
        explains {
            op = "expect_eof",
            awaited = "the end",
            came = "",
            ended = "reset",
        } [==[
expect_eof tcp://h:1: expected the end, but the peer reset the connection]==]
    end)

    it("a reset, but the end", function()
        explains {
            op = "expect_reset",
            awaited = "a reset",
            came = "",
            ended = "eof",
        } [==[
expect_reset tcp://h:1: expected a reset, but the peer ended]==]
    end)

    it("a reset, but nothing", function()
        explains {
            op = "expect_reset",
            awaited = "a reset",
            came = "",
            why = "nothing came for 0.5 s",
        } [==[
expect_reset tcp://h:1: expected a reset, got nothing
nothing came for 0.5 s]==]
    end)

    it("silence", function()
        explains {
            op = "expect_silence",
            awaited = "silence for 0.5 s",
            came = "\27[2J\7",
        } [==[
expect_silence tcp://h:1: expected silence for 0.5 s, got 5 bytes: "\x1b[2J\x07"]==]
    end)

    it("silence, but the end", function()
        explains {
            op = "expect_silence",
            awaited = "silence for 0.5 s",
            came = "",
            ended = "eof",
        } [==[
expect_silence tcp://h:1: expected silence for 0.5 s, but the peer ended]==]
    end)
end)

describe("the error of a mismatch", function()
    local TRANSCRIPT = {
        { t = 0.0001, dir = "open", peer = "tcp://h:1", conn = 1 },
        { t = 0.0002, dir = "send", peer = "tcp://h:1", conn = 1, data = "RCPT TO:<a@b>\r\n" },
        { t = 0.0204, dir = "recv", peer = "tcp://h:1", conn = 1, data = { base64 = "NTAzIAAK" } },
        { t = 0.0204, dir = "eof", peer = "tcp://h:1", conn = 1 },
    }

    it("bears its parts", function()
        local err = mismatch {
            awaited = '"250 OK\\r\\n"', expected = "250 OK\r\n", came = "503 \0\n", at = 0, peer = "relay",
            transcript = TRANSCRIPT,
        }
        assert.equal("mismatch", err.kind)
        assert.equal("expect", err.op)
        assert.equal("tcp://h:1", err.address)
        assert.equal("relay", err.peer)
        assert.equal('expected "250 OK\\r\\n", got "503 \\x00\\n": they part at byte 1', err.summary)
        assert.equal('"250 OK\\r\\n"', err.expected)
        assert.equal('"503 \\x00\\n"', err.actual)
        assert.equal("503 \0\n", err.received)
        assert.matches("explain_test%.lua:%d+$", err.where)
        assert.same({ kind = "expected", text = "  - 250 OK\\r\\n" }, err.diff[1])
    end)

    it("ends with the conversation", function()
        local err = mismatch { op = "expect_eof", awaited = "the end", came = "503 \0\n", transcript = TRANSCRIPT }
        assert.equal([==[
expect_eof tcp://h:1: expected the end, got 6 bytes: "503 \x00\n"
conversation with tcp://h:1:
     0.1 ms  connected
     0.2 ms  -> "RCPT TO:<a@b>\r\n"
    20.4 ms  <- "503 \x00\n"
    20.4 ms  the peer has finished sending]==], tostring(err))
    end)

    it("shows the newest part of a long conversation", function()
        local events = {}
        for n = 1, 1000 do
            events[n] = { t = n, dir = "recv", peer = "tcp://h:1", conn = 1, data = ("x"):rep(8192) }
        end
        local text = tostring(mismatch { awaited = "silence", came = "x", transcript = events })
        assert.matches("1000%.000 s  <%-", text)
        assert.contains("... 988 events ...", text)
        assert.is_true(#text < 12000, #text)
    end)
end)

describe("whatever came", function()
    local hostile = {
        ["a line without an end"] = ("x"):rep(MIB),
        ["zeros"] = ("\0"):rep(MIB),
        ["line ends"] = ("\n"):rep(MIB),
        ["carriage returns"] = ("\r"):rep(MIB),
        ["terminal sequences"] = ("\27[2J\27]0;title\7"):rep(MIB // 13),
        ["no UTF-8"] = ("\xff\xc0\x80"):rep(MIB // 3),
        ["bidirectional overrides"] = ("\u{202e}a\n"):rep(MIB // 5),
        ["wide characters"] = ("\u{4e00}"):rep(MIB // 3),
        ["combining marks"] = "e" .. ("\u{301}"):rep(MIB // 2),
    }
    local function check_text(what, err)
        local text = tostring(err)
        check.is_true(#text < 10000, what .. ": too long: " .. #text)
        check.is_nil(text:find "[\0-\9\11-\31\127]", what .. ": a control byte")
        check.is_nil(text:find("\u{202e}", 1, true), what .. ": an override")
        check.is_not_nil(utf8.len(text), what .. ": no UTF-8")
        for _, field in ipairs { "summary", "expected", "actual" } do
            check.is_true(#err[field] < 5000, what .. ": too long: " .. field)
        end
    end

    for what, bytes in pairs(hostile) do
        it("is bounded and harmless: " .. what, function()
            for _, at in ipairs { 0, 1, MIB // 2, #bytes - 1 } do
                check_text(what, mismatch { awaited = "a pattern", came = bytes, at = at })
                check_text(what, mismatch { awaited = "a line", op = "expect_line", came = bytes, at = at })
            end
            check_text(what, mismatch { awaited = "an x", expected = "y\r\n", came = bytes, at = 0 })
            check_text(what, mismatch { awaited = "a line", frame = "line", expected = "y", came = bytes, at = 0 })
            check_text(what, mismatch { awaited = "itself", expected = bytes .. "a", came = bytes .. "b" })
            check_text(what, mismatch { awaited = "itself", expected = bytes .. "a", came = bytes, ended = "eof" })
            check_text(what, mismatch { awaited = "two lines", expected = "a\nb\n", came = bytes })
            check_text(what, mismatch { op = "skip_until", awaited = "y", expected = "y", came = bytes, ended = "eof" })
            check_text(what, mismatch { op = "expect_eof", awaited = "the end", came = bytes })
            check_text(what, mismatch {
                op = "expect_any", awaited = bytes, came = bytes, why = bytes,
                alternatives = { { awaited = bytes, why = bytes, at = #bytes - 1 } },
                transcript = { { t = 0, dir = "recv", peer = bytes, conn = 1, data = bytes } },
            })
        end)
    end

    it("is bounded for many alternatives", function()
        local alternatives = {}
        for n = 1, 1000 do
            alternatives[n] = { awaited = ("pattern %d"):format(n), at = n }
        end
        local err = mismatch { awaited = "any of 1000", alternatives = alternatives, came = "x" }
        assert.contains("(988 more)", tostring(err))
        check_text("alternatives", err)
    end)

    it("nothing but the call is needed", function()
        assert.equal("expect tcp://h:1: expected something else, got nothing", tostring(mismatch {}))
    end)
end)
