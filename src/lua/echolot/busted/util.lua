--- `luassert.util`: what assertions that scripts register may lean on.
local arguments = require "echolot.busted.arguments"
local deep = require "echolot.deep"
local inspect = require "echolot.inspect"
local registry = require "echolot.busted.registry"

local M = {}

local next, select, type = next, select, type
local unpack = table.unpack
local debug_setmetatable, getmetatable = debug.setmetatable, debug.getmetatable

M.deepcopy = arguments.copy
M.make_arglist = arguments.pack
M.is_arglist = arguments.is_list
M.callable = registry.is_callable

---@return table packed with its length as `n`
function M.pack(...)
    return { n = select("#", ...), ... }
end

---@param list table
---@param first? integer
---@param last? integer
---@return any ...
function M.unpack(list, first, last)
    return unpack(list, first or 1, last or list.n or #list)
end

--- Whether two values have the same content. Tables that share a metatable with `__eq` are asked, unless that is to be
--- ignored.
---@param one any
---@param other any
---@param ignores_eq? boolean for these two, not for those in them
---@return boolean
function M.deepcompare(one, other, ignores_eq)
    if not ignores_eq and deep.has_common_eq(one, other) then
        return one == other
    end
    return deep.equal(one, other)
end

---@param value any
---@return any
function M.shallowcopy(value)
    if type(value) ~= "table" then
        return value
    end
    local copy = {}
    for key, field in next, value do
        copy[key] = field
    end
    return debug_setmetatable(copy, getmetatable(value))
end

---@param value any
---@return boolean
function M.hastostring(value)
    return type(value) == "string" or inspect.has_tostring(value)
end

--- table.insert for lists with nils in them; the length is `n`.
---@param list table
function M.tinsert(list, ...)
    local position, value = ...
    local length = list.n or #list
    if select("#", ...) < 2 then
        position, value = length + 1, position
    end
    for index = length, position, -1 do
        list[index + 1] = list[index]
    end
    list[position] = value
    list.n = position > length and position or length + 1
end

--- table.remove for lists with nils in them; the length is `n`.
---@param list table
---@param position? integer
---@return any removed
function M.tremove(list, position)
    local length = list.n or #list
    position = position or length
    local removed = list[position]
    list.n = length
    if position > length then
        list[position] = nil
        return removed
    end
    for index = position, length do
        list[index] = list[index + 1]
    end
    list[length], list.n = nil, length - 1
    return removed
end

--- The level of the script's place, for `error`.
---@return integer
function M.errorlevel()
    return registry.level_of_script(2)
end

return M
