-- Shrinking: from whatever failed first, over many seeds, to the same smallest value.
local echolot = require "echolot"
local falsify = require "falsify"
local inspect = require "echolot.inspect"
local random = require "echolot.gen.random"

local gen = echolot.gen

local SEEDS = 50

-- Whatever the seed, the smallest is `expected`.
local function shrinks_to(expected, generator, fails)
    for seed = 1, SEEDS do
        local result = falsify.run(generator, fails, seed)
        assert.is_not_nil(result, ("seed %d meets none"):format(seed))
        assert.same(expected, result.value, ("seed %d, after %d steps"):format(seed, result.steps))
        assert.is_true(result.complete)
    end
end

local function sum(list)
    local total = 0
    for _, n in ipairs(list) do
        total = total + n
    end
    return total
end

local function always() return true end

describe("numbers", function()
    it("shrink to the bound", function()
        shrinks_to(1000, gen.integer(0, 1000000), function(n) return n >= 1000 end)
        shrinks_to(-78, gen.integer(), function(n) return n < -77 end)
        shrinks_to(12345678902, gen.integer(), function(n) return n > 12345678901 end)
        shrinks_to(math.mininteger, gen.integer(math.mininteger, math.mininteger + 5), function(n)
            return n == math.mininteger
        end)
    end)

    it("shrink to zero, or the bound nearest to it", function()
        shrinks_to(0, gen.integer(), always)
        shrinks_to(5, gen.integer(5, 90), always)
        shrinks_to(-5, gen.integer(-90, -5), always)
    end)

    it("shrink to the positive one of two", function()
        shrinks_to(7, gen.integer(-100, 100), function(n) return n >= 7 or n <= -7 end)
    end)

    it("shrink where only some of the greater ones fail", function()
        shrinks_to(1002, gen.integer(0, 100000), function(n) return n >= 1001 and n % 5 == 2 end)
    end)

    it("shrink together where they have to be equal", function()
        local pair = gen.record { a = gen.integer(0, 5), b = gen.integer(0, 5) }
        shrinks_to({ a = 2, b = 2 }, pair, function(p) return p.a == p.b and p.a > 1 end)
    end)

    it("shrink at each other's cost", function()
        local pair = gen.record { a = gen.integer(0, 1000), b = gen.integer(0, 1000) }
        shrinks_to({ a = 1, b = 1000 }, pair, function(p) return p.a + p.b > 1000 end)
        shrinks_to({ a = 11, b = 0 }, pair, function(p) return p.a - p.b > 10 end)
        shrinks_to({ a = 10, b = 10 }, pair, function(p) return p.a >= 10 and p.a == p.b end)
    end)

    it("of truth shrink to false", function()
        shrinks_to({ a = false, b = true }, gen.record { a = gen.boolean(), b = gen.boolean() }, function(r) return r.b end)
    end)
end)

