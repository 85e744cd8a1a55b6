--- What `assert` and `check` have beside assertions: luassert's ways to extend them.
local registry = require "echolot.busted.registry"
local state = require "echolot.busted.state"

local M = {}

local next, rawset, setmetatable = next, rawset, setmetatable
local getmetatable = debug.getmetatable

local level_metatable = { __name = "echolot.level" }

---@type table<string, fun(self: any, ...): any>
local methods = {}

--- Gives a function a name: an assertion, a modifier or a matcher of arguments.
function methods:register(kind, name, callback, positive, negative)
    registry.register(kind, name, callback, positive, negative)
end

function methods:unregister(kind, name)
    registry.unregister(kind, name)
end

function methods:add_formatter(formatter)
    state.add_formatter(formatter)
end

function methods:remove_formatter(formatter)
    state.remove_formatter(formatter)
end

--- The arguments of a failure as text.
function methods:format(list)
    return registry.format(list)
end

function methods:set_parameter(name, value)
    state.set_parameter(name, value)
end

function methods:get_parameter(name)
    return state.get_parameter(name)
end

function methods:add_spy(spy)
    state.add_spy(spy)
end

--- Begins a layer: what comes after, its `revert` takes away.
function methods:snapshot()
    return state.snapshot()
end

--- A level of the stack, for `assert(value, message, level)`.
function methods:level(level)
    return setmetatable({ level = level }, level_metatable)
end

function methods:get_level(level)
    return getmetatable(level) == level_metatable and level.level or nil
end

---@param object echolot.assert.object
function M.add_methods(object)
    for name, method in next, methods do
        rawset(object, name, method)
    end
end

return M
