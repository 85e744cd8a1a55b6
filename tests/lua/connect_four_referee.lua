-- A referee of Connect Four that shares nothing with the rules under test, and takes no short
-- cuts: it writes the whole board down line by line and looks for four letters in a row.
local M = {}

local LETTERS = { RED = "R", YELLOW = "Y" }
local OPPONENT = { RED = "YELLOW", YELLOW = "RED" }

local referee = {}
referee.__index = referee

function M.new(columns, rows)
    local grid = {}
    for row = 1, rows do
        grid[row] = {}
        for column = 1, columns do
            grid[row][column] = "."
        end
    end
    return setmetatable({ columns = columns, rows = rows, grid = grid }, referee)
end

function referee:is_legal(who, action, column)
    if column < 1 or column > self.columns then
        return false
    elseif action == "DROP" then
        return self.grid[self.rows][column] == "."
    end
    return self.grid[1][column] == LETTERS[who]
end

--- Every legal move of the player's, {action, column}.
function referee:moves(who)
    local moves = {}
    for _, action in ipairs { "DROP", "POP" } do
        for column = 1, self.columns do
            if self:is_legal(who, action, column) then
                moves[#moves + 1] = { action, column }
            end
        end
    end
    return moves
end

-- The four pieces from there on in one direction, fewer at the edge.
function referee:line(row, column, up, right)
    local letters = ""
    for i = 0, 3 do
        local beside = self.grid[row + i * up]
        letters = letters .. (beside and beside[column + i * right] or "")
    end
    return letters
end

--- Whether the player has four.
function referee:has_four(who)
    local four = LETTERS[who]:rep(4)
    for row = 1, self.rows do
        for column = 1, self.columns do
            for _, direction in ipairs { { 0, 1 }, { 1, 0 }, { 1, 1 }, { 1, -1 } } do
                if self:line(row, column, table.unpack(direction)) == four then
                    return true
                end
            end
        end
    end
    return false
end

--- Makes a legal move; the winner or nil.
function referee:make(who, action, column)
    if action == "DROP" then
        for row = 1, self.rows do
            if self.grid[row][column] == "." then
                self.grid[row][column] = LETTERS[who]
                break
            end
        end
    else
        for row = 1, self.rows do
            self.grid[row][column] = self.grid[row + 1] and self.grid[row + 1][column] or "."
        end
    end
    return self:has_four(who) and who or self:has_four(OPPONENT[who]) and OPPONENT[who] or nil
end

--- What `f` gives after the move, which is taken back.
function referee:after(who, action, column, f)
    local saved = {}
    for row = 1, self.rows do
        saved[row] = self.grid[row][column]
    end
    local result = f(self:make(who, action, column))
    for row = 1, self.rows do
        self.grid[row][column] = saved[row]
    end
    return result
end

--- Whether the move wins at once.
function referee:wins(who, action, column)
    return self:after(who, action, column, function(winner)
        return winner == who
    end)
end

--- Whether the move, which does not win, neither loses nor lets the other win by the next.
function referee:is_safe(who, action, column)
    return self:after(who, action, column, function(winner)
        if winner then
            return false
        end
        for _, move in ipairs(self:moves(OPPONENT[who])) do
            if self:wins(OPPONENT[who], table.unpack(move)) then
                return false
            end
        end
        return true
    end)
end

--- The board as text, a line for each row, the highest first.
function referee:__tostring()
    local lines = {}
    for row = self.rows, 1, -1 do
        lines[#lines + 1] = table.concat(self.grid[row])
    end
    return table.concat(lines, "\n")
end

return M
