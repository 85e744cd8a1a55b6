-- Embedded servers and clients that mean no good: each gets what it deserves, and all the
-- others are served as if nothing had happened.
local echolot = require "echolot"
local servers = echolot.servers

local MIB = 1 << 20

-- A new client is answered: the server lives.
local function serves(running)
    local peer <close> = echolot.connect(running)
    return peer:send("still there?\n"):read "L" == "still there?\n"
end

local function repeated(text, size)
    return text:rep(size // #text)
end

-- The most memory that this process (the server is in it) ever had, in MiB.
local function peak_mib()
    local file <close> = assert(io.open "/proc/self/status")
    return math.tointeger(file:read("a"):match "\nVmHWM:%s+(%d+)") / 1024
end

-- Sends `block` `count` times unless that fails; how many times it could, and the error.
local function pour(peer, block, count)
    for i = 1, count do
        local ok, err = pcall(peer.send, peer, block)
        if not ok then
            return i - 1, err
        end
    end
    return count
end

describe("clients that reset", function()
    local cases = {
        { "at once", function() end },
        { "with a request unanswered", function(peer) peer:send "hello\n" end },
        { "in the middle of a line", function(peer) peer:send "hel" end },
        { "with replies unread", function(peer) peer:send("hello\n"):read(1) end },
    }
    for _, case in ipairs(cases) do
        local how, act = table.unpack(case)
        it(how .. " harm nobody", function()
            for _, server in ipairs { servers.echo(), servers.echo { reply = "upper", delay = 0.001 },
                servers.echo { half_close = "close", delay = 0.001 } } do
                local running = server:start()
                local witness <close> = echolot.connect(running)
                for _ = 1, 40 do
                    local peer = echolot.connect(running)
                    act(peer)
                    peer:reset()
                end
                assert.equal("me too", witness:send("me too\n"):read("l"):lower())
            end
        end)
    end

    it("do not stop a stream that is being sent to them", function()
        local running = servers.chargen():start()
        for _ = 1, 50 do
            local peer = echolot.connect(running)
            peer:read "l"
            peer:reset()
        end
        local peer <close> = echolot.connect(running)
        assert.equal(74, #peer:read "L")
    end)
end)

describe("a client that never reads", function()
    local BLOCK = repeated("0123456789abcde\n", MIB)

    for _, case in ipairs {
        { "lines", {} }, { "raw", { framing = "raw" } }, { "copies", { repeat_reply = 100 } },
        { "pieces", { chunk = 7 } }, { "until its FIN", { half_close = "close" } },
    } do
        local what, options = table.unpack(case)
        it("is held by flow control, alone: " .. what, function()
            local running = servers.echo(options):start()
            local greedy <close> = echolot.connect(running)
            local before_mib = peak_mib()
            local sent, err = pour(greedy:timeout(0.1), BLOCK, 256)
            assert.is_true(sent < 256)
            assert.equal("timeout", err.kind)
            if not os.getenv "EL_SANITIZE" then -- which keeps what is freed for a while
            assert.is_true(peak_mib() - before_mib < 64)
        end
            assert.is_true(serves(running))
        end)
    end

    it("is closed after the idle timeout, if there is one", function()
        local running = servers.echo({ idle_timeout = 0.05 }):start()
        local greedy <close> = echolot.connect(running)
        local _, err = pour(greedy, repeated(("0"):rep(1023) .. "\n", MIB), 256)
        assert.equal("reset", err.kind)
    end)

    it("holds no one up at chargen", function()
        local running = servers.chargen():start()
        local lazy <close> = echolot.connect(running)
        local peer <close> = echolot.connect(running)
        for _ = 1, 10000 do
            assert.equal(74, #peer:read "L")
        end
        assert.equal(74, #lazy:read "L")
    end)
end)

describe("a line without an end", function()
    local BLOCK = repeated("x", MIB)

    it("ends its client at 1 MiB, and costs little memory", function()
        for _, options in ipairs { {}, { repeat_reply = 2 }, { idle_timeout = 60 } } do
            local running = servers.echo(options):start()
            local peer <close> = echolot.connect(running)
            local before_mib = peak_mib()
            local sent, err = pour(peer, BLOCK, 1024)
            assert.is_true(sent < 64)
            assert.equal("reset", err.kind)
            if not os.getenv "EL_SANITIZE" then -- which keeps what is freed for a while
            assert.is_true(peak_mib() - before_mib < 64)
        end
            assert.is_true(serves(running))
        end
    end)

    it("may have 1 MiB, and loses no earlier reply when it has more", function()
        local running = servers.echo({ reply = "count" }):start()
        local peer <close> = echolot.connect(running)
        assert.equal("1048576", peer:send(BLOCK, "\n"):read "l")
        assert.equal("1048576", peer:send(BLOCK, "\r\n"):read "l")
        peer:send("ok\n", BLOCK, "x")
        assert.equal("2\n", peer:read "a")
    end)

    it("is held to the same limit where lines go back unchanged", function()
        local running = servers.echo():start()
        local peer <close> = echolot.connect(running, { max_buffer = 2 * MIB })
        for _, ending in ipairs { "\n", "\r\n" } do
            assert.equal(BLOCK .. ending, peer:send(BLOCK, ending):read "L")
        end
        peer:send("ok\n", BLOCK, "x\n")
        assert.equal("ok\n", peer:read "a")
    end)

    it("is cut to max_line, however long it is", function()
        local running = servers.echo({ max_line = 10, half_close = "drain" }):start()
        local peer <close> = echolot.connect(running)
        local before_mib = peak_mib()
        assert.equal(64, (pour(peer, BLOCK, 64)))
        assert.equal("xxxxxxxxxx", peer:send("\n"):read "l")
        if not os.getenv "EL_SANITIZE" then -- which keeps what is freed for a while
            assert.is_true(peak_mib() - before_mib < 64)
        end
    end)

    it("is split as it comes", function()
        local running = servers.echo({ max_line = MIB // 2, overflow = "split", reply = "count" }):start()
        local peer <close> = echolot.connect(running)
        assert.equal(8, (pour(peer, BLOCK, 8)))
        peer:send("\n"):shutdown()
        for _ = 1, 16 do
            assert.equal("524288", peer:read "l")
        end
        assert.is_nil(peer:read "l")
    end)

    it("may be longer where max_line allows it", function()
        local running = servers.echo({ max_line = 16 * MIB, reply = "hash" }):start()
        local peer <close> = echolot.connect(running)
        assert.equal(4, (pour(peer, BLOCK, 4)))
        assert.matches("^%x%x%x%x%x%x%x%x$", peer:send("\n"):timeout(30):read "l")
    end)

    it("byte by byte is no more work", function()
        local running = servers.echo({ reply = "count" }):start()
        local peer <close> = echolot.connect(running)
        for _ = 1, 20000 do
            peer:send "x"
            if peer:unread() ~= "" then
                break
            end
            echolot.spawn(function() end):join() -- a turn of the loop: the server takes it alone
        end
        assert.equal("20000", peer:send("\n"):read "l")
    end)
end)

describe("short lines by the thousand", function()
    it("are all answered, in order", function()
        local running = servers.echo({ reply = "count", repeat_reply = 2 }):start()
        local peer <close> = echolot.connect(running)
        local writer = echolot.spawn(function()
            for size = 0, 999 do
                peer:send(("y"):rep(size) .. "\n")
            end
            peer:shutdown()
        end)
        for size = 0, 999 do
            assert.equal(tostring(size), peer:read "l")
            assert.equal(tostring(size), peer:read "l")
        end
        assert.is_nil(peer:read "l")
        writer:join()
    end)

    it("of nothing at all do not starve the others", function()
        local running = servers.echo():start()
        local peer <close> = echolot.connect(running)
        local reader = echolot.spawn(function()
            local count = 0
            while count < MIB do
                count = count + #peer:recv(1 << 16)
            end
        end)
        local writer = echolot.spawn(peer.send, peer, ("\n"):rep(MIB))
        for _ = 1, 10 do
            assert.is_true(serves(running))
        end
        reader:join()
        writer:join()
    end)
end)

describe("clients that half-close", function()
    it("and wait, are answered and let go", function()
        for _, server in ipairs { servers.echo(), servers.discard(), servers.qotd(), servers.time() } do
            local running = server:start()
            for _ = 1, 50 do
                local peer <close> = echolot.connect(running)
                peer:shutdown():read "a"
            end
        end
    end)

    it("and never close, do not hold a server that has said all", function()
        local running = servers.daytime():start()
        local stubborn <close> = echolot.connect(running)
        assert.is_string(stubborn:read "l")
        local peer <close> = echolot.connect(running)
        assert.is_string(peer:read "l")
    end)
end)

describe("many clients", function()
    it("are each answered with their own", function()
        local running = servers.echo({ chunk = 3, chunk_delay = 0.001 }):start()
        local clients = {}
        for i = 1, 200 do
            clients[i] = function()
                local peer <close> = echolot.connect(running)
                for round = 1, 3 do
                    local line = ("client %d, round %d\n"):format(i, round)
                    assert.equal(line, peer:send(line):read "L")
                end
            end
        end
        echolot.parallel(table.unpack(clients))
    end)

    it("leave nothing behind", function()
        local running = servers.echo():start()
        for _ = 1, 300 do
            local peer <close> = echolot.connect(running)
            peer:send("hello\n"):read "l"
        end
        -- A turn or two after a client's end its task has ended, too.
        local last <close> = echolot.connect(running)
        last:send("hello\n"):read "l"
        local count = 0
        for _ in pairs(running.clients) do
            count = count + 1
        end
        assert.is_true(count < 10)
    end)
end)
