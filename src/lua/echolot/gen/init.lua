--- Generators: what makes the values that a property is tried with. A generator asks a source for choices
--- (choices.lua) and makes a value of them; that is all that shrinking needs to know of it.
---
---     local order = gen.record { item = gen.one_of { "tea", "milk" }, count = gen.integer(1, 9) }
---     order:sample(7) -- what seed 7 makes of it
local choices = require "echolot.gen.choices"
local core = require "echolot.core"
local inspect = require "echolot.inspect"
local integers = require "echolot.gen.integers"
local random = require "echolot.gen.random"
local strings = require "echolot.gen.strings"

local M = {}

---@class echolot.gen
---@field draw fun(source: echolot.choices.source): any
local generator = { __name = "echolot.gen" }
generator.__index = generator

local LENGTH_MAX = 1 << 17 -- of strings and lists: each element is a choice

local function misuse(op, text, ...)
    return core.error.new { kind = "usage", op = "gen." .. op, message = text:format(...) }
end

local function usage(...)
    error(misuse(...), 0)
end

local function new(draw)
    return setmetatable({ draw = draw }, generator)
end

-- One that may hold others of its own kind.
local function new_span(draw)
    local self = new(nil)
    self.draw = function(source)
        return source:span(self, draw)
    end
    return self
end

--- Whether the value is a generator.
---@param value any
---@return boolean
function M.is(value)
    return getmetatable(value) == generator
end

local function check_generator(op, value)
    if not M.is(value) then
        usage(op, "a generator is expected, got %s", inspect.value(value, { max_length = 60 }))
    end
end

local function check_function(op, value)
    if type(value) ~= "function" then
        usage(op, "a function is expected, got %s", type(value))
    end
end

local function integer_or(op, what, value, default)
    if value == nil then
        return default
    end
    local whole = math.type(value) and math.tointeger(value)
    if not whole then
        usage(op, "%s is a whole number, got %s", what, inspect.value(value, { max_length = 60 }))
    end
    return whole
end

