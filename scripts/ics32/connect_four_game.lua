-- One side of a game with a server of the course's Connect Four: it keeps a board of its own, and
-- asserts of everything that the server says that the rules allow it.
local echolot = require "echolot"
local rules = require "connect_four_rules"

local M = {}

local MOVES_MAX = 400 -- a game of pops may go on for ever

local MOVE = echolot.pattern "(%u+) (%d+)"

---@class connect_four.game
---@field peer echolot.conn
---@field board table as it has to be
---@field over boolean
local game = {}
game.__index = game

--- Starts a game with the server at the other end; without sizes, that of 7 columns and 6 rows.
---@param peer echolot.conn
---@param columns? integer
---@param rows? integer
---@return connect_four.game
function M.join(peer, columns, rows)
    peer:send "I32CFSP_HELLO player\r\n":expect_line "WELCOME player"
    peer:send(columns and ("AI_GAME %d %d\r\n"):format(columns, rows) or "AI_GAME\r\n")
    peer:expect_line "READY"
    return setmetatable({ peer = peer, board = rules.new(columns or 7, rows or 6), over = false }, game)
end

--- A line that is an illegal move: it is refused, and changes nothing.
function game:refused(line)
    self.peer:send(line .. "\r\n"):expect "INVALID\r\nREADY\r\n"
end

-- What has to follow a move: the winner and the end, or READY.
function game:expect_result(winner)
    if winner then
        self.peer:expect_line("WINNER_" .. winner)
        self.peer:expect_eof()
        self.over = true
    else
        self.peer:expect_line "READY"
    end
end

-- The server's move, which has to be legal.
function game:expect_move()
    local _, action, column = self.peer:expect_line(MOVE)
    column = math.tointeger(tonumber(column))
    assert.contains(action, { "DROP", "POP" })
    assert.is_nil(self.board:objection("YELLOW", action, column))
    return self.board:play("YELLOW", action, column)
end

--- Takes the answer to a legal move that has been sent.
function game:expect_answer(action, column)
    local winner = self.board:play("RED", action, column)
    if not winner then
        self.peer:expect_line "OKAY"
        winner = self:expect_move()
    end
    self:expect_result(winner)
end

--- Makes a legal move, and takes the answer.
function game:move(action, column)
    self.peer:send(("%s %d\r\n"):format(action, column))
    self:expect_answer(action, column)
end

--- Makes moves that `choose(board)` gives until `found(board)`, if there is one, gives something:
--- that is returned; nil once the game is over, or has been going on for very long.
function game:play(choose, found)
    for _ = 1, MOVES_MAX do
        local sought = not self.over and found and found(self.board)
        if sought or self.over then
            return sought or nil
        elseif not self.board:can_move "RED" then
            self.peer:expect_eof() -- a draw has no words
            self.over = true
        else
            self:move(choose(self.board))
        end
    end
end

-- Ways to play: functions that choose a legal move of red's.

-- The columns into which red may drop a piece so that `accept(column)` holds.
local function drops(board, accept)
    local columns = {}
    for column = 1, board.columns do
        if not board:objection("RED", "DROP", column) and (not accept or accept(column)) then
            columns[#columns + 1] = column
        end
    end
    return columns
end

local function wins_by(board, action, column)
    return board:copy():play("RED", action, column) == "RED"
end

local function legal_pop(board)
    for column = 1, board.columns do
        if not board:objection("RED", "POP", column) then
            return "POP", column
        end
    end
end

--- Drops anywhere; pops where nothing else is left.
function M.at_random(board)
    local columns = drops(board)
    if #columns == 0 then
        return legal_pop(board)
    end
    return "DROP", columns[math.random(#columns)]
end

--- Wins where it can.
function M.to_win(board)
    for _, action in ipairs { "DROP", "POP" } do
        for column = 1, board.columns do
            if not board:objection("RED", action, column) and wins_by(board, action, column) then
                return action, column
            end
        end
    end
    return M.at_random(board)
end

--- Pops every other time, if it can.
function M.popping(board)
    local action, column = legal_pop(board)
    if action and math.random(2) == 1 then
        return action, column
    end
    return M.at_random(board)
end

--- Makes stacks as high as it can, and does not win by them.
function M.stacking(board)
    local columns = drops(board, function(column)
        return not wins_by(board, "DROP", column)
    end)
    if #columns == 0 then
        return M.at_random(board)
    end
    local highest = columns[math.random(#columns)]
    for _, column in ipairs(columns) do
        if #board[column] > #board[highest] then
            highest = column
        end
    end
    return "DROP", highest
end

return M
