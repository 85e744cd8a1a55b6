--- Compares a JSON value with a template: of tables only the fields that the template names, all else as it is. A
--- matcher in the template has to fit a string of the value from end to end.
local core = require "echolot.core"
local inspect = require "echolot.inspect"

local M = {}

local concat, format, min = table.concat, string.format, math.min
local ipairs, next, tostring, type = ipairs, next, tostring, type

local DEEPEST = 200 -- as deep as JSON goes here
local OTHERS = 3 -- places that are told beside the first difference

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

--- The first difference in words, the places of a few more.
---@param found {[integer]: string, first: string?}
---@return string?
local function explain(found)
    local more = {}
    for index = 2, min(#found, 1 + OTHERS) do
        more[#more + 1] = found[index]
    end
    if #more == 0 then
        return found.first
    end
    return format("%s (and at %s%s)", found.first, concat(more, ", "), #found > 1 + OTHERS and " and more" or "")
end

local function differ(found, path, wanted, value)
    found[#found + 1] = path_text(path)
    found.first = found.first or format("%s: expected %s, got %s", found[1], wanted, value == nil and "nothing" or show(value))
end

local compare

local function compare_tables(found, template, value, path)
    if #path >= DEEPEST then
        found[#found + 1] = path_text(path)
        found.first = found.first or "the template is nested too deeply"
        return
    elseif type(value) ~= "table" then
        return differ(found, path, show(template), value)
    end
    local keys = {}
    for key in next, template do
        keys[#keys + 1] = key
    end
    for _, key in ipairs(inspect.sort_keys(keys)) do
        path[#path + 1] = key
        compare(found, template[key], value[key], path)
        path[#path] = nil
        if #found > 1 + OTHERS then
            return
        end
    end
end

function compare(found, template, value, path)
    if type(template) == "table" then
        compare_tables(found, template, value, path)
    elseif core.matchers.is(template) then
        if type(value) ~= "string" or not core.matchers.fits(template, value) then
            differ(found, path, tostring(template), value)
        end
    elseif template ~= value then
        differ(found, path, show(template), value)
    end
end

--- Whether `value` has what `template` names.
---@param template any
---@param value any
---@return boolean fits
---@return string? why not
function M.compare(template, value)
    local found = {}
    compare(found, template, value, {})
    return #found == 0, explain(found)
end

return M
