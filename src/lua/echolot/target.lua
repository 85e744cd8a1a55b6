--- Targets: whom a file talks to. An address from the command line, the environment or the
--- script; or an embedded server, started when the first test needs it.
local core = require "echolot.core"

local M = {}

---@class echolot.target
---@field address string canonical text
---@field name string|false
---@field host? string
---@field port? integer
---@field path? string of a Unix socket
---@field connect fun(self: echolot.target, options?: table): userdata
local target = {}
target.__name = "echolot.target"

M.metatable = target

local function usage(message)
    error(core.error.new { kind = "usage", op = "target", message = message }, 0)
end

local function is_server(value)
    return type(value) == "table" and type(value.start) == "function"
end

-- Starts the server where that has not been done; afterwards the address is a plain field.
local function settle(self)
    local whom = rawget(self, "whom")
    local address
    if is_server(whom) then
        local running
        rawget(self, "state").scope:spawn(function()
            running = whom:start("127.0.0.1:0")
        end):join()
        rawset(self, "running", running)
        address = core.address(tostring(running.address))
    else
        address = core.address(whom)
    end
    rawset(self, "address", tostring(address))
    rawset(self, "host", address.host)
    rawset(self, "port", address.port)
    rawset(self, "path", address.path)
end

local SETTLED = { address = true, host = true, port = true, path = true }

function target.__index(self, key)
    if SETTLED[key] and rawget(self, "address") == nil then
        settle(self)
        return rawget(self, key)
    end
    return target[key]
end

function target.__tostring(self)
    return ("target (%s)"):format(self.address)
end

--- Connects to it; `options` are connect's.
function target.connect(self, options)
    return core.connect(self.address, options)
end

---@param state echolot.suite.state
---@param name? string
---@param whom string|table an address, or an embedded server
---@return echolot.target
function M.new(state, name, whom)
    if type(whom) == "string" then
        core.address(whom) -- raises where it does not parse
    elseif not is_server(whom) then
        usage("an address or an embedded server is expected, got " .. type(whom))
    end
    return setmetatable({ state = state, name = name or false, whom = whom }, target)
end

local function from_environment(name)
    if not name then
        return os.getenv "ECHOLOT_TARGET"
    end
    return os.getenv("ECHOLOT_TARGET_" .. name:upper():gsub("[^%w]", "_"))
end

--- The unnamed target that was given to a file which declares none; nil where there is none.
---@param state echolot.suite.state
---@return echolot.target?
function M.given(state)
    local whom = state.given_targets[""] or from_environment(nil)
    return whom and M.declare(state, whom)
end

--- `target([name,] default)`: the first that there is of --target, the environment, `default`.
---@param state echolot.suite.state
---@return echolot.target
function M.declare(state, ...)
    local name, default = ...
    if select("#", ...) < 2 then
        name, default = nil, name
    end
    if name ~= nil and type(name) ~= "string" then
        usage("a name is expected first, got " .. type(name))
    end
    local given = state.given_targets[name or ""]
    local whom = given or from_environment(name) or default
    if whom == nil then
        usage(name and ("no address for target '%s': give --target %s=ADDRESS"):format(name, name)
            or "no address: give --target ADDRESS")
    end
    local declared = M.new(state, name, whom)
    if name == nil then
        table.insert(state.targets, 1, declared)
    else
        table.insert(state.targets, declared)
    end
    return declared
end

return M
