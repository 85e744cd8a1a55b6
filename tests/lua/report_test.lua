-- What reports are made of: text by its columns, rows of a hex dump, transcripts line by line.
local columns = require "echolot.report.columns"
local failure = require "echolot.report.failure"
local hexdump = require "echolot.hexdump"
local pretty = require "echolot.report.pretty"
local transcript = require "echolot.report.transcript"

describe("columns", function()
    it("counts what a terminal shows", function()
        assert.equal(0, columns.width "")
        assert.equal(5, columns.width "hello")
        assert.equal(4, columns.width "caf\u{e9}")
        assert.equal(4, columns.width "cafe\u{301}")
        assert.equal(4, columns.width "\u{4e00}\u{ff21}")
        assert.equal(2, columns.width "\u{1f600}")
        assert.equal(3, columns.width "a\xffb")
    end)

    it("cuts by columns, no escape and no character apart", function()
        assert.same({ "abc", "de" }, columns.chunks("abcde", 3))
        assert.same({ "ab", [[\x00]], "c" }, columns.chunks([[ab\x00c]], 4))
        assert.same({ [[ab\n]], "c" }, columns.chunks([[ab\nc]], 4))
        assert.same({ [[a]], [[\u{200b}]], "b" }, columns.chunks([[a\u{200b}b]], 8))
        assert.same({ "\u{4e00}", "\u{4e00}" }, columns.chunks("\u{4e00}\u{4e00}", 3))
        assert.same({ [[\x00]] }, columns.chunks([[\x00]], 2), "what fits nowhere stands alone")
    end)

    it("wraps between words", function()
        assert.same({ "one two" }, columns.wrap("one two", 7))
        assert.same({ "one", "two" }, columns.wrap("one two", 6))
        assert.same({ "one", "twothr", "ee" }, columns.wrap("one twothree", 6))
        assert.same({ "a   b" }, columns.wrap("a   b", 5))
        assert.same({ "" }, columns.wrap("", 5))
    end)

    it("takes a slice", function()
        assert.equal("cd", columns.slice("abcdef", 2, 3))
        assert.equal("", columns.slice("ab", 2, 9))
        assert.equal("c", columns.slice([[\x00c\x00]], 3, 6))
    end)

    it("fits into a width", function()
        assert.equal("ab  ", columns.fit("ab", 4))
        assert.equal("tcp:..5151", columns.fit("tcp://127.0.0.1:5151", 10))
        assert.equal(10, columns.width(columns.fit(("\u{4e00}"):rep(20), 10)))
    end)
end)

describe("a failure", function()
    it("has the tabs in front of a message's lines as blanks", function()
        local style = { paint = function(_, text) return text end }
        local lines = failure.lines(1, {
            status = "error", name = "x", error = { kind = "error", message = "not found:\n\tno field\n\t\tthere" },
        }, style, {})
        assert.same({ "     not found:", "         no field", "             there" }, table.move(lines, 4, 6, 1, {}))
    end)
end)

describe("a hex dump", function()
    it("has offset, values and text in columns", function()
        assert.equal("0000  61 00 ff     |a..|", hexdump.row("a\0\xff", 1, 4, { per_row = 4 }))
        assert.equal("0010  62           |b|", hexdump.row(("a"):rep(16) .. "b", 17, 20, { per_row = 4 }))
        assert.equal("1000f  61 |a|", hexdump.row("a", 1, 1, { per_row = 1, shift = 0x1000f }):gsub("  |", " |"))
    end)

    it("is for what is no text", function()
        assert.is_false(hexdump.is_binary "")
        assert.is_false(hexdump.is_binary "hello\r\n")
        assert.is_false(hexdump.is_binary "\0\1\2")
        assert.is_true(hexdump.is_binary "\0\1\2\3")
        assert.is_false(hexdump.is_binary(("caf\u{e9} \u{4e00}"):rep(100)))
        assert.is_false(hexdump.is_binary(("\u{4e00}"):rep(1000)), "a character is cut by the sample's end")
        assert.is_true(hexdump.is_binary(("caf\xe9\xe8"):rep(100)))
        assert.is_false(hexdump.is_binary(("\0"):rep(4) .. ("a"):rep(20)))
        assert.is_true(hexdump.is_binary(("a"):rep(2000) .. ("\0"):rep(400), 2100))
        assert.is_false(hexdump.is_binary(("a"):rep(2000) .. ("\0"):rep(400), 1000))
    end)
end)

