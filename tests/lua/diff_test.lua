-- Deep equality, and the report of how two values differ.
local diff = require "echolot.diff"

local MIB = 1 << 20

local function is(expected, actual)
    if expected ~= actual then
        error(("expected:\n%s\ngot:\n%s"):format(tostring(expected), tostring(actual)), 2)
    end
end

-- The brief and the lines of a difference as one text, which is what a reader sees.
local function report(expected, actual)
    local lines, brief = diff.compare(expected, actual)
    return (brief or "equal") .. (#lines > 0 and "\n" .. diff.text(lines) or "")
end

local function nested(depth, leaf)
    local root = { leaf }
    for _ = 1, depth do
        root = { root }
    end
    return root
end

describe("diff.deep_equal", function()
    it("compares leaves as Lua does", function()
        assert(diff.deep_equal(1, 1.0))
        assert(diff.deep_equal({ 1 }, { 1.0 }))
        assert(diff.deep_equal({ [1] = 1 }, { [1.0] = 1 }))
        assert(not diff.deep_equal(1, "1"))
        assert(not diff.deep_equal(nil, false))
        assert(not diff.deep_equal(0 / 0, 0 / 0))
        assert(not diff.deep_equal({ 0 / 0 }, { 0 / 0 }))
    end)

    it("compares tables by content", function()
        assert(diff.deep_equal({}, {}))
        assert(diff.deep_equal({ a = { b = { 1, 2 } } }, { a = { b = { 1, 2 } } }))
        assert(not diff.deep_equal({ 1, 2 }, { 1 }))
        assert(not diff.deep_equal({ 1 }, { 1, 2 }))
        assert(not diff.deep_equal({ a = 1 }, { b = 1 }))
        assert(not diff.deep_equal({ a = { b = 1 } }, { a = { b = 2 } }))
        assert(not diff.deep_equal({}, 1))
        assert(not diff.deep_equal({ a = false }, {}))
        assert(not diff.deep_equal({}, { a = false }))
        local key = {}
        assert(diff.deep_equal({ [key] = 1 }, { [key] = 1 }))
        assert(not diff.deep_equal({ [{}] = 1 }, { [{}] = 1 }))
    end)

    it("follows cycles", function()
        local a, b = {}, {}
        a.own, b.own = a, b
        assert(diff.deep_equal(a, b))
        local one, two = {}, { {} }
        one[1], two[1][1] = one, two
        assert(diff.deep_equal(one, two)) -- both are {{{...
        a.x, b.x = 1, 2
        assert(not diff.deep_equal(a, b))
    end)

    it("asks __eq inside, where both sides share it, and compares the outermost by content", function()
        local by_id = { __eq = function(x, y)
            return x.id == y.id
        end }
        local function object(id, extra)
            return setmetatable({ id = id, extra = extra }, by_id)
        end
        assert(diff.deep_equal({ object(1, "a") }, { object(1, "b") }))
        assert(not diff.deep_equal({ object(1) }, { object(2) }))
        assert(not diff.deep_equal(object(1, "a"), object(1, "b")))
        assert(not diff.deep_equal({ object(1, "a") }, { { id = 1, extra = "b" } }))
        assert(diff.deep_equal({ object(1, "a") }, { { id = 1, extra = "a" } }))
    end)

    it("reads no field through a metatable", function()
        local function hostile()
            error "called"
        end
        local metatable = { __index = hostile, __pairs = hostile, __len = hostile }
        assert(diff.deep_equal(setmetatable({ 1, a = 2 }, metatable), { 1, a = 2 }))
        assert(not diff.deep_equal({ a = 1 }, setmetatable({}, { __index = { a = 1 } })))
    end)

    it("takes any nesting, and shared tables once", function()
        assert(diff.deep_equal(nested(100000, 1), nested(100000, 1)))
        assert(not diff.deep_equal(nested(100000, 1), nested(100000, 2)))
        local a, b = { 1 }, { 1 }
        for _ = 1, 60 do
            a, b = { a, a }, { b, b }
        end
        assert(diff.deep_equal(a, b))
    end)
end)

describe("diff of strings", function()
    it("of one line marks the byte", function()
        is([[
they part at byte 5
  - hello
  + hellO
        ^]], report("hello", "hellO"))
    end)

    it("shows line ends and last blanks", function()
        is([[
they part at byte 3
  - ok\r\n
  + ok\n
      ^
    (only the line ends differ: CR LF expected, LF got)]], report("ok\r\n", "ok\n"))
        is([[
the actual string goes on at byte 3
  - ok
  + ok\x20
      ^
    (only blanks differ)]], report("ok", "ok "))
        is([[
the actual string ends before byte 4
  - a b\t
  + a b
       ^
    (only blanks differ)]], report("a b\t", "a b"))
    end)

    it("says that one is empty", function()
        is("the actual string goes on at byte 1\n  - (empty)\n  + x", report("", "x"))
        is("the actual string ends before byte 1\n  - x\n  + (empty)", report("x", ""))
    end)

    it("folds what is far from the difference", function()
        local a = ("a"):rep(1000) .. "X" .. ("b"):rep(1000)
        local b = ("a"):rep(1000) .. "Y" .. ("b"):rep(999)
        is(table.concat({
            "they part at byte 1001",
            "  - <960 bytes>" .. ("a"):rep(40) .. "X" .. ("b"):rep(59) .. "<941 bytes>",
            "  + <960 bytes>" .. ("a"):rep(40) .. "Y" .. ("b"):rep(59) .. "<940 bytes>",
            (" "):rep(4 + #"<960 bytes>" + 40) .. "^",
        }, "\n"), report(a, b))
    end)

    it("splits no character, and names those that may look alike", function()
        is("they part at byte 5\n  - café\n  + cafè\n       ^\n    characters: U+00E9 expected, U+00E8 got",
            report("café", "cafè"))
        is("they part at byte 2\n  - \u{ff}\n  + \u{fe}\n    ^\n    characters: U+00FF expected, U+00FE got",
            report("\u{ff}", "\u{fe}"))
        is("they part at byte 2\n  - p\u{430}y\n  + pay\n     ^\n    characters: U+0430 (Cyrillic) expected, U+0061 got",
            report("p\u{430}y", "pay"))
    end)

    it("shows hex where bytes are no text", function()
        is([[
they part at byte 10
  - 12345678\t\x00\x01
  + 12345678\t\xff\x01
              ^
  - 0001  32 33 34 35 36 37 38 09 00 01  |2345678...|
  + 0001  32 33 34 35 36 37 38 09 ff 01  |2345678...|
                                  ^^]], report("12345678\t\0\1", "12345678\t\255\1"))
        assert(not report([[a\x41]], [[a\x42]]):find "0000  ")
    end)

    it("shows hex alone where most bytes are no text", function()
        is([[
they part at byte 22
  - 000d  0e 0f 10 11 12 13 14 15 00 ff ff ff ff ff ff ff  |................|
  + 000d  0e 0f 10 11 12 13 14 15 01 ff ff ff ff ff ff ff  |................|
                                  ^^]], report(
            "\0\1\2\3\4\5\6\7\8\9\10\11\12\14\15\16\17\18\19\20\21\0" .. ("\xff"):rep(9),
            "\0\1\2\3\4\5\6\7\8\9\10\11\12\14\15\16\17\18\19\20\21\1" .. ("\xff"):rep(9)))
    end)

    it("names what an eye would miss", function()
        local function note(expected, actual)
            return (report(expected, actual):gsub("^.*%^\n", ""):gsub("^ +", ""):gsub("\n +", "; "))
        end
        is("characters: U+0020 (space) expected, U+00A0 (no-break space) got; (only blanks differ)",
            note("a b", "a\u{a0}b"))
        is("characters: U+200B (zero width space) got at the end", note("a", "a\u{200b}"))
        is("characters: U+202E (right-to-left override) expected, U+0065 got", note("\u{202e}evil", "evil"))
        is("characters: U+FEFF (byte order mark) expected at the end", note("a\u{feff}", "a"))
        is("characters: U+00E9 expected, U+0065 got", note("caf\u{e9}", "cafe\u{301}"))
        is("characters: U+0041 expected, U+0391 (Greek) got", note("A", "\u{391}"))
        is("(only the line ends differ: CR expected, CR LF got)", note("a\r", "a\r\n"))
        is("(only the line ends differ: LF expected, CR got)", note("a\n", "a\r"))
        is("(only blanks differ)", note("a\tb", "a    b"))
    end)

    it("of several lines shows the lines", function()
        is([[
they part at byte 12 (line 3)
    one
    two
  - three
  + thrEE
       ^
    four
    five]], report("one\ntwo\nthree\nfour\nfive\n", "one\ntwo\nthrEE\nfour\nfive\n"))
    end)

    it("finds lines that were put in and taken out, and folds the rest", function()
        local list = {}
        for index = 1, 40 do
            list[index] = "line " .. index
        end
        local before = table.concat(list, "\n") .. "\n"
        list[33] = nil
        list[5] = "line 5 \r\nnew"
        local after = {}
        for index = 1, 40 do
            after[#after + 1] = list[index]
        end
        is([[
they part at byte 35 (line 5)
    (1 line the same)
    line 2
    line 3
    line 4
  - line 5
  + line 5 \r
  + new
    line 6
    line 7
    line 8
    (21 lines the same)
    line 30
    line 31
    line 32
  - line 33
    line 34
    line 35
    line 36
    (4 lines the same)]], report(before, table.concat(after, "\n") .. "\n"))
    end)

    it("keeps what both have, at the end of one side too", function()
        is([[
they part at byte 1 (line 1)
  - 1
  + 3
    ^
    k
  - 2]], report("1\nk\n2\n", "3\nk\n"))
    end)

    it("counts the lines of a long change that it leaves out", function()
        local old, new = {}, {}
        for index = 1, 20 do
            old[index], new[index] = "old " .. index, "new " .. index
        end
        local text = report(table.concat(old, "\n"), table.concat(new, "\n"))
        assert(text:find("\n  - old 12\n  - (8 more lines)\n  + new 1\n", 1, true), text)
        is("  + (8 more lines)", text:match "[^\n]*$")
    end)

    it("tells a missing last line end", function()
        is([[
the actual string ends before byte 4 (line 2)
    a
  - b
  + b
    (no line end here)]], report("a\nb\n", "a\nb"))
    end)

    it("shows lines from which both texts can be put together", function()
        local marks = { same = "ea", expected = "e", actual = "a" }
        local function random_text()
            local lines = {}
            for index = 1, math.random(2, 4) do
                lines[index] = ("abc"):sub(math.random(3)):sub(1, 1) .. "\n"
            end
            return table.concat(lines) .. ("abc"):sub(math.random(3)):sub(1, 1) .. "\n"
        end
        for _ = 1, 500 do
            local texts = { e = random_text(), a = random_text() }
            local sides = { e = "", a = "" }
            for _, line in ipairs((diff.compare(texts.e, texts.a))) do
                for side in (marks[line.kind] or ""):gmatch "." do
                    sides[side] = sides[side] .. line.text:sub(5) .. "\n"
                end
            end
            if texts.e ~= texts.a and not (diff.text((diff.compare(texts.e, texts.a)))):find "the same" then
                is(texts.e, sides.e)
                is(texts.a, sides.a)
            end
        end
    end)

    it("escapes what a terminal would act upon", function()
        for _, line in ipairs((diff.compare("a\n\27[2J\u{202e}\n", "a\n\27[3J\155\n"))) do
            assert(not line.text:find "[\0-\31\127\155]" and not line.text:find "\u{202e}", line.text)
        end
    end)

    it("finds the first byte of a late difference", function()
        local text = ("x"):rep(MIB)
        is(nil, diff.first_difference(text, text))
        for _, position in ipairs { 1, 2, 4095, 4096, 4097, 8192, MIB - 1, MIB } do
            is(position, diff.first_difference(text, text:sub(1, position - 1) .. "y" .. text:sub(position + 1)))
        end
        is(MIB + 1, diff.first_difference(text, text .. "x"))
        is(1, diff.first_difference("", "x"))
    end)

    it("stays short for huge strings", function()
        local pairs_of_strings = {
            { ("x"):rep(MIB), ("y"):rep(MIB) },
            { ("x"):rep(MIB) .. "a", ("x"):rep(MIB) .. "b" },
            { ("x\n"):rep(MIB // 2), ("y\n"):rep(MIB // 2) },
            { ("x\n"):rep(MIB // 2), ("x\n"):rep(MIB // 2 - 1) .. "y\n" },
            { ("\n"):rep(MIB), ("\n"):rep(MIB - 1) },
            { ("\0"):rep(MIB), ("\255"):rep(MIB) },
            { ("x"):rep(MIB) .. "\n" .. ("y"):rep(MIB), ("x"):rep(MIB) .. "\n" .. ("z"):rep(MIB) },
            { "", ("\n\0"):rep(MIB // 2) },
        }
        for index, pair in ipairs(pairs_of_strings) do
            local lines, brief = diff.compare(pair[1], pair[2])
            assert(brief and #lines > 0 and #lines < 100, index)
            assert(#diff.text(lines) < 20000, index)
        end
    end)
end)

describe("diff of tables", function()
    it("names each key that differs by its path", function()
        is([[
they differ at 3 keys
  .extra: not expected
    + true
  .user.id: missing
    - 17
  .user.name
    - "anna"
    + "Anna"]], report({ user = { name = "anna", id = 17 } }, { user = { name = "Anna" }, extra = true }))
    end)

    it("writes odd keys so that they can be told apart", function()
        is([=[
they differ at 4 keys
  [1]
    - 1
    + 2
  ["1"]
    - 1
    + 2
  ["two words"][true]
    - 1
    + 2
  [false]: not expected
    + 0]=], report(
            { 1, ["1"] = 1, ["two words"] = { [true] = 1 } },
            { 2, ["1"] = 2, ["two words"] = { [true] = 2 }, [false] = 0 }
        ))
    end)

    it("tells items that a list has more or fewer, and does not take those after them for others", function()
        is([[
they differ at [2]
  [2]: not expected
    + "and"]], report({ "one", "two", "three", "four" }, { "one", "and", "two", "three", "four" }))
        is([[
they differ at 2 keys
  [1]: missing
    - "one"
  [4]: not expected
    + "five"]], report({ "one", "two", "three", "four" }, { "two", "three", "four", "five" }))
        is([[
they differ at 2 keys
  .list[1]: missing
    - {id = 1}
  .list[2].name (got at .list[1].name)
    - "b"
    + "B"]], report({ list = { { id = 1 }, { id = 2, name = "b" }, { id = 3 } } },
            { list = { { id = 2, name = "B" }, { id = 3.0 } } }))
        is([[
they differ at 2 keys
  [2]
    - 2
    + 9
  .n: not expected
    + 3]], report({ 1, 2, 3 }, { 1, 9, 3, n = 3 }))
    end)

    it("compares very long lists place by place", function()
        local a, b = {}, {}
        for index = 1, 300 do
            a[index], b[index] = index, index + 1
        end
        is("they differ at 300 keys", report(a, b):match "^[^\n]*")
        a[301] = 0
        is("they differ at 301 keys", report(a, b):match "^[^\n]*")
    end)

    it("finds nothing in equal ones", function()
        is("equal", report({ 1, { 2 } }, { 1.0, { 2 } }))
        local a, b = {}, {}
        a.own, b.own = a, b
        is("equal", report(a, b))
    end)

    it("goes on with a string's difference where it does not fit", function()
        is([[
they differ at .body
  .body
      one
    - two
    + TWO
      ^]], report({ body = "one\ntwo\n" }, { body = "one\nTWO\n" }))
    end)

    it("says why values that print alike differ", function()
        is("they differ at [1]\n  [1]\n    - nan\n    + nan\n      (nan is not equal to itself)",
            report({ 0 / 0 }, { 0 / 0 }))
        is("they differ at [1]\n  [1]\n    - nan\n    + 1", report({ 0 / 0 }, { 1 }))
        local never = { __eq = function()
            return false
        end }
        is("they differ at .k\n  .k\n    - {}\n    + {}\n      (they only look the same)",
            report({ k = setmetatable({}, never) }, { k = setmetatable({}, never) }))
    end)

    it("takes an __eq that raises for a difference", function()
        local hostile = { __eq = function()
            error "hostile"
        end, __tostring = error, __index = error, __pairs = error }
        is("they differ at .k\n  .k\n    - {}\n    + {1}",
            report({ k = setmetatable({}, hostile) }, { k = setmetatable({ 1 }, hostile) }))
    end)

    it("follows a cycle on one side only", function()
        local cycle = {}
        cycle.next = cycle
        is("they differ at .next.next\n  .next.next: missing\n    - {next = <cycle 1 up>}",
            report(cycle, { next = {} }))
    end)

    it("goes as deep as there are tables", function()
        local steps = ("[1]"):rep(12)
        is("they differ at <99989 keys>" .. steps .. "\n  <99989 keys>" .. steps .. "\n    - 1\n    + 2",
            report(nested(100000, 1), nested(100000, 2)))
    end)

    it("finds the one record that differs among many", function()
        local a, b = {}, {}
        for index = 1, 50000 do
            a[index], b[index] = { id = index }, { id = index }
        end
        b[49999].id = "x"
        is('they differ at [49999].id\n  [49999].id\n    - 49999\n    + "x"', report(a, b))
    end)

    it("finds something just where the two are not equal", function()
        local function random_value(depth)
            local kind = math.random(depth > 0 and 6 or 4)
            if kind <= 4 then
                return ({ 1, "a", true, 1.5 })[kind]
            end
            local t = {}
            for _ = 1, math.random(0, 2) do
                t[({ 1, 2, "k", true })[math.random(4)]] = random_value(depth - 1)
            end
            return t
        end
        local found, equal = 0, 0
        for _ = 1, 2000 do
            local a, b = { random_value(3) }, { random_value(3) }
            local lines, brief = diff.compare(a, b)
            is(diff.deep_equal(a, b), brief == nil)
            is(brief == nil, #lines == 0)
            found, equal = found + #lines, equal + (brief and 0 or 1)
        end
        assert(found > 0 and equal > 0)
    end)

    it("shows some of many differences and counts the others", function()
        local a, b, long = {}, {}, {}
        for index = 1, 50 do
            a[index], b[index] = index, -index
        end
        local text = report(a, b)
        is("they differ at 50 keys", text:match "^[^\n]*")
        is("  (and 30 more)", text:match "[^\n]*$")
        for index = 1, 100000 do
            long[index] = index
        end
        is("they differ at more than 1000 keys", report(long, {}):match "^[^\n]*")
    end)
end)

describe("diff of other values", function()
    it("is told by the values themselves", function()
        is("equal", report(1, 2))
        is("equal", report("1", 1))
        is("equal", report({}, nil))
        is("nan is not equal to itself", report(0 / 0, 0 / 0))
    end)
end)
