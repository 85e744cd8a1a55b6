--- Choices: what a generator asks a source for. Every value is made of whole numbers that are chosen one
--- after the other; the source notes them, so that the value can be made again, and can be made smaller by
--- choosing smaller numbers: whatever comes of them, the generator itself made it.
---
--- Sources are ordered. The smaller one is that whose lists hold fewer elements (beyond what they have to; of
--- texts, bytes) and whose trees have fewer branches, and of two with as many that whose first differing choice lies
--- nearer to its origin.
local core = require "echolot.core"

local M = {}

local ult = math.ult

-- A generator without end is stopped here.
local CHOICES_MAX, DEPTH_MAX = 1 << 18, 500

-- One that has no end by bad luck only, since it holds itself more than once, is led to its simplest branches
-- beyond these.
local CHOICES_MANY, DEPTH_GREAT = 1 << 16, 50

---@class echolot.choices.list
---@field size integer the choice that says how many elements there are
---@field min integer
---@field stop integer the choice behind its last element
---@field starts? integer[] the first choice of each element; nil where each is one choice
---@field width? fun(number: integer): integer what such a choice weighs, where not 1

---@class echolot.choices.source
---@field count integer of choices so far
---@field values integer[]
---@field lo integer[]
---@field hi integer[]
---@field origin integer[] the simplest value of each choice
---@field is_size table<integer, boolean>
---@field bytes table<integer, integer> of a text, by the choice of its size
---@field lists echolot.choices.list[] outer ones before those within them
---@field spans table[] the choices of one generator, {label, first, stop}; outer ones first
---@field open table<any, integer> by label, the spans that have begun
---@field strings table<integer, integer[][]> what was composed by chance, by the greatest number in it
---@field weight integer elements of all lists, beyond what they have to hold; spans within one of their label
---@field random? table nil: nothing is left to chance
local source = {}
source.__index = source

local function new(given, random)
    return setmetatable({
        count = 0, values = {}, lo = {}, hi = {}, origin = {}, is_size = {}, bytes = {}, lists = {}, spans = {},
        open = {}, strings = {},
        weight = 0, depth = 0, given = given, random = random,
    }, source)
end

--- Chooses by chance.
---@return echolot.choices.source
function M.random(random)
    return new({}, random)
end

--- Chooses as was chosen before; beyond that, and where it no longer fits, what is nearest.
---@param values integer[]
---@return echolot.choices.source
function M.replay(values)
    return new(values, nil)
end

--- Chooses the simplest everywhere; by chance from there on where `such_that` refuses that.
---@return echolot.choices.source
function M.simplest(random)
    local self = new({}, nil)
    self.fallback = random
    return self
end

local function usage(text, ...)
    error(core.error.new { kind = "usage", op = "gen", message = text:format(...) }, 0)
end

--- How far `value` is from `origin`, as an unsigned number.
local function distance(value, origin)
    return value < origin and origin - value or value - origin
end

M.distance = distance

--- A whole number from `lo` to `hi`. Where it is left to chance, `pick(random)` says which.
---@param lo integer
---@param hi integer
---@param origin integer the simplest
---@param pick? fun(random: table, source: echolot.choices.source): integer
---@return integer
function source:draw(lo, hi, origin, pick)
    local at = self.count + 1
    if at > CHOICES_MAX then
        usage("a value takes more than %d choices", CHOICES_MAX)
    end
    local value = self.given[at]
    if value then
        value = value < lo and lo or value > hi and hi or value
    elseif not self.random then
        value = origin
    elseif pick then
        value = pick(self.random, self)
    else
        value = self.random:between(lo, hi)
    end
    self.count = at
    self.values[at], self.lo[at], self.hi[at], self.origin[at] = value, lo, hi, origin
    return value
end

--- Which of `count` branches, the first the simplest.
---@param count integer
---@param pick? fun(random: table): integer
---@return integer
function source:branch(count, pick)
    if self.depth > DEPTH_GREAT or self.count > CHOICES_MANY then
        pick = function() return 1 end
    end
    return self:draw(1, count, 1, pick)
end

