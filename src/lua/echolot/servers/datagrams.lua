--- The small services by UDP (RFC 862 to 868): a datagram comes, at most one kind of answer goes back.
local core = require "echolot.core"
local turns = require "echolot.servers.turns"

local M = {}

-- Ports of services, where another small server may be: the two would answer each other for ever.
local SERVICE_PORTS = 1024

--- Makes a function of each datagram that gives the answer, and how many copies of it (1); or nil, for none.
---@alias echolot.servers.answerer fun(options: table): (fun(datagram: string): string?, integer?)

local function answer_all(socket, answer)
    local give_way = turns.new()
    while true do
        local datagram, from = socket:recv()
        local reply, copies = answer(datagram)
        if reply and from.port >= SERVICE_PORTS then
            for _ = 1, copies or 1 do
                pcall(socket.send, socket, reply, from) -- what the network does to it is nobody's fault
                give_way()
            end
        end
        give_way()
    end
end

--- Listens at `address` and answers in a task of the caller's; returns at once.
---@param answerer echolot.servers.answerer
---@param options table
---@param address any
---@param report? fun(text: string) told of internal errors; without it they end the task
---@return echolot.udp
function M.listen(answerer, options, address, report)
    local socket = core.udp_listen(address)
    socket:timeout(math.huge)
    local answer = answerer(options)
    core.spawn(function()
        local ok, err = pcall(answer_all, socket, answer)
        if ok or core.error.is(err) then
            return -- the socket is closed, or the task is to end
        elseif not report then
            error(err, 0)
        end
        report(("internal error of the server: %s"):format(tostring(err)))
    end)
    return socket
end

return M
