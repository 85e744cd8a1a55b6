-- A failure of each kind that a report has to explain; what it says of them is compared byte for byte.
local echolot = require "echolot"
target(echolot.servers.echo { framing = "raw" })

describe("strings", function()
    it("of one line", function()
        assert.equal("250 OK", "250 Ok", "the reply to RCPT")
    end)

    it("that only look the same", function()
        check.equal("pay", "p\u{430}y")
        check.equal("a b", "a\u{a0}b")
        check.equal("end", "end\u{200b}")
        check.equal("250 OK\r\n", "250 OK\n")
        check.equal("trailing", "trailing ")
        check.equal("tab\there", "tab    here")
        check.equal("\u{202e}evil", "evil")
        check.equal("Host", "host")
        check.equal("caf\u{e9}", "cafe\u{301}")
    end)

    it("of several lines", function()
        local head = ("Accept: x\n"):rep(10)
        assert.equal(head .. "Host: a\nDate: today\nVia: one\nAge: 1\nTo: me\n",
            head .. "Host: b\nVia: one\nAge: 1\nTo: me\nEnd: yes\n")
    end)

    it("whose line ends differ", function()
        assert.equal("a\r\nb\r\nc\r\n", "a\nb\nc\n")
    end)

    it("that are long", function()
        assert.equal(("x"):rep(500) .. "left" .. ("y"):rep(500), ("x"):rep(500) .. "right" .. ("y"):rep(500))
    end)

    it("that are binary", function()
        assert.equal("\0\1\2\3\4\5\6\7\8\x0e\x0f" .. ("\xff\0"):rep(20), "\0\1\2\3\4\5\6\7\8\x0e\x1f" .. ("\xff\0"):rep(20))
    end)

    it("that would act upon a terminal", function()
        assert.equal("plain", "\27[31mred\27[0m \7\8\x9b2J")
    end)
end)

describe("tables", function()
    it("by the path of each key", function()
        assert.same(
            { user = { name = "ada", id = 17, tags = { "a" } }, ok = true },
            { user = { name = "bob", tags = { "a" } }, ok = true, extra = { 1, 2 } }
        )
    end)

    it("with an item more in a list", function()
        assert.same({ "one", "two", "three", "four", "five" }, { "one", "and", "two", "three", "four", "five" })
    end)

    it("with records in a list", function()
        assert.same({ list = { { id = 1 }, { id = 2, name = "b" }, { id = 3 } } },
            { list = { { id = 2, name = "B" }, { id = 3 } } })
    end)

    it("against another type", function()
        assert.same({ 1, 2 }, "{1, 2}")
    end)
end)

describe("a conversation", function()
    conversation("with facts, steps and a log", function(peer)
        fact("banner", "echo \0 1.0")
        fact("sizes", { 1, 10, 100 })
        log("before", 1)
        step("greets", function() peer:send "hello\n" end)
        print "two\nlines"
        step("asks and is answered", function()
            assert.equal("HELLO", peer:read())
        end)
    end)

    it("of several parties", function()
        local listener <close> = echolot.listen "127.0.0.1:0"
        local client = echolot.connect(listener.address, { name = "client" })
        local server = listener:accept()
        client:send("PUT ", ("x"):rep(3000), "\nmore\n")
        local bytes = {}
        for i = 1, 200 do
            bytes[i] = string.char(i * 7 % 256)
        end
        server:read(10)
        server:send(table.concat(bytes), "surprise\r\n")
        client:read(200)
        error "it went wrong"
    end)

    conversation("that goes on and on", function(peer)
        for i = 1, 60 do
            peer:send("line ", i, "\n")
            assert.equal("line " .. i, peer:read())
        end
        assert.equal("end", peer:send("x\n"):read())
    end)

    conversation("that waits in vain", { timeout = 0.01 }, function(peer)
        peer:send "half a line"
        peer:read()
    end)
end)

local function check_reply(reply, wanted)
    assert.equal(wanted, reply)
end

local function ask(question)
    check_reply(question:upper(), question)
    return true
end

it("fails far from where it was called", function()
    local fine = ask "question"
    assert(fine)
end)

it("raises what is no error object", function()
    local nothing
    return nothing.field
end)

it("has a name that is much longer than what fits into a line of a terminal, and goes on where it has to be cut", function()
    assert.is_true(false, "a message that is long enough to be wrapped where the terminal is narrow")
end)
