--- What scripts put in place for a while: spies, formatters and parameters, in layers. A snapshot is the layer that
--- begins with it; reverting it takes away what came since.
local M = {}

local insert, remove = table.insert, table.remove
local ipairs, setmetatable, tostring = ipairs, setmetatable, tostring

---@class echolot.busted.layer
---@field spies table<integer, table> in the order of their making; a spy that nobody holds is forgotten
---@field count integer of spies, the forgotten ones too
---@field formatters function[] the newest first
---@field parameters table<string, {value: any}>

local WEAK = { __mode = "v" }

---@return echolot.busted.layer
local function new_layer()
    return { spies = setmetatable({}, WEAK), count = 0, formatters = {}, parameters = {} }
end

local layers = { new_layer() }

---@param layer echolot.busted.layer
local function revert_layer(layer)
    for index = layer.count, 1, -1 do
        local spy = layer.spies[index]
        if spy then
            spy:revert()
        end
    end
end

---@class echolot.busted.snapshot
---@field layer echolot.busted.layer
---@overload fun()
local snapshot_methods = {}

--- Takes away what came since; harmless where that has happened.
function snapshot_methods:revert()
    for index = #layers, 2, -1 do
        if layers[index] == self.layer then
            for _ = index, #layers do
                revert_layer(remove(layers))
            end
        end
    end
end

local snapshot_metatable = {
    __name = "echolot.snapshot",
    __index = snapshot_methods,
    __call = snapshot_methods.revert,
}

--- Begins a layer.
---@return echolot.busted.snapshot
function M.snapshot()
    local layer = new_layer()
    insert(layers, layer)
    return setmetatable({ layer = layer }, snapshot_metatable)
end

---@param spy table
function M.add_spy(spy)
    local layer = layers[#layers]
    layer.count = layer.count + 1
    layer.spies[layer.count] = spy
end

--- A formatter gets a value and returns text for messages, or nil where it knows none.
---@param formatter fun(value: any, options?: table): string?
function M.add_formatter(formatter)
    insert(layers[#layers].formatters, 1, formatter)
end

---@param formatter function
function M.remove_formatter(formatter)
    for _, layer in ipairs(layers) do
        for index = #layer.formatters, 1, -1 do
            if layer.formatters[index] == formatter then
                remove(layer.formatters, index)
            end
        end
    end
end

--- What the registered formatters say of a value.
---@param value any
---@param options? table
---@return string?
function M.format(value, options)
    for index = #layers, 1, -1 do
        for _, formatter in ipairs(layers[index].formatters) do
            local text = formatter(value, options)
            if text ~= nil then
                return tostring(text)
            end
        end
    end
end

---@param name string
---@param value any
function M.set_parameter(name, value)
    layers[#layers].parameters[name] = { value = value }
end

---@param name string
---@return any
function M.get_parameter(name)
    for index = #layers, 1, -1 do
        local parameter = layers[index].parameters[name]
        if parameter then
            return parameter.value
        end
    end
end

return M
