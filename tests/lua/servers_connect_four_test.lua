-- The embedded Connect Four server: its protocol to the letter, its options, clients that mean no
-- good, and games at random that a referee watches who shares nothing with it.
local echolot = require "echolot"
local referee = require "connect_four_referee"
local gen = echolot.gen
local servers = echolot.servers

local MIB = 1 << 20
local HELLO, GAME = "I32CFSP_HELLO me\r\n", "AI_GAME\r\n"
local GREETED, BEGUN = "WELCOME me\r\n", "WELCOME me\r\nREADY\r\n"

local function connect(options)
    return echolot.connect(servers.connect_four(options):start())
end

-- All that the server says to the texts, until it ends; our half is ended behind them.
local function answers(options, ...)
    local peer <close> = connect(options)
    return peer:send(...):shutdown():read "a"
end

-- A server that has these moves to make.
local function making(...)
    return { opening = { ... }, seed = 1 }
end

describe("the greeting", function()
    it("is answered with the name as it was given", function()
        for _, name in ipairs { "a", "Zo\u{EB}", "\u{1F600}", "%s%d", "I32CFSP_HELLO", "\0\1\x7f", ("x"):rep(60000) } do
            assert.equal("WELCOME " .. name .. "\r\n", answers({}, "I32CFSP_HELLO ", name, "\n"))
        end
    end)

    it("is an ERROR without a name that is one word of UTF-8", function()
        for _, name in ipairs { "", " ", "a b", " a", "a ", "a\tb", "a\rb", "a\vb", "\xff", "a\xc3", "\xed\xa0\x80" } do
            assert.equal("ERROR\r\n", answers({}, "I32CFSP_HELLO ", name, "\r\n", GAME), name)
        end
    end)

    it("comes first and once, in capitals, with one space", function()
        for _, line in ipairs { "", "I32CFSP_HELLO", "i32cfsp_hello me", "I32CFSP_HELLO  me", " I32CFSP_HELLO me",
            "I32CFSP_HELLO\tme", "I32CFSP_HELLOme", "HELLO me", "AI_GAME", "DROP 1", "WELCOME me" } do
            assert.equal("ERROR\r\n", answers({}, line, "\r\n"), line)
        end
        assert.equal(GREETED .. "ERROR\r\n", answers({}, HELLO, HELLO))
        assert.equal(BEGUN .. "ERROR\r\n", answers({}, HELLO, GAME, HELLO))
    end)
end)

