--- The rules of Connect Four with pops: a board, what is legal on it, who has won. Players and
--- actions are named as the protocol does, "RED" and "YELLOW", "DROP" and "POP".
local M = {}

M.RED, M.YELLOW = "RED", "YELLOW"
M.DROP, M.POP = "DROP", "POP"

---@alias echolot.connect_four.player "RED"|"YELLOW"
---@alias echolot.connect_four.action "DROP"|"POP"

--- Whom a player plays against.
---@type table<echolot.connect_four.player, echolot.connect_four.player>
M.OPPONENT = { RED = "YELLOW", YELLOW = "RED" }

-- How many in a row win, and in which directions: (columns, rows) from one to the next.
local FOUR = 4
local DIRECTIONS = { { 1, 0 }, { 0, 1 }, { 1, 1 }, { 1, -1 } }

local NO_STACK = {} -- what stands beside the board

--- A board. Columns count from 1 at the left, rows from 1 at the bottom.
---@class echolot.connect_four.board
---@field columns integer
---@field rows integer
---@field stacks echolot.connect_four.player[][] of each column its pieces, from the bottom up
local board = {}
board.__index = board

--- An empty one.
---@param columns integer
---@param rows integer
---@return echolot.connect_four.board
function M.new(columns, rows)
    local stacks = {}
    for column = 1, columns do
        stacks[column] = {}
    end
    return setmetatable({ columns = columns, rows = rows, stacks = stacks }, board)
end

--- Whether the player may do that. Any number will do as a column: what is none of the board's
--- is illegal.
---@param who echolot.connect_four.player
---@param action echolot.connect_four.action
---@param column number
---@return boolean
function board:is_legal(who, action, column)
    local stack = self.stacks[column]
    if not stack then
        return false
    elseif action == "DROP" then
        return #stack < self.rows
    end
    return stack[1] == who
end

--- Whether the player has any legal move. On a board of at least 4 columns, somebody has won
--- before anybody has none: it would have to be full, with one colour along the whole bottom.
---@param who echolot.connect_four.player
---@return boolean
function board:can_move(who)
    for column = 1, self.columns do
        if self:is_legal(who, "DROP", column) or self:is_legal(who, "POP", column) then
            return true
        end
    end
    return false
end

-- How many pieces of `who` follow each other from (column, row), which does not count.
local function run(stacks, who, column, row, column_step, row_step)
    local count = -1
    repeat
        count = count + 1
        column, row = column + column_step, row + row_step
    until (stacks[column] or NO_STACK)[row] ~= who
    return count
end

-- Whether the piece there is one of four in a row.
local function is_in_four(stacks, column, row)
    local who = stacks[column][row]
    for _, direction in ipairs(DIRECTIONS) do
        local right, up = direction[1], direction[2]
        local count = 1 + run(stacks, who, column, row, right, up)
            + run(stacks, who, column, row, -right, -up)
        if count >= FOUR then
            return true
        end
    end
    return false
end

--- Makes a move, which has to be legal. Who has won by it: where a pop makes four for both, who
--- made it; nil if nobody has.
---@param who echolot.connect_four.player
---@param action echolot.connect_four.action
---@param column integer
---@return echolot.connect_four.player?
function board:play(who, action, column)
    local stack = self.stacks[column]
    if action == "DROP" then
        stack[#stack + 1] = who
        return is_in_four(self.stacks, column, #stack) and who or nil
    end
    table.remove(stack, 1)
    local winner
    for row = 1, #stack do -- a new four holds a piece that has moved
        if stack[row] ~= winner and is_in_four(self.stacks, column, row) then
            winner = stack[row]
            if winner == who then
                return who
            end
        end
    end
    return winner
end

--- Takes the last move back.
---@param who echolot.connect_four.player
---@param action echolot.connect_four.action
---@param column integer
function board:undo(who, action, column)
    local stack = self.stacks[column]
    if action == "DROP" then
        stack[#stack] = nil
    else
        table.insert(stack, 1, who)
    end
end

return M
