--- Which whole numbers are tried: any, but more often those at which programs go wrong.
local M = {}

local ult = math.ult

--- The simplest number of a range: 0, or the bound that is nearest to it.
---@param lo integer
---@param hi integer
---@return integer
function M.origin(lo, hi)
    return lo > 0 and lo or hi < 0 and hi or 0
end

-- Bounds, the origin, and their neighbours.
local function edge(random, lo, hi, origin)
    local step = random:between(-1, 1)
    local at = random:pick { lo, hi, origin }
    if at == lo and step < 0 or at == hi and step > 0 then
        return at
    end
    return at + step
end

-- So many bits as any other: 7 comes up as often as some number near a million. Also the powers of two and
-- their neighbours. nil where it lies beyond the range.
local function sized(random, lo, hi, origin)
    local bits = random:between(0, 62)
    local magnitude = 1 << bits
    if random:chance(3, 4) then
        magnitude = random:between(magnitude // 2, magnitude)
    else
        magnitude = magnitude + random:between(-1, 1)
    end
    local up, down = hi - origin, origin - lo -- unsigned
    if random:chance(1, 2) and not ult(up, magnitude) then
        return origin + magnitude
    end
    return not ult(down, magnitude) and origin - magnitude or not ult(up, magnitude) and origin + magnitude or nil
end

--- One of a range by chance.
---@param random table
---@param lo integer
---@param hi integer
---@param origin integer
---@return integer
function M.pick(random, lo, hi, origin)
    if not ult(hi - lo, 16) then
        local kind = random:between(1, 8)
        if kind == 1 then
            return edge(random, lo, hi, origin)
        elseif kind <= 4 then
            for _ = 1, 8 do
                local value = sized(random, lo, hi, origin)
                if value then
                    return value
                end
            end
        end
    end
    return random:between(lo, hi)
end

-- Sizes at which buffers end.
local BOUNDARIES = {
    16, 31, 32, 33, 63, 64, 65, 80, 100, 127, 128, 129, 254, 255, 256, 257, 511, 512, 513, 998, 1000, 1022, 1023,
    1024, 1025, 2047, 2048, 2049, 4095, 4096, 4097, 8191, 8192, 65535, 65536,
}

--- How long a string is, by chance: few bytes mostly, but nearly every other time one that may be too long for
--- somebody.
---@param random table
---@param min integer
---@param max integer
---@return integer
function M.length(random, min, max)
    local kind = random:between(1, 16)
    local length
    if kind <= 2 then
        length = min + kind - 1
    elseif kind <= 8 then
        length = min + random:between(0, 20)
    elseif kind <= 11 then
        length = random:pick(BOUNDARIES)
    elseif kind == 12 then
        length = max - random:between(0, 1)
    else -- of each order of magnitude as many
        local bits = 0
        while 1 << bits < max - min and bits < 62 do
            bits = bits + 1
        end
        length = min + random:between(0, 1 << random:between(0, bits))
    end
    return length >= min and length <= max and length or random:between(min, math.min(max, min + 20))
end

--- How many elements a list has, by chance.
---@param random table
---@param min integer
---@param max integer
---@return integer
function M.count(random, min, max)
    local kind = random:between(1, 8)
    if kind == 1 then
        return random:pick { min, max }
    elseif kind <= 6 then
        return random:between(min, math.min(max, min + 6))
    end
    return random:between(min, max)
end

return M
