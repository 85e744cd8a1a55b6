-- How the values that falsified a property are shown.
local values = require "echolot.property.values"

local function shown(text, value)
    assert.equal(text, values.show(value))
end

describe("a string", function()
    it("that is short is shown as it is", function()
        shown('""', "")
        shown('"\\xff\\n"', "\xff\n")
        shown('"' .. ("ab"):rep(8) .. '"', ("ab"):rep(8))
    end)

    it("has its length where that is not plain to see", function()
        shown('"' .. ("ab"):rep(9) .. '" (18 bytes)', ("ab"):rep(9))
    end)

    it("is folded where one byte stands in it many times", function()
        shown('"' .. ("a"):rep(15) .. '"', ("a"):rep(15))
        shown('"a" × 16 (16 bytes)', ("a"):rep(16))
        shown('"\\x00" × 1000 (1000 bytes)', ("\0"):rep(1000))
        shown('"a" × 100 .. "b" (101 bytes)', ("a"):rep(100) .. "b")
        shown('"<" .. "a" × 20 .. "é" .. " " × 30 (53 bytes)', "<" .. ("a"):rep(20) .. "é" .. (" "):rep(30))
    end)

    it("is not folded in many places, nor between the bytes of a character", function()
        local text = (("a"):rep(16) .. ("b"):rep(16)):rep(5)
        shown('"' .. text .. '" (160 bytes)', text)
        shown('"' .. ("\\x80"):rep(20) .. '" (20 bytes)', ("\x80"):rep(20))
    end)

    it("that is long is cut, and says how long it is", function()
        local text = ("0123456789"):rep(1000)
        assert.matches('^"[0-9]+"%.%.%.%(10000 bytes%)$', values.show(text))
        assert.is_true(#values.show(text) < 250)
        assert.is_true(#values.show((("a"):rep(20) .. text):rep(3)) < 800)
    end)
end)

describe("other values", function()
    it("are shown as in every message", function()
        shown("nil", nil)
        shown("-7", -7)
        shown('{"x", name = "y"}', { "x", name = "y" })
    end)

    it("cannot make it fail, nor make it long", function()
        local hostile = setmetatable({}, { __tostring = function() error "no" end })
        assert.is_string(values.show(hostile))
        local long = {}
        for i = 1, 10000 do
            long[i] = ("x"):rep(100)
        end
        assert.is_true(#values.show(long) < 1500)
        assert.is_true(#values.brief(long) < 300)
    end)
end)

describe("arguments", function()
    it("bear the names of the parameters, as far as there are", function()
        local function f(line, count, ...) return line, count, ... end
        assert.same({ "line", "count", "value 3" }, values.names(f, 3))
        assert.same({ "value" }, values.names(print, 1))
        assert.same({ "value 1", "value 2" }, values.names(print, 2))
    end)

    it("of strings carry the bytes, unless they are many", function()
        local list = values.arguments({ "a", "b", "c", "d" }, { n = 4, "x", "\xff", ("x"):rep(1 << 15), 5 })
        assert.equal("x", list[1].data)
        assert.same({ base64 = "/w==" }, list[2].data)
        assert.is_nil(list[3].data)
        assert.is_nil(list[4].data)
    end)

    it("stand on one line where they fit, else on lines of their own", function()
        assert.equal(" a = 1, b = 2", values.text { { name = "a", value = "1" }, { name = "b", value = "2" } })
        local long = ("x"):rep(100)
        assert.equal("\n  a = " .. long .. "\n  b = 2",
            values.text { { name = "a", value = long }, { name = "b", value = "2" } })
        assert.equal(" a = " .. long, values.text { { name = "a", value = long } })
    end)
end)
