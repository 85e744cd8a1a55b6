-- "Connections as files" of the contract: pack and unpack, with every option of string.pack.
local echolot = require "echolot"
local pair = require "conn_pair"

local text = "text with \0 in it"

-- Formats and the values that go through them.
local CASES = {
    { "b", -128 }, { "B", 255 }, { "h", -32768 }, { "H", 65535 }, { "l", -1 << 40 }, { "L", 1 << 40 },
    { "j", math.mininteger }, { "J", math.maxinteger }, { "T", 1 << 50 }, { "i", -5 }, { "I", 5 },
    { "f", 0.5 }, { "d", 1e100 }, { "n", -1e-100 },
    { "<I3", 0x010203 }, { ">I4", 0xdeadbeef }, { "=I2", 7 }, { ">i7", -3 }, { "<i16", -9 }, { ">I16", 12 },
    { "z", "zero ended" }, { "z", "" }, { "c5", "fixed" }, { "c0", "" }, { "c3 c2", "abc", "de" },
    { "s", text }, { "s1", text }, { ">s2", text }, { "<s3", text }, { ">s4", "" }, { "s5", text }, { ">s6", text },
    { "<s7", text }, { ">s8", text }, { ">s16", text }, { "s1", "" }, { "s1", ("x"):rep(255) },
    { "bxb", 1, 2 }, { "xxx" }, { "" }, { "   " },
    { "!4 b i4", 1, 2 }, { "!8 b d", 1, 2.5 }, { "! b j b", 1, 2, 3 }, { "!2 b i8 h", 1, 2, 3 },
    { "!4 b Xi4 b", 1, 2 }, { "!8 b Xd s4", 1, text }, { "!4 z i4", "odd", 9 }, { "!4 s1 i4", "odd", 9 },
    { "!8 b s8 b s4 d", 1, "one", 2, "two", 2.5 }, { "!1 b i4", 1, 2 }, { "!16 b i16", 1, 2 },
    { "> b i4 < i4 = i4", 1, 2, 3, 4 }, { ">s1 <s2 z s4 c2", "a", "bb", "ccc", "dddd", "ee" },
    { "z z z", "", "", "" }, { "s1 s1 s1", "", "a", "" }, { ">I1I2I3I4I5I6I7I8", 1, 2, 3, 4, 5, 6, 7, 8 },
}

local function unpacked(conn, format)
    return table.pack(conn:unpack(format))
end

local function expected(case)
    return table.pack(table.unpack(case, 2))
end

describe("pack", function()
    it("sends string.pack", function()
        for _, case in ipairs(CASES) do
            local ours, theirs = pair.pair()
            assert.is_true(rawequal(ours, ours:pack(table.unpack(case))))
            ours:close()
            assert.equal(string.pack(table.unpack(case)), theirs:read "a", case[1])
            theirs:close()
        end
    end)

    it("leaves wrong calls to be the script's mistake, and sends nothing", function()
        local ours, theirs = pair.pair()
        for _, wrong in ipairs {
            { "y" }, { "b" }, { "b", "x" }, { "b", 1000 }, { "i17", 1 }, { "s1", ("x"):rep(256) }, { "z", "a\0b" },
            { 5 }, {}, { "c2", "abc" },
        } do
            assert.equal("pack", pair.fails("usage", ours, "pack", table.unpack(wrong)).op)
        end
        ours:close()
        assert.equal("", theirs:read "a")
    end)
end)

