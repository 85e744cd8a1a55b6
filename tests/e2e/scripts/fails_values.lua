-- Assertions about strings and tables that fail, each in a way that a report has to explain.
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