--- What `draw(source)` makes, noted as a whole, which may stand in for another with the same label.
---@param label any
---@param draw fun(self: echolot.choices.source): any
---@return any
function source:span(label, draw)
    if self.depth >= DEPTH_MAX then
        usage("generators are nested more than %d deep", DEPTH_MAX)
    end
    local span = { label = label, first = self.count + 1 }
    self.spans[#self.spans + 1] = span
    local open = self.open[label] or 0
    if open > 0 then
        self.weight = self.weight + 1
    end
    self.open[label], self.depth = open + 1, self.depth + 1
    local value = draw(self)
    self.open[label], self.depth = open, self.depth - 1
    span.stop = self.count + 1
    return value
end

-- The choice of how many elements a list holds.
local function draw_size(self, min, max, pick)
    if self.count > CHOICES_MANY then
        pick = function() return min end
    end
    local size = self:draw(min, max, min, pick)
    local list = { size = self.count, min = min }
    self.is_size[self.count] = true
    self.lists[#self.lists + 1] = list
    self.weight = self.weight + size - min
    return size, list
end

--- A list, each element made by `draw(source)`.
---@param min integer
---@param max integer
---@param pick fun(random: table): integer how many
---@param draw fun(self: echolot.choices.source): any
---@return any[]
function source:list(min, max, pick, draw)
    local size, list = draw_size(self, min, max, pick)
    local starts, elements = {}, {}
    for i = 1, size do
        starts[i] = self.count + 1
        elements[i] = draw(self)
    end
    list.starts, list.stop = starts, self.count + 1
    return elements
end

-- Bugs like to wait for the same string twice, which chance alone would hardly give.
local REUSED_OF = 12
local KEPT_MAX = 16

local function compose_or_reuse(self, min, max, last, compose)
    if not self.random then
        return {}
    end
    local kept = self.strings[last] or {}
    self.strings[last] = kept
    if #kept > 0 and self.random:chance(1, REUSED_OF) then
        local numbers = self.random:pick(kept)
        if #numbers >= min and #numbers <= max then
            return numbers
        end
    end
    local numbers = compose(self.random)
    kept[#kept < KEPT_MAX and #kept + 1 or self.random:between(1, KEPT_MAX)] = numbers
    return numbers
end

--- A number that was chosen before, or its neighbour, between `lo` and `hi`; nil where a look at one finds none.
---@param lo integer
---@param hi integer
---@return integer?
function source:earlier(lo, hi)
    if self.count > 0 and self.random:chance(1, REUSED_OF) then
        local value = self.values[self.random:between(1, self.count)] + self.random:pick { 0, 0, 0, -1, 1 }
        return value >= lo and value <= hi and value or nil
    end
end

--- A list of whole numbers from 0 to `last`, 0 the simplest, each one choice: the characters of a string. Where
--- it is left to chance, `compose(random)` gives the whole list. `width` says what a number counts for in the
--- list's weight, where that is not 1.
---@param min integer
---@param max integer
---@param last integer
---@param compose fun(random: table): integer[]
---@param width? fun(number: integer): integer
---@return integer[]
function source:numbers(min, max, last, compose, width)
    local composed = compose_or_reuse(self, min, max, last, compose)
    local size, list = draw_size(self, min, max, function() return #composed end)
    local at, given = self.count, self.given
    if at + size > CHOICES_MAX then
        usage("a value takes more than %d choices", CHOICES_MAX)
    end
    local values, lo, hi, origin, numbers, bytes = self.values, self.lo, self.hi, self.origin, {}, 0
    for i = 1, size do -- as `draw` does it, which would take most of the time of long strings
        at = at + 1
        local value = given[at] or composed[i] or 0
        value = value < 0 and 0 or value > last and last or value
        values[at], lo[at], hi[at], origin[at], numbers[i] = value, 0, last, 0, value
        bytes = width and bytes + width(value)
    end
    self.count = at
    if width then
        self.bytes[list.size] = bytes
        self.weight = self.weight + bytes - size
    end
    list.stop, list.width = self.count + 1, width
    return numbers
end

--- A place to go back to.
function source:mark()
    return { count = self.count, lists = #self.lists, spans = #self.spans, weight = self.weight }
end

--- Forgets what was chosen since the mark, to choose anew. False where nothing would come out differently.
---@return boolean
function source:retry(mark)
    self.random = self.random or self.fallback
    if not self.random then
        return false
    end
    for at = self.count, mark.count + 1, -1 do
        self.values[at], self.is_size[at], self.bytes[at] = nil, nil, nil
    end
    for i = #self.lists, mark.lists + 1, -1 do
        self.lists[i] = nil
    end
    for i = #self.spans, mark.spans + 1, -1 do
        self.spans[i] = nil
    end
    self.count, self.weight = mark.count, mark.weight
    return true
end

--- How far a choice is from its origin; of the size of a text, its bytes.
---@return integer unsigned
function source:distance(at)
    return self.bytes[at] or distance(self.values[at], self.origin[at])
end

--- How many elements a list holds.
---@param list echolot.choices.list
---@return integer
function source:size(list)
    return self.values[list.size]
end

--- The first choice of the list's element `i`; of the one behind the last, where the list stops.
---@param list echolot.choices.list
---@param i integer
---@return integer
function source:element(list, i)
    if i > self.values[list.size] then
        return list.stop
    end
    return list.starts and list.starts[i] or list.size + i
end

--- Whether this source is smaller than the other one.
---@param other echolot.choices.source
---@return boolean
function source:is_less(other)
    if self.weight ~= other.weight then
        return self.weight < other.weight
    end
    for at = 1, math.min(self.count, other.count) do
        local mine, theirs = self:distance(at), other:distance(at)
        if mine ~= theirs then
            return ult(mine, theirs)
        elseif self.values[at] ~= other.values[at] then
            return self.values[at] > other.values[at] -- as far, but above the origin
        end
    end
    return self.count < other.count
end

--- A number that tells its choices from others.
---@return integer
function source:hash()
    local hash = 0xcbf29ce484222325
    for at = 1, self.count do
        hash = (hash ~ self.values[at]) * 0x100000001b3
        hash = hash ~ hash >> 29
    end
    return hash
end

return M
