--- Connect Four, as the course ICS 32 plays it over TCP (I32CFSP). The client is red and moves
--- first; lines end with CRLF, or LF:
---
---   I32CFSP_HELLO user      WELCOME user
---   AI_GAME                 READY             7 columns, 6 rows
---   AI_GAME columns rows    READY             4 to 20 each
---   DROP column             OKAY, then DROP or POP with our column, then READY
---   POP column              INVALID, then READY: an illegal move, nothing has changed
---                           WINNER_RED or WINNER_YELLOW, after the move that won: the end
---
--- Whatever else comes is answered ERROR, and ends the conversation.
local core = require "echolot.core"
local frames = require "echolot.servers.frames"
local player = require "echolot.servers.connect_four.player"
local rules = require "echolot.servers.connect_four.rules"
local turns = require "echolot.servers.turns"

local RED, YELLOW = rules.RED, rules.YELLOW

local COLUMNS, ROWS = 7, 6
local SIZE_MIN, SIZE_MAX = 4, 20

local RECV_MAX = 4 << 10
local COUNT_MAX = 1 << 30
local MOVE_MAX = 64 -- bytes of a move in an option

-- A move as it is written, legal or not; nil if it is none.
local function move_in(line)
    local action, column = line:match "^(%u+) (-?%d+)$"
    if action == rules.DROP or action == rules.POP then
        return action, tonumber(column)
    end
end

local function is_move(text)
    return move_in(text) ~= nil
end

---@type echolot.servers.definition
local M = {
    name = "connect_four",
    summary = "plays Connect Four (I32CFSP, ICS 32)",
    options = {
        { name = "strength", type = "choice", choices = { "full", "random" }, default = "full",
            help = "how it plays: as well as it can, or any legal move" },
        { name = "seed", type = "integer", min = 0, max = math.maxinteger,
            help = "the same in every game: its moves depend on the client's only" },
        { name = "opening", type = "texts", accepts = is_move, line_max = MOVE_MAX,
            form = "moves such as 'DROP 4' or 'POP 4'",
            help = "a move that it makes first, if it is legal; may come again and again" },
        { name = "delay", type = "seconds", min = 0, default = 0,
            help = "pause between OKAY and its move" },
        { name = "close_after", type = "integer", min = 1, max = COUNT_MAX,
            help = "close once it has made N moves, as in a draw" },
        { name = "max_line", type = "integer", min = 1, max = COUNT_MAX, default = 64 << 10,
            help = "bytes of a line at most, its end not counted" },
        { name = "idle_timeout", type = "seconds",
            help = "close when the client has neither sent nor taken anything for S seconds" },
    },
}

-- A function that gives the client's lines without their ends. False instead of a line that is
-- none of the protocol's whatever it says: too long, or not UTF-8. Nil at the end: what the
-- client left without a line end may be half a command, and is not obeyed.
local function lines_of(conn, max_line)
    local give_way = turns.new()
    local ended = false
    local function recv()
        local chunk = conn:recv(RECV_MAX)
        ended = chunk == ""
        return chunk
    end
    local next_line = frames.lines(recv, max_line, "close")
    return function()
        give_way() -- many lines may have come at once
        local line, _, cut = next_line()
        if cut or not line and ended then
            return nil
        end
        return line and utf8.len(line) and line or false
    end
end

-- The sizes that a game was asked for; nil if that was not asked for, or sizes out of bounds.
local function sizes_in(line)
    if line == "AI_GAME" then
        return COLUMNS, ROWS
    end
    local columns, rows = line:match "^AI_GAME (%d+) (%d+)$"
    columns, rows = tonumber(columns), tonumber(rows)
    if columns and columns >= SIZE_MIN and columns <= SIZE_MAX
        and rows >= SIZE_MIN and rows <= SIZE_MAX then
        return columns, rows
    end
end

-- The opening's next move if there is one that is legal; else what the computer chooses.
local function next_move(board, computer, opening)
    while opening[1] do
        local action, column = move_in(table.remove(opening, 1))
        if board:is_legal(YELLOW, action, column) then
            return { action = action, column = column }
        end
    end
    return computer:choose()
end

local function answers_of(conn, options, board)
    local computer = player.new(board, YELLOW, {
        strength = options.strength, seed = options.seed, give_way = turns.new(),
    })
    local opening = { table.unpack(options.opening or {}) }
    local moves = 0
    -- Answers a move of red's. False once the game is over.
    return function()
        conn:send "OKAY\r\n" -- at once: thinking may take its time
        if options.delay > 0 then
            core.sleep(options.delay)
        end
        local move = next_move(board, computer, opening)
        if not move then
            return false
        end
        local winner = board:play(YELLOW, move.action, move.column)
        moves = moves + 1
        local goes_on = not winner and moves ~= options.close_after and board:can_move(RED)
        conn:send(("%s %d\r\n"):format(move.action, move.column),
            winner and ("WINNER_%s\r\n"):format(winner) or goes_on and "READY\r\n" or "")
        return goes_on
    end
end

-- Plays until somebody has won or nobody can move. Each step returns true where the client kept
-- to the protocol up to the end, whoever made it.
local function play(conn, options, next_line, board)
    local answer = answers_of(conn, options, board)
    for line in next_line do
        local action, column = move_in(line or "")
        if not action then
            return false
        elseif not board:is_legal(RED, action, column) then
            conn:send "INVALID\r\nREADY\r\n"
        else
            local winner = board:play(RED, action, column)
            if winner then
                conn:send("WINNER_", winner, "\r\n")
                return true
            elseif not answer() then
                return true
            end
        end
    end
    return true
end

local function start_game(conn, options, next_line)
    local line = next_line()
    if line == nil then
        return true
    end
    local columns, rows = sizes_in(line or "")
    if not columns then
        return false
    end
    conn:send "READY\r\n"
    return play(conn, options, next_line, rules.new(columns, rows))
end

local function greet(conn, options, next_line)
    local line = next_line()
    if line == nil then
        return true
    end
    local user = (line or ""):match "^I32CFSP_HELLO ([^%s]+)$"
    if not user then
        return false
    end
    conn:send("WELCOME ", user, "\r\n")
    return start_game(conn, options, next_line)
end

--- Plays one game.
---@param conn echolot.conn
---@param options table
function M.serve(conn, options)
    conn:timeout(options.idle_timeout or math.huge)
    if not greet(conn, options, lines_of(conn, options.max_line)) then
        conn:send "ERROR\r\n"
    end
end

return M
