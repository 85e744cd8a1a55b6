--- What `require "echolot"` gives: the calls of the core and what is built upon them.
local core = require "echolot.core"

local concurrency = require "echolot.concurrency"
local target = require "echolot.target"

-- A target is asked for its address here, where that may wait: its server is started then.
local function connect(whom, ...)
    if type(whom) == "table" and getmetatable(whom) == target.metatable then
        whom = whom.address
    end
    return core.connect(whom, ...)
end

-- By UDP, where a target is, whatever its address' scheme: the small services are there by both.
local function udp(whom, ...)
    if type(whom) == "table" and getmetatable(whom) == target.metatable and whom.host then
        return core.udp(whom.host, whom.port, ...)
    end
    return core.udp(whom, ...)
end

---@class echolot
local M = {
    connect = connect,
    listen = core.listen,
    udp = udp,
    udp_listen = core.udp_listen,
    address = core.address,
    spawn = core.spawn,
    sleep = core.sleep,
    now = core.now,
    run = concurrency.run,
    parallel = concurrency.parallel,
    timeout = concurrency.timeout,
    barrier = concurrency.barrier,
    channel = concurrency.channel,
    serve = concurrency.serve,
    Error = core.error,
    null = core.json.null,
}
for _, name in ipairs { "line", "bytes", "hex", "pattern", "regex", "delimited", "counted", "json", "either" } do
    M[name] = core.matchers[name]
end

-- What explains a failure is loaded by the first one. Its events count from the connection's beginning.
core.set_explainer(function(fields)
    local began = fields.transcript[1] and fields.transcript[1].t
    for _, event in ipairs(fields.transcript) do
        event.t = event.t - began
        event.peer = event.peer or fields.address
    end
    return require("echolot.explain").mismatch(fields)
end)
core.set_comparer(function(template, value)
    return require("echolot.template").compare(template, value)
end)

-- Loaded by the first program that a script starts.
function M.process(given)
    return require("echolot.process").start(given)
end

function core.conn_methods.wait_port(process, address)
    return require("echolot.process").wait_port(process, address)
end

-- Loaded when a script first asks for them.
local LAZY = { servers = "echolot.servers", gen = "echolot.gen" }

return setmetatable(M, {
    __index = function(t, key)
        if LAZY[key] then
            local module = require(LAZY[key])
            rawset(t, key, module)
            return module
        end
    end,
})
