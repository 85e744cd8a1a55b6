--- What is known by name: assertions, matchers of arguments and modifiers, those that are built in and those that a
--- script registers. luassert's protocol: a registered function gets the state that modifiers have left, a list of
--- arguments and the level at which to report misuse.
local arguments = require "echolot.busted.arguments"
local inspect = require "echolot.inspect"
local misuse = require "echolot.busted.misuse"
local say = require "echolot.busted.say"
local state = require "echolot.busted.state"
local vocabulary = require "echolot.assert.vocabulary"

local M = {}

local ipairs, next, setmetatable, tostring, type = ipairs, next, setmetatable, tostring, type
local find, lower = string.find, string.lower
local getinfo = debug.getinfo

M.assertion_names = vocabulary.new()
M.matcher_names = vocabulary.new()

--- The catalogue of those that are built in. `echolot.assert` puts it here.
---@type table<string, echolot.assert.entry>
M.assertions = {}

---@class echolot.busted.registered
---@field callback fun(state: table, arguments: echolot.busted.list, level: integer): boolean, table?
---@field positive? string key of `say`, for a failure of the plain form
---@field negative? string

---@type table<string, echolot.busted.registered>
M.registered = {}
---@type table<string, function>
M.matchers = {}
---@type table<string, function>
M.callbacks = {} -- of modifiers

-- Who has to forget what words led to when a name comes or goes.
local listeners = setmetatable({}, { __mode = "k" })

---@param owner table
---@param forget fun()
function M.on_change(owner, forget)
    listeners[owner] = forget
end

local KINDS = {
    assertion = { store = M.registered, names = M.assertion_names },
    matcher = { store = M.matchers, names = M.matcher_names },
    modifier = { store = M.callbacks, names = vocabulary.modifiers },
}

-- What names meant before a script gave them another meaning.
local original = { assertion = {}, matcher = {}, modifier = {} }

---@param op string
---@param kind any
---@param name any
---@return table
local function kind_of(op, kind, name)
    if not KINDS[kind] then
        misuse.raise(op, "assertion, modifier or matcher is expected first, got " .. inspect.value(kind))
    elseif type(name) ~= "string" or not find(name, "[^_]") then
        misuse.raise(op, "a name is expected, got " .. inspect.value(name))
    end
    return KINDS[kind]
end

local function changed()
    for _, forget in next, listeners do
        forget()
    end
end

--- Gives a function a name.
---@param kind "assertion"|"modifier"|"matcher"
---@param name string
---@param callback function
---@param positive? string
---@param negative? string
function M.register(kind, name, callback, positive, negative)
    local where = kind_of("assert:register", kind, name)
    if not M.is_callable(callback) then
        misuse.raise("assert:register", "a function is expected, got " .. type(callback))
    end
    name = lower(name)
    original[kind][name] = original[kind][name] or where.names.names[name] or false
    where.store[name] = kind == "assertion" and { callback = callback, positive = positive, negative = negative }
        or callback
    vocabulary.add(where.names, name, name)
    changed()
end

--- Takes a name away; one that is built in has its own meaning again.
---@param kind "assertion"|"modifier"|"matcher"
---@param name string
function M.unregister(kind, name)
    local where = kind_of("assert:unregister", kind, name)
    name = lower(name)
    where.store[name] = nil
    vocabulary.remove(where.names, name)
    if original[kind][name] then
        vocabulary.add(where.names, name, original[kind][name])
    end
    changed()
end

---@param value any
---@return boolean
function M.is_callable(value)
    local metatable = debug.getmetatable(value)
    return type(value) == "function" or type(metatable) == "table" and type(metatable.__call) == "function"
end

-- States -----------------------------------------------------------------------------------------------------------

--- What modifiers leave for what is called after them. Each call has a copy of its own, so that a chain of words that
--- a script keeps means the same each time.
---@param earlier? table
---@return table state
function M.begin(earlier)
    local fresh = { mod = true }
    for key, value in next, earlier or {} do
        fresh[key] = value
    end
    return fresh
end

--- Lets the modifiers among the words act. Those that are called themselves get the arguments.
---@param current table
---@param reading echolot.vocabulary.reading
function M.modify(current, reading, ...)
    if reading.negated then
        current.mod = not current.mod
    end
    for _, name in ipairs(reading.modifiers) do
        M.callbacks[name](current, arguments.pack(...), M.level_of_script(2))
    end
end

--- The level of the script's place as a function sees it that is called from `depth` levels below.
---@param depth integer
---@return integer
function M.level_of_script(depth)
    for level = depth, 50 do
        local info = getinfo(level, "Sl")
        if not info then
            break
        elseif info.currentline > 0 and not find(info.source, "^[@=]echolot/") then
            return level - 1
        end
    end
    return 1
end

-- Calls ------------------------------------------------------------------------------------------------------------

--- The message of a registered assertion that failed.
---@param entry echolot.busted.registered
---@param negated boolean
---@param list echolot.busted.list
---@return string
function M.message(entry, negated, list)
    local key = entry.positive
    if negated then
        key = entry.negative
    end
    if key == nil then
        return "assertion failed!"
    end
    local text = say(key, M.format(list))
    return text or tostring(key)
end

--- The arguments as text. `nofmt` names those that stay as they are, `fmtargs` has options for formatters.
---@param list table
---@return table list the same
function M.format(list)
    local kept, options = list.nofmt or {}, list.fmtargs or {}
    for index = 1, list.n or #list do
        if not kept[index] then
            list[index] = state.format(list[index], options[index]) or arguments.show_value(list[index], 4096)
        end
    end
    return list
end

--- The message that a modifier has left.
---@param current? table
---@return string?
function M.message_in(current)
    local message = current and current.failure_message
    if message == nil then
        return nil
    end
    return inspect.has_tostring(message) and (inspect.tostring(message)) or type(message) == "string" and message
        or arguments.show_value(message, 200)
end

-- Modifiers that are built in --------------------------------------------------------------------------------------

---@param name string
---@param callback fun(current: table, list?: echolot.busted.list)
local function define(name, callback)
    M.callbacks[name] = callback
    vocabulary.add(vocabulary.modifiers, name, name)
end

local function take_spy(current, list)
    current.payload = list[1]
    if list[2] ~= nil then
        current.failure_message = list[2]
    end
end

define("spy", take_spy)
define("stub", take_spy)
define("message", function(current, list)
    current.failure_message = list[1]
end)
define("array", function(current, list)
    current.array = list[1]
end)

return M
