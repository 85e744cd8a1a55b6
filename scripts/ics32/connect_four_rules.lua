-- The rules of Connect Four with pops, for those who play it and those who watch. Columns count
-- from 1 at the left, rows from 1 at the bottom; players are "RED" and "YELLOW", a move is "DROP"
-- or "POP" and a column.
local M = {}

local board = {}
board.__index = board

--- An empty board.
function M.new(columns, rows)
    local self = setmetatable({ columns = columns, rows = rows }, board)
    for column = 1, columns do
        self[column] = {} -- its pieces, from the bottom up
    end
    return self
end

--- Another board with the same pieces.
function board:copy()
    local copy = M.new(self.columns, self.rows)
    for column = 1, self.columns do
        table.move(self[column], 1, #self[column], 1, copy[column])
    end
    return copy
end

--- Whose piece lies there; nil where there is none.
function board:at(column, row)
    return self[column] and self[column][row]
end

--- Why the player may not make that move, as a sentence; nil if it is legal.
function board:objection(who, action, column)
    local pieces = math.type(column) == "integer" and column >= 1 and self[column]
    if not pieces then
        return ("There is no such column: they are numbered from 1 to %d."):format(self.columns)
    elseif action == "DROP" and #pieces == self.rows then
        return ("Column %d is full."):format(column)
    elseif action == "POP" and #pieces == 0 then
        return ("There is nothing in column %d."):format(column)
    elseif action == "POP" and pieces[1] ~= who then
        return ("The lowest piece of column %d is not yours."):format(column)
    end
    return nil
end

--- Whether there is anything that the player may do.
function board:can_move(who)
    for column = 1, self.columns do
        if not (self:objection(who, "DROP", column) and self:objection(who, "POP", column)) then
            return true
        end
    end
    return false
end

-- Adds the four places from (column, row) on to the set, if they are all the player's.
local function add_four(self, who, column, row, right, up, places)
    for i = 0, 3 do
        if self:at(column + i * right, row + i * up) ~= who then
            return
        end
    end
    places.any = true
    for i = 0, 3 do
        places[(row + i * up) * self.columns + column + i * right] = true
    end
end

--- The places of all fours that a player has: `fours(column, row)` tells whether that place is in
--- one. Nil if there are none.
function board:fours(who)
    local places = {}
    for column = 1, self.columns do
        for row = 1, #self[column] do
            add_four(self, who, column, row, 1, 0, places)
            add_four(self, who, column, row, 0, 1, places)
            add_four(self, who, column, row, 1, 1, places)
            add_four(self, who, column, row, 1, -1, places)
        end
    end
    return places.any and function(column, row)
        return places[row * self.columns + column] == true
    end or nil
end

--- Makes a legal move. Who has won by it, and the places of the fours; nil if nobody has. Where a
--- pop makes four for both, who made it has won.
function board:play(who, action, column)
    if action == "DROP" then
        table.insert(self[column], who)
    else
        table.remove(self[column], 1)
    end
    local other = who == "RED" and "YELLOW" or "RED"
    for _, winner in ipairs { who, other } do
        local fours = self:fours(winner)
        if fours then
            return winner, fours
        end
    end
end

return M
