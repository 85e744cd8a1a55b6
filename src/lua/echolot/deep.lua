--- Equality by content, as busted's `same` understands it.
local M = {}

local next, rawequal, rawget, type = next, rawequal, rawget, type
local getmetatable = debug.getmetatable

--- True if both tables leave the question of their equality to one metatable.
---@param a table
---@param b table
---@return boolean
function M.has_common_eq(a, b)
    local metatable = getmetatable(a)
    return type(metatable) == "table" and metatable == getmetatable(b) and rawget(metatable, "__eq") ~= nil
end

local has_common_eq = M.has_common_eq

--- What is still to be compared: pairs of tables on a stack of our own, since the nesting may be deeper than Lua's.
---@class echolot.deep.work
---@field count integer
---@field seen table<table, table<table, boolean>> pairs that are compared already or will be

---@param work echolot.deep.work
---@param a table
---@param b table
local function push(work, a, b)
    local partners = work.seen[a]
    if not partners then
        partners = {}
        work.seen[a] = partners
    elseif partners[b] then
        -- Met before, in a cycle or a shared part. Taking it as equal is sound: any difference ends the comparison.
        return
    end
    partners[b] = true
    local count = work.count
    work[count + 1], work[count + 2] = a, b
    work.count = count + 2
end

---@param work echolot.deep.work
---@param a any
---@param b any
---@return boolean
local function equal_field(work, a, b)
    if rawequal(a, b) then
        return true
    elseif type(a) ~= "table" or type(b) ~= "table" or has_common_eq(a, b) then
        return a == b
    end
    push(work, a, b)
    return true
end

---@param work echolot.deep.work
---@param a table
---@param b table
---@return boolean
local function equal_fields(work, a, b)
    for key, value in next, a do
        local other = rawget(b, key)
        if other == nil or not equal_field(work, value, other) then
            return false
        end
    end
    for key in next, b do
        if rawget(a, key) == nil then
            return false
        end
    end
    return true
end

--- True if the two have the same content. Leaves compare as `==` does (1 and 1.0 are equal, nan equals nothing).
--- Tables compare by their raw fields, whatever their metatables; inside them, tables that share a metatable with
--- `__eq` are asked instead. Cycles are followed once. An error in an `__eq` goes through to the caller.
---@param a any
---@param b any
---@return boolean
function M.equal(a, b)
    if rawequal(a, b) then
        return true
    elseif type(a) ~= "table" or type(b) ~= "table" then
        return a == b
    end
    local work = { count = 0, seen = {} }
    push(work, a, b)
    while work.count > 0 do
        local count = work.count
        local left, right = work[count - 1], work[count]
        work[count - 1], work[count] = nil, nil
        work.count = count - 2
        if not equal_fields(work, left, right) then
            return false
        end
    end
    return true
end

return M
