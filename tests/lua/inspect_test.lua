-- The printed forms of values: what is shown, what is escaped, and that hostile values neither raise nor take long.
local inspect = require "echolot.inspect"

local MIB = 1 << 20

local function is(expected, actual)
    if expected ~= actual then
        error(("expected %s\n     got %s"):format(tostring(expected), tostring(actual)), 2)
    end
end

-- Work in thousands of Lua's instructions, which a machine's speed does not change.
local function work(f)
    local count = 0
    local hook, mask, every = debug.gethook()
    debug.sethook(function()
        count = count + 1
    end, "", 1000)
    local ok, failure = pcall(f)
    debug.sethook(hook, mask, every)
    if not ok then
        error(failure, 0)
    end
    return count
end

describe("inspect.value", function()
    it("tells integers, floats and strings apart", function()
        is("1", inspect.value(1))
        is("1.0", inspect.value(1.0))
        is('"1"', inspect.value "1")
        is("-0.0", inspect.value(-0.0))
        is("0.1", inspect.value(0.1))
        is("0.30000000000000004", inspect.value(0.1 + 0.2))
        is("1e+100", inspect.value(1e100))
        is("9007199254740992.0", inspect.value(2.0 ^ 53))
        is("-9223372036854775808", inspect.value(math.mininteger))
    end)

    it("names what is no ordinary number", function()
        is("nan", inspect.value(0 / 0))
        is("nan", inspect.value(-(0 / 0)))
        is("inf", inspect.value(math.huge))
        is("-inf", inspect.value(-math.huge))
    end)

    it("writes nil and booleans", function()
        is("nil", inspect.value(nil))
        is("true", inspect.value(true))
        is("false", inspect.value(false))
    end)

    it("escapes control bytes, quotes and backslashes", function()
        is([["a\"b\\c\n\r\t\x00\x07\x1b[31m\x7f"]], inspect.value 'a"b\\c\n\r\t\0\a\27[31m\127')
    end)

    it("leaves every byte below 0x20 and no byte above 0x7f as it is", function()
        for code = 0, 255 do
            local text = inspect.value(string.char(code))
            assert(not text:find "[\0-\31\127-\255]", ("byte %d came through: %q"):format(code, text))
        end
    end)

    it("shows UTF-8 and escapes bytes that are none", function()
        is('"é 日本 🙂"', inspect.value "é 日本 🙂")
        is([["\xff\xc3(\xe2\x82"]], inspect.value "\xff\xc3(\xe2\x82")
        is([["\xc0\x80"]], inspect.value "\xc0\x80") -- an overlong NUL
        is([["\xed\xa0\x80"]], inspect.value "\xed\xa0\x80") -- a surrogate
        is([["é\xe9é"]], inspect.value "é\xe9é")
    end)

    it("escapes C1, bidi controls, invisible characters and odd blanks", function()
        for _, code in ipairs { 0x80, 0x85, 0x9b, 0x9f, 0xa0, 0xad, 0x61c, 0x200b, 0x200d, 0x200e, 0x202e, 0x2028,
            0x2066, 0x2069, 0x3000, 0xfeff, 0xfe0f, 0xfff9, 0xe0001, 0x10ffff } do
            is(('"a\\u{%x}b"'):format(code), inspect.value("a" .. utf8.char(code) .. "b"))
        end
        for _, code in ipairs { 0xa1, 0xe9, 0x301, 0x2010, 0x2027, 0x2030, 0x3001, 0x1f642 } do
            is('"a' .. utf8.char(code) .. '"', inspect.value("a" .. utf8.char(code)))
        end
    end)

    it("writes lists, and then keys in order", function()
        is("{}", inspect.value {})
        is("{1, 2, 3}", inspect.value { 1, 2, 3 })
        is("{1, nil, 3}", inspect.value { 1, nil, 3 })
        is('{"a", b = 1, c = {d = 2}}', inspect.value { "a", c = { d = 2 }, b = 1 })
        is('{[-1] = 1, [2.5] = 2, ["a b"] = 3, ["end"] = 4, x1 = 5, [false] = 6, [true] = 7}',
            inspect.value { [-1] = 1, [2.5] = 2, ["a b"] = 3, ["end"] = 4, x1 = 5, [false] = 6, [true] = 7 })
        is("{[{1}] = 2}", inspect.value { [{ 1 }] = 2 })
    end)

    it("marks cycles by how far up they lead, and shows shared tables twice", function()
        local t = { name = "t" }
        t.inner = { back = t }
        t.own = t
        is('{inner = {back = <cycle 2 up>}, name = "t", own = <cycle 1 up>}', inspect.value(t))
        local shared = { 1 }
        is("{{1}, {1}}", inspect.value { shared, shared })
        local keyed = {}
        keyed[keyed] = 1
        is("{[<cycle 1 up>] = 1}", inspect.value(keyed))
    end)

    it("stops at a depth", function()
        is("{{{...}}}", inspect.value({ { { { 1 } } } }, { max_depth = 2 }))
        is("{{{}}}", inspect.value({ { {} } }, { max_depth = 2 }))
        local root = {}
        local t = root
        for _ = 1, 100000 do
            t[1] = {}
            t = t[1]
        end
        is(("{"):rep(8) .. "{...}" .. ("}"):rep(8), inspect.value(root))
        inspect.value(root, { max_depth = math.maxinteger })
    end)

    it("stops at a length and says that it did", function()
        is("{1, 2, 3, 4, ...}", inspect.value({ 1, 2, 3, 4, 5, 6 }, { max_length = 10 }))
        is("{{1, 2, ...}, ...}", inspect.value({ { 1, 2, 3 }, 2 }, { max_length = 5 }))
        is('"0123456789"...(11 bytes)', inspect.value("0123456789a", { max_length = 10 }))
        is('"0123456789"', inspect.value("0123456789", { max_length = 10 }))
        is('"éééé"...(10 bytes)', inspect.value("ééééé", { max_length = 9 }))
        is('{"0123456789"...(11 bytes)}', inspect.value({ "0123456789a" }, { max_string = 10 }))
        is('{"' .. ("x"):rep(1024) .. '"...(2000 bytes), 2}', inspect.value { ("x"):rep(2000), 2 })
    end)

    it("neither shows nor walks through all of what is huge", function()
        local list, map = {}, {}
        for index = 1, 200000 do
            list[index] = index
            map["key" .. index] = { index }
        end
        for name, value in pairs { list = list, map = map, nested = { map, map, list }, text = ("\0\xff"):rep(MIB) } do
            local text
            local cost = work(function()
                text = inspect.value(value)
            end)
            assert(#text < 5000, name .. " is long: " .. #text)
            assert(cost < 500, name .. " costs much: " .. cost)
        end
    end)

    it("does not let shared tables multiply", function()
        local t = { "leaf" }
        for _ = 1, 40 do
            t = { t, t, t, t }
        end
        assert(work(function()
            inspect.value(t, { max_depth = 50 })
        end) < 500)
    end)

    it("uses __tostring, and does without where it fails", function()
        local function with(f)
            return setmetatable({ 1 }, { __tostring = f, __name = "\27]0;title\a" })
        end
        is("<tcp://host:7>", inspect.value(with(function()
            return "tcp://host:7"
        end)))
        is("<\\x1b[31mred>", inspect.value(with(function()
            return "\27[31mred"
        end)))
        is("{1}", inspect.value(with(function()
            error "hostile"
        end)))
        is("{1}", inspect.value(with(function()
            error(nil)
        end)))
        is("{1}", inspect.value(with(function()
            return {}
        end)))
        is("{1}", inspect.value(coroutine.wrap(function()
            return setmetatable({ 1 }, { __tostring = coroutine.yield })
        end)()))
        assert(#inspect.value(with(function()
            return ("x"):rep(MIB)
        end)) < 2000)
    end)

    it("calls no other metamethod", function()
        local function hostile()
            error "called"
        end
        local t = setmetatable({ 1, a = 2 }, {
            __index = hostile, __newindex = hostile, __pairs = hostile, __len = hostile, __eq = hostile, __lt = hostile,
            __concat = hostile, __call = hostile, __metatable = "locked", __name = {},
        })
        is("{1, a = 2}", inspect.value(t))
        is("{[{1, a = 2}] = 1}", inspect.value { [t] = 1 })
        is("{}", inspect.value(setmetatable({}, setmetatable({}, { __index = hostile }))))
    end)

    it("survives a __tostring that changes the table it stands in", function()
        local t = {}
        for index = 1, 50 do
            t["k" .. index] = setmetatable({}, { __tostring = function()
                for key in pairs(t) do
                    t[key] = nil
                end
                for extra = 1, 1000 do
                    t["new" .. extra] = true
                end
                return "gone"
            end })
        end
        assert(inspect.value(t):find "^{k1 = <gone>, k10 = ")
    end)

    it("writes functions, threads and files", function()
        assert(inspect.value(print):find "^<function: ")
        assert(inspect.value(coroutine.create(print)):find "^<thread: 0x%x+>$")
        assert(inspect.value(io.stdout):find "^<file %(0x%x+%)>$")
    end)
end)

describe("inspect.path_step", function()
    it("writes a key as Lua indexes by it", function()
        is(".name", inspect.path_step "name")
        is("[3]", inspect.path_step(3))
        is('["two words"]', inspect.path_step "two words")
        for word in ("and break do else elseif end false for function goto if in local nil not or repeat return"
            .. " then true until while"):gmatch "%a+" do
            is('["' .. word .. '"]', inspect.path_step(word))
        end
        is('["é"]', inspect.path_step "é")
        is('[""]', inspect.path_step "")
        is("[true]", inspect.path_step(true))
        assert(#inspect.path_step(("k"):rep(MIB)) < 100)
    end)
end)
