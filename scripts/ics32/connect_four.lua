-- Plays Connect Four with a server of the course (I32CFSP), in the terminal.
--
--   echolot run connect_four.lua [HOST PORT [USER [COLUMNS ROWS]]]
--
-- It asks for what is not given. `echolot serve connect_four` is such a server.
local echolot = require "echolot"
local ask = require "ask"
local rules = require "connect_four_rules"
local view = require "connect_four_view"

local COLUMNS, ROWS = 7, 6
local SIZE_MIN, SIZE_MAX = 4, 20

local LINE_MAX = 64 << 10
local THINKING_S = 300 -- the most that we wait for its move

local HELP = [[
  3, drop 3, d3    drop a piece into column 3
  pop 3, p3        take your piece from the bottom of column 3: the others
                   slide down
  help, quit       this; leave the game
Four in a row win, in any direction. If a pop gives four to both, it wins for
who made it.]]

-- What the player asks for ---------------------------------------------------

local function user_of(text)
    local user = text:match "^%s*(.-)%s*$"
    if user == "" or user:find "[%s%c]" or not utf8.len(user) then
        return nil, "Please give a name without spaces."
    end
    return user
end

-- A check of a size; nothing stands for the usual one.
local function size_of(what, usual)
    return function(text)
        local size = text:match "^%s*(%d+)%s*$"
        size = size and math.tointeger(tonumber(size)) or text:find "^%s*$" and usual
        if not size or size < SIZE_MIN or size > SIZE_MAX then
            return nil, ("Please give the number of %s, from %d to %d."):format(what, SIZE_MIN, SIZE_MAX)
        end
        return size
    end
end

local ACTIONS = { [""] = "DROP", d = "DROP", drop = "DROP", p = "POP", pop = "POP" }
local WORDS = { q = "quit", quit = "quit", h = "help", help = "help", ["?"] = "help" }

-- "quit", "help", or a move that is legal on the board.
local function command_on(board)
    return function(text)
        local word = text:lower():match "^%s*(.-)%s*$"
        if WORDS[word] then
            return WORDS[word]
        end
        local name, number = word:match "^(%a*)%s*(%d+)$"
        local action = ACTIONS[name]
        if not action then
            return nil, "Please type a column such as 3, or pop 3; help tells more."
        end
        local column = math.tointeger(tonumber(number))
        local why = board:objection("RED", action, column)
        if why then
            return nil, why
        end
        return { who = "RED", action = action, column = column }
    end
end

-- What the server says -------------------------------------------------------

local function breach(said, expected)
    if not said then
        error("The server has closed the connection.", 0)
    end
    local shown = #said > 60 and said:sub(1, 60) .. "..." or said
    error(("The server does not keep to the protocol: it says '%s' instead of %s.")
        :format(shown:gsub("[^ -~]", "?"), expected), 0)
end

local function hear(conn, expected)
    local said = conn:read "l"
    if said ~= expected then
        breach(said, expected)
    end
end

local game = {}
game.__index = game

local function new_game(conn, user, columns, rows)
    return setmetatable({
        conn = conn,
        board = rules.new(columns, rows),
        names = { RED = user, YELLOW = (tostring(conn.peer):gsub("^tcp://", "")) },
        last = nil, -- move
    }, game)
end

function game:show(text, fours)
    view.show(self.names, self.board, self.last, fours, text)
end

-- Makes a move on our board; who has won by it, and the fours.
function game:play(move)
    self.last = move
    return self.board:play(move.who, move.action, move.column)
end

local RESULTS = {
    RED = view.paint("green", "You have won!"),
    YELLOW = view.paint("red", "Yellow has won."),
}

-- Of a draw the protocol has no other sign than the end.
local UNDECIDED = "The server ends the game: nobody has won."

-- Ends the game with the winner whom the server has named.
function game:finish(named, winner, fours)
    if named ~= winner then
        breach("WINNER_" .. named, winner and "WINNER_" .. winner or "OKAY or READY")
    end
    self:show(RESULTS[winner], fours)
    return true
end

local function told(move)
    local form = move.action == "DROP" and "Yellow drops into column %d." or "Yellow pops column %d."
    return form:format(move.column)
end

-- The server's answer to a legal move: its own move, and who wins by it. True at the end.
function game:hear_move()
    local said = self.conn:read "l"
    if not said then
        self:show(UNDECIDED)
        return true
    end
    local action, column = said:match "^(%u+) (%d+)$"
    column = math.tointeger(tonumber(column))
    if action ~= "DROP" and action ~= "POP" or self.board:objection("YELLOW", action, column) then
        breach(said, "a legal move")
    end
    local move = { who = "YELLOW", action = action, column = column }
    local winner, fours = self:play(move)
    said = self.conn:read "l"
    local named = said and said:match "^WINNER_(%u+)$"
    if named then
        return self:finish(named, winner, fours)
    elseif winner then
        breach(said, "WINNER_" .. winner)
    elseif not said then
        self:show(told(move) .. " " .. UNDECIDED)
        return true
    elseif said ~= "READY" then
        breach(said, "READY or a winner")
    end
    self:show(told(move))
    return false
end

-- Makes the player's move. True at the end of the game.
function game:turn(move)
    local said = self.conn:send(("%s %d\r\n"):format(move.action, move.column)):read "l"
    if said == "INVALID" then
        hear(self.conn, "READY")
        print "The server refuses that move."
        return false
    end
    local named = said and said:match "^WINNER_(%u+)$"
    if said ~= "OKAY" and not named then
        breach(said, "OKAY, INVALID or a winner")
    end
    local winner, fours = self:play(move)
    if named then
        return self:finish(named, winner, fours)
    elseif winner then
        breach(said, "WINNER_" .. winner)
    end
    if view.in_place then
        self:show "Yellow is thinking ..."
    end
    return self:hear_move()
end

function game:run()
    self:show "You begin. Type a column such as 3, or pop 3; help tells more."
    local over = false
    while not over do
        local command = ask.ask("Your move: ", command_on(self.board))
        if not command or command == "quit" then
            print "Goodbye!"
            return
        elseif command == "help" then
            print(HELP)
        else
            over = self:turn(command)
        end
    end
end

local function join(conn, user, columns, rows)
    conn:send("I32CFSP_HELLO ", user, "\r\n")
    hear(conn, "WELCOME " .. user)
    if columns == COLUMNS and rows == ROWS then
        conn:send "AI_GAME\r\n" -- which older servers know, too
    else
        conn:send("AI_GAME ", columns, " ", rows, "\r\n")
    end
    hear(conn, "READY")
end

ask.run(function(host_given, port_given, user_given, columns_given, rows_given)
    local host = ask.given_or_asked(host_given, "Host: ", ask.host)
    local port = host and ask.given_or_asked(port_given, "Port: ", ask.port)
    local user = port and ask.given_or_asked(user_given, "Your name: ", user_of)
    local columns = user and ask.given_or_asked(columns_given,
        "Columns (4 to 20, usually 7): ", size_of("columns", COLUMNS))
    local rows = columns and ask.given_or_asked(rows_given,
        "Rows (4 to 20, usually 6): ", size_of("rows", ROWS))
    if not rows then
        return
    end
    local conn <close> = echolot.connect(host, port, { max_buffer = LINE_MAX })
    join(conn, user, columns, rows)
    conn:timeout(THINKING_S)
    new_game(conn, user, columns, rows):run()
end, ...)
