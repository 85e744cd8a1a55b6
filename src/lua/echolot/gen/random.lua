--- Random numbers that a seed decides: the same on every machine, and apart from `math.random`, which
--- belongs to the scripts. The generator is xoshiro256**, its state filled by splitmix64 (Blackman and
--- Vigna, 2018).
local M = {}

local maxinteger, ult = math.maxinteger, math.ult

local random = {}
random.__index = random

local function rotate(x, k)
    return x << k | x >> (64 - k)
end

--- One step of splitmix64: what it gives, and the state after it.
---@param state integer
---@return integer output
---@return integer state
function M.splitmix(state)
    state = state + 0x9e3779b97f4a7c15
    local z = state
    z = (z ~ z >> 30) * 0xbf58476d1ce4e5b9
    z = (z ~ z >> 27) * 0x94d049bb133111eb
    return z ~ z >> 31, state
end

--- 64 bits that a seed and a name decide (FNV-1a, then mixed with the seed).
---@param seed integer
---@param name string
---@return integer
function M.key(seed, name)
    local hash = 0xcbf29ce484222325
    for at = 1, #name do
        hash = (hash ~ name:byte(at)) * 0x100000001b3
    end
    return (M.splitmix(M.splitmix(seed) ~ hash))
end

--- A generator. `stream` tells apart those of one seed.
---@param seed integer
---@param stream? integer
function M.new(seed, stream)
    local self, state = {}, M.splitmix(seed) ~ (stream or 0)
    for i = 1, 4 do
        self[i], state = M.splitmix(state)
    end
    return setmetatable(self, random)
end

--- 64 random bits.
---@return integer
function random:bits()
    local s1, s2, s3, s4 = self[1], self[2], self[3], self[4]
    local result = rotate(s2 * 5, 7) * 9
    s3, s4 = s3 ~ s1, s4 ~ s2
    self[1], self[2], self[3], self[4] = s1 ~ s4, s2 ~ s3, s3 ~ s2 << 17, rotate(s4, 45)
    return result
end

--- A whole number from `lo` to `hi`, each as likely as the others.
---@param lo integer
---@param hi integer
---@return integer
function random:between(lo, hi)
    local width = hi - lo -- unsigned
    if width == -1 then
        return self:bits()
    elseif width < 0 or width == maxinteger then
        local x
        repeat
            x = self:bits()
        until not ult(width, x)
        return lo + x
    end
    local count = width + 1
    local x, rest
    repeat -- the last, incomplete round of values would favour the small ones
        x = self:bits() >> 1
        rest = x % count
    until x - rest <= maxinteger - width
    return lo + rest
end

--- True `n` times of `of`.
---@param n integer
---@param of integer
---@return boolean
function random:chance(n, of)
    return self:between(1, of) <= n
end

--- One item of a list.
function random:pick(list)
    return list[self:between(1, #list)]
end

return M