describe("a game", function()
    it("has 4 to 20 columns and rows, or the usual ones", function()
        for _, size in ipairs { "", " 4 4", " 20 20", " 4 20", " 7 6", " 07 006" } do
            assert.equal(BEGUN, answers({}, HELLO, "AI_GAME", size, "\r\n"))
        end
        for _, size in ipairs { " 3 4", " 4 3", " 21 20", " 20 21", " 0 0", " -7 6", " 7 -6", " 99999999999999999999 6",
            " 7", " 7 6 5", "  7 6", " 7  6", " 7 6 ", " ", " seven six", " 7.0 6", " 7,6", " +7 6", " 0x7 6", "_7 6" } do
            assert.equal(GREETED .. "ERROR\r\n", answers({}, HELLO, "AI_GAME", size, "\r\n"), size)
        end
    end)

    it("has columns as many as were asked for", function()
        for _, columns in ipairs { 4, 5, 20 } do
            local all = answers(making "DROP 1", HELLO, ("AI_GAME %d 4\n"):format(columns),
                ("DROP %d\nDROP %d\n"):format(columns, columns + 1))
            assert.equal(BEGUN .. "OKAY\r\nDROP 1\r\nREADY\r\nINVALID\r\nREADY\r\n", all)
        end
    end)

    it("has rows as many as were asked for", function()
        for rows = 4, 6 do
            local all = answers(making("DROP 1", "DROP 1", "DROP 1"), HELLO, ("AI_GAME 7 %d\n"):format(rows),
                ("DROP 1\n"):rep(rows // 2), (rows % 2 == 1 and "DROP 1\nDROP 1\n" or "DROP 1\n"))
            local accepted = select(2, all:gsub("OKAY", ""))
            local refused = select(2, all:gsub("INVALID", ""))
            if rows % 2 == 0 then
                assert.same({ rows // 2, 1 }, { accepted, refused })
            else -- the server's third piece found no room, and went elsewhere
                assert.same({ rows // 2 + 1, 1 }, { accepted, refused })
            end
        end
    end)
end)

describe("a line in the game", function()
    it("is INVALID where it is a move that the rules forbid, whatever its number", function()
        for _, column in ipairs { "0", "8", "-1", "-0", "00", "21", "99999999999999999999", ("9"):rep(400) } do
            for _, action in ipairs { "DROP ", "POP " } do
                assert.equal(BEGUN .. "INVALID\r\nREADY\r\n", answers({}, HELLO, GAME, action, column, "\r\n"), column)
            end
        end
        assert.equal(BEGUN .. ("INVALID\r\nREADY\r\n"):rep(7),
            answers({}, HELLO, GAME, "POP 1\nPOP 2\nPOP 3\nPOP 4\nPOP 5\nPOP 6\nPOP 7\n"))
    end)

    it("is an ERROR where it is no move", function()
        for _, line in ipairs { "", " ", "drop 1", "Drop 1", "DROP", "DROP ", "DROP one", "DROP 1 2", "DROP  1",
            " DROP 1", "DROP 1 ", "DROP\t1", "DROP1", "DROP 1.0", "DROP 1e0", "DROP 0x1", "DROP +1", "DROP --1",
            "DROP -", "DROP \u{661}", "POP", "POP x", "PUSH 1", "OKAY", "READY", "QUIT", "DROP 1\r", "DROP 1\0",
            "\xff", "DROP \xff" } do
            assert.equal(BEGUN .. "ERROR\r\n", answers({}, HELLO, GAME, line, "\r\n", "DROP 1\r\n"), line)
        end
    end)

    it("is obeyed only with its end", function()
        assert.equal(BEGUN, answers({}, HELLO, GAME, "DROP 1"))
        assert.equal(BEGUN, answers({}, HELLO, GAME, "DROP 1\r"))
        assert.equal(GREETED, answers({}, HELLO, "AI_GAME"))
        assert.equal("", answers({}, "I32CFSP_HELLO me"))
        assert.equal("", answers({}, ""))
    end)

    it("changes nothing where it is INVALID", function()
        local all = answers(making("DROP 1", "DROP 2", "DROP 1"), HELLO, "AI_GAME 4 4\n",
            "DROP 1\nPOP 2\nDROP 5\nDROP 1\nPOP 2\nDROP 1\nDROP 1\nPOP 1\n")
        local invalid = "INVALID\r\nREADY\r\n"
        assert.equal(BEGUN .. "OKAY\r\nDROP 1\r\nREADY\r\n" .. invalid:rep(2) .. "OKAY\r\nDROP 2\r\nREADY\r\n"
            .. invalid, all:sub(1, #BEGUN + 2 * 21 + 3 * #invalid))
    end)
end)

describe("OKAY", function()
    it("is there while the server still thinks", function()
        local peer <close> = connect { delay = 3600 }
        peer:send(HELLO, GAME, "DROP 4\r\n")
        peer:expect(BEGUN .. "OKAY\r\n")
        assert.equal("", peer:unread())
    end)

    it("is not said to a move that decides the game", function()
        assert.equal(BEGUN .. ("OKAY\r\nDROP 7\r\nREADY\r\n"):rep(3) .. "WINNER_RED\r\n",
            answers(making("DROP 7", "DROP 7", "DROP 7"), HELLO, GAME, "DROP 1\nDROP 2\nDROP 3\nDROP 4\nDROP 5\n"))
    end)
end)

describe("the winner is named", function()
    -- Red's moves, yellow's moves, and the end.
    local cases = {
        ["yellow, by its drop"] = { "DROP 7,DROP 7,DROP 5,DROP 7", "DROP 1,DROP 2,DROP 3,DROP 4",
            "OKAY\r\nDROP 4\r\nWINNER_YELLOW\r\n" },
        ["yellow, by red's pop"] = { "DROP 4,DROP 7,DROP 7,DROP 6,POP 4", "DROP 1,DROP 2,DROP 4,DROP 3",
            "WINNER_YELLOW\r\n" },
        ["red, by yellow's pop"] = { "DROP 1,DROP 2,DROP 4,DROP 3", "DROP 4,DROP 7,DROP 7,POP 4",
            "OKAY\r\nPOP 4\r\nWINNER_RED\r\n" },
        ["red, by a pop that makes both four"] = { "DROP 4,DROP 1,DROP 2,DROP 3,DROP 4,POP 4",
            "DROP 1,DROP 2,DROP 3,DROP 4,DROP 7", "WINNER_RED\r\n" },
        ["yellow, by a pop that makes both four"] = { "DROP 1,DROP 2,DROP 3,DROP 4,DROP 7,DROP 7",
            "DROP 4,DROP 1,DROP 2,DROP 3,DROP 4,POP 4", "OKAY\r\nPOP 4\r\nWINNER_YELLOW\r\n" },
    }
    for name, case in pairs(cases) do
        it(name .. "; then the server ends", function()
            local red, yellow, ending = table.unpack(case)
            local opening = {}
            for move in yellow:gmatch "[^,]+" do
                opening[#opening + 1] = move
            end
            local peer <close> = connect(making(table.unpack(opening)))
            peer:send(HELLO, GAME, (red:gsub(",", "\n")), "\nDROP 1\n")
            local all = peer:read "a" -- it ends without our doing
            assert.equal(ending, all:sub(-#ending))
            assert.equal(1, select(2, all:gsub("WINNER", "")))
        end)
    end
end)

describe("lines", function()
    it("end with CRLF or LF, and may come in any pieces, or all at once", function()
        local said = HELLO .. "AI_GAME 5 4\r\nDROP 9\nDROP 1\r\nPOP 5\nno\r\n"
        local heard = BEGUN .. "INVALID\r\nREADY\r\nOKAY\r\nDROP 3\r\nREADY\r\nINVALID\r\nREADY\r\nERROR\r\n"
        assert.equal(heard, answers(making "DROP 3", said))
        assert.equal(heard, answers(making "DROP 3", (said:gsub("\r", ""))))
        for size = 1, 5 do
            local peer <close> = connect(making "DROP 3")
            for at = 1, #said, size do
                peer:send(said:sub(at, at + size - 1))
                echolot.spawn(function() end):join() -- the server has its turn
            end
            assert.equal(heard, peer:read "a")
        end
    end)

    it("have max_line bytes at most, their ends not counted", function()
        local options = { max_line = 20 }
        for _, ending in ipairs { "\n", "\r\n" } do
            assert.equal("WELCOME 123456\r\n", answers(options, "I32CFSP_HELLO 123456", ending))
            assert.equal("ERROR\r\n", answers(options, "I32CFSP_HELLO 1234567", ending))
        end
    end)

    it("that are too long are an ERROR before they end", function()
        local peer <close> = connect {}
        peer:send(("x"):rep(65537))
        peer:expect_line "ERROR"
        peer:expect_eof()
    end)
end)

describe("an option", function()
    it("makes the first moves; what is illegal of them is passed over", function()
        local all = answers(making("POP 1", "DROP 8", "DROP 2", "POP 1", "DROP 3"), HELLO, GAME, "DROP 1\nDROP 1\n")
        assert.equal(BEGUN .. "OKAY\r\nDROP 2\r\nREADY\r\nOKAY\r\nDROP 3\r\nREADY\r\n", all)
    end)

    it("makes them anew for each client", function()
        local running = servers.connect_four(making "DROP 6"):start()
        for _ = 1, 3 do
            local peer <close> = echolot.connect(running)
            peer:send(HELLO, GAME, "DROP 1\n"):expect(BEGUN .. "OKAY\r\nDROP 6\r\nREADY\r\n")
        end
    end)

    it("makes games the same", function()
        local function game(options)
            return answers(options, HELLO, GAME, "DROP 1\nDROP 2\nDROP 1\nDROP 2\n")
        end
        for _, strength in ipairs { "full", "random" } do
            assert.equal(game { seed = 7, strength = strength }, game { seed = 7, strength = strength })
        end
        local games = {}
        for i = 1, 20 do
            games[game { strength = "random" }] = i
        end
        assert.is_not_nil(next(games, next(games)))
    end)

    it("ends the game after so many moves, as a draw does", function()
        assert.equal(BEGUN .. "OKAY\r\nDROP 2\r\nREADY\r\nOKAY\r\nDROP 3\r\n",
            answers({ close_after = 2, opening = { "DROP 2", "DROP 3" } }, HELLO, GAME, "DROP 1\nDROP 1\nDROP 1\n"))
    end)

    it("ends who is silent; what comes in time is answered", function()
        local peer <close> = connect { idle_timeout = 0.05 }
        peer:send(HELLO):expect(GREETED)
        peer:expect_eof()
    end)

    it("is refused by name where it is wrong", function()
        for _, case in ipairs {
            { { strength = "weak" }, "'strength' is one of full, random, not 'weak'" },
            { { seed = -1 }, "'seed' is a whole number" },
            { { opening = { "DROP" } }, "'opening' is a list of moves such as 'DROP 4' or 'POP 4'" },
            { { opening = { "DROP 4", "drop 4" } }, "'opening' is a list of moves" },
            { { opening = { "DROP 4 " } }, "'opening' is a list of moves" },
            { { opening = { "DOP 4" } }, "'opening' is a list of moves" },
            { { opening = "DROP 4" }, "'opening' is a list of moves" },
            { { opening = {} }, "'opening' is a list of moves" },
            { { max_line = 0 }, "'max_line' is a whole number from 1" },
            { { close_after = 0 }, "'close_after' is a whole number from 1" },
            { { columns = 7 }, "no option 'columns'; there are close_after, delay" },
        } do
            local err = assert.has_error(function() servers.connect_four(case[1]) end)
            assert.equal("usage", err.kind)
            assert.contains("servers.connect_four: ", tostring(err))
            assert.contains(case[2], tostring(err))
        end
    end)
end)

describe("a client that", function()
    local function serves(running)
        local peer <close> = echolot.connect(running)
        peer:send(HELLO, GAME, "DROP 1\n"):expect(BEGUN .. "OKAY\r\n")
        peer:expect_line(echolot.pattern "DROP [1-7]")
        return true
    end

    it("resets, at any point, harms nobody", function()
        local running = servers.connect_four():start()
        for _, said in ipairs { "", "I32", HELLO, HELLO .. GAME, HELLO .. GAME .. "DROP 4\n", HELLO .. GAME .. "DR",
            HELLO .. GAME .. ("DROP 4\n"):rep(1000) } do
            for turns = 0, 3 do
                local peer = echolot.connect(running):send(said)
                for _ = 1, turns do
                    echolot.spawn(function() end):join()
                end
                peer:reset()
            end
        end
        assert.is_true(serves(running))
    end)

    it("never reads is held by flow control, alone", function()
        local running = servers.connect_four():start()
        local greedy <close> = echolot.connect(running)
        local sent = 0
        local block = ("POP 7\n"):rep(MIB // 6)
        greedy:timeout(0.1):send(HELLO, GAME)
        local err = assert.has_error(function()
            for i = 1, 256 do
                greedy:send(block)
                sent = i
            end
        end)
        assert.equal("timeout", err.kind)
        assert.is_true(sent < 256)
        assert.is_true(serves(running))
    end)

    it("sends moves without pause leaves turns to the others", function()
        local running = servers.connect_four({ seed = 1 }):start()
        local greedy <close> = echolot.connect(running)
        local writer = echolot.spawn(pcall, greedy.send, greedy, HELLO, GAME, ("DROP 9\nPOP 9\n"):rep(MIB // 8))
        local reader = echolot.spawn(pcall, function()
            while greedy:recv(1 << 16) ~= "" do end
        end)
        for _ = 1, 10 do
            assert.is_true(serves(running))
        end
        writer:cancel()
        reader:cancel()
    end)

    it("sends a line without an end costs nothing and gets ERROR", function()
        local running = servers.connect_four():start()
        local peer <close> = echolot.connect(running)
        local writer = echolot.spawn(pcall, peer.send, peer, ("x"):rep(3 * MIB))
        peer:expect_line "ERROR"
        peer:expect_eof()
        writer:join()
        assert.is_true(serves(running))
    end)

    it("ends its half gets all its answers", function()
        local all = answers({ seed = 1 }, HELLO, GAME, "DROP 1\nDROP 2\nDROP 9\n")
        assert.matches("^OKAY\r\nDROP %d\r\nREADY\r\nOKAY\r\nDROP %d\r\nREADY\r\nINVALID\r\nREADY\r\n$",
            all:sub(#BEGUN + 1))
    end)
end)

-- Games at random: the client's moves are legal or not, and everything is checked.
describe("in games at random", function()
    local function expect_end(peer, winner, judge)
        assert.equal("WINNER_" .. winner, peer:expect_line(), tostring(judge))
        peer:expect_eof()
    end

    -- The answer to a legal move. True at the end of the game.
    local function watch_answer(peer, judge, action, column)
        local winner = judge:make("RED", action, column)
        if not winner then
            peer:expect_line "OKAY"
            local line, server_action, word = peer:expect_line(echolot.pattern "(%u+) (%d+)")
            column = math.tointeger(tonumber(word))
            assert.is_true(judge:is_legal("YELLOW", server_action, column), line .. "\n" .. tostring(judge))
            winner = judge:make("YELLOW", server_action, column)
        end
        if winner then
            expect_end(peer, winner, judge)
        elseif #judge:moves "RED" == 0 then
            peer:expect_eof()
            return true
        else
            peer:expect_line "READY"
        end
        return winner ~= nil
    end

    -- Makes the moves until the game is over.
    local function watch(strength, game, moves)
        local peer <close> = connect { seed = game.seed, strength = strength }
        peer:send(HELLO, ("AI_GAME %d %d\r\n"):format(game.columns, game.rows)):expect(BEGUN)
        local judge = referee.new(game.columns, game.rows)
        for _, move in ipairs(moves) do
            peer:send(("%s %d\r\n"):format(move.action, move.column))
            if not judge:is_legal("RED", move.action, move.column) then
                peer:expect "INVALID\r\nREADY\r\n"
            elseif watch_answer(peer, judge, move.action, move.column) then
                return
            end
        end
    end

    local size = gen.record { columns = gen.integer(4, 9), rows = gen.integer(4, 8), seed = gen.integer(0, 99) }
    local move = gen.record {
        action = gen.frequency { { 3, gen.constant "DROP" }, { 1, gen.constant "POP" } },
        column = gen.integer(-1, 11),
    }
    for strength, runs in pairs { full = 50, random = 300 } do
        property("the server keeps to the rules: " .. strength, { runs = runs }, size, gen.list(move, 1, 150),
            function(game, moves)
                watch(strength, game, moves)
            end)
    end
end)
