--- What strings are made of. A character is a number, 0 the simplest: the order of characters is that in which
--- a person would rather read them.
local M = {}

local SIMPLE = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

-- Bytes at which programs go wrong: ends of strings, escapes, separators, what looks like a sign, halves of UTF-8.
local AWKWARD = "\0\1\4\7\8\t\v\f\26\27 \"'`\\%$&;<>-\127\128\191\192\193\194\224\237\240\244\245\254\255\255\255\0\0\127"

-- Characters likewise: of each length in UTF-8 the first and last, blanks, marks that join or turn, what has
-- another length in capitals.
local AWKWARD_CHARACTERS = {
    0, 9, 10, 13, 27, 32, 34, 39, 92, 0x7f, 0x80, 0x85, 0xa0, 0xad, 0xdf, 0xff, 0x130, 0x131, 0x300, 0x7ff, 0x800,
    0x200b, 0x200d, 0x2028, 0x202e, 0xd7ff, 0xe000, 0xfeff, 0xfffd, 0xffff, 0x10000, 0x1f600, 0x10ffff,
}

-- Scripts of the world, first and last character.
local SCRIPTS = {
    { 0x20, 0x7e }, { 0xc0, 0x17f }, { 0x391, 0x3c9 }, { 0x410, 0x44f }, { 0x5d0, 0x5ea }, { 0x627, 0x64a },
    { 0x905, 0x939 }, { 0x3041, 0x3096 }, { 0x4e00, 0x9fff }, { 0xac00, 0xd7a3 }, { 0x1f300, 0x1f64f },
}

--- Of a set of bytes: which one each number means, and back.
---@class echolot.gen.alphabet
---@field last integer the greatest number
---@field decode fun(number: integer): string
---@field compose fun(random: table, length: integer): integer[]
---@field width? fun(number: integer): integer bytes of one, where not 1

-- All 256 bytes, the readable first.
local function byte_order()
    local order, seen = {}, {}
    local function add(byte)
        if not seen[byte] then
            seen[byte] = true
            order[#order + 1] = byte
        end
    end
    for at = 1, #SIMPLE do
        add(SIMPLE:byte(at))
    end
    for byte = 0x20, 0x7e do
        add(byte)
    end
    for byte = 0, 0xff do
        add(byte)
    end
    return order
end

local function bytes_of(random, length, bytes)
    local out = {}
    for i = 1, length do
        out[i] = bytes:byte(random:between(1, #bytes))
    end
    return out
end

local function any_of(random, length, first, last)
    local out = {}
    for i = 1, length do
        out[i] = random:between(first, last)
    end
    return out
end

local function script(random)
    local bounds = random:pick(SCRIPTS)
    return random:between(bounds[1], bounds[2])
end

-- UTF-8 of that many bytes; now and then its last character is cut.
local function utf8_bytes(random, length)
    local out = {}
    local may_cut = random:chance(1, 4)
    while #out < length do
        local character = utf8.char(script(random))
        if #out + #character > length and not may_cut then
            character = "a"
        end
        for i = 1, math.min(#character, length - #out) do
            out[#out + 1] = character:byte(i)
        end
    end
    return out
end

-- What the bytes of a string have in common, by chance.
local BYTE_STYLES = {
    function(random, length) return bytes_of(random, length, SIMPLE) end,
    function(random, length) return any_of(random, length, 0x20, 0x7e) end,
    function(random, length) return any_of(random, length, 0, 0xff) end,
    function(random, length) return any_of(random, length, 0, 0xff) end,
    function(random, length) return bytes_of(random, length, AWKWARD) end,
    function(random, length) return bytes_of(random, length, SIMPLE .. AWKWARD) end,
    function(random, length) return bytes_of(random, length, string.char(random:between(0, 0xff))) end,
    utf8_bytes,
}

-- Now and then something stands out: at the ends, or anywhere.
local function disturb(random, list, odd)
    if #list == 0 then
        return
    end
    for _, at in ipairs { 1, #list } do
        if random:chance(1, 4) then
            list[at] = random:chance(3, 4) and 0x20 or 0x09
        end
    end
    if random:chance(1, 3) then
        list[random:between(1, #list)] = odd(random)
    end
end

--- Bytes, but for some.
---@param without table<integer, boolean>
---@return echolot.gen.alphabet
function M.bytes(without)
    local chars, numbers = {}, {}
    for _, byte in ipairs(byte_order()) do
        if not without[byte] then
            numbers[byte] = #chars
            chars[#chars + 1] = string.char(byte)
        end
    end
    local function odd(random)
        return AWKWARD:byte(random:between(1, #AWKWARD))
    end
    return {
        last = #chars - 1,
        decode = function(number) return chars[number + 1] end,
        compose = function(random, length)
            local list = random:pick(BYTE_STYLES)(random, length)
            disturb(random, list, odd)
            for i = 1, #list do
                list[i] = numbers[list[i]] or 0
            end
            return list
        end,
    }
end

local CHARACTER_STYLES = {
    function(random, length) return bytes_of(random, length, SIMPLE) end,
    function(random, length) return any_of(random, length, 0, 0x7f) end,
    function(random, length)
        local bounds = random:pick(SCRIPTS)
        return any_of(random, length, bounds[1], bounds[2])
    end,
    function(random, length)
        local out = {}
        for i = 1, length do
            out[i] = random:chance(1, 3) and random:pick(AWKWARD_CHARACTERS) or script(random)
        end
        return out
    end,
    function(random, length) return any_of(random, length, 0, 0x10ffff) end,
}

-- Surrogates are no characters: those above stand in their places.
local SURROGATES, SURROGATE_COUNT = 0xd800, 0x800

-- The first characters in the order of the simplest; behind them their code tells the order. Of each length in
-- UTF-8 the first is one that can be seen.
local LETTERS, ORDERED = 0xe0, 0x180

local function character_order()
    local order = {}
    for _, byte in ipairs(byte_order()) do
        if byte < 0x80 then
            order[#order + 1] = byte
        end
    end
    for offset = 0, ORDERED - 0x80 - 1 do
        order[#order + 1] = 0x80 + (LETTERS - 0x80 + offset) % (ORDERED - 0x80)
    end
    return order
end

local function utf8_width(number)
    local code = number < SURROGATES and number or number + SURROGATE_COUNT
    return code < 0x80 and 1 or code < 0x800 and 2 or code < 0x10000 and 3 or 4
end

--- Characters of Unicode.
---@return echolot.gen.alphabet
function M.characters()
    local order, numbers = character_order(), {}
    for i, code in ipairs(order) do
        numbers[code] = i - 1
    end
    local function number_of(code)
        if code >= SURROGATES + SURROGATE_COUNT then
            return code - SURROGATE_COUNT
        end
        return numbers[code] or code < SURROGATES and code or 0
    end
    local function odd(random)
        return random:pick(AWKWARD_CHARACTERS)
    end
    return {
        last = 0x10ffff - SURROGATE_COUNT,
        width = utf8_width,
        decode = function(number)
            return utf8.char(order[number + 1] or number < SURROGATES and number or number + SURROGATE_COUNT)
        end,
        compose = function(random, length)
            local list = random:pick(CHARACTER_STYLES)(random, length)
            disturb(random, list, odd)
            for i = 1, #list do
                list[i] = number_of(list[i])
            end
            return list
        end,
    }
end

return M
