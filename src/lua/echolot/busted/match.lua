--- Matchers of arguments: `match._`, `match.is_string()`, `match.is_not_nil()`, `match.is_any_of(...)`.
local argument_matcher = require "echolot.busted.argument_matcher"
local arguments = require "echolot.busted.arguments"
local deep = require "echolot.deep"
local inspect = require "echolot.inspect"
local misuse = require "echolot.busted.misuse"
local registry = require "echolot.busted.registry"
local vocabulary = require "echolot.assert.vocabulary"

local M = {}

local find, format = string.find, string.format
local next, pcall, rawget, setmetatable = next, pcall, rawget, setmetatable
local tonumber, tostring, type = tonumber, tostring, type

-- The matchers that are built in ---------------------------------------------------------------------------------

--- Each gets the arguments that it is made with, and returns the test of a value.
---@type table<string, fun(list: echolot.busted.list): fun(value: any): any>
local makers = {}

---@param name string
---@param list echolot.busted.list
---@param count integer
local function need(name, list, count)
    if list.n < count then
        misuse.raise("match", format("match.is_%s needs %d argument%s, got %d", name, count, count == 1 and "" or "s",
            list.n))
    end
end

for _, name in next, { "nil", "boolean", "number", "string", "table", "function", "userdata", "thread" } do
    makers[name] = function()
        return function(value)
            return type(value) == name
        end
    end
end

makers["true"] = function()
    return function(value)
        return value == true
    end
end

makers["false"] = function()
    return function(value)
        return value == false
    end
end

function makers.truthy()
    return function(value)
        return value
    end
end

function makers.falsy()
    return function(value)
        return not value
    end
end

function makers.equal(list)
    need("equal", list, 1)
    return function(value)
        return value == list[1]
    end
end

function makers.same(list)
    need("same", list, 1)
    return function(value)
        return deep.equal(list[1], value)
    end
end

local OBJECTS = { table = true, ["function"] = true, thread = true, userdata = true }

function makers.ref(list)
    if not OBJECTS[type(list[1])] then
        misuse.raise("match", "match.is_ref needs a table, function, thread or userdata, got " .. type(list[1]))
    end
    return function(value)
        return value == list[1]
    end
end

function makers.near(list)
    need("near", list, 2)
    local center, width = tonumber(list[1]), tonumber(list[2])
    if not center or not width then
        misuse.raise("match", "match.is_near needs two numbers")
    end
    return function(value)
        local number = tonumber(value)
        return number and number >= center - width and number <= center + width
    end
end

function makers.matches(list)
    local pattern, init, plain = list[1], list[2], list[3]
    if type(pattern) ~= "string" or init ~= nil and not tonumber(init) then
        misuse.raise("match", "match.matches needs a pattern, and a number where it begins")
    end
    local ok, why = pcall(find, "", pattern, init, plain)
    if not ok then
        misuse.raise("match", "match.matches: " .. tostring(why))
    end
    return function(value)
        if type(value) == "string" or type(value) == "number" or inspect.has_tostring(value) then
            return find(tostring(value), pattern, init, plain)
        end
    end
end

function makers.unique(list)
    return function(value)
        return type(value) == "table" and registry.assertions.unique.test(value, list[1])
    end
end

---@param name string
---@param wanted boolean what of any of them decides
---@param decided boolean
local function define_composite(name, wanted, decided)
    makers[name] = function(list)
        need(name, list, 1)
        for index = 1, list.n do
            if not argument_matcher.is(list[index]) then
                misuse.raise("match", format("match.is_%s needs matchers, got %s", name, type(list[index])))
            end
        end
        return function(value)
            for index = 1, list.n do
                if list[index](value) == wanted then
                    return decided
                end
            end
            return not decided
        end
    end
end

define_composite("all_of", false, false)
define_composite("any_of", true, true)
define_composite("none_of", true, false)

for name in next, makers do
    vocabulary.add(registry.matcher_names, name, name)
end
vocabulary.add(registry.matcher_names, "equals", "equal")
vocabulary.add(registry.matcher_names, "match", "matches")

-- The words ------------------------------------------------------------------------------------------------------

local node_metatable

---@param words string[]
---@param key any
---@param state? table what called modifiers have left
---@return table node
local function follow(words, key, state)
    local longer = vocabulary.follow(words, key)
    local reading = longer and vocabulary.read(registry.matcher_names, longer)
    if not reading then
        misuse.raise("match", "match has no " .. inspect.path_step(key))
    end
    return setmetatable({ words = longer, reading = reading, state = state }, node_metatable)
end

---@param name string
---@param state table
---@return fun(value: any): any
local function make_test(name, state, ...)
    local registered = registry.matchers[name]
    if registered then
        return registered(state, arguments.pack(...), registry.level_of_script(3))
    end
    return makers[name](arguments.pack(...))
end

node_metatable = {
    __name = "echolot.match",
    __index = function(self, key)
        return follow(rawget(self, "words"), key, rawget(self, "state"))
    end,
    __call = function(self, ...)
        local reading = rawget(self, "reading")
        local state = registry.begin(rawget(self, "state"))
        if not reading.name then
            registry.modify(state, reading, ...)
            return setmetatable({ words = {}, reading = reading, state = state }, node_metatable)
        end
        registry.modify(state, reading)
        local list = arguments.pack(...)
        return argument_matcher.new {
            name = reading.name, mod = state.mod, callback = make_test(reading.name, state, ...), arguments = list,
        }
    end,
}

--- Takes any value, nil too.
M._ = argument_matcher.new {
    name = "_", mod = true, arguments = arguments.pack(),
    callback = function()
        return true
    end,
}

M.is_matcher = argument_matcher.is

---@param value any
---@return boolean
function M.is_ref_matcher(value)
    return argument_matcher.is(value) and value.by_reference
end

return setmetatable(M, {
    __name = "echolot.match",
    __index = function(_, key)
        return follow({}, key)
    end,
})
