-- Tests a server of the course's Connect Four (I32CFSP), whichever moves it makes:
--
--   echolot test connect_four_test.lua [--target HOST:PORT]
local echolot = require "echolot"
local games = require "connect_four_game"

local server = target(echolot.servers.connect_four())

local ATTEMPTS = 5

local HELLO, GAME = "I32CFSP_HELLO player\r\n", "AI_GAME\r\n"

-- A game in which `found(board)` gives something; that comes back, too. The server may win before.
local function game_with(found)
    for _ = 1, ATTEMPTS do
        local game = games.join(server:connect())
        local sought = game:play(games.stacking, found)
        if sought then
            return game, sought
        end
    end
    pending "each game was over before that"
end

local function play_on(game)
    game:play(games.at_random)
    if not game.over then
        pending "the game has no end"
    end
end

describe("the greeting", function()
    conversation("gives the name back exactly", { peers = 4 }, function(...)
        local names = { "p", "{:;}\"'\\%s", "Zo\u{EB}-\u{1F600}", ("long"):rep(60) }
        for i, peer in ipairs { ... } do
            peer:send("I32CFSP_HELLO " .. names[i] .. "\r\n"):expect_line("WELCOME " .. names[i])
        end
    end)
end)

describe("a game", function()
    for _, size in ipairs { "AI_GAME", "AI_GAME 7 6", "AI_GAME 4 4", "AI_GAME 20 20", "AI_GAME 4 20" } do
        conversation("is ready: " .. size, function(peer)
            peer:send(HELLO):expect_line()
            peer:send(size .. "\r\n"):expect_line "READY"
        end)
    end

    for _, size in ipairs { { 7, 6 }, { 4, 4 }, { 20, 5 }, { 5, 20 } } do
        local columns, rows = table.unpack(size)
        conversation(("has %d columns and %d rows"):format(columns, rows), function(peer)
            local game = games.join(peer, columns, rows)
            game:refused "DROP 0"
            game:refused("DROP " .. columns + 1)
            game:move("DROP", columns)
        end)
    end

    conversation("takes OKAY, a move and READY to go on", function(peer)
        local game = games.join(peer)
        for column = 1, 3 do -- nobody has four yet
            game:move("DROP", column)
        end
    end)

    for name, way in pairs {
        ["played at random"] = games.at_random,
        ["played to win"] = games.to_win,
        ["with many pops"] = games.popping,
    } do
        conversation(name .. " ends with the right winner", { peers = 3 }, function(...)
            for _, peer in ipairs { ... } do
                local game = games.join(peer)
                game:play(way)
                play_on(game)
            end
        end)
    end

    conversation("is played on other boards, too", { peers = 3 }, function(small, wide, high)
        for _, game in ipairs {
            games.join(small, 4, 4), games.join(wide, 20, 4), games.join(high, 4, 20),
        } do
            game:play(games.to_win)
            play_on(game)
        end
    end)
end)

describe("an illegal move", function()
    conversation("into a column that is not there is INVALID", function(peer)
        local game = games.join(peer)
        for _, column in ipairs { "0", "8", "-1", "99", "99999999999999999999" } do
            game:refused("DROP " .. column)
            game:refused("POP " .. column)
        end
        game:move("DROP", 7)
        play_on(game)
    end)

    conversation("from a column that is empty is INVALID", function(peer)
        local game = games.join(peer)
        for column = 1, 7 do
            game:refused("POP " .. column)
        end
        play_on(game)
    end)

    it("of a piece of the server's is INVALID", function()
        local game, column = game_with(function(board)
            for column = 1, board.columns do
                if board:at(column, 1) == "YELLOW" then
                    return column
                end
            end
        end)
        game:refused("POP " .. column)
        play_on(game)
    end)

    it("into a full column is INVALID", function()
        local game, column = game_with(function(board)
            for column = 1, board.columns do
                if #board[column] == board.rows then
                    return column
                end
            end
        end)
        game:refused("DROP " .. column)
        game:refused("DROP " .. column)
        play_on(game)
    end)
end)

describe("a pop", function()
    it("lets the column slide down", function()
        local game, column = game_with(function(board)
            for column = 1, board.columns do
                if board:at(column, 1) == "RED" and board:at(column, 2) then
                    return column
                end
            end
        end)
        game:move("POP", column)
        if not game.over then
            play_on(game)
        end
    end)
end)

