-- Expectations about a connection's bytes that do not hold, one for each matcher and each end.
local echolot = require "echolot"
local line, pattern, regex = echolot.line, echolot.pattern, echolot.regex

-- Other ends of the running test: one that nobody holds may be collected, and closed, at any time.
local held

-- A connection whose other end says this, and then ends, if asked to, or resets.
local function hears(bytes, last)
    local listener <close> = echolot.listen "127.0.0.1:0"
    local client = echolot.connect(listener.address, { name = "client", timeout = 0.05 })
    local server = listener:accept()
    held = server
    server:send(bytes)
    if last == "eof" then
        server:shutdown()
    elseif last == "reset" then
        server:reset()
    end
    return client
end

describe("a literal", function()
    it("that differs", function()
        hears "250 no\r\n":expect "250 OK\r\n"
    end)
    it("that comes in part", function()
        hears "250 ":expect "250 OK\r\n"
    end)
    it("that the end cuts", function()
        hears("250 ", "eof"):expect "250 OK\r\n"
    end)
    it("whose line end is another", function()
        hears "250 OK\n":expect "250 OK\r\n"
    end)
    it("that only looks the same", function()
        hears "250\u{a0}OK\r\n":expect "250 OK\r\n"
    end)
    it("of several lines", function()
        hears "HTTP/1.1 200 OK\r\nServer: x\r\nDate: y\r\n\r\nbody":expect
            "HTTP/1.1 200 OK\r\nServer: z\r\nDate: y\r\n\r\n"
    end)
    it("with a long common part", function()
        hears(("a"):rep(1000) .. "b" .. ("c"):rep(1000)):expect(("a"):rep(1000) .. "c" .. ("c"):rep(1000))
    end)
    it("in hex", function()
        hears "\0\1\2\3\4\5\6\7\8\9":expect(echolot.hex "00 01 02 03 04 ff")
    end)
end)

describe("a line", function()
    it("of text", function()
        hears "250 OK \r\nmore\r\n":expect_line "250 OK"
    end)
    it("of a pattern", function()
        hears "250 x\r\n":expect_line(pattern "250 (%d+)")
    end)
    it("of a regex", function()
        hears "250 x\r\n":expect_line(regex "250 (\\d+)")
    end)
    it("within another matcher", function()
        hears "no\nyes\n":expect(line "yes")
    end)
end)

describe("a matcher", function()
    it("pattern", function()
        hears "250 OK\r\n":expect(pattern "251 (%a+)\r\n")
    end)
    it("regex", function()
        hears "250 OK\r\n":expect(regex "25[1-9] (\\w+)\\r\\n")
    end)
    it("bytes", function()
        hears "abcdef":expect(echolot.bytes(4, "abce"))
    end)
    it("delimited", function()
        hears "key=value":expect(echolot.delimited("=", "kay"))
    end)
    it("counted", function()
        hears "\0\4bodymore":expect(echolot.counted(">I2", "bodx"))
    end)
    it("json", function()
        hears '{"status": "error", "code": 7}\n':expect(echolot.json { status = "ok", code = 7 })
    end)
    it("json that is none", function()
        hears "ERROR\n":expect(echolot.json())
    end)
    it("either", function()
        hears "no\n":expect(echolot.either("yes\n", line(pattern "n%d"), "maybe\n"))
    end)
    it("a function", function()
        hears "odd\n":expect(function() return false end)
    end)
end)

describe("what else is awaited", function()
    it("any of several", function()
        hears "550 no\r\n":expect_any("250 OK\r\n", line(pattern "25%d .*"), regex "5[1-4]")
    end)
    it("something later", function()
        hears("one\ntwo\nthree\n", "eof"):skip_until "four\n"
    end)
    it("the end", function()
        hears "surprise\r\n":expect_eof()
    end)
    it("the end, but a reset", function()
        hears("", "reset"):expect_eof()
    end)
    it("a reset, but the end", function()
        hears("", "eof"):expect_reset()
    end)
    it("a reset, but bytes", function()
        hears "hello\n":expect_reset()
    end)
    it("silence", function()
        hears "\7\27[2Jhello":expect_silence(1)
    end)
    it("silence, but the end", function()
        hears("", "eof"):expect_silence(1)
    end)
end)
