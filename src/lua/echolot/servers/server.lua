--- What all embedded servers share: their objects, listening, clients, endings.
local core = require "echolot.core"
local datagrams = require "echolot.servers.datagrams"
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
---@field answerer? echolot.servers.answerer it is there by UDP too
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
---@field listener? echolot.listener
---@field udp? echolot.udp
---@field members echolot.server.running[] the listeners of a group; of a server alone, itself
---@field close fun(self: echolot.server.running): echolot.server.running

local ANY_ADDRESS = "127.0.0.1:0"

-- A port that is free for TCP may not be so for UDP: then another one is tried, so often.
local PORTS_TRIED = 20

-- How long a client that was told the end may still send, unheard.
local LINGER_S = 1
local LINGER_BYTES = 4 << 20

local RECV_MAX = 64 << 10

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

--- Raises `usage`: nobody can listen there.
function M.refuse(address, message)
    error(core.error.new { kind = "usage", op = "listen", address = tostring(address), message = message }, 0)
end

--- Takes an address apart: a bare host ("127.0.0.1", "[::1]", "localhost") has no port, a Unix socket
--- neither; where no scheme is named there is none.
---@param address string
---@return string? host
---@return integer? port
---@return "tcp"|"udp"|"unix"|nil scheme
function M.split_address(address)
    local scheme, rest
    if type(address) == "string" then
        scheme, rest = address:match "^(%l+)://(.*)$"
        rest = rest or address
        local host = rest:match "^%[([%x:.]+)%]$"
            or rest:find ":.*:" and rest:match "^[%x:.]+$"
            or rest:match "^[^:/]+$"
        if host and (not scheme or scheme == "tcp" or scheme == "udp") then
            return core.address(host, 0).host, nil, scheme
        end
    end
    local parsed = core.address(address)
    if parsed.scheme == "tls" or parsed.scheme == "exec" then
        M.refuse(parsed, "the embedded servers listen at tcp, udp and unix addresses only")
    elseif parsed.scheme == "tcp" and rest and not scheme then
        return parsed.host, parsed.port, nil
    end
    return parsed.host, parsed.port, parsed.scheme
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
    if self.listener then
        self.listener:close()
    end
    if self.udp then
        self.udp:close()
    end
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

local function listen_by_udp(self, address, report)
    local answerer = self.definition.answerer
    if not answerer then
        M.refuse(address, ("the %s server knows streams only"):format(self.name))
    end
    local socket = datagrams.listen(answerer, self.options, address, report)
    local running = setmetatable({
        name = self.name,
        address = tostring(socket.address),
        host = socket.address.host,
        port = socket.port,
        udp = socket,
        clients = {},
    }, running_methods)
    running.members = { running }
    return running
end

-- By TCP and UDP, on one port.
local function listen_by_both(self, host, port, report)
    local tries = port and port ~= 0 and 1 or PORTS_TRIED
    while true do
        local running = M.listen(self.name, self.definition, self.options, core.address(host, port or 0), report)
        local at = core.address("udp://" .. running.address:gsub("^tcp://", ""))
        local ok, udp = pcall(datagrams.listen, self.definition.answerer, self.options, at, report)
        if ok then
            running.udp = udp
            return running
        end
        running:close()
        tries = tries - 1
        if udp.errno ~= "EADDRINUSE" or tries == 0 then
            error(udp, 0)
        end
    end
end

local function start_one(self, address, report)
    address = address or ANY_ADDRESS
    local definition = self.definition
    local host, port, scheme = M.split_address(address)
    if not scheme and definition.answerer then
        return listen_by_both(self, host, port, report)
    end
    local at = host and core.address(host, port or 0) or address
    if scheme == "udp" then
        return listen_by_udp(self, "udp://" .. tostring(at):gsub("^tcp://", ""), report)
    end
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
