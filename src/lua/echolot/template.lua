--- Compares a JSON value with a template: of tables only the fields that the template names, all else as it is. A
--- matcher in the template has to fit a string of the value from end to end.
local core = require "echolot.core"
local inspect = require "echolot.inspect"

local M = {}

local format = string.format
local ipairs, next, type = ipairs, next, type

local DEEPEST = 200 -- as deep as JSON goes here

---@param value any
---@return string
local function show(value)
    if value == core.json.null then
        return "null"
    end
    return inspect.value(value, { max_length = 60, max_depth = 3 })
end

---@param path any[]
---@return string
local function path_text(path)
    local steps = {}
    for index, key in ipairs(path) do
        steps[index] = inspect.path_step(key)
    end
    return #steps > 0 and table.concat(steps) or "the value"
end

local function differ(path, wanted, value)
    return format("%s: expected %s, got %s", path_text(path), show(wanted), value == nil and "nothing" or show(value))
end

local compare

local function compare_tables(template, value, path)
    if #path >= DEEPEST then
        return "the template is nested too deeply"
    elseif type(value) ~= "table" then
        return differ(path, template, value)
    end
    for key, wanted in next, template do
        path[#path + 1] = key
        local why = compare(wanted, value[key], path)
        if why then
            return why
        end
        path[#path] = nil
    end
end

function compare(template, value, path)
    if type(template) == "table" then
        return compare_tables(template, value, path)
    elseif core.matchers.is(template) then
        local fits = type(value) == "string" and core.matchers.fits(template, value)
        return not fits and format("%s: expected %s, got %s", path_text(path), tostring(template),
            value == nil and "nothing" or show(value)) or nil
    end
    return template ~= value and differ(path, template, value) or nil
end

--- Whether `value` has what `template` names.
---@param template any
---@param value any
---@return boolean fits
---@return string? why not
function M.compare(template, value)
    local why = compare(template, value, {})
    return why == nil, why
end

return M
