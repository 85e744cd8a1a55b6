--- Mocks: tables all of whose functions are spies or stubs.
local spy = require "echolot.busted.spy"
local stub = require "echolot.busted.stub"

local M = {}

local next, setmetatable, type = next, setmetatable, type

--- Calls `each(table, key, value)` for every field of a table and of the tables in it, each table once.
---@param object table
---@param each fun(table: table, key: any, value: any)
local function walk(object, each)
    local seen, todo, count = { [object] = true }, { object }, 1
    while count > 0 do
        local current = todo[count]
        todo[count], count = nil, count - 1
        for key, value in next, current do
            each(current, key, value)
            if type(value) == "table" and not spy.is_spy(value) and not seen[value] then
                seen[value] = true
                count = count + 1
                todo[count] = value
            end
        end
    end
end

--- Puts spies, or with `is_stubbed` stubs, in the place of all functions in a table and the tables in it. `answer` is
--- what the stubs call or return.
---@param object any
---@param is_stubbed? boolean
---@param answer? any
---@return any object
function M.new(object, is_stubbed, answer)
    if type(object) == "function" then
        return spy.new(object)
    elseif type(object) ~= "table" or spy.is_spy(object) then
        return object
    end
    walk(object, function(current, key, value)
        if type(value) ~= "function" then
            return
        elseif is_stubbed then
            stub.new(current, key, answer)
        else
            spy.on(current, key)
        end
    end)
    return object
end

---@param object any
---@param method "clear"|"revert"
---@return any
local function apply(object, method)
    if spy.is_spy(object) then
        return object[method](object)
    elseif type(object) == "table" then
        walk(object, function(_, _, value)
            if spy.is_spy(value) then
                value[method](value)
            end
        end)
        return object
    end
end

--- Forgets all calls.
---@param object any
---@return any object
function M.clear(object)
    return apply(object, "clear")
end

--- Puts all functions back.
---@param object any
---@return any object
function M.revert(object)
    return apply(object, "revert")
end

return setmetatable(M, {
    __call = function(_, ...)
        return M.new(...)
    end,
})
