-- The computer player of Connect Four: what it must see, in positions drawn by hand and in many
-- that games at random lead to.
local player = require "echolot.servers.connect_four.player"
local referee = require "connect_four_referee"
local rules = require "echolot.servers.connect_four.rules"

-- The position of these rows, the highest first, for the player and for the referee.
local function position(...)
    local lines = { ... }
    local rows, columns = math.max(#lines, 6), #lines[1]
    local board, judge = rules.new(columns, rows), referee.new(columns, rows)
    for row = 1, #lines do
        local line = lines[#lines - row + 1]
        for column = 1, columns do
            local letter = line:sub(column, column)
            if letter ~= "." then
                assert(row == 1 or judge.grid[row - 1][column] ~= ".", "a piece hangs in the air")
                board.stacks[column][row] = letter == "R" and "RED" or "YELLOW"
                judge.grid[row][column] = letter
            end
        end
    end
    assert.is_false(judge:has_four "RED" or judge:has_four "YELLOW")
    return board, judge
end

local function choice(board, seed, strength)
    local move = player.new(board, "YELLOW", { strength = strength or "full", seed = seed }):choose()
    return ("%s %d"):format(move.action, move.column)
end

-- Of yellow's moves those that win, and those that are safe.
local function judged(judge)
    local wins, safe = {}, {}
    for _, move in ipairs(judge:moves "YELLOW") do
        local name = ("%s %d"):format(move[1], move[2])
        if judge:wins("YELLOW", table.unpack(move)) then
            wins[#wins + 1] = name
        elseif judge:is_safe("YELLOW", table.unpack(move)) then
            safe[#safe + 1] = name
        end
    end
    return wins, safe
end

describe("it takes a win", function()
    local cases = {
        across = { "DROP 4", "RRR.YYY" },
        up = { "DROP 7", "......Y", "R.....Y", "RR.R..Y" },
        rising = { "DROP 4", "..YR...", ".YRR...", "YRRY..." },
        falling = { "DROP 1", "RY.....", "YRY....", "RRRY..." },
        ["by a pop"] = { "POP 3", "..Y....", "YYRY...", "RYYR..." },
        ["by a pop that makes red's four, too"] = { "POP 3", "..Y....", "YYRY...", "RRYR..." },
    }
    for name, case in pairs(cases) do
        it(name, function()
            local board, judge = position(table.unpack(case, 2))
            assert.same({ case[1] }, (judged(judge)))
            for seed = 1, 5 do
                assert.equal(case[1], choice(board, seed))
            end
        end)
    end
end)

describe("it lets red not win", function()
    local cases = {
        across = { { "DROP 4" }, "YY.....", "RRR...." },
        up = { { "DROP 7" }, "......R", "......R", "Y..Y..R" },
        rising = { { "DROP 4" }, "..RY...", ".RYY...", "RYRR..." },
        falling = { { "DROP 4" }, "...YR..", "...YYR.", "...RRYR" },
        ["by a pop"] = { { "POP 1" }, "..R....", "RRYR...", "YRRY..." },
        ["above its own piece"] = {
            { "DROP 1", "DROP 2", "DROP 3", "DROP 5", "DROP 6", "DROP 7", "POP 1", "POP 3" },
            "RRR....", "YRY....",
        },
    }
    for name, case in pairs(cases) do
        it(name, function()
            local board, judge = position(table.unpack(case, 2))
            local wins, safe = judged(judge)
            assert.same({}, wins)
            assert.same(case[1], safe)
            for seed = 1, 5 do
                assert.contains(choice(board, seed), safe)
            end
        end)
    end
end)

-- Plays a game at random up to its end; calls f(board, judge) whenever it is yellow's turn.
local function each_turn(columns, rows, f)
    local board, judge = rules.new(columns, rows), referee.new(columns, rows)
    local who = "RED"
    for _ = 1, 100 do
        local moves = judge:moves(who)
        local action, column = table.unpack(moves[math.random(#moves)])
        board:play(who, action, column)
        if judge:make(who, action, column) then
            return
        end
        who = rules.OPPONENT[who]
        if who == "YELLOW" then
            f(board, judge)
        end
    end
end

describe("in positions at random", function()
    it("it takes each win; it gives none away that it need not, and leaves the board as it is", function()
        math.randomseed(32)
        local taken, avoided = 0, 0
        for i = 1, 14 do
            each_turn(4 + i % 3, 4 + i % 2, function(board, judge)
                local wins, safe = judged(judge)
                local all = #judge:moves "YELLOW"
                local chosen = choice(board, i)
                if #wins > 0 then
                    taken = taken + 1
                    assert.contains(chosen, wins, tostring(judge))
                elseif #safe > 0 and #safe < all then
                    avoided = avoided + 1
                    assert.contains(chosen, safe, tostring(judge))
                end
                for column = 1, board.columns do
                    for row = 1, board.rows do
                        local piece = board.stacks[column][row]
                        assert.equal(judge.grid[row][column], piece and piece:sub(1, 1) or ".")
                    end
                end
            end)
        end
        assert.is_true(taken > 8 and avoided > 8, ("%d, %d"):format(taken, avoided))
    end)
end)

describe("with nothing better to do", function()
    it("it begins in the middle", function()
        local middles = { [4] = { 2, 3 }, [7] = { 4 }, [8] = { 4, 5 }, [20] = { 9, 10, 11, 12 } }
        for columns, middle in pairs(middles) do
            for seed = 1, 10 do
                local column = choice(rules.new(columns, 6), seed):match "^DROP (%d+)$"
                assert.contains(math.tointeger(tonumber(column)), middle)
            end
        end
    end)

    it("it drops rather than pops", function()
        local board = position("Y..YR.Y")
        for seed = 1, 10 do
            assert.matches("^DROP", choice(board, seed))
        end
    end)
end)

-- Plays yellow of one strength against red at random; who wins, and the moves.
local function game(columns, rows, strength, seed)
    local board = rules.new(columns, rows)
    local red = player.new(board, "RED", { strength = "random", seed = seed })
    local yellow = player.new(board, "YELLOW", { strength = strength, seed = seed })
    local moves = {}
    for _ = 1, 200 do
        for _, computer in ipairs { red, yellow } do
            local move = computer:choose()
            assert.is_true(board:is_legal(computer.who, move.action, move.column))
            moves[#moves + 1] = ("%s %d"):format(move.action, move.column)
            local winner = board:play(computer.who, move.action, move.column)
            if winner then
                return winner, table.concat(moves, ",")
            end
        end
    end
    return nil, table.concat(moves, ",")
end

describe("a game", function()
    it("is won against who plays at random", function()
        for seed = 1, 12 do
            assert.equal("YELLOW", game(4 + seed % 5, 4 + seed % 4, "full", seed))
        end
    end)

    it("is the same again with the same seed, another with another", function()
        for _, strength in ipairs { "full", "random" } do
            local games = {}
            for seed = 1, 4 do
                local _, moves = game(7, 6, strength, seed)
                local _, again = game(7, 6, strength, seed)
                assert.equal(moves, again)
                games[seed] = moves
            end
            assert.is_unique(games)
        end
    end)

    it("at random makes any legal move", function()
        local board = position("Y.RY...")
        board.stacks[7] = { "RED", "RED", "YELLOW", "RED", "RED", "YELLOW" }
        local made = {}
        for seed = 1, 200 do
            made[choice(board, seed, "random")] = true
        end
        local names = {}
        for name in pairs(made) do
            names[#names + 1] = name
        end
        table.sort(names)
        assert.same({ "DROP 1", "DROP 2", "DROP 3", "DROP 4", "DROP 5", "DROP 6", "POP 1", "POP 4" }, names)
    end)

    it("is over for who has no move", function()
        local board = rules.new(1, 1)
        board:play("RED", "DROP", 1)
        for _, strength in ipairs { "full", "random" } do
            assert.is_nil(player.new(board, "YELLOW", { strength = strength, seed = 1 }):choose())
        end
    end)
end)

describe("its work", function()
    -- How many moves it tries until it has chosen.
    local function tried(board, give_way)
        local count = 0
        function board:play(...)
            count = count + 1
            return getmetatable(self).__index.play(self, ...)
        end
        player.new(board, "YELLOW", { strength = "full", seed = 1, give_way = give_way }):choose()
        return count
    end

    -- High stacks without any four in them, and every piece at the bottom one side's.
    local function crowded(bottom)
        local board = rules.new(20, 20)
        for column = 1, 20 do
            board.stacks[column][1] = column % 3 == 0 and rules.OPPONENT[bottom] or bottom
            for row = 2, 18 do
                board.stacks[column][row] = (column // 2 + row // 2) % 2 == 0 and "RED" or "YELLOW"
            end
        end
        return board
    end

    it("has a bound on the largest board", function()
        assert.is_true(tried(rules.new(20, 20)) <= 10000)
        assert.is_true(tried(crowded "RED") <= 10000)
        assert.is_true(tried(crowded "YELLOW") <= 10000)
        assert.is_true(tried(rules.new(7, 6)) <= 10000)
    end)

    it("lets others have their turn", function()
        local turns = 0
        local count = tried(rules.new(20, 20), function() turns = turns + 1 end)
        assert.is_true(turns >= count // 40)
    end)
end)