-- The bounds of a length. Above a minimum alone the usual maximum is doubled rather than passed.
local function bounds(op, min, max, usual)
    min = integer_or(op, "min", min, 0)
    max = integer_or(op, "max", max, min <= usual // 2 and usual or 2 * min)
    if min < 0 then
        usage(op, "min is negative: %d", min)
    elseif min > max then
        usage(op, "min is greater than max: %d > %d", min, max)
    elseif max > LENGTH_MAX then
        usage(op, "max is greater than %d: %d", LENGTH_MAX, max)
    end
    return min, max
end

--- A whole number from `lo` to `hi`; without bounds, any. Shrinks towards 0, or the bound nearest to it.
---@param lo? integer
---@param hi? integer
---@return echolot.gen
function M.integer(lo, hi)
    lo = integer_or("integer", "lo", lo, math.mininteger)
    hi = integer_or("integer", "hi", hi, math.maxinteger)
    if lo > hi then
        usage("integer", "lo is greater than hi: %d > %d", lo, hi)
    end
    local origin = integers.origin(lo, hi)
    local function pick(chance, source)
        return source:earlier(lo, hi) or integers.pick(chance, lo, hi, origin)
    end
    return new(function(source)
        return source:draw(lo, hi, origin, pick)
    end)
end

--- true or false. Shrinks to false.
---@return echolot.gen
function M.boolean()
    return new(function(source)
        return source:draw(0, 1, 0) == 1
    end)
end

--- Always that value.
---@param value any
---@return echolot.gen
function M.constant(value)
    return new(function()
        return value
    end)
end

local function string_of(alphabet, min, max)
    local function compose(chance)
        return alphabet.compose(chance, integers.length(chance, min, max))
    end
    return new(function(source)
        local list = source:numbers(min, max, alphabet.last, compose, alphabet.width)
        for i = 1, #list do
            list[i] = alphabet.decode(list[i])
        end
        return table.concat(list)
    end)
end

local BYTES_USUAL, CHARACTERS_USUAL, ELEMENTS_USUAL = 8192, 4096, 32
local BYTES = strings.bytes {}
local LINE_BYTES = strings.bytes { [10] = true, [13] = true }
local CHARACTERS = strings.characters()

--- A string of `min` to `max` bytes (0 to 8192), any of the 256. Shrinks to fewer, and to "a".
---@param min? integer
---@param max? integer
---@return echolot.gen
function M.bytes(min, max)
    return string_of(BYTES, bounds("bytes", min, max, BYTES_USUAL))
end

--- The same without CR and LF: what stands between the ends of two lines.
---@param min? integer
---@param max? integer
---@return echolot.gen
function M.line(min, max)
    return string_of(LINE_BYTES, bounds("line", min, max, BYTES_USUAL))
end

--- UTF-8 of `min` to `max` characters (0 to 4096), any of Unicode.
---@param min? integer
---@param max? integer
---@return echolot.gen
function M.text(min, max)
    return string_of(CHARACTERS, bounds("text", min, max, CHARACTERS_USUAL))
end

-- What one of several stands for: a generator, or itself.
local function draw_item(item, source)
    if M.is(item) then
        return item.draw(source)
    end
    return item
end

--- One of a list of generators or values, each as often as the others. Shrinks towards the first.
---@param list any[]
---@return echolot.gen
function M.one_of(list)
    if type(list) ~= "table" or M.is(list) then
        usage("one_of", "a list of generators or values is expected, got %s", type(list))
    elseif #list == 0 then
        usage("one_of", "the list is empty")
    end
    list = table.move(list, 1, #list, 1, {})
    return new_span(function(source)
        return draw_item(list[source:branch(#list)], source)
    end)
end

-- {weight, generator or value}
local function check_pair(pair, i)
    local weight = type(pair) == "table" and not M.is(pair) and math.type(pair[1]) and math.tointeger(pair[1])
    if not weight or pair[2] == nil then
        usage("frequency", "item %d is no {weight, generator}", i)
    elseif weight < 0 then
        usage("frequency", "the weight of item %d is negative: %d", i, weight)
    end
    return weight
end

--- One of a list of {weight, generator or value}, each as often as its weight says. Shrinks towards the first.
---@param list table[]
---@return echolot.gen
function M.frequency(list)
    if type(list) ~= "table" or M.is(list) then
        usage("frequency", "a list of {weight, generator} is expected, got %s", type(list))
    end
    local items, upto, total = {}, {}, 0
    for i, pair in ipairs(list) do
        local weight = check_pair(pair, i)
        if weight > math.maxinteger - total then
            usage("frequency", "the weights are too large")
        elseif weight > 0 then
            total = total + weight
            items[#items + 1], upto[#upto + 1] = pair[2], total
        end
    end
    if total == 0 then
        usage("frequency", "there is no item with a weight")
    end
    local function pick(chance)
        local at, i = chance:between(1, total), 1
        while upto[i] < at do
            i = i + 1
        end
        return i
    end
    return new_span(function(source)
        return draw_item(items[source:branch(#items, pick)], source)
    end)
end

--- A list of `min` to `max` (0 to 32) values of a generator's. Shrinks to fewer, then each of them.
---@param of echolot.gen
---@param min? integer
---@param max? integer
---@return echolot.gen
function M.list(of, min, max)
    check_generator("list", of)
    min, max = bounds("list", min, max, ELEMENTS_USUAL)
    local function pick(chance)
        return integers.count(chance, min, max)
    end
    return new(function(source)
        return source:list(min, max, pick, of.draw)
    end)
end

--- A table with those fields, each made by its generator.
---@param fields table<any, echolot.gen>
---@return echolot.gen
function M.record(fields)
    if type(fields) ~= "table" or M.is(fields) then
        usage("record", "a table of generators is expected, got %s", type(fields))
    end
    local keys, copy = {}, {}
    for key, of in pairs(fields) do
        if not M.is(of) then
            usage("record", "field %s: a generator is expected, got %s", inspect.path_step(key), type(of))
        end
        keys[#keys + 1], copy[key] = key, of
    end
    inspect.sort_keys(keys) -- the same choices make the same record
    return new(function(source)
        local record = {}
        for _, key in ipairs(keys) do
            record[key] = copy[key].draw(source)
        end
        return record
    end)
end

--- What `f` makes of a generator's values.
---@param of echolot.gen
---@param f fun(value: any): any
---@return echolot.gen
function M.map(of, f)
    check_generator("map", of)
    check_function("map", f)
    return new(function(source)
        return (f(of.draw(source)))
    end)
end

--- The values of the generator that `f` returns for a generator's value: one choice depends on another.
---@param of echolot.gen
---@param f fun(value: any): echolot.gen
---@return echolot.gen
function M.bind(of, f)
    check_generator("bind", of)
    check_function("bind", f)
    return new_span(function(source)
        local chosen = f(of.draw(source))
        check_generator("bind", chosen)
        return chosen.draw(source)
    end)
end

-- Values that a predicate may refuse in a row.
local TRIES = 1000

--- Raised where a replayed choice no longer satisfies a predicate: such a value would not have been made.
local REFUSED = misuse("such_that", "the predicate refused a value that it took before")

--- Those values of a generator that `predicate` holds for.
---@param of echolot.gen
---@param predicate fun(value: any): any
---@return echolot.gen
function M.such_that(of, predicate)
    check_generator("such_that", of)
    check_function("such_that", predicate)
    local gave_up = misuse("such_that", "gave up after %d tries: its predicate hardly ever holds", TRIES)
    return new(function(source)
        local mark = source:mark()
        for _ = 1, TRIES do
            local value = of.draw(source)
            if predicate(value) then
                return value
            elseif not source:retry(mark) then
                error(REFUSED, 0)
            end
        end
        error(gave_up, 0)
    end)
end

--- The value that a seed makes of a generator.
---@param of echolot.gen
---@param seed? integer
---@return any
function M.sample(of, seed)
    check_generator("sample", of)
    return of.draw(choices.random(random.new(integer_or("sample", "seed", seed, core.random()))))
end

generator.map, generator.such_that, generator.bind, generator.sample = M.map, M.such_that, M.bind, M.sample

function generator:__tostring()
    return ("generator: %p"):format(self)
end

return M
