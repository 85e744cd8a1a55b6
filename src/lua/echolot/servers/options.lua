--- Options of the embedded servers: one table of them gives checking, parsing and help.
local core = require "echolot.core"

local M = {}

---@class echolot.servers.option
---@field name string
---@field type "integer"|"seconds"|"choice"|"text"|"texts"|"group"
---@field help string
---@field default? any what is not given counts as this
---@field min? number
---@field max? number
---@field choices? string[]
---@field options? echolot.servers.option[] of a group
---@field base? echolot.servers.definition of a group: the server whose options these are
---@field own? boolean in a group: not as in its base
---@field line_max? integer of texts: the most bytes of each
---@field accepts? fun(text: string): boolean of texts: whether one will do
---@field form? string of texts that have to be accepted: what they are, in words

-- Shows at most this much of a value that is refused.
local SHOWN_MAX = 60

local SECONDS_MAX = 1e9

---@param op string
---@param message string
local function usage(op, message)
    error(core.error.new { kind = "usage", op = op, message = message }, 0)
end

local function range(option)
    if option.min and option.max then
        return (" from %d to %d"):format(option.min, option.max)
    end
    return option.min and (" from %d"):format(option.min) or ""
end

local function is_number_in(option, value)
    return type(value) == "number" and value >= (option.min or value)
        and value <= (option.max or value)
end

-- Each: `expected` in words; `check` gives the value as it is kept, or nil; `parse` makes a
-- value of a text of the command line, or nil.
local types = {}

types.integer = {
    expected = function(option)
        return "a whole number" .. range(option)
    end,
    check = function(option, value)
        return is_number_in(option, value) and math.tointeger(value) or nil
    end,
    parse = function(text)
        return text:find "^%d+$" and math.tointeger(tonumber(text)) or nil
    end,
}

types.seconds = {
    expected = function(option)
        return (option.min and "a" or "a positive") .. " number of seconds" .. range(option)
    end,
    check = function(option, value)
        if is_number_in(option, value) and (option.min or value > 0) and value <= SECONDS_MAX then
            return value
        end
    end,
    parse = function(text)
        return text:find "^%d*%.?%d*$" and tonumber(text) or nil
    end,
}

types.choice = {
    expected = function(option)
        return "one of " .. table.concat(option.choices, ", ")
    end,
    check = function(option, value)
        for _, choice in ipairs(option.choices) do
            if choice == value then
                return value
            end
        end
    end,
}

types.text = {
    expected = function()
        return "a string"
    end,
    check = function(_, value)
        return type(value) == "string" and value or nil
    end,
}

types.texts = {
    expected = function(option)
        return option.form and "a list of " .. option.form
            or ("a list of strings, each of 1 to %d bytes"):format(option.line_max)
    end,
    check = function(option, value)
        if type(value) ~= "table" or rawlen(value) == 0 then
            return nil
        end
        local copy = {}
        for key, text in next, value do
            if math.type(key) ~= "integer" or key < 1 or key > rawlen(value)
                or type(text) ~= "string" or #text == 0 or #text > option.line_max
                or option.accepts and not option.accepts(text) then
                return nil
            end
            copy[key] = text
        end
        return copy
    end,
    parse = function(text)
        return { text }
    end,
}

types.group = {
    expected = function(option)
        return "a table of options of " .. option.base.name
    end,
}

local function shown(value)
    if type(value) == "string" then
        local cut = #value > SHOWN_MAX and value:sub(1, SHOWN_MAX) .. "..." or value
        return "'" .. cut:gsub("%c", "?") .. "'"
    end
    return type(value) == "number" and tostring(value) or "a " .. type(value)
end

local function find(schema, name)
    for _, option in ipairs(schema) do
        if option.name == name then
            return option
        end
    end
end

local function names(schema, prefix)
    local list = {}
    for i, option in ipairs(schema) do
        list[i] = prefix .. option.name
    end
    table.sort(list)
    return #list == 0 and "it has none" or "there are " .. table.concat(list, ", ")
end

local function unknown(op, schema, prefix, name)
    usage(op, ("no option '%s'; %s"):format(prefix .. name, names(schema, prefix)))
end

