-- "Connections as files" of the contract: read, its formats, the end, the limits.
local echolot = require "echolot"
local pair = require "conn_pair"

-- A connection whose peer has sent `data` and finished.
local function sent(data, options)
    local ours, theirs = pair.pair(options)
    theirs:send(data):shutdown()
    return ours, theirs
end

describe("read \"l\"", function()
    it("is a line without its LF and the CR before it", function()
        local ours = sent "unix\ndos\r\n\n\r\na\rb\r\r\n"
        assert.equal("unix", ours:read "l")
        assert.equal("dos", ours:read "l")
        assert.equal("", ours:read "l")
        assert.equal("", ours:read "l")
        assert.equal("a\rb\r", ours:read "l")
        assert.is_nil(ours:read "l")
        assert.is_nil(ours:read "l")
    end)

    it("is what read does by itself", function()
        local ours = sent "one\r\ntwo\n"
        assert.equal("one", ours:read())
        assert.equal("two", ours:read())
        assert.is_nil(ours:read())
    end)

    it("takes a last line without its end, CR and all", function()
        assert.equal("last", sent("last"):read "l")
        local ours = sent "first\nlast\r"
        assert.equal("first", ours:read "l")
        assert.equal("last\r", ours:read "l")
        assert.is_nil(ours:read "l")
    end)

    it("does not depend on how the bytes were cut", function()
        local text = "one\r\ntwo\n\r\nthree"
        for cut = 0, #text do
            local ours, theirs = pair.pair()
            local task = echolot.spawn(function()
                return { ours:read("l", "l", "l", "l") }
            end)
            theirs:send(text:sub(1, cut))
            pair.settle()
            theirs:send(text:sub(cut + 1)):shutdown()
            assert.same({ "one", "two", "", "three" }, task:join(), "cut at " .. cut)
        end
    end)
end)

describe("read \"L\"", function()
    it("is a line with its end", function()
        local ours = sent "unix\ndos\r\n\nlast"
        assert.equal("unix\n", ours:read "L")
        assert.equal("dos\r\n", ours:read "L")
        assert.equal("\n", ours:read "L")
        assert.equal("last", ours:read "L")
        assert.is_nil(ours:read "L")
    end)
end)

describe("read \"a\"", function()
    it("is all until the peer ends, and \"\" at the end", function()
        local ours = sent "all\nof\0it"
        assert.equal("all\nof\0it", ours:read "a")
        assert.equal("", ours:read "a")
        assert.is_nil(ours:read "l")
        assert.equal("", sent(""):read "a")
    end)

    it("waits for the end", function()
        local ours, theirs = pair.pair()
        local task = pair.start(ours.read, ours, "a")
        theirs:send "one "
        pair.settle()
        theirs:send("two"):close()
        assert.equal("one two", task:join())
    end)
end)

describe("read(n)", function()
    it("is exactly so many bytes, fewer only at the end", function()
        local ours = sent "abcdefgh"
        assert.equal("abc", ours:read(3))
        assert.equal("d", ours:read(1))
        assert.equal("efgh", ours:read(100))
        assert.is_nil(ours:read(1))
    end)

    it("waits for all of them", function()
        local ours, theirs = pair.pair()
        local task = pair.start(ours.read, ours, 6)
        theirs:send "abc"
        pair.settle()
        theirs:send "defghi"
        assert.equal("abcdef", task:join())
        assert.equal("ghi", ours:unread())
    end)

    it("of 0 asks whether there is more", function()
        local ours, theirs = pair.pair()
        theirs:send "x"
        assert.equal("", ours:read(0))
        assert.equal("", ours:read(0))
        assert.equal("x", ours:read(1))
        theirs:shutdown()
        assert.is_nil(ours:read(0))
    end)

    it("takes floats that are whole", function()
        assert.equal("ab", sent("abc"):read(2.0))
    end)
end)

