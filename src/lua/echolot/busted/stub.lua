--- Stubs: spies that answer in place of the function.
local arguments = require "echolot.busted.arguments"
local misuse = require "echolot.busted.misuse"
local spy = require "echolot.busted.spy"

local M = {}

local ipairs, rawget, rawset, select = ipairs, rawget, rawset, select
local setmetatable, type = setmetatable, type
local pack, unpack = table.pack, table.unpack

---@return fun(): ...
local function answer_with(...)
    local results = pack(...)
    return function()
        return unpack(results, 1, results.n)
    end
end

--- What a stub does, and for which arguments something else.
---@class echolot.busted.answers
---@field default function
---@field special {expected: echolot.busted.list, answer: function}[]

---@param answers echolot.busted.answers
---@return function
local function choose(answers, ...)
    if #answers.special > 0 then
        local list = arguments.pack(...)
        local record = { vals = list, refs = list }
        for _, entry in ipairs(answers.special) do
            if arguments.match(record, entry.expected) then
                return entry.answer
            end
        end
    end
    return answers.default
end

--- The words that say what a stub answers. They are called with a dot.
---@param stub echolot.busted.spy
---@param answers echolot.busted.answers
local function add_words(stub, answers)
    local function default(answer)
        answers.default = answer
        return stub
    end
    function stub.returns(...)
        return default(answer_with(...))
    end
    function stub.invokes(f)
        return default(f)
    end
    stub.by_default = { returns = stub.returns, invokes = stub.invokes }
    function stub.on_call_with(...)
        local expected = arguments.record(...).vals
        local function special(answer)
            answers.special[#answers.special + 1] = { expected = expected, answer = answer }
            return stub
        end
        return {
            returns = function(...)
                return special(answer_with(...))
            end,
            invokes = special,
        }
    end
end

--- A stub in the place of a table's function, until it is reverted. It returns the values given here, or what a
--- function returns that is given instead.
---@param target? table
---@param key? any
---@return echolot.busted.spy stub
function M.new(target, key, ...)
    if target == nil and key == nil then
        target, key = {}, ""
    elseif type(target) ~= "table" or key == nil then
        misuse.raise("stub", "a table and a key of it are needed, got " .. type(target) .. " and " .. type(key))
    end
    local original, is_inherited = target[key], rawget(target, key) == nil
    if original ~= nil and not spy.is_callable(original) then
        misuse.raise("stub", "the table has no function there, but " .. type(original))
    end
    local is_function = select("#", ...) == 1 and spy.is_callable((...))
    local answers = { default = is_function and (...) or answer_with(...), special = {} }
    local stub = spy.new(function(...)
        return choose(answers, ...)(...)
    end)
    target[key] = stub
    stub.target_table, stub.target_key = target, key
    is_inherited = is_inherited and rawget(target, key) == stub
    function stub:revert()
        if not self.reverted then
            self.reverted = true
            target[key] = original
            if is_inherited then
                rawset(target, key, nil)
            end
        end
        return original
    end
    add_words(stub, answers)
    return stub
end

return setmetatable(M, {
    __call = function(_, ...)
        return M.new(...)
    end,
})
