-- The rules of Connect Four, in every place of a small board and of the usual one, and against a
-- referee of our own.
local gen = require("echolot").gen
local referee = require "connect_four_referee"
local rules = require "echolot.servers.connect_four.rules"

local SIZES = { { 4, 4 }, { 7, 6 }, { 5, 8 } }
local DIRECTIONS = { across = { 1, 0 }, up = { 0, 1 }, rising = { 1, 1 }, falling = { 1, -1 } }

-- Fills the column below `row` with pieces of nobody's.
local function support(board, column, row)
    local stack = board.stacks[column]
    while #stack < row - 1 do
        stack[#stack + 1] = "NOBODY"
    end
end

-- Calls f(places) for each four of the direction on the board, places being {column, row} times 4.
local function each_four(columns, rows, direction, f)
    local right, up = table.unpack(direction)
    for column = 1, columns do
        for row = 1, rows do
            local last_column, last_row = column + 3 * right, row + 3 * up
            if last_column <= columns and last_row >= 1 and last_row <= rows then
                local places = {}
                for i = 0, 3 do
                    places[i + 1] = { column + i * right, row + i * up }
                end
                f(places)
            end
        end
    end
end

-- A board with the piece at each place but those of `without`, and support for these.
local function prepared(columns, rows, places, who, without)
    local board = rules.new(columns, rows)
    for i, place in ipairs(places) do
        support(board, place[1], place[2])
        if not without[i] then
            table.insert(board.stacks[place[1]], who)
        end
    end
    return board
end

for _, size in ipairs(SIZES) do
    local columns, rows = table.unpack(size)
    describe(("on %d columns and %d rows,"):format(columns, rows), function()
        for name, direction in pairs(DIRECTIONS) do
            it("four win " .. name .. ", wherever they are and whichever comes last", function()
                local count = 0
                each_four(columns, rows, direction, function(places)
                    for last = name == "up" and 4 or 1, 4 do
                        for who in pairs(rules.OPPONENT) do
                            local board = prepared(columns, rows, places, who, { [last] = true })
                            assert.equal(who, board:play(who, "DROP", places[last][1]))
                            count = count + 1
                        end
                    end
                end)
                assert.is_true(count >= 2)
            end)

            it("three do not, " .. name, function()
                each_four(columns, rows, direction, function(places)
                    for missing = name == "up" and 4 or 1, 4 do
                        for last = name == "up" and 3 or 1, name == "up" and 3 or 4 do
                            if last ~= missing then
                                local board = prepared(columns, rows, places, "RED",
                                    { [last] = true, [missing] = true })
                                assert.is_nil(board:play("RED", "DROP", places[last][1]))
                            end
                        end
                    end
                end)
            end)

            it("four of two colours do not, " .. name, function()
                each_four(columns, rows, direction, function(places)
                    local board = prepared(columns, rows, places, "RED", { [4] = true })
                    assert.is_nil(board:play("YELLOW", "DROP", places[4][1]))
                end)
            end)

            -- What slides down by a pop comes to lie in any of the four places.
            if name ~= "up" then
                it("a pop that makes four lets their owner win, " .. name, function()
                    each_four(columns, rows, direction, function(places)
                        for sliding = 1, 4 do
                            for who, other in pairs(rules.OPPONENT) do
                                for _, mover in ipairs { who, other } do
                                    local board = prepared(columns, rows, places, who, { [sliding] = true })
                                    local column = places[sliding][1]
                                    table.insert(board.stacks[column], 1, mover)
                                    table.insert(board.stacks[column], who)
                                    assert.is_true(board:is_legal(mover, "POP", column))
                                    assert.equal(who, board:play(mover, "POP", column))
                                end
                            end
                        end
                    end)
                end)
            end
        end
    end)
end

describe("a drop", function()
    it("is legal until the column is full", function()
        local board = rules.new(4, 5)
        for row = 1, 5 do
            local who = row % 2 == 0 and "RED" or "YELLOW"
            assert.is_true(board:is_legal(who, "DROP", 2))
            board:play(who, "DROP", 2)
            assert.equal(who, board.stacks[2][row])
        end
        assert.is_false(board:is_legal("RED", "DROP", 2))
        assert.is_false(board:is_legal("YELLOW", "DROP", 2))
        assert.is_true(board:is_legal("RED", "DROP", 1))
    end)

    it("is illegal beside the board, whatever the number", function()
        local board = rules.new(7, 6)
        for _, column in ipairs { 0, -1, 8, 1 << 40, math.mininteger, 1.5, 1e300, math.huge, -math.huge } do
            assert.is_false(board:is_legal("RED", "DROP", column), tostring(column))
            assert.is_false(board:is_legal("RED", "POP", column), tostring(column))
        end
    end)
end)

describe("a pop", function()
    it("takes one's own lowest piece, and nothing else", function()
        local board = rules.new(4, 4)
        assert.is_false(board:is_legal("RED", "POP", 1))
        board:play("RED", "DROP", 1)
        board:play("YELLOW", "DROP", 1)
        assert.is_false(board:is_legal("YELLOW", "POP", 1))
        assert.is_true(board:is_legal("RED", "POP", 1))
        board:play("RED", "POP", 1)
        assert.same({ "YELLOW" }, board.stacks[1])
        assert.is_false(board:is_legal("RED", "POP", 1))
        assert.is_true(board:is_legal("YELLOW", "POP", 1))
    end)

    it("that makes four for both wins for who made it", function()
        for mover, other in pairs(rules.OPPONENT) do
            for _, lower in ipairs { mover, other } do
                local upper = rules.OPPONENT[lower]
                local board = rules.new(4, 4)
                for column = 1, 3 do
                    board.stacks[column] = { lower, upper }
                end
                board.stacks[4] = { mover, lower, upper }
                assert.equal(mover, board:play(mover, "POP", 4))
            end
        end
    end)

    it("does not count a four that it breaks", function()
        local board = rules.new(7, 6)
        board.stacks = { { "RED" }, { "RED" }, { "RED" }, {}, {}, {}, {} }
        board.stacks[4] = { "RED", "YELLOW" }
        assert.is_nil(board:play("RED", "POP", 4))
    end)
end)

describe("who has no move", function()
    it("has a full board, and no piece at its bottom", function()
        local board = rules.new(2, 1)
        assert.is_true(board:can_move "RED")
        board:play("RED", "DROP", 1)
        assert.is_true(board:can_move "YELLOW")
        board:play("RED", "DROP", 2)
        assert.is_false(board:can_move "YELLOW")
        assert.is_true(board:can_move "RED")
        board:play("RED", "POP", 2)
        assert.is_true(board:can_move "YELLOW")
    end)
end)

describe("games at random", function()
    -- What is legal, and the move that stands at that place among all legal ones.
    local function legal_move(board, judge, who, choice)
        for _, action in ipairs { "DROP", "POP" } do
            for column = 0, board.columns + 1 do
                assert.equal(judge:is_legal(who, action, column), board:is_legal(who, action, column))
            end
        end
        local moves = judge:moves(who)
        assert.equal(#moves > 0, board:can_move(who))
        return table.unpack(moves[choice % #moves + 1])
    end

    local size = gen.record { columns = gen.integer(4, 9), rows = gen.integer(4, 8) }
    property("are judged as the referee judges them", { runs = 200 }, size, gen.list(gen.integer(0, 999), 1, 200),
        function(game, choices)
            local board, judge = rules.new(game.columns, game.rows), referee.new(game.columns, game.rows)
            local who = "RED"
            for _, choice in ipairs(choices) do
                local action, column = legal_move(board, judge, who, choice)
                local before = table.concat(board.stacks[column], ",")
                local winner = board:play(who, action, column)
                board:undo(who, action, column)
                assert.equal(before, table.concat(board.stacks[column], ","))
                assert.equal(winner, board:play(who, action, column))
                assert.equal(judge:make(who, action, column), winner, tostring(judge))
                if winner then
                    return
                end
                who = rules.OPPONENT[who]
            end
        end)
end)
