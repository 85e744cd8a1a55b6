--- Spies: callable tables that keep the arguments and results of each call, and call on.
local arguments = require "echolot.busted.arguments"
local misuse = require "echolot.busted.misuse"
local state = require "echolot.busted.state"

local M = {}

local rawget, rawset, setmetatable, type = rawget, rawset, setmetatable, type
local getmetatable = debug.getmetatable

---@class echolot.busted.spy
---@field calls echolot.busted.record[] arguments, in the order of the calls
---@field returnvals echolot.busted.record[] results, in the order of the returns
---@field callback function what it calls
---@field target_table? table where it stands, if it was put somewhere
---@field target_key? any
---@field reverted? boolean
---@overload fun(...): ...
local methods = {}

--- Puts back what stood in its place. What it calls.
---@return function
function methods:revert()
    if not self.reverted and self.target_table ~= nil then
        self.target_table[self.target_key] = self.callback
        if self.is_inherited then
            rawset(self.target_table, self.target_key, nil)
        end
    end
    self.reverted = true
    return self.callback
end

--- Forgets all calls.
---@return echolot.busted.spy self
function methods:clear()
    self.calls, self.returnvals = {}, {}
    return self
end

--- Whether it was called; with `times`, whether so often, or as `compare(count, times)` says.
---@param times? integer
---@param compare? fun(count: integer, times: integer): boolean
---@return boolean
---@return integer count
function methods:called(times, compare)
    local count = #self.calls
    if compare then
        return compare(count, times), count
    elseif times then
        return count == times, count
    end
    return count > 0, count
end

---@param records echolot.busted.record[]
---@param expected echolot.busted.list
---@return boolean
---@return table? list what matched, or else the newest
local function find(records, expected)
    local found = arguments.find(records, expected)
    local newest = found or records[#records]
    return found ~= nil, newest and newest.vals
end

--- Whether one of the calls had these arguments.
function methods:called_with(expected)
    return find(self.calls, expected)
end

--- Whether one of the calls had these results.
function methods:returned_with(expected)
    return find(self.returnvals, expected)
end

local function keep_results(spy, ...)
    local records = spy.returnvals
    records[#records + 1] = arguments.record(...)
    return ...
end

local metatable = {
    __name = "echolot.spy",
    __index = methods,
    __call = function(self, ...)
        local calls = self.calls
        calls[#calls + 1] = arguments.record(...)
        return keep_results(self, self.callback(...))
    end,
}
arguments.keep_whole(metatable)

---@param value any
---@return boolean
local function is_callable(value)
    local own = getmetatable(value)
    return type(value) == "function" or type(own) == "table" and type(own.__call) == "function"
end

M.is_callable = is_callable

--- A spy of a function. Without one it takes calls and does nothing.
---@param callback? function or what can be called
---@return echolot.busted.spy
function M.new(callback)
    if callback == nil then
        callback = function() end
    elseif not is_callable(callback) then
        misuse.raise("spy", "a function is needed to spy on, got " .. type(callback))
    end
    local spy = setmetatable({ calls = {}, returnvals = {}, callback = callback }, metatable)
    state.add_spy(spy)
    return spy
end

--- Puts a spy in the place of a table's function, until it is reverted.
---@param target table
---@param key any
---@return echolot.busted.spy
function M.on(target, key)
    if type(target) ~= "table" then
        misuse.raise("spy.on", "a table is needed first, got " .. type(target))
    elseif target[key] ~= nil and not is_callable(target[key]) then
        misuse.raise("spy.on", "the table has no function there, but " .. type(target[key]))
    end
    local is_inherited = rawget(target, key) == nil
    local spy = M.new(target[key])
    target[key] = spy
    spy.target_table, spy.target_key = target, key
    spy.is_inherited = is_inherited and rawget(target, key) == spy
    return spy
end

---@param value any
---@return boolean
function M.is_spy(value)
    return type(value) == "table" and getmetatable(value) == metatable
end

return setmetatable(M, {
    __call = function(_, callback)
        return M.new(callback)
    end,
})
