--- The character generator (RFC 864): lines of characters without end, as fast as the client
--- takes them; what it sends is thrown away.
local core = require "echolot.core"
local discard = require "echolot.servers.discard"
local turns = require "echolot.servers.turns"

-- "A popular choice": 95 printing characters in a ring, 72 a line, each line one further on.
local LINE_LENGTH = 72
local FIRST, LAST = 32, 126
local LINES = LAST - FIRST + 1

local function all_lines()
    local ring = {}
    for code = FIRST, LAST do
        ring[#ring + 1] = string.char(code)
    end
    local characters = table.concat(ring)
    characters = characters .. characters
    local lines = {}
    for first = 1, LINES do
        lines[first] = characters:sub(first, first + LINE_LENGTH - 1) .. "\r\n"
    end
    return table.concat(lines)
end

local ROUND = all_lines()

---@type echolot.servers.definition
local M = {
    name = "chargen",
    summary = "sends lines of characters without end (RFC 864)",
    options = {},
}

---@param conn echolot.conn
function M.serve(conn)
    -- A client that has ended its half may go on reading: only its close ends us, by a send
    -- that fails. Reading what it sends keeps it from waiting for us.
    local reader = core.spawn(pcall, discard.serve, conn)
    local guard <close> = setmetatable({}, {
        __close = function()
            reader:cancel()
        end,
    })
    local give_way = turns.new()
    while true do
        conn:send(ROUND)
        give_way()
    end
end

-- RFC 864: "a random number (between 0 and 512) of characters".
local DATAGRAM_MAX = 512

--- By UDP each datagram, whatever is in it, is answered by one of a random length.
function M.answerer()
    return function()
        return ROUND:sub(1, math.random(0, DATAGRAM_MAX))
    end
end

return M
