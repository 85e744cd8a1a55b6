-- "Conversations: frame, then match" of the contract: the calls, their options and errors. That segments do not
-- matter is held by expect_sweep_test.lua, how a mismatch reads by explain_test.lua.
local echolot = require "echolot"
local lpeg = require "lpeg"
local pair = require "conn_pair"

-- Ours, with what the other end has sent already; and the other end.
local function given(text, options)
    local ours, theirs = pair.pair(options)
    theirs:send(text)
    return ours, theirs
end

describe("expect", function()
    it("returns the matched text, or captures, and takes exactly these bytes", function()
        local ours = given "hello world 42;rest"
        assert.equal("hello ", ours:expect "hello ")
        assert.equal("world ", ours:expect(echolot.pattern "%a+ "))
        assert.same({ "42", 4 }, { ours:expect(echolot.pattern "(%d+);()") })
        assert.equal("rest", ours:unread())
    end)

    it("leaves everything unread where it fails", function()
        local ours = given "hello"
        local err = pair.fails("mismatch", ours, "expect", "help")
        assert.equal("expect", err.op)
        assert.equal("hello", err.received)
        assert.equal("hello", ours:unread())
        assert.equal("hello", ours:expect "hello")
    end)

    it("takes a limit of its own, as its last argument", function()
        local ours = given("25", { timeout = 60 })
        local err = pair.fails("timeout", ours, "expect", "250 OK", { timeout = 0.02 })
        assert.equal('timeout after 0.02 s: expected "250 OK", got only "25"', err.message)
        assert.equal("25", err.received)
        pair.fails("timeout", ours, "expect_line", { timeout = 0.02 })
        pair.fails("timeout", ours, "expect_any", "250 OK", "251 OK", { timeout = 0.02 })
        pair.fails("timeout", ours, "skip_until", "x", { timeout = 0.02 })
        pair.fails("usage", ours, "expect", "25", { timeuot = 1 })
        pair.fails("usage", ours, "expect", "25", { timeout = "1" })
        assert.equal("25", ours:expect("25", { timeout = 0 }))
        local unended = given ""
        err = pair.fails("timeout", unended, "expect_eof", { timeout = 0.02 })
        assert.equal("expect_eof", err.op)
        assert.equal("timeout after 0.02 s: expected the end, got nothing", err.message)
        err = pair.fails("timeout", unended, "expect_reset", { timeout = 0.02 })
        assert.equal("timeout after 0.02 s: expected a reset, got nothing", err.message)
    end)

    it("has one limit for a whole match, however often its function is asked", function()
        local ours, theirs = given("", { timeout = 0.1 })
        local sender = echolot.spawn(function()
            while true do
                theirs:send "x"
                echolot.sleep(0.005)
            end
        end)
        local started = echolot.now()
        pair.fails("timeout", ours, "expect", function() end)
        assert.is_true(echolot.now() - started >= 0.1)
        sender:cancel()
    end)

    it("takes the empty string at once", function()
        local ours = given ""
        assert.equal("", ours:expect "")
        assert.equal("", ours:expect(echolot.pattern ""))
    end)

    it("tells the peer's end from a reset, in the middle of what was awaited", function()
        local ours, theirs = given "25"
        theirs:shutdown()
        local err = pair.fails("eof", ours, "expect", "250")
        assert.equal("25", err.received)
        assert.is_nil(err.message:find "\n")
        pair.fails("eof", ours, "expect_line")
        assert.equal("25", ours:expect "25")
        pair.fails("eof", ours, "expect", "250")

        pair.needs "reset"
        ours, theirs = given "25"
        assert.equal("2", ours:expect "2")
        theirs:reset()
        err = pair.fails("reset", ours, "expect", "50")
        assert.equal("5", err.received)
        assert.equal("5", ours:expect "5")
    end)

    it("raises limit for what max_buffer cannot hold, and keeps what came", function()
        local ours, theirs = given(("x"):rep(64), { max_buffer = 64 })
        theirs:send "more"
        for _, matcher in ipairs {
            echolot.line(), echolot.delimited ";", echolot.bytes(65), ("x"):rep(65), echolot.regex "x*y",
            echolot.pattern "x*y",
        } do
            assert.equal(("x"):rep(64), pair.fails("limit", ours, "expect", matcher).received)
        end
        pair.fails("limit", ours, "skip_until", "y")
        assert.equal(("x"):rep(64), ours:expect(echolot.bytes(64)))
    end)

    it("stops patterns and expressions that explode", function()
        local ours = given(("a"):rep(5000) .. "\n")
        local err = pair.fails("limit", ours, "expect", echolot.pattern "a*a*a*a*a*b")
        assert.matches("steps", err.message)
        err = pair.fails("limit", ours, "expect_line", echolot.regex "(a+)+b")
        assert.matches("steps", err.message)
        assert.equal(5000, #ours:expect_line())
    end)

    it("is for open connections, and for one reader at a time", function()
        local ours, theirs = given ""
        local reader = pair.start(function() return ours:expect "x" end)
        pair.fails("usage", ours, "expect", "y")
        pair.fails("usage", ours, "expect_eof")
        theirs:send "x"
        assert.equal("x", reader:join())
        ours:close()
        pair.fails("usage", ours, "expect", "x")
        pair.fails("usage", ours, "expect_silence", 0)
    end)

    it("goes on from where another task has left the bytes", function()
        local ours, theirs = given ""
        local arrived = pair.arrivals()
        local reader = pair.start(function() return ours:expect(echolot.pattern "(%d+);") end)
        theirs:send "12"
        arrived()
        assert.equal("12", ours:recv()) -- taken away from under the reader
        theirs:send "34;"
        assert.equal("34", reader:join())
    end)

    it("looks at the last bytes before a reset, however long it has looked at those before", function()
        local ours, theirs = given("", { max_buffer = 8 << 20 })
        local reader = pair.start(function() return #ours:expect(echolot.regex "[xy]*END") end)
        for _ = 1, 3 do
            theirs:send(("xy"):rep(500000))
        end
        local arrived = pair.arrivals()
        while #ours:unread() < 3000000 do
            arrived()
        end
        theirs:send "END"
        theirs:reset()
        assert.equal(3000003, reader:join())
    end)

    it("takes options that are nil for none", function()
        local ours = given "a\nb"
        assert.equal("a", ours:expect_line(nil, nil))
        assert.equal("b", ours:expect("b", nil))
        pair.fails("usage", ours, "expect", nil, nil)
        pair.fails("usage", ours, "expect_any", nil)
        pair.fails("usage", ours, "expect_eof", "b")
        pair.fails("timeout", ours, "expect_eof", nil, { timeout = 0 })
    end)

    it("can be cancelled", function()
        local ours = given "1"
        local reader = pair.start(function() return ours:expect(echolot.pattern "%d+;") end)
        reader:cancel()
        local ok, err = pcall(reader.join, reader)
        assert.is_false(ok)
        assert.equal("cancelled", err.kind)
        assert.equal("1", ours:expect "1")
    end)

    it("works in a script's own coroutine", function()
        local ours, theirs = given "a\n"
        local lines = coroutine.wrap(function()
            while true do
                coroutine.yield((ours:expect(echolot.line())))
            end
        end)
        assert.equal("a", lines())
        local sender = echolot.spawn(function() theirs:send "b\n" end)
        assert.equal("b", lines())
        sender:join()
    end)
end)

describe("expect_any", function()
    it("returns the index, then what expect returns; the first that fits wins", function()
        local ours = given "b12c"
        assert.same({ 2, "b" }, { ours:expect_any("a", "b", echolot.pattern "b") })
        assert.same({ 1, "1", "2" }, { ours:expect_any(echolot.pattern "(%d)(%d)", "12") })
        local err = pair.fails("mismatch", ours, "expect_any", "a", "b")
        assert.equal("c", err.received)
        pair.fails("usage", ours, "expect_any")
        pair.fails("usage", ours, "expect_any", "a", true)
    end)
end)

describe("expect_line", function()
    it("has to be covered from end to end, by a pattern too", function()
        local ours = given "250 OK\n"
        pair.fails("mismatch", ours, "expect_line", echolot.pattern "250")
        pair.fails("mismatch", ours, "expect_line", echolot.regex "250")
        pair.fails("mismatch", ours, "expect_line", "250")
        assert.same({ "250 OK", "250" }, { ours:expect_line(echolot.regex "(\\d+) OK") })
    end)
end)

describe("skip_until", function()
    it("returns what it passed over, and takes both", function()
        local ours = given "noise, 12; more"
        assert.same({ "noise, ", "12" }, { ours:skip_until(echolot.pattern "(%d+);") })
        assert.equal(" more", ours:unread())
        assert.same({ "", " " }, { ours:skip_until " " })
    end)

    it("finds what begins within a part that did not fit", function()
        local ours = given "aaaaab"
        assert.same({ "aaa", "aab" }, { ours:skip_until "aab" })
    end)

    it("is given up where every place takes its time", function()
        local ours, theirs = given(("a"):rep(300000) .. "\n", { timeout = 60 })
        theirs:shutdown()
        for _, matcher in ipairs { echolot.regex "[a-z]+;", echolot.pattern "[a-z]+;" } do
            assert.matches("took", pair.fails("limit", ours, "skip_until", matcher).message)
        end
        assert.equal(300000, #ours:expect_line())
    end)

    it("looks for each frame's end once, not once from each place", function()
        local ours, theirs = given(("\r"):rep(500000) .. "\r\n.\r\nx\r\n.\r\n")
        local skipped, found = ours:skip_until(echolot.delimited("\r\n.\r\n", "x"))
        assert.same({ 500005, "x" }, { #skipped, found })
        theirs:close()
    end)
end)

describe("the end", function()
    it("is told from a reset and from silence", function()
        local ours, theirs = given ""
        assert.equal(ours, ours:expect_silence(0.01))
        theirs:shutdown()
        assert.equal(ours, ours:expect_eof())
        pair.fails("mismatch", ours, "expect_reset")
        pair.fails("mismatch", ours, "expect_silence", 0.01)

        pair.needs "reset"
        ours, theirs = given ""
        theirs:reset()
        assert.equal(ours, ours:expect_reset())
        pair.fails("mismatch", ours, "expect_eof")
        pair.fails("mismatch", ours, "expect_silence", 0.01)
    end)

    it("is no end while bytes are unread", function()
        local ours, theirs = given "x"
        theirs:shutdown()
        local err = pair.fails("mismatch", ours, "expect_eof")
        assert.equal("x", err.received)
        pair.fails("mismatch", ours, "expect_silence", 1)
        pair.fails("mismatch", ours, "expect_reset")
        assert.equal(ours, (ours:expect "x") and ours:expect_eof())
    end)

    it("fails at once where bytes come, not at its limit", function()
        local ours, theirs = given ""
        local silent = pair.start(function() ours:expect_silence(60) end)
        theirs:send "x"
        local ok, err = pcall(silent.join, silent)
        assert.is_false(ok)
        assert.equal("mismatch", err.kind)
    end)
end)

describe("a matcher that is none", function()
    it("is refused where it is written", function()
        local function refused(name, ...)
            local ok, err = pcall(function(...) return (echolot[name](...)) end, ...)
            assert.is_false(ok)
            assert.equal("usage", err.kind)
            assert.matches("expect_test.lua:%d+$", err.where)
            return err.message
        end
        assert.equal([[malformed pattern (missing ']') at character 3 of "ab[c"]], refused("pattern", "ab[c"))
        assert.equal([[malformed pattern (ends with '%') at character 2 of "a%"]], refused("pattern", "a%"))
        assert.matches("missing closing parenthesis at character 3", refused("regex", "a(", nil))
        assert.equal("'iq': unknown flag (i, m, s, x and u are known)", refused("regex", "a", "iq"))
        assert.matches("bad format 's4'", refused("counted", "s4"))
        assert.matches("bad format", refused("counted", ">I17"))
        assert.matches("at character 5", refused("hex", "0d 0"))
        assert.matches("at character 1", refused("hex", "xx"))
        refused("bytes", -1)
        refused("bytes", 1.5)
        refused("bytes", "x")
        refused("delimited", "")
        refused("delimited", 5)
        refused("either")
        refused("line", true)
        refused("pattern", {})
    end)

    it("is refused by the calls that take one", function()
        local ours = given "x"
        pair.fails("usage", ours, "expect")
        pair.fails("usage", ours, "expect", nil)
        pair.fails("usage", ours, "expect", true)
        pair.fails("usage", ours, "expect", "x", "y")
        pair.fails("usage", ours, "expect", io.stdout)
        pair.fails("usage", ours, "skip_until")
        assert.matches("inside a frame", pair.fails("usage", ours, "expect", lpeg.P "x").message)
        pair.fails("usage", ours, "expect", echolot.either("y", lpeg.P "x"))
        local deep = "x"
        for _ = 1, 15 do
            deep = echolot.either(deep)
        end
        pair.failure("usage", function() return echolot.line(echolot.line(deep)) end)
        assert.equal("x", ours:expect(deep))
    end)
end)

describe("a function as a matcher", function()
    it("has to return what it is asked for", function()
        local ours = given "abc"
        for _, nonsense in ipairs { 4, -1, 1.5, 0 / 0, math.huge, "2", true, {} } do
            local err = pair.fails("usage", ours, "expect", function() return nonsense end)
            assert.matches("the matcher's function returned", err.message)
        end
        pair.fails("mismatch", ours, "expect", function() return false end)
        assert.same({ "a", nil, 7, n = 3 }, table.pack(ours:expect(function() return 1, "a", nil, 7 end)))
        assert.equal("bc", ours:expect(function(buffer) return #buffer end))
    end)

    it("may raise, and may neither wait nor touch the connection", function()
        local ours = given "abc"
        local ok, err = pcall(ours.expect, ours, function() error "mine" end)
        assert.is_false(ok)
        assert.matches("mine$", err)
        pair.fails("usage", ours, "expect", function() echolot.sleep(0) end)
        assert.matches("leave the connection alone",
            pair.fails("usage", ours, "expect", function() return ours:recv(1) and 1 end).message)
        for _, answer in ipairs { 2, false } do
            assert.matches("leave the connection alone", pair.fails("usage", ours, "expect", function(buffer)
                pcall(ours.expect, ours, ("no" .. #buffer):rep(9)) -- an attempt within the attempt, that takes nothing
                collectgarbage()
                return answer
            end).message)
        end
        assert.matches("leave the connection alone",
            pair.fails("usage", ours, "expect", function() ours:close() return 1 end).message)
    end)

    it("has to cover the frame that it stands in", function()
        local ours = given "abc\n"
        local err = pair.fails("mismatch", ours, "expect_line", function() return 2 end)
        assert.matches("it took 2 of the frame's 3 bytes", err.message)
        assert.same({ "abc", "b" }, { ours:expect_line(function() return 3, "b" end) })
    end)
end)

describe("json", function()
    it("compares what the template names, deeply", function()
        local text = [[{"user":{"name":"ada","age":36},"tags":["a","b"],"ok":true,"gone":null}]] .. "\n"
        local ours = given(text:rep(9))
        local value = ours:expect(echolot.json { user = { name = "ada" }, tags = { "a" }, ok = true })
        assert.equal(36, value.user.age)
        assert.is_true(value.gone == echolot.null)
        ours:expect(echolot.json { gone = echolot.null })
        ours:expect(echolot.json { user = { name = echolot.pattern "%a+" } })
        local function differs(template)
            return pair.fails("mismatch", ours, "expect", echolot.json(template)).message
        end
        assert.matches('%.user%.name: expected "bob", got "ada"', differs { user = { name = "bob" } })
        assert.matches("%.tags%[3%]: expected \"c\", got nothing", differs { tags = { "a", "b", "c" } })
        assert.matches("%.ok: expected {}, got true", differs { ok = {} })
        assert.matches("%.user%.name: expected pattern", differs { user = { name = echolot.pattern "%d" } })
    end)

    it("tells the first difference, and where there are others", function()
        local ours = given '{"a": 1, "b": [1, 2], "c": {"d": 4}, "e": 5}\n'
        local message = pair.fails("mismatch", ours, "expect",
            echolot.json { a = 2, b = { 1, 3 }, c = { d = 5 }, e = 5, f = 6 }).message
        assert.contains(".a: expected 2, got 1 (and at .b[2], .c.d, .f)\n", message)
    end)

    it("tells of very many differences that there are more", function()
        local template, fields = {}, {}
        for i = 1, 50 do
            template[i], fields[i] = i, i + 1
        end
        local ours = given("[" .. table.concat(fields, ",") .. "]\n")
        local message = pair.fails("mismatch", ours, "expect", echolot.json(template)).message
        assert.matches("%[1%]: expected 1, got 2 %(and at %[2%], %[3%], %[4%] and more%)\n", message)
    end)

    it("says where a line is no JSON", function()
        local ours = given '{"a":1,"a":2}\n[1,\n'
        assert.matches("duplicate", pair.fails("mismatch", ours, "expect", echolot.json()).message)
        ours:expect_line()
        assert.matches("no JSON", pair.fails("mismatch", ours, "expect", echolot.json()).message)
    end)

    it("refuses templates that contain themselves", function()
        local ours = given(("[" ):rep(150) .. ("]"):rep(150) .. "\n")
        local cyclic = {}
        cyclic[1] = cyclic
        pair.fails("mismatch", ours, "expect", echolot.json(cyclic))
    end)
end)

describe("a matcher", function()
    it("says what it is", function()
        assert.equal('a line matching pattern "^%d+$"', tostring(echolot.line(echolot.pattern "^%d+$")))
        assert.equal('a line "x"', tostring(echolot.line "x"))
        assert.equal('4 bytes: "abcd"', tostring(echolot.bytes(4, "abcd")))
        assert.equal('"a" or regex "b\\\\d"', tostring(echolot.either("a", echolot.regex "b\\d")))
        assert.equal('a body behind its length ">I4": JSON', tostring(echolot.counted(">I4", echolot.json())))
        assert.equal('bytes up to "\\r\\n"', tostring(echolot.delimited "\r\n"))
        assert.equal('"\\r\\n"', tostring(echolot.hex "0d 0a"))
        assert.matches("^what the function at .*expect_test.lua:%d+ takes$",
            tostring(echolot.either(function() return 1 end)))
    end)

    it("may be used by many, again and again, and holds what stands in it", function()
        local matcher = echolot.either(echolot.line(echolot.regex "(\\d+)"), echolot.delimited(";", "x"))
        collectgarbage()
        for _ = 1, 50 do
            local ours = given "12\nx;"
            assert.equal("12", ours:expect(matcher))
            assert.equal("x", ours:expect(matcher))
            ours:close()
            collectgarbage "step"
        end
    end)
end)
