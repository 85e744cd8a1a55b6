--- Which items of two lists belong together, so that an item that was put in or taken out is told as such, and does
--- not make all that come after it differ.
---
--- Items may be what a hostile peer sent: all work is bounded, and where it would be too much there is no answer.
local align = require "echolot.diff.align"
local deep = require "echolot.deep"
local inspect = require "echolot.inspect"

local M = {}

local next, pcall, rawequal, rawget, rawlen, type = next, pcall, rawequal, rawget, rawlen, type
local min = math.min

-- Items between the first and the last that differ; tables that print alike and are compared with each other; fields
-- of two tables that are looked at to see whether they are the same one, changed.
local MIDDLE = 128
local ALIKE = 8
local FIELDS = 32
local COMPARED = 10000

---@param a any
---@param b any
---@return boolean
local function equal(a, b)
    if rawequal(a, b) then
        return true
    end
    local ok, same = pcall(deep.equal, a, b)
    return ok and same
end

--- Gives items that are equal the same number.
---@param list table
---@param first integer
---@param last integer
---@param known table<string, {[1]: any, [2]: integer}[]>
---@param state {count: integer}
---@return integer[]
local function number_items(list, first, last, known, state)
    local out = {}
    for index = first, last do
        local item = rawget(list, index)
        -- 1 and 1.0 are equal, and print unlike.
        local printed = type(item) == "number" and item + 0.0 or item
        local key = inspect.value(printed, { max_length = 200, max_string = 200, max_depth = 3 })
        local alike = known[key] or {}
        known[key] = alike
        local number
        for at = 1, min(#alike, ALIKE) do
            if not number and equal(alike[at][1], item) then
                number = alike[at][2]
            end
        end
        if not number then
            state.count = state.count + 1
            number = state.count
            alike[#alike + 1] = { item, number }
        end
        out[#out + 1] = number
    end
    return out
end

--- Whether two items are likely the same one, changed: tables half of whose fields are equal.
---@param a any
---@param b any
---@return boolean
local function resembles(a, b)
    if type(a) ~= "table" or type(b) ~= "table" then
        return false
    end
    local same, all = 0, 0
    for key, value in next, a do
        all = all + 1
        if all > FIELDS then
            break
        end
        local other = rawget(b, key)
        if other ~= nil and type(value) ~= "table" and rawequal(value, other) then
            same = same + 1
        end
    end
    return same > 0 and same * 2 >= all
end

--- Two items that belong together, or one that the other list lacks.
---@class echolot.diff.list.pair
---@field i? integer place in the expected list
---@field j? integer place in the actual one

---@param pairs_found echolot.diff.list.pair[]
---@param removed integer[]
---@param added integer[]
---@param expected table
---@param actual table
local function add_stretch(pairs_found, removed, added, expected, actual)
    if #removed == #added then
        for at = 1, #removed do
            pairs_found[#pairs_found + 1] = { i = removed[at], j = added[at] }
        end
        return
    end
    local next_added = 1
    for _, i in next, removed do
        local partner
        for at = next_added, #added do
            if resembles(rawget(expected, i), rawget(actual, added[at])) then
                partner = at
                break
            end
        end
        for at = next_added, (partner or next_added) - 1 do
            pairs_found[#pairs_found + 1] = { j = added[at] }
        end
        pairs_found[#pairs_found + 1] = { i = i, j = partner and added[partner] }
        next_added = partner and partner + 1 or next_added
    end
    for at = next_added, #added do
        pairs_found[#pairs_found + 1] = { j = added[at] }
    end
end

--- Pairs the items of two lists that are not equal, in order. nil where place by place says as much, or where it
--- would be too much work.
---@param expected table
---@param actual table
---@return echolot.diff.list.pair[]?
function M.pairs(expected, actual)
    local size, other_size = rawlen(expected), rawlen(actual)
    if size == 0 or other_size == 0 or size == 1 and other_size == 1 or size + other_size > COMPARED then
        return nil
    end
    local first = 1
    while first <= size and first <= other_size and equal(rawget(expected, first), rawget(actual, first)) do
        first = first + 1
    end
    local last, other_last = size, other_size
    while last >= first and other_last >= first and equal(rawget(expected, last), rawget(actual, other_last)) do
        last, other_last = last - 1, other_last - 1
    end
    if last - first >= MIDDLE or other_last - first >= MIDDLE then
        return nil
    end
    local known, state = {}, { count = 0 }
    local steps = align.steps(number_items(expected, first, last, known, state),
        number_items(actual, first, other_last, known, state))
    local found, removed, added = {}, {}, {}
    for _, step in next, steps do
        if step.mark == " " then
            add_stretch(found, removed, added, expected, actual)
            removed, added = {}, {}
        elseif step.mark == "-" then
            removed[#removed + 1] = step.i + first - 1
        else
            added[#added + 1] = step.j + first - 1
        end
    end
    add_stretch(found, removed, added, expected, actual)
    return found
end

return M
