--- What stands in the place of an argument where any value will do that it takes: `match.is_string()`.
local inspect = require "echolot.inspect"

local M = {}

local concat = table.concat
local format, setmetatable, type = string.format, setmetatable, type
local getmetatable = debug.getmetatable

---@class echolot.busted.argument_matcher
---@field name string
---@field mod boolean false where it is negated
---@field callback fun(value: any): any
---@field arguments table those that it was made with
---@field by_reference boolean whether it wants the very argument, not its copy
---@overload fun(value: any): boolean

M.metatable = {
    __name = "echolot.argument_matcher",
    __call = function(self, value)
        return (not not self.callback(value)) == self.mod
    end,
    __tostring = function(self)
        if self.name == "_" then
            return "match._"
        end
        local parts = {}
        for index = 1, self.arguments.n do
            local argument = self.arguments[index]
            parts[index] = M.is(argument) and M.metatable.__tostring(argument)
                or inspect.value(argument, { max_length = 60, max_depth = 4 })
        end
        return format("match.%s%s(%s)", self.mod and "is_" or "is_not_", self.name, concat(parts, ", "))
    end,
}

---@param fields table
---@return echolot.busted.argument_matcher
function M.new(fields)
    fields.by_reference = fields.name == "ref"
    return setmetatable(fields, M.metatable)
end

---@param value any
---@return boolean
function M.is(value)
    return type(value) == "table" and getmetatable(value) == M.metatable
end

return M
