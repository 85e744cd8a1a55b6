--- Lists of arguments or results, nils among them: kept, compared with what is expected, printed.
local argument_matcher = require "echolot.busted.argument_matcher"
local deep = require "echolot.deep"
local inspect = require "echolot.inspect"
local state = require "echolot.busted.state"

local M = {}

local concat = table.concat
local next, pcall, rawequal, select = next, pcall, rawequal, select
local setmetatable, tostring, type = setmetatable, tostring, type
local debug_setmetatable, getmetatable = debug.setmetatable, debug.getmetatable

--- A list with its length, as functions get it that are registered as assertions.
---@class echolot.busted.list
---@field n integer
---@field [integer] any

local list_metatable = { __name = "echolot.arguments" }

---@return echolot.busted.list
function M.pack(...)
    return setmetatable({ n = select("#", ...), ... }, list_metatable)
end

---@param value any
---@return boolean
function M.is_list(value)
    return getmetatable(value) == list_metatable
end

-- The kinds of objects that stand for themselves, by their metatables.
local whole = { [argument_matcher.metatable] = true }

--- Objects with this metatable are never copied.
---@param metatable table
function M.keep_whole(metatable)
    whole[metatable] = true
end

---@param value any
---@return boolean
local function is_copied(value)
    if type(value) ~= "table" then
        return false
    end
    local metatable = getmetatable(value)
    -- A copy that is finalized would release what the original still holds.
    return not (metatable and (whole[metatable] or type(metatable) == "table" and metatable.__gc))
end

--- A copy of all tables in a value, their metatables shared. With a list of its own of what is to be done, since the
--- nesting may be deeper than Lua's.
---@param value any
---@return any
function M.copy(value)
    if not is_copied(value) then
        return value
    end
    local copies, todo, count = { [value] = {} }, { value }, 1
    while count > 0 do
        local original = todo[count]
        todo[count], count = nil, count - 1
        local copy = copies[original]
        for key, field in next, original do
            if is_copied(field) and not copies[field] then
                copies[field] = {}
                count = count + 1
                todo[count] = field
            end
            copy[key] = copies[field] or field
        end
        debug_setmetatable(copy, getmetatable(original))
    end
    return copies[value]
end

--- What is kept of a call: copies as things stood then, and the very values.
---@class echolot.busted.record
---@field vals echolot.busted.list
---@field refs echolot.busted.list

---@return echolot.busted.record
function M.record(...)
    local refs = M.pack(...)
    local vals = M.pack(...)
    for index = 1, vals.n do
        vals[index] = M.copy(vals[index])
    end
    return { vals = vals, refs = refs }
end

---@param record echolot.busted.record
---@param expected echolot.busted.list
---@param index integer
---@return boolean
local function fits(record, expected, index)
    local wanted, value = expected[index], record.vals[index]
    if argument_matcher.is(wanted) then
        return wanted(wanted.by_reference and record.refs[index] or value)
    elseif deep.has_common_eq(wanted, value) then
        return wanted == value
    end
    return deep.equal(wanted, value)
end

--- True if the arguments are the expected ones: as many, and each equal by content or taken by its matcher.
---@param record echolot.busted.record
---@param expected echolot.busted.list
---@return boolean
function M.match(record, expected)
    if record.vals.n ~= (expected.n or #expected) then
        return false
    end
    for index = 1, record.vals.n do
        if not fits(record, expected, index) then
            return false
        end
    end
    return true
end

--- The newest of the records that match.
---@param records echolot.busted.record[]
---@param expected echolot.busted.list
---@return echolot.busted.record?
---@return integer? index
function M.find(records, expected)
    for index = #records, 1, -1 do
        if M.match(records[index], expected) then
            return records[index], index
        end
    end
end

local NEWEST = 100 -- records that are looked at for the one that comes nearest

--- Of the newest records the one with the fewest arguments that do not fit.
---@param records echolot.busted.record[]
---@param expected echolot.busted.list
---@return integer? index
---@return integer? argument the first that does not fit
function M.nearest(records, expected)
    local best, best_argument, fewest
    for index = #records, #records - NEWEST > 0 and #records - NEWEST or 1, -1 do
        local record, misses, argument = records[index], 0, nil
        local count = record.vals.n > expected.n and record.vals.n or expected.n
        for position = 1, count do
            local ok, fit = pcall(fits, record, expected, position)
            if position > record.vals.n or position > expected.n or not (ok and fit) then
                misses, argument = misses + 1, argument or position
            end
        end
        if not fewest or misses < fewest then
            best, best_argument, fewest = index, argument, misses
        end
    end
    return best, best_argument
end

--- True if an expected table was in the call, and was changed since.
---@param record echolot.busted.record
---@param expected echolot.busted.list
---@param index integer
---@return boolean
function M.was_changed(record, expected, index)
    return type(expected[index]) == "table" and rawequal(expected[index], record.refs[index])
end

--- One value; a formatter that the script has registered is asked first.
---@param value any
---@param length? integer bytes
---@return string
function M.show_value(value, length)
    local text = state.format(value) or argument_matcher.is(value) and tostring(value) or nil
    return text or inspect.value(value, { max_length = length or 60, max_depth = 4 })
end

local SHOWN = 10 -- arguments of one call

---@param list echolot.busted.list
---@param length? integer bytes of each
---@return string
function M.show(list, length)
    local parts = {}
    for index = 1, list.n < SHOWN and list.n or SHOWN do
        parts[index] = M.show_value(list[index], length)
    end
    if list.n > SHOWN then
        parts[SHOWN + 1] = "..." .. list.n - SHOWN .. " more"
    end
    return "(" .. concat(parts, ", ") .. ")"
end

return M
