--- Assertions: Lua's `assert` and busted's vocabulary in one callable object.
---
---     local assert = require("echolot.assert").new()
---     assert(io.open(name))                         -- as Lua's own
---     assert.equal("250 OK", line, "after RCPT")    -- a last string is the message
---     local reason = assert.has_error(f)            -- what holds returns its arguments, or what it found
---     assert.is_not.equal(1, 2)                     -- words in between
---
--- A failure is an error of kind `mismatch`; the script's own mistakes (too few arguments, a broken pattern, a word
--- that means nothing) are of kind `usage`. Arguments past those that mean something are passed over, as by Lua's
--- `assert`, so that calls with several results fit: `assert.is_nil(io.open(name))`.
local arguments = require "echolot.busted.arguments"
local assertions = require "echolot.assert.assertions"
local diff = require "echolot.diff"
local extension = require "echolot.busted.extension"
local inspect = require "echolot.inspect"
local misuse = require "echolot.busted.misuse"
local registry = require "echolot.busted.registry"
local vocabulary = require "echolot.assert.vocabulary"

local M = {}

local find, format = string.find, string.format
local error, next, rawset, select, setmetatable, type = error, next, rawset, select, setmetatable, type
local unpack = table.unpack
local getinfo, getmetatable = debug.getinfo, debug.getmetatable

local entries = assertions.entries

-- Failures ---------------------------------------------------------------------------------------------------------

--- What a failed assertion raises or records.
---@class echolot.assert.failure
---@field kind "mismatch"|"usage"
---@field op string "assert" or "check"
---@field message string the summary, and below it the difference
---@field summary string the message without the difference
---@field expected? string printable
---@field actual? string printable
---@field diff? echolot.diff.line[]
---@field where? string place in the script, "file.lua:12"

local plain_error = {
    __name = "echolot.Error",
    __tostring = function(failure)
        return failure.message
    end,
}

--- Makes the error object of a failure's fields. The program puts its own in place.
---@param fields echolot.assert.failure
---@return any error_object
function M.make_error(fields)
    return setmetatable(fields, plain_error)
end

local OWN_SOURCE = getinfo(1, "S").source

--- The nearest place on the stack that is not Echolot's own.
---@return string?
local function script_place()
    for level = 2, 250 do
        local info = getinfo(level, "Sl")
        if not info then
            return nil
        end
        local source = info.source
        if info.currentline > 0 and source ~= OWN_SOURCE and not find(source, "^[@=]echolot/") then
            return format("%s:%d", info.short_src, info.currentline)
        end
    end
end

--- Completes the fields of a failure (kind, op, summary, message with the difference below it, where) and makes
--- the error of them. It does not raise it.
---@param fields table
---@return any error_object
function M.failure(fields)
    fields.kind = fields.kind or "mismatch"
    fields.op = fields.op or "assert"
    fields.summary = fields.summary or fields.message
    fields.where = fields.where or script_place()
    if fields.diff and #fields.diff > 0 then
        fields.message = fields.summary .. "\n" .. diff.text(fields.diff)
    else
        fields.message = fields.summary
    end
    return M.make_error(fields)
end

-- Words ------------------------------------------------------------------------------------------------------------

registry.assertions = entries
for name in next, entries do
    vocabulary.add(registry.assertion_names, name, name)
end
vocabulary.remove(registry.assertion_names, "no_error") -- what "no" and "error" say together
for alias, name in next, {
    equals = "equal", match = "matches", contain = "contains", errors = "error", error_match = "error_matches",
    errors_match = "error_matches", errors_matches = "error_matches", match_error = "error_matches",
    match_errors = "error_matches", matches_error = "error_matches", matches_errors = "error_matches",
} do
    vocabulary.add(registry.assertion_names, alias, name)
end

--- How a form is written in a message: `assert.is_not_nil`.
---@param owner string
---@param name string
---@param negated boolean
---@return string
local function spell(owner, name, negated)
    local entry = entries[name]
    local spelling = not entry and name or entry.spelling or entry.subject and name
    return format("%s.%s%s", owner, spelling and (negated and "not_" or "") or (negated and "is_not_" or "is_"),
        spelling or name)
end

function misuse.make(op, text)
    return M.failure { kind = "usage", op = op, message = text }
end

---@param op string
---@param text string
local function raise_usage(op, text)
    error(misuse.make(op, text), 0)
end

--- The message among the arguments: the last string, or what writes itself as one; else a table where only a message
--- can stand.
---@param entry echolot.assert.entry
---@return string?
local function message_of(entry, ...)
    if entry.takes_all then
        return nil
    end
    local from = entry.message_from or entry.required + 1
    for index = select("#", ...), from, -1 do
        local value = select(index, ...)
        if type(value) == "string" then
            return value
        elseif inspect.has_tostring(value) then
            return (inspect.tostring(value))
        end
    end
    local first = select(from, ...)
    if not entry.message_is_text and type(first) == "table" then
        return inspect.value(first, { max_length = 200 })
    end
