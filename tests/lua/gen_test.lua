-- Generators: what values they make, that a seed decides them, and what misuse of them is told.
local echolot = require "echolot"
local falsify = require "falsify"
local random = require "echolot.gen.random"

local gen = echolot.gen

-- The values of so many cases of a seed.
local function values(generator, seed, count)
    local list = {}
    for number = 1, count do
        list[number] = generator.draw(falsify.source(seed, number))
    end
    return list
end

local function each_value(generator, count, check)
    for _, value in ipairs(values(generator, 1, count)) do
        check(value)
    end
end

describe("random numbers", function()
    it("are those of xoshiro256** and splitmix64", function()
        local made = setmetatable({ 1, 2, 3, 4 }, getmetatable(random.new(1)))
        for _, expected in ipairs { 11520, 0, 1509978240, 1215971899390074240, 1216172134540287360 } do
            assert.equal(expected, made:bits())
        end
        assert.equal(0xe220a8397b1dcdaf, (random.splitmix(0)))
    end)

    it("lie between their bounds, and reach them", function()
        for _, bounds in ipairs {
            { 0, 0 }, { -1, 1 }, { 5, 9 }, { math.maxinteger - 2, math.maxinteger },
            { math.mininteger, math.mininteger + 2 },
        } do
            local lo, hi = table.unpack(bounds)
            local made, seen = random.new(7), {}
            for _ = 1, 200 do
                local n = made:between(lo, hi)
                assert.is_true(n >= lo and n <= hi)
                seen[n] = true
            end
            assert.is_true(seen[lo] and seen[hi])
        end
    end)

    it("fill ranges of more than half of all numbers", function()
        for _, bounds in ipairs { { math.mininteger, math.maxinteger }, { -2, math.maxinteger }, { 0, math.maxinteger } } do
            local lo, hi = table.unpack(bounds)
            local made, negative, large = random.new(7), 0, 0
            for _ = 1, 400 do
                local n = made:between(lo, hi)
                assert.is_true(n >= lo and n <= hi)
                negative = negative + (n < 0 and 1 or 0)
                large = large + (n > math.maxinteger // 2 and 1 or 0)
            end
            assert.near(lo < -2 and 200 or 0, negative, 40)
            assert.near(lo < -2 and 100 or 200, large, 40)
        end
    end)

    it("are as likely as each other", function()
        local made, counts = random.new(3), {}
        for _ = 1, 6000 do
            local n = made:between(1, 6)
            counts[n] = (counts[n] or 0) + 1
        end
        for n = 1, 6 do
            assert.near(1000, counts[n], 120)
        end
    end)

    it("differ by seed, by name and by stream", function()
        local seen = {}
        for seed = 0, 9 do
            for _, name in ipairs { "", "a", "b", "a b" } do
                for stream = 1, 5 do
                    local bits = random.new(random.key(seed, name), stream):bits()
                    assert.is_nil(seen[bits])
                    seen[bits] = true
                end
            end
        end
    end)
end)

describe("integer", function()
    it("stays within its bounds and meets them", function()
        for _, bounds in ipairs { { 0, 0 }, { -3, 4 }, { 10, 1000 }, { -1000, -10 }, { 0, 1 << 40 } } do
            local lo, hi = table.unpack(bounds)
            local seen = {}
            each_value(gen.integer(lo, hi), 300, function(n)
                assert.is_true(math.type(n) == "integer" and n >= lo and n <= hi)
                seen[n] = true
            end)
            assert.is_true(seen[lo] and seen[hi])
        end
    end)

    it("without bounds is any, small and large, of both signs", function()
        local small, large, negative = 0, 0, 0
        each_value(gen.integer(), 300, function(n)
            small = small + (n > -1000 and n < 1000 and 1 or 0)
            large = large + (n > 1 << 40 and 1 or 0)
            negative = negative + (n < 0 and 1 or 0)
        end)
        assert.is_true(small > 30 and large > 30 and negative > 30)
    end)

    it("takes whole floats as bounds", function()
        assert.equal("integer", math.type(gen.integer(0, 1e6):sample(1)))
    end)
end)

it("boolean gives both", function()
    local seen = {}
    each_value(gen.boolean(), 20, function(b) seen[b] = true end)
    assert.same({ [true] = true, [false] = true }, seen)
end)

describe("strings", function()
    it("have as many bytes or characters as they shall", function()
        for _, bounds in ipairs { { 0, 0 }, { 3, 3 }, { 2, 60 }, { 5000, 5001 } } do
            local min, max = table.unpack(bounds)
            for _, kind in ipairs { "bytes", "line", "text" } do
                each_value(gen[kind](min, max), 50, function(s)
                    local length = kind == "text" and utf8.len(s) or #s
                    assert.is_true(length >= min and length <= max)
                end)
            end
        end
        assert.equal(9000, #gen.bytes(9000, 9000):sample(1))
        assert.is_true(#gen.bytes(9000):sample(1) >= 9000)
    end)

    it("are no lines where they hold CR or LF, no text where they are not UTF-8", function()
        each_value(gen.line(), 300, function(s) assert.is_nil(s:find "[\r\n]") end)
        each_value(gen.text(), 300, function(s) assert.is_not_nil(utf8.len(s)) end)
    end)

    it("hold each byte, and what is awkward often", function()
        local seen = {}
        each_value(gen.bytes(), 100, function(s)
            for byte in s:gmatch "." do
                seen[byte] = true
            end
        end)
        for byte = 0, 255 do
            assert.is_true(seen[string.char(byte)], ("byte %d"):format(byte))
        end
    end)

    -- What a hundred cases have to meet, whatever the seed.
    local MEETS = {
        { "an empty line", function(s) return s == "" end },
        { "a short line", function(s) return #s > 0 and #s < 10 end },
        { "more than 100 bytes", function(s) return #s > 100 end },
        { "more than 1000 bytes", function(s) return #s > 1000 end },
        { "4096 bytes or more", function(s) return #s >= 4096 end },
        { "NUL", function(s) return s:find("\0", 1, true) end },
        { "DEL", function(s) return s:find("\x7f", 1, true) end },
        { "0x80", function(s) return s:find("\x80", 1, true) end },
        { "0xff", function(s) return s:find("\xff", 1, true) end },
        { "a TAB", function(s) return s:find("\t", 1, true) end },
        { "a space in front", function(s) return s:find "^ " end },
        { "a space behind", function(s) return s:find " $" end },
        { "UTF-8", function(s) return s:find "[\xc2-\xf4][\x80-\xbf]" and utf8.len(s) end },
        { "what is no UTF-8", function(s) return not utf8.len(s) end },
    }
    local lines = {}
    lazy_setup(function()
        for seed = 1, 20 do
            lines[seed] = values(gen.line(), seed, 100)
        end
    end)
    for _, meets in ipairs(MEETS) do
        local name, holds = table.unpack(meets)
        it("meet " .. name .. " in a hundred cases of any of twenty seeds", function()
            for seed = 1, 20 do
                local met = false
                for _, line in ipairs(lines[seed]) do
                    met = met or holds(line)
                end
                assert.truthy(met, "seed " .. seed)
            end
        end)
    end

    it("of text hold characters of each length, and such as have no look", function()
        local met = {}
        each_value(gen.text(), 100, function(s)
            for _, code in utf8.codes(s) do
                met[#utf8.char(code)] = true
                met[code] = true
            end
        end)
        for _, what in ipairs { 1, 2, 3, 4, 0x0a, 0x200d, 0xfeff, 0xffff, 0x10ffff } do
            assert.is_true(met[what], ("%x"):format(what))
        end
    end)
end)

describe("compositions", function()
    it("of lists keep their bounds", function()
        local sizes = {}
        each_value(gen.list(gen.boolean(), 2, 5), 100, function(list)
            sizes[#list] = true
            for _, item in ipairs(list) do
                assert.is_boolean(item)
            end
        end)
        assert.same({ [2] = true, [3] = true, [4] = true, [5] = true }, sizes)
    end)

    it("of records have every field", function()
        local generator = gen.record { name = gen.text(1, 5), [2] = gen.boolean(), at = gen.record {} }
        each_value(generator, 20, function(record)
            assert.is_string(record.name)
            assert.is_boolean(record[2])
            assert.same({}, record.at)
        end)
    end)

    it("choose one of generators and values, each in its turn", function()
        local seen = {}
        each_value(gen.one_of { "GET", gen.constant(7), gen.integer(1, 1), false }, 60, function(value)
            seen[value] = true
        end)
        assert.same({ GET = true, [7] = true, [1] = true, [false] = true }, seen)
    end)

    it("choose as often as the weights say", function()
        local counts = { a = 0, b = 0, c = 0 }
        each_value(gen.frequency { { 8, "a" }, { 2, gen.constant "b" }, { 0, "c" } }, 1000, function(value)
            counts[value] = counts[value] + 1
        end)
        assert.near(800, counts.a, 50)
        assert.equal(1000 - counts.a, counts.b)
    end)

    it("map, choose and depend", function()
        each_value(gen.integer(1, 9):map(function(n) return 2 * n end), 20, function(n)
            assert.is_true(n % 2 == 0 and n <= 18)
        end)
        each_value(gen.integer(0, 99):such_that(function(n) return n % 10 == 3 end), 50, function(n)
            assert.equal(3, n % 10)
        end)
        local pairs_of = gen.integer(0, 9):bind(function(n)
            return gen.list(gen.constant(n), n, n)
        end)
        each_value(pairs_of, 50, function(list)
            assert.equal(list[1] or 0, #list)
        end)
    end)

    it("may generate nil and tables without sharing them", function()
        local generator = gen.list(gen.record { n = gen.integer(0, 9) }, 2, 2)
        local one = generator:sample(1)
        assert.not_equal(one[1], generator:sample(1)[1])
        assert.is_nil(gen.constant(nil):sample(1))
    end)
end)

it("a seed decides a sample, whatever math.random gives", function()
    local generator = gen.list(gen.record { line = gen.line(), n = gen.integer(), text = gen.text() })
    math.randomseed(1)
    local one = generator:sample(42)
    math.randomseed(2)
    assert.same(one, gen.sample(generator, 42))
    assert.is_not.same(one, generator:sample(43))
end)

describe("misuse", function()
    local function no() return false end
    local MISUSES = {
        { "lo is greater than hi: 5 > 1", function() gen.integer(5, 1) end },
        { "lo is a whole number, got 1.5", function() gen.integer(1.5) end },
        { 'hi is a whole number, got "9"', function() gen.integer(1, "9") end },
        { "min is negative: -1", function() gen.bytes(-1) end },
        { "min is greater than max: 3 > 2", function() gen.line(3, 2) end },
        { "max is a whole number, got {}", function() gen.text(0, {}) end },
        { "max is greater than 131072", function() gen.bytes(0, 1 << 30) end },
        { "a generator is expected, got 5", function() gen.list(5) end },
        { "min is negative", function() gen.list(gen.boolean(), -2) end },
        { "the list is empty", function() gen.one_of {} end },
        { "a list of generators or values is expected, got string", function() gen.one_of "x" end },
        { "a list of generators or values is expected", function() gen.one_of(gen.boolean()) end },
        { "field .name: a generator is expected, got string", function() gen.record { name = "x" } end },
        { "a table of generators is expected, got table", function() gen.record(gen.boolean()) end },
        { "a generator is expected, got nil", function() gen.map(nil, no) end },
        { "a function is expected, got nil", function() gen.map(gen.boolean()) end },
        { "a function is expected, got table", function() gen.boolean():such_that {} end },
        { "there is no item with a weight", function() gen.frequency {} end },
        { "item 1 is no {weight, generator}", function() gen.frequency { gen.boolean() } end },
        { "item 2 is no {weight, generator}", function() gen.frequency { { 1, 2 }, { "1", 2 } } end },
        { "the weight of item 1 is negative", function() gen.frequency { { -1, 2 } } end },
        { "the weights are too large", function() gen.frequency { { math.maxinteger, 1 }, { 1, 2 } } end },
        { "there is no item with a weight", function() gen.frequency { { 0, 2 } } end },
        { "a generator is expected, got 3", function() gen.boolean():bind(function() return 3 end):sample(1) end },
        { "gave up after 1000 tries: its predicate", function() gen.integer():such_that(no):sample(1) end },
        { "generators are nested more than 500 deep", function()
            local nested
            nested = gen.boolean():bind(function() return gen.list(nested, 1, 1) end)
            nested:sample(1)
        end },
        { "a value takes more than 262144 choices", function()
            gen.list(gen.bytes(100000, 100000), 3, 3):sample(1)
        end },
        { "a value takes more than 262144 choices", function()
            gen.list(gen.list(gen.boolean(), 600, 600), 600, 600):sample(1)
        end },
    }
    for _, misuse in ipairs(MISUSES) do
        it("is told: " .. misuse[1], function()
            local err = assert.has_error(misuse[2])
            assert.equal("usage", err.kind)
            assert.contains(misuse[1], err.message)
            assert.matches("gen_test%.lua:%d+$", err.where)
        end)
    end
end)
