--- The computer player of Connect Four. It looks ahead as far as a bounded amount of work allows,
--- always far enough to take a win, and to give none away where that can be avoided; among moves
--- of which it knows nothing better it likes those that take part in many possible fours.
local core = require "echolot.core"
local rules = require "echolot.servers.connect_four.rules"

local M = {}

-- The search counts its steps: a drop is one, a pop one for each piece that slides. The first
-- look ahead, over its own move and the answer, is always finished: on a board of 20 by 20 that
-- is the most that it takes, some ten thousand steps.
local STEPS_MAX = 4000
local FIRST_DEPTH, LAST_DEPTH = 2, 10

-- More than any depth is added to it: a win that comes sooner is worth more.
local WIN = 1000

-- What a place of four is worth that holds so many pieces of one side, and no other.
local OWN_WORTH = { [0] = 1, 4, 16, 64 }
local THEIR_WORTH = { [0] = 0, 3, 12, 48 }
local CENTRE_WORTH = 4
local DIRECTIONS = { { 1, 0 }, { 0, 1 }, { 1, 1 }, { 1, -1 } }

-- Numbers from 0 up to 1, always the same ones after the same seed (SplitMix64). Lua's own
-- generator is shared by all games.
local function generator(seed)
    local state = seed
    return function()
        state = state + 0x9E3779B97F4A7C15
        local bits = state
        bits = (bits ~ bits >> 30) * 0xBF58476D1CE4E5B9
        bits = (bits ~ bits >> 27) * 0x94D049BB133111EB
        bits = bits ~ bits >> 31
        return (bits >> 11) * 2.0 ^ -53
    end
end

---@class echolot.connect_four.move
---@field action echolot.connect_four.action
---@field column integer

--- A computer player, of one board and side.
---@class echolot.connect_four.computer
---@field board echolot.connect_four.board
---@field who echolot.connect_four.player
local player = {}
player.__index = player

-- Every move there could be, drops first, the centre first.
local function moves_from_centre(columns)
    local order = {}
    for column = 1, columns do
        order[column] = column
    end
    local centre = (columns + 1) / 2
    table.sort(order, function(a, b)
        local a_distance, b_distance = math.abs(a - centre), math.abs(b - centre)
        return a_distance < b_distance or a_distance == b_distance and a < b
    end)
    local moves = {}
    for _, action in ipairs { "DROP", "POP" } do
        for _, column in ipairs(order) do
            moves[#moves + 1] = { action = action, column = column }
        end
    end
    return moves
end

---@class echolot.connect_four.computer.options
---@field strength "full"|"random"
---@field seed? integer the same seed, the same moves; without it they differ from game to game
---@field give_way? fun() called every now and then while it thinks

--- One that plays for `who` on this board.
---@param board echolot.connect_four.board
---@param who echolot.connect_four.player
---@param options echolot.connect_four.computer.options
---@return echolot.connect_four.computer
function M.new(board, who, options)
    return setmetatable({
        board = board,
        who = who,
        strength = options.strength,
        random = generator(options.seed or core.random()),
        give_way = options.give_way or function() end,
        moves = moves_from_centre(board.columns),
    }, player)
end

function player:legal_moves()
    local legal = {}
    for _, move in ipairs(self.moves) do
        if self.board:is_legal(self.who, move.action, move.column) then
            legal[#legal + 1] = move
        end
    end
    return legal
end

-- What a place of four is worth to us, the one that begins at (column, row).
local function worth_of_four(board, who, column, row, right, up)
    local own, theirs = 0, 0
    for i = 0, 3 do
        local stack, at = board.stacks[column + i * right], row + i * up
        if not stack or at < 1 or at > board.rows then
            return 0
        end
        local piece = stack[at]
        if piece == who then
            own = own + 1
        elseif piece then
            theirs = theirs + 1
        end
    end
    if theirs == 0 then
        return OWN_WORTH[own] or 0
    end
    return own == 0 and THEIR_WORTH[theirs] or 0
end

-- What a move promises at first sight. Pops are for when they are seen to be of use.
local function worth(board, who, move)
    if move.action == "POP" then
        return -1
    end
    local column, row = move.column, #board.stacks[move.column] + 1
    local centre = (board.columns + 1) / 2
    local sum = CENTRE_WORTH * (1 - math.abs(column - centre) / centre)
    for _, direction in ipairs(DIRECTIONS) do
        local right, up = direction[1], direction[2]
        for back = 0, 3 do
            sum = sum + worth_of_four(board, who, column - back * right, row - back * up, right, up)
        end
    end
    return sum
end

-- Plays the move, looks `depth` moves ahead, takes it back; what it is worth to `who`: above 0 if
-- it wins, below 0 if it loses, no matter what the other does.
function player:value_of(who, move, depth, alpha, beta)
    local board = self.board
    local action, column = move.action, move.column
    local winner = board:play(who, action, column)
    self.steps = self.steps + (action == "POP" and #board.stacks[column] or 1)
    local value = 0
    if winner then
        value = winner == who and WIN + depth or -WIN - depth
    elseif depth > 1 then
        value = -self:best_value(rules.OPPONENT[who], depth - 1, -beta, -alpha)
    end
    board:undo(who, action, column)
    return value
end

-- What the position is worth to `who`, whose turn it is, by alpha-beta search. Once there have
-- been too many steps, anything.
function player:best_value(who, depth, alpha, beta)
    self.give_way()
    local best = -math.huge
    for _, move in ipairs(self.moves) do
        if self.board:is_legal(who, move.action, move.column) then
            local value = self:value_of(who, move, depth, alpha, beta)
            best = math.max(best, value)
            alpha = math.max(alpha, value)
            if alpha >= beta or self.steps > self.steps_max then
                return best
            end
        end
    end
    return best == -math.huge and 0 or best
end

-- The first of the best moves, and its value; nil where it took too many steps to tell.
function player:search(moves, depth)
    local best_move
    local best = -math.huge
    for _, move in ipairs(moves) do
        local value = self:value_of(self.who, move, depth, best, math.huge)
        if self.steps > self.steps_max then
            return nil
        elseif value > best then
            best, best_move = value, move
        end
    end
    return best_move, best
end

-- The same moves, the most promising first; chance decides between those that are alike.
function player:by_promise(moves)
    local promises = {}
    for _, move in ipairs(moves) do
        promises[move] = worth(self.board, self.who, move) + self.random()
    end
    table.sort(moves, function(a, b)
        return promises[a] > promises[b]
    end)
    return moves
end

--- Its next move; nil if there is none. The board is the same afterwards.
---@return echolot.connect_four.move?
function player:choose()
    local moves = self:legal_moves()
    if self.strength == "random" or #moves < 2 then
        return moves[math.floor(self.random() * #moves) + 1]
    end
    moves = self:by_promise(moves)
    local chosen
    self.steps = 0
    for depth = FIRST_DEPTH, LAST_DEPTH do
        self.steps_max = depth == FIRST_DEPTH and math.huge or STEPS_MAX
        local move, value = self:search(moves, depth)
        chosen = move or chosen
        if not move or value ~= 0 then -- out of steps; or won or lost, whatever comes later
            break
        end
    end
    return chosen
end

return M
