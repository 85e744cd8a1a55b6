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
local assertions = require "echolot.assertions"
local diff = require "echolot.diff"
local inspect = require "echolot.inspect"

local M = {}

local find, format, gmatch, lower = string.find, string.format, string.gmatch, string.lower
local error, next, rawset, select, setmetatable, type = error, next, rawset, select, setmetatable, type
local unpack = table.unpack
local getinfo = debug.getinfo

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

local FILLERS, NEGATIONS, NAMES = {}, { ["not"] = true, no = true }, {}
for word in gmatch("is are was were be been being has have had does do did a an the to of it", "%a+") do
    FILLERS[word] = true
end
for name in next, entries do
    NAMES[name] = name
end
NAMES.no_error, NAMES.error_matches = nil, nil
NAMES.equals, NAMES.match, NAMES.contain, NAMES.errors = "equal", "matches", "contains", "error"

local COMBINED = {
    error = { matches = "error_matches", match = "error_matches" },
    matches = { error = "error_matches", errors = "error_matches" },
}

--- Reads one word after what was read before.
---@param name? string the assertion named so far
---@param negated boolean
---@param word string
---@return string? name
---@return boolean? negated nil if the word has no meaning here
local function read_word(name, negated, word)
    if FILLERS[word] then
        return name, negated
    elseif NEGATIONS[word] and not name then
        return nil, not negated
    elseif not name then
        return NAMES[word], NAMES[word] and negated
    end
    local combined = COMBINED[name] and COMBINED[name][word]
    return combined, combined and negated
end

--- How a form is written in a message: `assert.is_not_nil`.
---@param owner string
---@param name string
---@param negated boolean
---@return string
local function spell(owner, name, negated)
    local spelling = entries[name].spelling
    return format("%s.%s%s", owner, spelling and (negated and "not_" or "") or (negated and "is_not_" or "is_"),
        spelling or name)
end

---@param op string
---@param text string
local function raise_usage(op, text)
    error(M.failure { kind = "usage", op = op, message = text }, 0)
end

--- The message among the arguments: the last string, or what writes itself as one.
---@param from integer
---@return string?
local function message_of(from, ...)
    for index = select("#", ...), from, -1 do
        local value = select(index, ...)
        if type(value) == "string" then
            return value
        elseif inspect.has_tostring(value) then
            return (inspect.tostring(value))
        end
    end
end

--- The function behind one form of an assertion, such as `assert.is_not.equal`.
---@param owner echolot.assert.owner
---@param name string
---@param negated boolean
---@return fun(self: any, ...): ...
local function make_form(owner, name, negated)
    local label = spell(owner.name, name, negated)
    if negated and entries[name].negation then
        name, negated = entries[name].negation, false
        label = spell(owner.name, name, false)
    end
    local entry = entries[name]
    local required, test, on_check = entry.required, entry.test, owner.on_check
    return function(_, ...)
        local count = select("#", ...)
        if count < required then
            raise_usage(owner.name, format("%s(%s) needs %d argument%s, got %d", label, entry.signature, required,
                required == 1 and "" or "s", count))
        end
        local held, results, mistake = test(...)
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
        local fields = entry.explain(negated, results, ...)
        local message = message_of(entry.message_from or required + 1, ...)
        if message then
            fields.summary = message .. ": " .. fields.summary
        end
        fields.op = owner.name
        owner.fail(M.failure(fields))
    end
end

-- The object -------------------------------------------------------------------------------------------------------

---@class echolot.assert.owner
---@field name "assert"|"check"
---@field on_check? fun(passed: boolean)
---@field fail fun(failure: any)
---@field nodes table<string, table> one for each state of reading words, so that chains cost nothing

local node_for

--- Follows a key such as "is_not_nil" from a state and keeps where it led under that key.
---@param owner echolot.assert.owner
---@param node table
---@param name? string
---@param negated boolean
---@param key any
---@return table
local function follow(owner, node, name, negated, key)
    local next_name, next_negated = name, negated
    if type(key) == "string" then
        for word in gmatch(lower(key), "[^_]+") do
            next_name, next_negated = read_word(next_name, next_negated, word)
            if next_negated == nil then
                break
            end
        end
    end
    if type(key) ~= "string" or next_negated == nil then
        raise_usage(owner.name, format("%s has no %s", owner.name, inspect.path_step(key)))
    end
    local target = node_for(owner, next_name, next_negated)
    rawset(node, key, target)
    return target
end

---@param owner echolot.assert.owner
---@param name? string
---@param negated boolean
---@param label string what it calls itself
---@param call fun(self: any, ...): ...
---@return table node
local function make_node(owner, name, negated, label, call)
    return setmetatable({}, {
        __name = "echolot." .. owner.name,
        __index = function(self, key)
            return follow(owner, self, name, negated, key)
        end,
        __call = call,
        __tostring = function()
            return label
        end,
    })
end

--- The node for what was read so far; there is one for each such state, however it is spelled.
---@param owner echolot.assert.owner
---@param name? string
---@param negated boolean
---@return table node
function node_for(owner, name, negated)
    local id = (negated and "not " or "") .. (name or "")
    local node = owner.nodes[id]
    if not node and name then
        node = make_node(owner, name, negated, spell(owner.name, name, negated), make_form(owner, name, negated))
    elseif not node then
        node = make_node(owner, nil, negated, owner.name .. (negated and ".not" or ".is"), function()
            raise_usage(owner.name, owner.name .. ": the words before the call name no assertion")
        end)
    end
    owner.nodes[id] = node
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
    return make_node(owner, nil, false, owner.name, make_plain(owner))
end

return M
