--- The servers of a first course on sockets (ICS 32, "Sockets, part 1"), each on its port:
--- one that echoes, two that "work slightly differently", and one that plays Connect Four.
local connect_four = require "echolot.servers.connect_four"
local core = require "echolot.core"
local echo = require "echolot.servers.echo"
local server = require "echolot.servers.server"

local OP = "servers.ics32"

-- Every option of the server that it is, with defaults of the member's own.
local function member(name, base, port, help, own)
    local options = {
        { name = "port", type = "integer", min = 0, max = 65535, default = port, own = true,
            help = help .. "; 0: any free port" },
    }
    for _, option in ipairs(base.options) do
        local copy = {}
        for key, value in pairs(option) do
            copy[key] = value
        end
        copy.own = own[option.name] ~= nil
        copy.default = own[option.name] or option.default
        options[#options + 1] = copy
    end
    return { name = name, type = "group", base = base, help = help, options = options }
end

---@type echolot.servers.definition
local M = {
    name = "ics32",
    summary = "a group: the servers of the course ICS 32",
    options = {
        member("echo", echo, 5151, "port of the plain echo", {}),
        -- One receive is not one message. Four bytes, so that a short word is cut, too.
        member("fragments", echo, 5150, "port of the echo in delayed fragments",
            { chunk = 4, chunk_delay = 0.05 }),
        -- The second copy comes later: it is what the next receive gives.
        member("double", echo, 5152, "port of the echo that answers each line twice",
            { repeat_reply = 2, chunk_delay = 0.05 }),
        member("connect_four", connect_four, 4444, "port of Connect Four", {}),
    },
}

local function usage(message)
    error(core.error.new { kind = "usage", op = OP, message = message }, 0)
end

-- Ports that were asked for may not be the same; any free port is no such wish.
local function check_ports(options)
    local taken = {}
    for _, option in ipairs(M.options) do
        local port = options[option.name].port
        if port ~= 0 and taken[port] then
            usage(("%s.port and %s.port are both %d"):format(taken[port], option.name, port))
        end
        taken[port] = option.name
    end
end

---@class echolot.server.running.group : echolot.server.running
local group = { __name = "echolot.server.running" }
group.__index = group

--- Closes all members.
function group:close()
    for _, running in ipairs(self.members) do
        running:close()
    end
    return self
end

group.__close = group.close

function group:__tostring()
    return ("%s servers (%s)"):format(self.name, self.address)
end

--- Starts all members. `address`: a host, for their own ports; or with port 0 (the default),
--- for free ports. What the group gives as its address is the plain echo's.
function M.start(self, address, report)
    local host, port, scheme = server.split_address(address or "127.0.0.1:0")
    if not host then
        usage(("several servers cannot share %s: give a host"):format(address))
    elseif scheme == "udp" then
        server.refuse(address, "the servers of the course know streams only")
    elseif port and port ~= 0 then
        usage(("several servers cannot share port %d: give a host (or port 0 for free ports), "
            .. "and the ports as options, such as echo.port=%d"):format(port, port))
    end
    check_ports(self.options)
    local running = setmetatable({ name = self.name, members = {} }, group)
    local started = false
    local undo <close> = setmetatable({}, {
        __close = function()
            if not started then
                running:close()
            end
        end,
    })
    for i, option in ipairs(M.options) do
        local options = self.options[option.name]
        local at = core.address(host, port or options.port)
        running.members[i] = server.listen(option.name, option.base, options, at, report)
        running[option.name] = running.members[i]
    end
    local first = running.members[1]
    running.address, running.host, running.port = first.address, first.host, first.port
    running.listener = first.listener
    started = true
    return running
end

return M