describe("ERROR, then the end, is the answer to", function()
    local cases = {
        ["a blank line"] = { "", { 0, 1, 2 } },
        ["a word that is no command"] = { "HELLO", { 0, 1, 2 } },
        ["bytes that are no text"] = { "\xff\xfe\0\1\2", { 0, 1, 2 } },
        ["a greeting without a name"] = { "I32CFSP_HELLO", { 0 } },
        ["a greeting with an empty name"] = { "I32CFSP_HELLO ", { 0 } },
        ["a name of two words"] = { "I32CFSP_HELLO two words", { 0 } },
        ["a name with a TAB"] = { "I32CFSP_HELLO a\tb", { 0 } },
        ["a greeting in small letters"] = { "i32cfsp_hello player", { 0 } },
        ["a greeting that comes late"] = { "I32CFSP_HELLO player", { 1, 2 } },
        ["a game that is asked for out of turn"] = { "AI_GAME", { 0, 2 } },
        ["a game in small letters"] = { "ai_game", { 1 } },
        ["a game with one size"] = { "AI_GAME 7", { 1 } },
        ["a game with three sizes"] = { "AI_GAME 7 6 5", { 1 } },
        ["too few columns"] = { "AI_GAME 3 6", { 1 } },
        ["too many columns"] = { "AI_GAME 21 6", { 1 } },
        ["too few rows"] = { "AI_GAME 7 3", { 1 } },
        ["too many rows"] = { "AI_GAME 7 21", { 1 } },
        ["sizes that are no numbers"] = { "AI_GAME seven six", { 1 } },
        ["a move out of turn"] = { "DROP 1", { 0, 1 } },
        ["a pop out of turn"] = { "POP 1", { 0, 1 } },
        ["a move without a column"] = { "DROP", { 2 } },
        ["a move with an empty column"] = { "DROP ", { 2 } },
        ["a move with two columns"] = { "DROP 1 2", { 2 } },
        ["a column that is no number"] = { "POP one", { 2 } },
        ["a move in small letters"] = { "drop 1", { 2 } },
        ["a move with two spaces"] = { "DROP  1", { 2 } },
        ["a move behind a space"] = { " DROP 1", { 2 } },
        ["a move before a space"] = { "DROP 1 ", { 2 } },
    }
    local stages = { [0] = "at the beginning", "before the game", "in the game" }
    local before = { [0] = {}, { HELLO }, { HELLO, GAME } }
    for what, case in pairs(cases) do
        local line, at = table.unpack(case)
        for _, stage in ipairs(at) do
            conversation(("%s, %s"):format(what, stages[stage]), function(peer)
                for _, word in ipairs(before[stage]) do
                    peer:send(word):expect_line()
                end
                peer:send(line .. "\r\n"):expect_line "ERROR"
                peer:expect_eof()
            end)
        end
    end
end)

describe("a stream has no seams:", function()
    -- Whatever the pieces, the answers are these, around a move of the server's.
    local SAID = HELLO .. "AI_GAME 7 6\r\nDROP 8\r\nDROP 1\r\nPOP 0\r\nover\r\n"

    local function expect_answers(peer)
        peer:expect_line "WELCOME player"
        peer:expect_line "READY"
        peer:expect_line "INVALID"
        peer:expect_line "READY"
        peer:expect_line "OKAY"
        peer:expect_line(echolot.pattern "DROP [1-7]")
        peer:expect_line "READY"
        peer:expect_line "INVALID"
        peer:expect_line "READY"
        peer:expect_line "ERROR"
        peer:expect_eof()
    end

    conversation("what comes at once is answered in order", function(peer)
        peer:send(SAID)
        expect_answers(peer)
    end)

    conversation("lines may come byte by byte", function(peer)
        for byte in SAID:gmatch "." do
            peer:send(byte)
        end
        expect_answers(peer)
    end)

    conversation("lines may end with LF alone", function(peer)
        peer:send((SAID:gsub("\r", "")))
        expect_answers(peer)
    end)

    conversation("what came before our end is answered", function(peer)
        peer:send(SAID):shutdown()
        expect_answers(peer)
    end)

    conversation("lines end with CRLF", function(peer)
        peer:send(HELLO):expect "WELCOME player\r\n"
        peer:send(GAME):expect "READY\r\n"
        peer:send "DROP 0\r\n":expect "INVALID\r\nREADY\r\n"
        peer:send "over\r\n":expect "ERROR\r\n"
    end)
end)

conversation("games at the same time do not meet", { peers = 8 }, function(...)
    local players = {}
    for i, peer in ipairs { ... } do
        players[i] = function()
            local game = games.join(peer, 4 + i, 4 + i)
            game:play(games.to_win)
            play_on(game)
        end
    end
    echolot.parallel(table.unpack(players))
end)
