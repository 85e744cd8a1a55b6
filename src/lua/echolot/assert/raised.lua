--- Calls a function that may raise, and compares what it raised with what was expected.
local deep = require "echolot.deep"
local diff = require "echolot.diff"
local inspect = require "echolot.inspect"

local M = {}

local format, gsub, sub = string.format, string.gsub, string.sub
local next, pcall, tonumber, type, xpcall = next, pcall, tonumber, type, xpcall
local getmetatable, rawget, setmetatable = debug.getmetatable, rawget, setmetatable
local pack = table.pack
local getinfo = debug.getinfo

--- What a call came to. Its results stand at 1 to `n`.
---@class echolot.raised.outcome
---@field ok boolean
---@field n integer
---@field value? any what was raised
---@field text? string where that is a string: without the position in front

local LEVELS = 60 -- stack frames that are asked whether a message begins with their place

--- Marks what our handler made, so that no value of the script's is taken for it.
local Caught = {}

--- Takes the position off an error message. Only what the stack says was put there is taken for one, since a message
--- of a network's ("connect 127.0.0.1:80: refused") looks much the same.
---@param text string
---@return string
local function without_stack_position(text)
    for level = 2, LEVELS do
        local info = getinfo(level, "Sl")
        if not info then
            break
        end
        local position = format("%s:%d: ", info.short_src, info.currentline)
        if info.currentline > 0 and sub(text, 1, #position) == position then
            return sub(text, #position + 1)
        end
    end
    return text
end

--- The same for an error that was raised again after its stack was gone, by how Lua names its chunks.
---@param text string
---@return string
local function without_position(text)
    local count
    repeat
        local script, chunk
        text, script = gsub(text, "^[^%s:]+%.lua:%d+: ", "")
        text, chunk = gsub(text, '^%[string "[^\n]-"%]:%d+: ', "")
        count = script + chunk
    until count == 0
    return text
end

---@param value any
---@return table
local function handler(value)
    local caught = setmetatable({ value = value }, Caught)
    if type(value) == "string" then
        caught.text = without_position(without_stack_position(value))
    end
    return caught
end

---@param ok boolean
---@return echolot.raised.outcome
local function outcome_of(ok, ...)
    if ok then
        local outcome = pack(...)
        outcome.ok = true
        return outcome
    end
    local caught = ...
    if getmetatable(caught) ~= Caught then
        -- Out of memory, or no stack left for the handler: Lua's own message comes instead.
        caught = handler(caught)
    end
    return { ok = false, n = 0, value = caught.value, text = caught.text }
end

--- Calls `f` without arguments.
---@param f any
---@return echolot.raised.outcome
function M.call(f)
    return outcome_of(xpcall(f, handler))
end

---@param value any
---@return boolean
function M.is_callable(value)
    if type(value) == "function" then
        return true
    end
    local metatable = getmetatable(value)
    return type(metatable) == "table" and type(rawget(metatable, "__call")) == "function"
end

---@param object any
---@param key any
---@return any
local function get(object, key)
    return object[key]
end

--- A field of an error object; nil where it cannot be read.
---@param object any
---@param key any
---@return any
local function field(object, key)
    local ok, value = pcall(get, object, key)
    if ok then
        return value
    end
end

--- What an error says, in the forms that may be meant: its message, then the same with what stands around it.
---@param outcome echolot.raised.outcome
---@return string[]
function M.texts(outcome)
    local value = outcome.value
    if type(value) == "string" then
        return { outcome.text, value }
    end
    local texts = {}
    if type(value) == "table" or type(value) == "userdata" then
        local message = field(value, "message")
        texts[1] = type(message) == "string" and message or nil
    end
    if inspect.has_tostring(value) or type(value) == "number" or type(value) == "boolean" then
        local text, ok = inspect.tostring(value)
        texts[#texts + 1] = ok and text or nil
    end
    return texts
end

--- The fields of an error object that an expectation names; nil for a plain table, of which all fields count.
---@param value any
---@param expected any
---@return table?
local function named_fields(value, expected)
    if type(expected) ~= "table" or getmetatable(value) == nil or type(value) == "string" then
        return nil
    end
    local fields = {}
    for key in next, expected do
        fields[key] = field(value, key)
    end
    return fields
end

--- Whether the error is the expected one. A string is held against the error's message, with or without position;
--- a table against those fields of an error object that it names (of a plain table: against all); anything else
--- against the value itself.
---@param outcome echolot.raised.outcome
---@param expected any
---@return boolean
function M.equals(outcome, expected)
    local value = outcome.value
    if type(expected) == "string" then
        for _, text in next, M.texts(outcome) do
            if text == expected then
                return true
            end
        end
    elseif type(expected) == "number" and outcome.text then
        return tonumber(outcome.text) == expected
    end
    if deep.equal(expected, value) then
        return true
    end
    local fields = named_fields(value, expected)
    return fields ~= nil and deep.equal(expected, fields)
end

--- How the error differs from the expected one, where their printed forms do not show it.
---@param outcome echolot.raised.outcome
---@param expected any
---@return echolot.diff.line[] lines
---@return string? brief
function M.compare(outcome, expected)
    if type(expected) == "string" then
        return diff.compare(expected, M.texts(outcome)[1])
    end
    return diff.compare(expected, named_fields(outcome.value, expected) or outcome.value)
end

return M
