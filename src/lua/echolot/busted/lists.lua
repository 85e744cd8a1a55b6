--- Assertions about lists: of arguments, and with holes.
local inspect = require "echolot.inspect"

local M = {}

local format = string.format
local next, select, type = next, select, type
local math_type, pack, tointeger = math.type, table.pack, math.tointeger

--- The greatest whole number among the keys.
---@param list any
---@return integer
local function length_of(list)
    local length = 0
    for key in next, list do
        if math_type(key) and tointeger(key) and key > length then
            length = tointeger(key)
        end
    end
    return length
end

--- The first position without a value. Past the last key there is none, so that no more is looked at than is there.
---@param list any
---@param length integer
---@return integer?
local function find_hole(list, length)
    for index = 1, length do
        if list[index] == nil then
            return index
        end
    end
end

M.holes = {
    required = 0,
    signature = "[length]",
    spelling = "has_holes",
    subject = {
        field = "array",
        check = function(list)
            return type(list) ~= "table" and "say of which list: assert.array(t)" or nil
        end,
    },
    message_from = 2,
    test = function(list, length)
        if length ~= nil and not tointeger(length) then
            return nil, nil, "the length must be a whole number, got " .. inspect.value(length)
        end
        local hole = find_hole(list, length and tointeger(length) or length_of(list))
        return hole ~= nil, pack(hole)
    end,
    explain = function(negated, results, list)
        local shown = inspect.value(list, { max_length = 200 })
        if negated then
            return {
                summary = format("expected no holes, but [%d] is nil in %s", results[1], shown),
                expected = "no holes", actual = shown,
            }
        end
        return { summary = "expected holes, got none in " .. shown, expected = "holes", actual = shown }
    end,
}

M.returned_arguments = {
    required = 1,
    signature = "count, ...",
    spelling = "returned_arguments",
    takes_all = true,
    test = function(count, ...)
        return select("#", ...) == count
    end,
    explain = function(negated, _, count, ...)
        local wanted = format("%s%s values", negated and "not " or "", inspect.value(count))
        return {
            summary = format("expected %s, got %d", wanted, select("#", ...)),
            expected = wanted, actual = format("%d values", select("#", ...)),
        }
    end,
}

return M