describe("strings", function()
    it("too long for somebody shrink to the shortest of one simple character", function()
        shrinks_to(("a"):rep(101), gen.line(), function(s) return #s > 100 end)
        shrinks_to(("a"):rep(101), gen.bytes(), function(s) return #s > 100 end)
    end)

    it("of text do so in bytes, though it was many-byte characters that were too long", function()
        shrinks_to(("a"):rep(101), gen.text(), function(s) return #s > 100 end)
    end)

    it("shrink to the byte that matters", function()
        shrinks_to("\xff", gen.line(), function(s) return s:find "\xff" end)
        shrinks_to("\0", gen.line(), function(s) return s:find "%z" end)
        shrinks_to(" ", gen.line(), function(s) return s:find " $" end)
        shrinks_to("\0\xff", gen.line(), function(s) return s:find "%z" and s:find "\xff" end)
    end)

    it("of text shrink to the first character of its kind", function()
        shrinks_to("à", gen.text(), function(s) return s:find "[\x80-\xff]" end)
        shrinks_to("\u{800}", gen.text(), function(s) return s:find "[\xe0-\xf4]" end)
        shrinks_to("\u{10000}", gen.text(), function(s) return s:find "[\xf0-\xf4]" end)
    end)

    it("keep the length that they have to have", function()
        shrinks_to("aaaaa", gen.bytes(5, 9), always)
    end)
end)

describe("lists", function()
    it("shrink to the fewest", function()
        shrinks_to({}, gen.list(gen.line()), always)
        shrinks_to({ 0, 0, 0 }, gen.list(gen.integer()), function(l) return #l >= 3 end)
        shrinks_to({ 0, 0 }, gen.list(gen.integer(), 2), always)
        shrinks_to({ 7 }, gen.list(gen.integer(0, 10)), function(l)
            for _, n in ipairs(l) do
                if n == 7 then
                    return true
                end
            end
        end)
        shrinks_to({ 40, 60 }, gen.list(gen.integer(0, 60)), function(l) return sum(l) >= 100 end)
    end)

    it("shrink to two equal ones", function()
        shrinks_to({ 0, 0 }, gen.list(gen.integer(0, 1000)), function(l)
            local seen = {}
            for _, n in ipairs(l) do
                if seen[n] then
                    return true
                end
                seen[n] = true
            end
        end)
    end)

    it("shrink into order", function()
        shrinks_to({ 0, 1, 2 }, gen.list(gen.integer(0, 9)), function(l)
            local kinds, count = {}, 0
            for _, n in ipairs(l) do
                count = count + (kinds[n] and 0 or 1)
                kinds[n] = true
            end
            return count >= 3
        end)
    end)

    it("of lists shrink to one, within too", function()
        local nested = gen.list(gen.list(gen.integer(0, 99)))
        shrinks_to({ { 0, 0, 0, 0, 0 } }, nested, function(l)
            local count = 0
            for _, inner in ipairs(l) do
                count = count + #inner
            end
            return count >= 5
        end)
        shrinks_to({ { 50 } }, nested, function(l)
            for _, inner in ipairs(l) do
                if sum(inner) >= 50 then
                    return true
                end
            end
        end)
    end)

    it("of lines shrink in both ways", function()
        shrinks_to({ "aaa", "aaa" }, gen.list(gen.line()), function(l)
            local count = 0
            for _, line in ipairs(l) do
                count = count + (#line >= 3 and 1 or 0)
            end
            return count >= 2
        end)
    end)
end)

describe("compositions", function()
    it("shrink towards the first", function()
        shrinks_to("", gen.one_of { gen.line(), "x", gen.integer(1, 7) }, always)
        shrinks_to({ a = 0, b = {} }, gen.one_of { gen.record { a = gen.integer(), b = gen.list(gen.line()) }, 1 }, always)
        shrinks_to("b", gen.one_of { "a", "b", "c" }, function(v) return v ~= "a" end)
        shrinks_to("b", gen.frequency { { 1, "a" }, { 2, "b" }, { 9, "c" } }, function(v) return v ~= "a" end)
    end)

    it("shrink to what the first cannot make", function()
        shrinks_to(1, gen.one_of { gen.line(), gen.integer(1, 7) }, function(v) return type(v) == "number" end)
    end)

    it("keep the fields of records", function()
        local person = gen.record { name = gen.text(), age = gen.integer(0, 150), tags = gen.list(gen.line(), 0, 5) }
        shrinks_to({ name = "", age = 18, tags = { "", "" } }, person, function(p)
            return p.age >= 18 and #p.tags >= 2
        end)
    end)

    it("shrink through map and such_that", function()
        shrinks_to(1002, gen.integer(0, 100000):map(function(n) return 2 * n end), function(n) return n > 1000 end)
        shrinks_to(1004, gen.integer(0, 100000):such_that(function(n) return n % 7 == 3 end), function(n)
            return n > 1000
        end)
        shrinks_to("aaa,aaa", gen.list(gen.line(3, 9)):map(function(l) return table.concat(l, ",") end), function(s)
            return s:find ","
        end)
    end)

    it("shrink a count together with what it counts", function()
        local counted = gen.integer(0, 30):bind(function(n)
            return gen.list(gen.integer(0, 9), n, n):map(function(l) return { n = n, list = l } end)
        end)
        shrinks_to({ n = 1, list = { 7 } }, counted, function(v)
            for _, n in ipairs(v.list) do
                if n == 7 then
                    return true
                end
            end
        end)
    end)

    it("shrink to the part of a tree that matters", function()
        local term
        term = gen.one_of {
            gen.integer(),
            gen.one_of { "+", "/" }:bind(function(op) return gen.record { op = gen.constant(op), l = term, r = term } end),
        }
        local function value_of(node)
            if type(node) ~= "table" then
                return node
            end
            local l, r = value_of(node.l), value_of(node.r)
            return node.op == "+" and l + r or node.op == "/" and l // r
        end
        local function divides_by_zero(node)
            return type(node) == "table"
                and (node.op == "/" and node.r == 0 or divides_by_zero(node.l) or divides_by_zero(node.r))
        end
        shrinks_to({ op = "/", l = 0, r = { op = "+", l = 0, r = 0 } }, term, function(node)
            return not divides_by_zero(node) and not pcall(value_of, node)
        end)
    end)

    it("shrink trees", function()
        local tree
        tree = gen.frequency { { 2, gen.integer(0, 9) }, { 1, gen.constant(0):bind(function() return gen.list(tree, 0, 3) end) } }
        local function leaves(node)
            if type(node) ~= "table" then
                return 1
            end
            local count = 0
            for _, child in ipairs(node) do
                count = count + leaves(child)
            end
            return count
        end
        shrinks_to({ 0, 0 }, tree, function(node) return leaves(node) >= 2 end)
    end)
end)

-- A generator put together by chance.
local function any_generator(chance, depth)
    local kind = chance:between(1, depth > 0 and 12 or 5)
    local function inner() return any_generator(chance, depth - 1) end
    if kind == 1 then
        return gen.integer(chance:between(-9, 0), chance:between(0, 300))
    elseif kind == 2 then
        return gen.boolean()
    elseif kind == 3 then
        return gen.line(0, 30)
    elseif kind == 4 then
        return gen.text(1, 20)
    elseif kind == 5 then
        return gen.integer()
    elseif kind == 6 then
        return gen.one_of { inner(), inner(), "value" }
    elseif kind == 7 then
        return gen.record { a = inner(), b = inner() }
    elseif kind == 8 then
        return gen.frequency { { 1, inner() }, { 3, inner() } }
    elseif kind == 9 then
        return inner():map(function(value) return { value } end)
    elseif kind == 10 then
        local of = inner()
        return gen.integer(0, 4):bind(function(n) return gen.list(of, n, n) end)
    end
    return gen.list(inner(), 0, 6)
end

describe("shrinking", function()
    it("of whatever generator ends with what fails, raises nothing, and ends the same when repeated", function()
        local shrunk = 0
        for seed = 1, 300 do
            local salt = random.new(seed):bits()
            local function make() return any_generator(random.new(seed), 3) end
            local function fails(value)
                local text = inspect.value(value)
                return seed % 3 == 0 and #text > seed % 40 or random.key(salt, text) % (2 + seed % 7) == 0
            end
            local result = falsify.run(make(), fails, seed, 300)
            if result then
                shrunk = shrunk + (result.steps > 0 and 1 or 0)
                assert.is_true(fails(result.value))
                assert.same(result, falsify.run(make(), fails, seed, 300))
            end
        end
        assert.is_true(shrunk > 200, tostring(shrunk))
    end)

    it("tries only what the generator makes", function()
        local generator = gen.list(gen.integer(10, 99):such_that(function(n) return n % 3 == 1 end), 1, 8)
        for seed = 1, 20 do
            local result = falsify.run(generator, function(l) return sum(l) > 200 end, seed)
            assert.is_true(#result.tried > 5)
            for _, list in ipairs(result.tried) do
                assert.is_true(#list >= 1 and #list <= 8)
                for _, n in ipairs(list) do
                    assert.is_true(n >= 10 and n <= 99 and n % 3 == 1)
                end
            end
        end
    end)

    it("tries nothing twice", function()
        local result = falsify.run(gen.list(gen.integer(0, 20)), function(l) return sum(l) >= 50 end, 3)
        local seen = {}
        for _, list in ipairs(result.tried) do
            local text = table.concat(list, ",")
            assert.is_nil(seen[text], text)
            seen[text] = true
        end
    end)

    it("keeps to its steps, with the smallest so far", function()
        local function fails(l) return sum(l) >= 100 end
        for steps = 0, 40, 5 do
            local result = falsify.run(gen.list(gen.integer(0, 60)), fails, 9, steps)
            assert.is_true(result.steps <= steps)
            assert.is_true(fails(result.value))
        end
        assert.is_false(falsify.run(gen.list(gen.integer(0, 60)), fails, 9, 5).complete)
    end)

    it("takes few steps where the boundary is plain", function()
        for seed = 1, SEEDS do
            assert.is_true(falsify.run(gen.line(), function(s) return #s > 100 end, seed).steps <= 40)
        end
    end)

    it("ends where every character matters", function()
        local wanted = gen.line(200, 300):sample(5)
        local result = falsify.run(gen.constant(0):bind(function()
            return gen.one_of { gen.line(), gen.constant(wanted) }
        end), function(s) return s == wanted end, 1)
        assert.equal(wanted, result.value)
    end)
end)
