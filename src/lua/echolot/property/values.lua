--- How the values that falsified a property are shown.
local core = require "echolot.core"
local inspect = require "echolot.inspect"
local record = require "echolot.run.record"

local M = {}

-- A byte that stands so often in a row is shown once, with its count.
local RUN_MIN = 16

-- A string in so many parts is no easier to read for it.
local PARTS_MAX = 8

local STRING_MAX, VALUE_MAX, BRIEF_MAX = 200, 1000, 60

local DATA_MAX = 1 << 14 -- bytes of an argument that a report carries

-- Runs of one byte, and what stands between; nil where there are too many, or no run.
local function split_runs(text)
    local parts, at, folded = {}, 1, false
    local function add(part)
        parts[#parts + 1] = part
        return #parts <= PARTS_MAX
    end
    local position = 1
    while position <= #text do
        local byte = text:byte(position)
        local stop = position
        while text:byte(stop + 1) == byte do
            stop = stop + 1
        end
        local length = stop - position + 1
        if length >= RUN_MIN and byte < 0x80 then
            folded = true
            if position > at and not add(inspect.string(text:sub(at, position - 1), STRING_MAX)) then
                return nil
            end
            if not add(("%s × %d"):format(inspect.string(string.char(byte)), length)) then
                return nil
            end
            at = stop + 1
        end
        position = stop + 1
    end
    if at <= #text and not add(inspect.string(text:sub(at), STRING_MAX)) then
        return nil
    end
    return folded and parts or nil
end

--- A value as text: a string folded where one byte stands in it many times, with its length where that is not plain
--- to see.
---@param value any
---@return string
function M.show(value)
    if type(value) ~= "string" then
        return inspect.value(value, { max_length = VALUE_MAX, max_string = STRING_MAX })
    end
    local parts = split_runs(value)
    if parts then
        return ("%s (%d bytes)"):format(table.concat(parts, " .. "), #value)
    end
    local text = inspect.string(value, STRING_MAX)
    return #value > RUN_MIN and text:sub(-1) == '"' and ("%s (%d bytes)"):format(text, #value) or text
end

--- A value as text that takes little time to make.
---@param value any
---@return string
function M.brief(value)
    if type(value) == "string" then
        return inspect.string(value, BRIEF_MAX)
    end
    return inspect.value(value, { max_length = 2 * BRIEF_MAX, max_string = BRIEF_MAX })
end

--- The names of a function's first `count` parameters.
---@param f function
---@param count integer
---@return string[]
function M.names(f, count)
    local names = {}
    for i = 1, count do
        names[i] = debug.getlocal(f, i) or count == 1 and "value" or "value " .. i
    end
    return names
end

--- What a report has of them: a name and a text for each, and of strings the bytes.
---@param names string[]
---@param values table packed
---@return table[] each {name, value, data}
function M.arguments(names, values)
    local list = core.json.array {}
    for i = 1, values.n do
        local value = values[i]
        list[i] = {
            name = names[i], value = M.show(value),
            data = type(value) == "string" and #value <= DATA_MAX and record.data(value) or nil,
        }
    end
    return list
end

local LINE_MAX = 90

--- Them as one piece of text: on one line where they fit, else a line each.
---@param arguments table[]
---@return string
function M.text(arguments)
    local parts = {}
    for i, argument in ipairs(arguments) do
        parts[i] = argument.name .. " = " .. argument.value
    end
    local line = table.concat(parts, ", ")
    if #parts == 1 or #line <= LINE_MAX then
        return " " .. line
    end
    return "\n  " .. table.concat(parts, "\n  ")
end

return M