describe("read", function()
    it("knows the older spellings", function()
        local ours = sent "one\ntwo\nrest"
        assert.equal("one", ours:read "*l")
        assert.equal("two\n", ours:read "*L")
        assert.equal("rest", ours:read "*a")
    end)

    it("returns a value for each of several formats", function()
        local ours = sent "line\nLINE\n12345rest"
        local a, b, c, d, e = ours:read("l", "L", 5, 0, "a")
        assert.equal("line", a)
        assert.equal("LINE\n", b)
        assert.equal("12345", c)
        assert.equal("", d)
        assert.equal("rest", e)
    end)

    it("stops at the first nil", function()
        local ours = sent "one\n"
        local results = table.pack(ours:read("l", "l", "a"))
        assert.equal(2, results.n)
        assert.equal("one", results[1])
        assert.is_nil(results[2])
    end)

    it("takes many formats", function()
        local ours = sent(("x"):rep(100))
        local formats = {}
        for i = 1, 100 do
            formats[i] = 1
        end
        assert.equal(100, select("#", ours:read(table.unpack(formats))))
    end)

    it("refuses what is no format, before anything is read", function()
        local ours = sent "one\ntwo\n"
        for _, wrong in ipairs { "x", "", "*", "*x", true, {}, -1, 1.5 } do
            local err = pair.fails("usage", ours, "read", wrong)
            assert.equal("read", err.op)
            pair.fails("usage", ours, "read", "l", wrong)
        end
        assert.equal("one", ours:read "l")
    end)

    it("raises reset instead of less than was asked", function()
        pair.needs "reset"
        for _, format in ipairs { "l", "L", "a", 10, 0 } do
            local ours, theirs = pair.pair()
            if format ~= 0 then
                theirs:send "half"
                assert.equal("h", ours:recv(1))
            end
            theirs:reset()
            local err = pair.fails("reset", ours, "read", format)
            assert.equal("read", err.op)
            assert.equal(format ~= 0 and "alf" or "", err.received)
        end
    end)

    it("raises timeout with what had come, which stays", function()
        local ours, theirs = pair.pair()
        theirs:send "half"
        local err = pair.fails("timeout", ours:timeout(0.02), "read", "l")
        assert.equal("half", err.received)
        theirs:send " and half\n"
        assert.equal("half and half", ours:timeout(5):read "l")
    end)
end)

describe("max_buffer", function()
    local FULL = { max_buffer = 16 }

    it("ends a line that would be longer; its bytes are readable", function()
        local ours, theirs = pair.pair(FULL)
        theirs:send "0123456789abcdefXYZ\n"
        for _, format in ipairs { "l", "L" } do
            local err = pair.fails("limit", ours, "read", format)
            assert.equal("read", err.op)
            assert.equal("0123456789abcdef", err.received)
            assert.contains("16", err.message)
        end
        assert.equal("0123456789abcdef", ours:read(16))
        assert.equal("XYZ", ours:read "l")
    end)

    it("ends a count that is larger, at once", function()
        local ours, theirs = pair.pair(FULL)
        theirs:send "abc"
        pair.fails("limit", ours, "read", 17)
        pair.fails("limit", ours, "read", 1 << 40)
        assert.equal("abc", ours:read(3))
    end)

    it("ends all that is more", function()
        local ours, theirs = pair.pair(FULL)
        theirs:send(("x"):rep(17)):shutdown()
        assert.equal(("x"):rep(16), pair.fails("limit", ours, "read", "a").received)
        assert.equal(("x"):rep(10), ours:read(10))
        assert.equal(("x"):rep(7), ours:read "a")
    end)

    it("lets through what just fits", function()
        local exact = "0123456789abcde\n"
        assert.equal("0123456789abcde", sent(exact, FULL):read "l")
        assert.equal(exact, sent(exact, FULL):read "L")
        assert.equal(exact, sent(exact, FULL):read(16))
        assert.equal(exact, sent(exact, FULL):read "a")
        assert.equal("0123456789abcdef", sent("0123456789abcdef", FULL):read "l")
    end)

    it("of 1 is enough to read byte by byte", function()
        local ours = sent("abc", { max_buffer = 1 })
        assert.equal("a", ours:recv())
        assert.equal("b", ours:read(1))
        assert.equal("c", ours:recv(100))
        assert.equal("", ours:recv())
    end)

    it("holds lines of megabytes by default", function()
        local line = pair.pattern(1 << 19):gsub("\n", " "):gsub("\r", " ")
        local ours, theirs = pair.pair()
        local task = echolot.spawn(theirs.send, theirs, line, "\r\n", line, "\n")
        assert.is_true(ours:read "l" == line)
        assert.is_true(ours:read "l" == line)
        task:join()
    end)
end)