end

--- Puts the message in front of a failure's fields and hands them on.
---@param owner echolot.assert.owner
---@param fields table
---@param message? string
local function fail(owner, fields, message)
    if message then
        fields.summary = message .. ": " .. fields.summary
    end
    fields.op = owner.name
    owner.fail(M.failure(fields))
end

--- The test and the explanation of an entry, with their subject in front where they have one.
---@param owner echolot.assert.owner
---@param label string
---@param entry echolot.assert.entry
---@param state? table
---@return function test
---@return function explain
local function with_subject(owner, label, entry, state)
    if not entry.subject then
        return entry.test, entry.explain
    end
    local subject = state and state[entry.subject.field]
    local mistake = entry.subject.check(subject)
    if mistake then
        raise_usage(owner.name, format("%s: %s", label, mistake))
    end
    return function(...)
        return entry.test(subject, ...)
    end, function(negated, results, ...)
        return entry.explain(negated, results, subject, ...)
    end
end

--- The function behind one form of an assertion, such as `assert.is_not.equal`.
---@param owner echolot.assert.owner
---@param name string
---@param negated boolean
---@param state? table what called modifiers have left
---@return fun(self: any, ...): ...
local function make_form(owner, name, negated, state)
    local label = spell(owner.name, name, negated)
    if negated and entries[name].negation then
        name, negated = entries[name].negation, false
        label = spell(owner.name, name, false)
    end
    local entry = entries[name]
    local required, on_check = entry.required, owner.on_check
    local test, explain = entry.test, entry.explain
    if entry.subject then
        test, explain = nil, nil
    end
    return function(_, ...)
        local count = select("#", ...)
        if count < required then
            raise_usage(owner.name, format("%s(%s) needs %d argument%s, got %d", label, entry.signature, required,
                required == 1 and "" or "s", count))
        end
        local run, tell = test, explain
        if not run then
            run, tell = with_subject(owner, label, entry, state)
        end
        local held, results, mistake = run(...)
        if held ~= nil and held ~= negated then
            if on_check then
                on_check(true)
            end
            if results then
                return unpack(results, 1, results.n)
            end
            return ...
        elseif mistake then
            raise_usage(owner.name, format("%s: %s", label, mistake))
        end
        fail(owner, tell(negated, results, ...), message_of(entry, ...) or registry.message_in(state))
    end
end