-- `given`: what stood in the place of the value.
local function check_one(op, option, prefix, value, given)
    local kept = types[option.type].check(option, value)
    if kept == nil then
        usage(op, ("option '%s' is %s, not %s"):format(
            prefix .. option.name, types[option.type].expected(option), shown(given)))
    end
    return kept
end

-- Tables are read raw: a script's metatable has no say in what the options are.
local function check(op, schema, given, prefix)
    local kept = {}
    for name in next, given do
        if type(name) ~= "string" then
            usage(op, "options are named, not numbered")
        elseif not find(schema, name) then
            unknown(op, schema, prefix, name)
        end
    end
    for _, option in ipairs(schema) do
        local value = rawget(given, option.name)
        if option.type == "group" then
            if value ~= nil and type(value) ~= "table" then
                usage(op, ("option '%s' is %s, not %s"):format(
                    prefix .. option.name, types.group.expected(option), shown(value)))
            end
            kept[option.name] = check(op, option.options, value or {}, prefix .. option.name .. ".")
        elseif value ~= nil then
            kept[option.name] = check_one(op, option, prefix, value, value)
        else
            kept[option.name] = option.default
        end
    end
    return kept
end

--- Checks options given in Lua; all of them, with defaults. Raises `usage`, naming the option.
---@param op string what the error's text begins with
---@param schema echolot.servers.option[]
---@param given? table
---@return table
function M.check(op, schema, given)
    if given ~= nil and type(given) ~= "table" then
        usage(op, "a table of options is expected, got " .. shown(given))
    end
    return check(op, schema, given or {}, "")
end

local function parse_into(op, schema, given, prefix, key, text)
    local name, rest = key:match "^([^.]*)%.(.*)$"
    local option = find(schema, name or key)
    if not option or (name and option.type ~= "group") then
        unknown(op, schema, prefix, key)
    end
    if name then
        given[name] = given[name] or {}
        return parse_into(op, option.options, given[name], prefix .. name .. ".", rest, text)
    end
    local parse = types[option.type].parse
    local value = text
    if parse then
        value = parse(text)
    end
    if option.type == "group" or value == nil then
        usage(op, ("option '%s' is %s, not %s"):format(
            prefix .. key, types[option.type].expected(option), shown(text)))
    end
    check_one(op, option, prefix, value, text)
    if option.type == "texts" and given[key] then
        value = table.move(value, 1, #value, #given[key] + 1, given[key])
    end
    given[key] = value
end

--- Makes an options table of "key=value" texts (a group's: "member.key=value"; a list's key
--- may come again and again). Raises `usage`.
---@param op string
---@param schema echolot.servers.option[]
---@param settings string[]
---@return table
function M.parse(op, schema, settings)
    local given = {}
    for _, setting in ipairs(settings) do
        local key, text = setting:match "^([^=]+)=(.*)$"
        if not key then
            usage(op, ("'%s' is not of the form key=value"):format(setting))
        end
        parse_into(op, schema, given, "", key, text)
    end
    return given
end

local VALUES = { integer = "N", seconds = "S", choice = "WORD", text = "TEXT", texts = "TEXT" }

local function help_of(option)
    local help = option.help
    if option.type == "choice" then
        help = help .. "; one of " .. table.concat(option.choices, ", ")
    end
    if option.default ~= nil and option.type ~= "texts" then
        help = ("%s (%s)"):format(help, option.default)
    end
    return help
end

--- One line an option: "name=VALUES  help (default)". Of a group, those that differ from the
--- server whose options they are.
---@param schema echolot.servers.option[]
---@return string[]
function M.describe(schema)
    local left, right = {}, {}
    local function add(option, prefix)
        left[#left + 1] = ("%s%s=%s"):format(prefix, option.name, VALUES[option.type])
        right[#right + 1] = help_of(option)
    end
    for _, option in ipairs(schema) do
        if option.type ~= "group" then
            add(option, "")
        else
            for _, one in ipairs(option.options) do
                if one.own then
                    add(one, option.name .. ".")
                end
            end
            left[#left + 1] = option.name .. ".OPTION=..."
            right[#right + 1] = "any other option of " .. option.base.name
        end
    end
    local lines = {}
    for i = 1, #left do
        lines[i] = ("%-23s %s"):format(left[i], right[i])
    end
    return lines
end

return M