describe("unpack", function()
    it("gives the values back, and takes exactly their bytes", function()
        for _, case in ipairs(CASES) do
            local ours, theirs = pair.pair()
            theirs:send(string.pack(table.unpack(case)), "rest"):shutdown()
            assert.same(expected(case), unpacked(ours, case[1]), case[1])
            assert.equal("rest", ours:read "a", case[1])
            ours:close()
            theirs:close()
        end
    end)

    it("does not depend on where the bytes were cut", function()
        for _, case in ipairs(CASES) do
            local bytes = string.pack(table.unpack(case))
            local ours, theirs = pair.pair()
            for cut = 0, math.min(#bytes, 60) do
                local task = pair.start(unpacked, ours, case[1])
                theirs:send(bytes:sub(1, cut))
                pair.settle()
                theirs:send(bytes:sub(cut + 1))
                assert.same(expected(case), task:join(), ("%s, cut at %d"):format(case[1], cut))
                assert.equal("", ours:unread())
            end
            ours:close()
            theirs:close()
        end
    end)

    it("works byte by byte", function()
        local format = ">s2 z !4 i4 s1 c3"
        local values = { "two", "zero", -7, "", "end" }
        local ours, theirs = pair.pair()
        local task = pair.start(unpacked, ours, format)
        for byte in string.pack(format, table.unpack(values)):gmatch "." do
            theirs:send(byte)
            pair.settle()
        end
        assert.same({ n = 5, table.unpack(values) }, task:join())
    end)

    it("aligns from where it begins, not from where the stream does", function()
        local ours, theirs = pair.pair()
        theirs:send("x", string.pack("!4 b i4", 1, 2))
        assert.equal("x", ours:read(1))
        assert.same({ n = 2, 1, 2 }, unpacked(ours, "!4 b i4"))
    end)

    it("reads one value behind another", function()
        local ours, theirs = pair.pair()
        for i = 1, 100 do
            theirs:pack(">I2 s1", i, ("x"):rep(i))
        end
        for i = 1, 100 do
            local number, bytes = ours:unpack ">I2 s1"
            assert.equal(i, number)
            assert.equal(i, #bytes)
        end
    end)

    it("raises eof where the peer ends too early", function()
        for _, case in ipairs { { ">I4", "abc" }, { "z", "abc" }, { "s1", "\5abc" }, { "s4", "\5" }, { "b", "" } } do
            local ours, theirs = pair.pair()
            theirs:send(case[2]):shutdown()
            local err = pair.fails("eof", ours, "unpack", case[1])
            assert.equal("unpack", err.op)
            assert.equal(case[2], err.received)
            assert.equal(case[2], ours:read "a") -- and the bytes are still there
        end
    end)

    it("raises timeout, and the bytes stay", function()
        local ours, theirs = pair.pair()
        theirs:send "abc"
        assert.equal("abc", pair.fails("timeout", ours:timeout(0.02), "unpack", ">I4").received)
        theirs:send "d"
        assert.equal(0x61626364, ours:timeout(5):unpack ">I4")
    end)

    it("raises limit as soon as it is sure, and the bytes stay", function()
        for _, case in ipairs {
            { ">s4", "\0\0\0\13abc" }, { "<s8", "\255\255\255\255\255\255\255\255" }, { "c17", "abc" },
            { ">s2", "\255\255" }, { ">s16", ("\255"):rep(16) }, { "z", ("x"):rep(16) },
        } do
            local ours, theirs = pair.pair { max_buffer = 16 }
            theirs:send(case[2])
            local err = pair.fails("limit", ours, "unpack", case[1])
            assert.equal("unpack", err.op)
            assert.equal(case[2], ours:read(#case[2]))
        end
    end)

    it("takes what just fits", function()
        local ours, theirs = pair.pair { max_buffer = 16 }
        theirs:pack(">s4", ("x"):rep(12)):pack("z", ("y"):rep(15)):pack("c16", ("z"):rep(16))
        assert.equal(("x"):rep(12), ours:unpack ">s4")
        assert.equal(("y"):rep(15), ours:unpack "z")
        assert.equal(("z"):rep(16), ours:unpack "c16")
    end)

    it("refuses a wrong format without waiting, also behind what is variable", function()
        local ours, theirs = pair.pair()
        for _, wrong in ipairs { "y", "i17", "i0", "s17", "c", "!17 b", "X", "Xz", "!3 b", 5, "!8 i3", "" .. "b y" } do
            if wrong ~= "!3 b" then -- which string.unpack takes, as nothing has to be aligned
                assert.equal("unpack", pair.fails("usage", ours, "unpack", wrong).op, tostring(wrong))
            end
        end
        pair.fails("usage", ours, "unpack")
        theirs:send "a\0b\0"
        pair.fails("usage", ours, "unpack", "z y")
        assert.equal("a\0b\0", ours:read(4))
    end)

    it("does not blame the script for what the peer sent", function()
        local ours, theirs = pair.pair()
        theirs:send(("\255"):rep(8), ("\1"):rep(8))
        local ok, err = pcall(ours.unpack, ours, "<i16")
        assert.is_false(ok)
        assert.is_not_equal("usage", err.kind)
    end)

    it("asks string.unpack as it was, whatever the script has put in its place", function()
        local ours, theirs = pair.pair()
        local unpack, pack = string.unpack, string.pack
        finally(function()
            string.unpack, string.pack = unpack, pack
        end)
        string.unpack, string.pack = nil, nil
        local ok, value = pcall(function()
            theirs:pack(">I2", 513)
            return ours:unpack ">I2"
        end)
        string.unpack, string.pack = unpack, pack
        assert.is_true(ok, tostring(value))
        assert.equal(513, value)
    end)
end)

it("unpack of more than any memory holds is a limit, or the script's mistake", function()
    local ours, theirs = pair.pair()
    theirs:send "\1xyz"
    for _, format in ipairs {
        "<s1" .. ("c184467440737095516"):rep(100) .. "c8s8", "s1c99999999999999999999", "z" .. ("c2305843009213693951"):rep(9),
    } do
        local ok, err = pcall(ours.unpack, ours:timeout(0.02), format)
        assert.is_false(ok)
        assert.is_true(err.kind == "limit" or err.kind == "usage" or err.kind == "timeout", tostring(err))
    end
end)