--- The same of an assertion that the script has registered.
---@param owner echolot.assert.owner
---@param entry echolot.busted.registered
---@param state table
local function call_registered(owner, entry, state, ...)
    local list = arguments.pack(...)
    local held, results = entry.callback(state, list, registry.level_of_script(2))
    if not held ~= state.mod then
        if owner.on_check then
            owner.on_check(true)
        end
        if results then
            return unpack(results, 1, results.n or #results)
        end
        return ...
    end
    fail(owner, { summary = registry.message(entry, not state.mod, list) }, registry.message_in(state))
end

-- The object -------------------------------------------------------------------------------------------------------

---@class echolot.assert.owner
---@field name "assert"|"check"
---@field on_check? fun(passed: boolean)
---@field fail fun(failure: any)
---@field nodes table<string, table> one for each state of reading words, so that chains cost nothing

local node_for

--- Follows a key such as "is_not_nil", and keeps where it led under that key.
---@param owner echolot.assert.owner
---@param node table
---@param words string[] those before
---@param state? table
---@param key any
---@return table
local function follow(owner, node, words, state, key)
    local longer = vocabulary.follow(words, key)
    local reading = longer and vocabulary.read(registry.assertion_names, longer)
    if not reading then
        raise_usage(owner.name, format("%s has no %s", owner.name, inspect.path_step(key)))
    end
    local target = node_for(owner, longer, reading, state)
    rawset(node, key, target)
    return target
end

---@param owner echolot.assert.owner
---@param words string[]
---@param state? table what called modifiers have left
---@param label string what it calls itself
---@param call fun(self: any, ...): ...
---@return table node
local function make_node(owner, words, state, label, call)
    return setmetatable({}, {
        __name = "echolot." .. owner.name,
        __index = function(self, key)
            return follow(owner, self, words, state, key)
        end,
        __call = call,
        __tostring = function()
            return label
        end,
    })
end

--- What happens when words are called that name nothing: the modifiers among them act, and more words may follow.
---@param owner echolot.assert.owner
---@param reading echolot.vocabulary.reading
---@param label string
---@param earlier? table
local function call_modifiers(owner, reading, label, earlier, ...)
    if #reading.modifiers == 0 then
        raise_usage(owner.name, owner.name .. ": the words before the call name no assertion")
    end
    local state = registry.begin(earlier)
    registry.modify(state, reading, ...)
    return make_node(owner, {}, state, label, function()
        raise_usage(owner.name, label .. ": an assertion has to follow")
    end)
end

--- What a call of these words does.
---@param owner echolot.assert.owner
---@param reading echolot.vocabulary.reading
---@param label string
---@param earlier? table
---@return fun(self: any, ...): ...
local function make_call(owner, reading, label, earlier)
    local name = reading.name
    if not name then
        return function(_, ...)
            return call_modifiers(owner, reading, label, earlier, ...)
        end
    end
    local registered = registry.registered[name]
    if not registered and not earlier and #reading.modifiers == 0 then
        return make_form(owner, name, reading.negated)
    end
    return function(self, ...)
        local state = registry.begin(earlier)
        registry.modify(state, reading)
        if registered then
            return call_registered(owner, registered, state, ...)
        end
        return make_form(owner, name, not state.mod, state)(self, ...)
    end
end

--- The node for what was read so far; there is one for each such state, however it is spelled. Where modifiers have
--- left something behind, the node is good for that only.
---@param owner echolot.assert.owner
---@param words string[]
---@param reading echolot.vocabulary.reading
---@param state? table
---@return table node
function node_for(owner, words, reading, state)
    local node = not state and owner.nodes[reading.id]
    if not node then
        local label = reading.name and spell(owner.name, reading.name, reading.negated)
            or owner.name .. (reading.negated and ".not" or reading.modifiers[1] and "." .. reading.modifiers[1] or ".is")
        node = make_node(owner, words, state, label, make_call(owner, reading, label, state))
        if not state then
            owner.nodes[reading.id] = node
        end
    end
    return node
end

--- Lua's own `assert`, but for what it raises: no message or a string makes an error with the script's place.
---@param owner echolot.assert.owner
---@return fun(self: any, ...): ...
local function make_plain(owner)
    local on_check = owner.on_check
    return function(_, ...)
        local value, message = ...
        if value then
            if on_check then
                on_check(true)
            end
            return ...
        elseif select("#", ...) == 0 then
            raise_usage(owner.name, owner.name .. "(value [, message]) needs 1 argument, got 0")
        elseif message ~= nil and type(message) ~= "string" then
            owner.fail(message)
        else
            owner.fail(M.failure {
                op = owner.name,
                message = message or "assertion failed!",
                expected = "a truthy value",
                actual = value == nil and "nil" or "false",
            })
        end
    end
end

--- The vocabulary. The words is, are, was, has, does, be, a, the and their like may stand between, joined by dots or
--- underscores; `not` (spelled "Not", since Lua keeps the word to itself) and `no` negate. Case does not matter. Every
--- assertion takes a message as its last string; what holds returns its arguments, unless it has something better.
---@class echolot.assert.object
---@overload fun(value: any, message?: any, ...: any): any ...
---@field equal fun(expected: any, actual: any, message?: string): any ... also `equals`
---@field same fun(expected: any, actual: any, message?: string): any ...
---@field is_true fun(value: any, message?: string): any ... and is_false, is_nil, is_not_nil
---@field truthy fun(value: any, message?: string): any ... and falsy
---@field is_string fun(value: any, message?: string): any ... and every other type of Lua's
---@field matches fun(pattern: string, actual: any, init?: integer, plain?: boolean, message?: string): any ... captures
---@field contains fun(needle: any, haystack: string|table, message?: string): any ...
---@field near fun(expected: number, actual: any, tolerance: number, message?: string): any ...
---@field is_unique fun(list: table, deep?: boolean, message?: string): any ...
---@field has_error fun(f: function, expected?: any, message?: string): any the error, a string without its position
---@field has_no_error fun(f: function, message?: string): any ... what `f` returned
---@field error_matches fun(f: function, pattern: string, init?: integer, plain?: boolean, message?: string): any ...
---@field [string] echolot.assert.object

--- Forgets where keys have led. What the script has put there stays.
---@param node table
---@param kind string
local function forget(node, kind)
    for key, value in next, node do
        local metatable = getmetatable(value)
        if type(metatable) == "table" and metatable.__name == kind then
            node[key] = nil
        end
    end
end

--- Makes a callable object with the whole vocabulary.
---
--- Without `on_failure` it raises what fails, and calls itself `assert`. With it, it is a `check`: `on_failure` gets
--- the failure (or the value that the script gave as a message), the assertion then returns nothing, and the script
--- goes on. Mistakes in the use of an assertion raise either way.
---@param on_failure? fun(failure: any)
---@param on_check? fun(passed: boolean) called once for each assertion that was decided
---@return echolot.assert.object object
function M.new(on_failure, on_check)
    local owner = { name = on_failure and "check" or "assert", on_check = on_check, nodes = {} }
    function owner.fail(failure)
        if on_check then
            on_check(false)
        end
        if not on_failure then
            error(failure, 0)
        end
        on_failure(failure)
    end
    local object = make_node(owner, {}, nil, owner.name, make_plain(owner))
    extension.add_methods(object)
    registry.on_change(owner, function()
        local kind = "echolot." .. owner.name
        for _, node in next, owner.nodes do
            forget(node, kind)
        end
        owner.nodes = {}
        forget(object, kind)
    end)
    return object
end

return M
