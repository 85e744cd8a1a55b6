--- What all embedded servers share: their objects, listening, clients, endings.
local core = require "echolot.core"
local options_of = require "echolot.servers.options"

local M = {}

--- Listens at `address` and serves in tasks of the caller's; returns at once. `report` is told
--- of our own faults; without it they are errors of those tasks.
---@alias echolot.server.start
---| fun(self: echolot.server, address?: string, report?: fun(text: string)): echolot.server.running

--- A server as its module describes it.
---@class echolot.servers.definition
---@field name string
---@field summary string one line
---@field options echolot.servers.option[]
---@field serve? fun(conn: echolot.conn, options: table) talks with one client
---@field start? echolot.server.start

--- What `target` takes and `echolot serve` runs.
---@class echolot.server
---@field name string
---@field options table all of them, defaults too
---@field start echolot.server.start

--- A server that listens.
---@class echolot.server.running
---@field name string
---@field address string such as tcp://127.0.0.1:40001
---@field host? string
---@field port? integer
---@field listener echolot.listener
---@field members echolot.server.running[] the listeners of a group; of a server alone, itself
---@field close fun(self: echolot.server.running): echolot.server.running

local ANY_ADDRESS = "tcp://127.0.0.1:0"

-- How long a client that was told the end may still send, unheard.
local LINGER_S = 1
local LINGER_BYTES = 4 << 20

-- The others wait no longer than this for one that does not wait by itself.
local TURN_S = 0.005

local RECV_MAX = 64 << 10

local function nothing() end

--- A function to be called by who may go on for long without waiting (its client reads, or
--- has sent, faster than we write): every few milliseconds it lets the loop have a turn, so
--- that the others are served.
---@return fun()
function M.turns()
    local next_s = core.now() + TURN_S
    return function()
        if core.now() >= next_s then
            core.spawn(nothing):join()
            next_s = core.now() + TURN_S
        end
    end
end

--- Ends our half, then takes in what still comes until the client ends too, for a moment.
--- Closing with bytes unread would send an RST, which can overtake the last reply (RFC 1122
--- section 4.2.2.13, RFC 9112 section 9.6).
---@param conn echolot.conn
function M.finish(conn)
    conn:shutdown()
    local last_s = core.now() + LINGER_S
    local left = LINGER_BYTES
    while left > 0 do
        local left_s = last_s - core.now()
        if left_s <= 0 then
            return
        end
        local chunk = conn:timeout(left_s):recv(RECV_MAX)
        if chunk == "" then
            return
        end
        left = left - #chunk
    end
end

--- Takes an address apart: a bare host ("127.0.0.1", "[::1]", "localhost") has no port, a Unix socket
--- neither.
---@param address string
---@return string? host
---@return integer? port
function M.split_address(address)
    local text = type(address) == "string" and address:gsub("^tcp://", "") or ""
    local host = text:match "^%[([%x:.]+)%]$"
        or text:find ":.*:" and text:match "^[%x:.]+$"
        or text:match "^[^:/]+$"
    if host then
        return core.address(host, 0).host, nil
    end
    local parsed = core.address(address)
    if parsed.scheme ~= "tcp" and parsed.scheme ~= "unix" then
        error(core.error.new {
            kind = "usage", op = "listen", address = tostring(parsed),
            message = "the embedded servers listen at tcp and unix addresses only",
        }, 0)
    end
    return parsed.host, parsed.port
end

-- Runs in the client's own task. Nothing; or an error that is a fault of ours: the network's,
-- and what the client did to us, is no news to anybody.
local function talk(serve, options, conn)
    local client <close> = conn
    local ok, err = pcall(serve, client, options)
    if ok or core.error.is(err) and (err.kind == "limit" or err.kind == "timeout") then
        pcall(M.finish, client)
    elseif not core.error.is(err) then
        return ("internal error of the server: %s"):format(tostring(err))
    end
end

local function serve_client(running, serve, options, conn, report)
    local task
    task = core.spawn(function()
        local fault = talk(serve, options, conn)
        running.clients[task] = nil
        if fault and report then
            report(fault)
        elseif fault then
            error(fault, 0)
        end
    end)
    running.clients[task] = true
end

-- Each accept that fails but for the listener's end is passing trouble: no descriptor is
-- free, or the client has gone already (accept(2)). The others wait until it is over.
local function accept_clients(running, serve, options, report)
    local listener = running.listener
    while true do
        local ok, conn = pcall(listener.accept, listener)
        if ok then
            serve_client(running, serve, options, conn, report)
        elseif conn.kind == "usage" or conn.kind == "cancelled" then
            return
        else
            core.sleep(0.01)
        end
    end
end

---@class echolot.server.running
local running_methods = { __name = "echolot.server.running" }
running_methods.__index = running_methods

--- Stops listening and ends the clients. Harmless when it has ended already.
function running_methods:close()
    self.listener:close()
    for task in pairs(self.clients) do
        task:cancel()
    end
    return self
end

running_methods.__close = running_methods.close

function running_methods:__tostring()
    return ("%s server (%s)"):format(self.name, self.address)
end

--- Listens and serves in tasks of the caller's; returns at once.
---@param name string what reports call it
---@param definition echolot.servers.definition
---@param options table checked
---@param address string with a port, or of a Unix socket
---@param report? fun(text: string) told of internal errors; without it they end the task
---@return echolot.server.running
function M.listen(name, definition, options, address, report)
    local listener = core.listen(address)
    listener:timeout(math.huge)
    local running = setmetatable({
        name = name,
        address = tostring(listener.address),
        host = listener.address.host,
        port = listener.port,
        listener = listener,
        clients = {},
    }, running_methods)
    running.members = { running }
    core.spawn(accept_clients, running, definition.serve, options, report)
    return running
end

local function start_one(self, address, report)
    local definition = self.definition
    local host, port = M.split_address(address or ANY_ADDRESS)
    local at = host and core.address(host, port or 0) or address
    return M.listen(self.name, definition, self.options, at, report)
end

---@class echolot.server
local server_metatable = { __name = "echolot.server" }
server_metatable.__index = server_metatable

function server_metatable:__tostring()
    return ("%s server"):format(self.name)
end

--- The function of options that makes servers of a definition.
---@param definition echolot.servers.definition
---@return fun(options?: table): echolot.server
function M.constructor(definition)
    local op = "servers." .. definition.name
    return function(options)
        return setmetatable({
            name = definition.name,
            options = options_of.check(op, definition.options, options),
            definition = definition,
            start = definition.start or start_one,
        }, server_metatable)
    end
end

return M