local function text(events, view)
    for n, event in ipairs(events) do
        event.t, event.conn, event.peer = event.t or n / 1000, event.conn or 1, event.peer or "tcp://h:1"
    end
    return transcript.text(events, view or {})
end

describe("a transcript", function()
    it("is a line an event", function()
        assert.equal([[
conversation with tcp://h:1:
     1.0 ms  connected
     2.0 ms  -> "one\n"
                "two"
     3.0 ms  <- '\x00\\"\u{202e}'
     4.0 ms  finished sending
     5.0 ms  the peer has finished sending
     6.0 ms  closed, 300 bytes unread: "sur\nprise"...
     7.0 ms  reset]], text {
            { dir = "open" }, { dir = "send", data = "one\ntwo" },
            { dir = "recv", data = "\0\\\"\u{202e}" }, { dir = "close", half = "send" }, { dir = "eof" },
            { dir = "close", unread = 300, data = "sur\nprise" }, { dir = "reset" },
        })
    end)

    it("takes the quotes that suit", function()
        assert.equal([[
conversation with tcp://h:1:
     1.0 ms  -> '{"a": "\\"}\n'
     2.0 ms  <- "it's \"so\""
     3.0 ms  closed, 3 bytes unread: '"a"']], text {
            { dir = "send", data = '{"a": "\\"}\n' }, { dir = "recv", data = "it's \"so\"" },
            { dir = "close", unread = 3, data = '"a"' },
        })
    end)

    it("shows seconds where it is long", function()
        assert.equal("conversation with tcp://h:1:\n    0.500 s  connected\n   20.000 s  closed",
            text { { t = 0.5, dir = "open" }, { t = 20, dir = "close" } })
    end)

    it("tells parties apart", function()
        assert.equal([[
conversations:
     1.0 ms  client        connected to tcp://h:1
     2.0 ms  tcp://h:9     connected
     3.0 ms  tcp://h:9 #2  connected
     4.0 ms  client        -> "x"]], text {
            { dir = "open", peer = "client", address = "tcp://h:1" }, { dir = "open", conn = 2, peer = "tcp://h:9" },
            { dir = "open", conn = 3, peer = "tcp://h:9" }, { dir = "send", peer = "client", data = "x" },
        })
    end)

    it("joins the pieces of one send, and those only", function()
        assert.equal([[
conversation with tcp://h:1:
     1.0 ms  -> "ab\n"
     2.0 ms  -> "c"
     2.0 ms  <- "d"
     2.0 ms  <- "e"]], text {
            { t = 0.001, dir = "send", data = "a" }, { t = 0.001, dir = "send", data = { base64 = "Ygo=" } },
            { t = 0.002, dir = "send", data = "c" }, { t = 0.002, dir = "recv", data = "d" },
            { t = 0.002, dir = "recv", data = "e" },
        })
    end)

    it("folds what is long, with its size", function()
        assert.equal([[
conversation with tcp://h:1:
     1.0 ms  -> "1\n"
                "2\n"
                ... 12 bytes of 18 ...
                "9\n"]], text({ { dir = "send", data = "1\n2\n3\n4\n5\n6\n7\n8\n9\n" } }, { head = 2, tail = 1 }))
        assert.equal([[
conversation with
tcp://h:1:
  1.0 ms  <- "xxxxxxxxxxxx"
             ... 71 bytes of 95 ...
             "xxxxxxxxxxxx"]],
            text({ { dir = "recv", data = ("x"):rep(95) } }, { head = 1, tail = 1, width = 27 }))
    end)

    it("dumps what is binary, with what was not kept in its offsets", function()
        assert.equal([[
conversation with tcp://h:1:
     1.0 ms  <- 0000  00 01 02 03 04 05 06 07  |........|
                ... 1008 bytes of 1024 ...
                03f8  00 01 02 03 04 05 06 07  |........|]], text({
            { dir = "recv", data = ("\0\1\2\3\4\5\6\7"):rep(8), omitted = 960, omitted_after = 32 },
        }, { head = 1, tail = 1, width = 70 }))
    end)

    it("leaves out events where there are too many", function()
        local events = {}
        for n = 1, 100 do
            events[n] = { dir = "send", data = n .. "\n" }
        end
        assert.equal([[
conversation with tcp://h:1:
     1.0 ms  -> "1\n"
     2.0 ms  -> "2\n"
  ... 92 events ...
    95.0 ms  -> "95\n"
    96.0 ms  -> "96\n"
    97.0 ms  -> "97\n"
    98.0 ms  -> "98\n"
    99.0 ms  -> "99\n"
   100.0 ms  -> "100\n"]], text(events, { events = 8 }))
    end)

    it("puts data below where there is little room", function()
        assert.equal([[
conversations:
  1.0 ms  client  ->
        "hello\n"
  2.0 ms  tcp:..5151
      closed, 5 bytes unread:
      "abcde"]], text({
            { dir = "send", peer = "client", data = "hello\n" },
            { dir = "close", conn = 2, peer = "tcp://127.0.0.1:5151", unread = 5, data = "abcde" },
        }, { width = 30 }))
    end)

    it("keeps to its width whatever was said", function()
        local hostile = {}
        for _, bytes in ipairs {
            ("x"):rep(8192), ("\0"):rep(8192), ("\u{4e00}"):rep(2000), ("e" .. ("\u{301}"):rep(3000)),
            ("\27[2J"):rep(2000), ("\u{202e}a"):rep(2000), ("\xff"):rep(8192), ("\n"):rep(8192), ('"\\'):rep(4096),
        } do
            hostile[#hostile + 1] = { dir = "recv", data = bytes }
            hostile[#hostile + 1] = { dir = "close", unread = 9999, data = bytes, conn = 2, peer = bytes }
            hostile[#hostile + 1] = { dir = bytes, conn = 3 }
        end
        for _, width in ipairs { 20, 40, 60, 80, 200 } do
            local shown = text(hostile, { width = width })
            assert.is_nil(shown:find "[\0-\9\11-\31\127]")
            for line in shown:gmatch "[^\n]+" do
                check.is_true(columns.width(line) <= math.max(width, 36), line)
            end
        end
    end)
end)

-- What the report for a person makes of these events, without colour.
local function report(events)
    local out = {}
    local sink = { path = "report.txt", write = function(_, part) out[#out + 1] = part end }
    local reporter = pretty.new(sink, { color = "never" })
    for _, event in ipairs(events) do
        reporter:event(event)
    end
    return table.concat(out)
end

local function ended(path, name)
    return {
        event = "test_end", path = path, name = name, status = "error", duration = 0, line = 1,
        error = { kind = "error", message = name .. " of " .. path },
    }
end

local RUN_END = { event = "run_end", duration = 0, counts = { passed = 0, failed = 0, errors = 2, skipped = 0 } }

describe("the report for a person", function()
    it("keeps apart what tests of one name say that run side by side", function()
        local text = report {
            { event = "file_start", path = "a" }, { event = "file_start", path = "b" },
            { event = "log", path = "a", name = "t", text = "from a" },
            { event = "log", path = "b", name = "t", text = "from b" },
            { event = "log", path = "a", name = "t", text = "more from a" },
            ended("a", "t"), { event = "file_end", path = "a" }, ended("b", "t"), { event = "file_end", path = "b" },
            RUN_END,
        }
        assert.matches("t of a.-| from a\n +| more from a\n.-t of b.-| from b\n", text)
        assert.equal(1, select(2, text:gsub("from b", "")))
    end)

    it("keeps the newest of what a test says, however much that is", function()
        local events = { { event = "file_start", path = "a" } }
        for n = 1, 3500 do
            events[n + 1] = { event = "log", path = "a", name = "t", text = "line " .. n }
        end
        events[#events + 1] = { event = "log", path = "a", name = "t", text = ("x"):rep(1 << 20) }
        table.move({ ended("a", "t"), { event = "file_end", path = "a" }, RUN_END }, 1, 3, #events + 1, events)
        local text = report(events)
        assert.matches("log:\n +%(2501 earlier lines%)\n +| line 2502\n", text)
        assert.contains("| line 3500\n", text)
        assert.is_true(#text < 100000)
    end)

    it("shows what a file says outside of its tests", function()
        assert.contains("a\n    | loading\\x1b\n    | 1  2\n", report {
            { event = "file_start", path = "a" }, { event = "log", path = "a", text = "loading\27\n1\t2" },
            { event = "file_end", path = "a" }, RUN_END,
        })
    end)
end)
