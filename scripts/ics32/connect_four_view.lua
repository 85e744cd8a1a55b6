-- Draws a board of Connect Four. Pieces are letters, so that they can be told apart without colour;
-- on a terminal that has colour they are tiles on a blue board.
local host = require "echolot.host"
local style = require "echolot.report.style"

local M = {}

local WIDTH = 80
local MARGIN = "  "
local NAME_MAX = 28 -- characters
local LETTERS = { RED = "R", YELLOW = "Y" }

local BOARD, RESET = "\27[44;37m", "\27[0m"
local TILES = { RED = "\27[1;97;41m", YELLOW = "\27[1;30;43m" }
local PLAIN = { board = "", reset = "", tiles = { RED = "", YELLOW = "" } }
local COLORED = { board = BOARD, reset = RESET, tiles = TILES }

local is_terminal = host.is_terminal(1)
local colors = style.new("auto", true)

--- Whether each picture takes the place of the one before.
M.in_place = is_terminal and (os.getenv "TERM" or "dumb") ~= "dumb"

--- Text in a colour, where there is colour.
M.paint = colors.paint

local ink = colors.color and COLORED or PLAIN

local function tile(who, text)
    return ink.tiles[who] .. text .. ink.reset
end

-- What the player did last, or has won by, stands between marks.
local function cell(board, column, row, last, fours)
    local piece = board:at(column, row)
    local text = " " .. (LETTERS[piece] or ".") .. " "
    if fours and fours(column, row) then
        text = "*" .. LETTERS[piece] .. "*"
    elseif last and last.action == "DROP" and last.column == column and row == #board[column] then
        text = "[" .. LETTERS[piece] .. "]"
    end
    return text, piece
end

-- A piece that was popped has left through the bottom.
local function bottom(board, last, gap)
    local fill = colors.color and " " or "-"
    local cells = {}
    for column = 1, board.columns do
        local popped = last and last.action == "POP" and last.column == column
        cells[column] = popped and tile(last.who, "[v]") .. ink.board or fill:rep(3)
    end
    local edge = colors.color and " " or "+"
    return edge .. table.concat(cells, fill:rep(#gap)) .. edge
end

--- The board's lines. `last`: the last move, {who=, action=, column=}; `fours`: what has won.
---@return string
function M.board(board, last, fours)
    local edge = colors.color and " " or "|"
    local gap = board.columns * 4 + #MARGIN < WIDTH and " " or ""
    local numbers, lines = {}, {}
    for column = 1, board.columns do
        numbers[column] = ("%2d "):format(column)
    end
    lines[1] = MARGIN .. " " .. table.concat(numbers, gap):gsub(" +$", "")
    for row = board.rows, 1, -1 do
        local cells = {}
        for column = 1, board.columns do
            local text, piece = cell(board, column, row, last, fours)
            cells[column] = piece and tile(piece, text) .. ink.board or text
        end
        lines[#lines + 1] = MARGIN .. ink.board .. edge .. table.concat(cells, gap) .. edge .. ink.reset
    end
    lines[#lines + 1] = MARGIN .. ink.board .. bottom(board, last, gap) .. ink.reset
    return table.concat(lines, "\n")
end

-- As much of a name as there is room for.
local function short(name)
    local cut = utf8.offset(name, NAME_MAX + 1)
    return cut and cut <= #name and name:sub(1, cut - 1) .. "..." or name
end

--- Shows a game: who plays, the board, and what there is to say.
---@param names { RED: string, YELLOW: string }
---@param board table
---@param last? { who: string, action: string, column: integer } the last move
---@param fours? fun(column: integer, row: integer): boolean what has won
---@param text string
function M.show(names, board, last, fours, text)
    io.write(M.in_place and "\27[H\27[J" or "\n",
        ("%s%s %s   %s %s\n"):format(MARGIN, tile("RED", " R "), short(names.RED),
            tile("YELLOW", " Y "), short(names.YELLOW)),
        M.board(board, last, fours), "\n", text, "\n")
    io.flush()
end

return M
