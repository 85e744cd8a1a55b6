-- What every carrier has to do alike: each of these tests is run over TCP, over a program's standard files, and over TLS
-- upon TCP and upon a Unix socket. The peer gives back what it gets.
local echolot = require "echolot"
local pair = require "conn_pair"
local tls = require "tls_pair"

setup(function() tls.make "server" end)
teardown(tls.remove)

local function echo(client)
    while true do
        local some = client:timeout(math.huge):recv(65536)
        if some == "" then
            return
        end
        client:send(some)
    end
end

local function over_tls(address, options)
    local secure = { tls = tls.client { sni = "localhost" } }
    for key, value in pairs(options or {}) do
        secure[key] = value
    end
    local server = echolot.serve(address, echo, { tls = tls.server() })
    return echolot.connect(server.address, secure)
end

-- name = function(options) -> a connection
local CARRIERS = {
    { "tcp", function(options)
        return echolot.connect(echolot.serve(pair.LOCAL, echo).address, options)
    end },
    { "tls", function(options) return over_tls("tls://127.0.0.1:0", options) end },
    { "tls over unix", function(options) return over_tls("unix:" .. pair.path(), options) end },
    { "exec", function(options) return echolot.connect("exec:cat", options) end },
}

-- More than pipes hold, and more than TCP's buffers and ours on both sides do.
local MUCH, TOO_MUCH = 4 << 20, 32 << 20

-- All that comes, taken piece by piece.
local function take_all(conn)
    local parts = {}
    repeat
        parts[#parts + 1] = conn:recv(100000)
    until parts[#parts] == ""
    return table.concat(parts)
end

local ADDRESSES = { tcp = "tcp://", exec = "exec:cat", tls = "tls://", ["tls over unix"] = "unix:/" }

for _, carrier in ipairs(CARRIERS) do
    local name, connect = carrier[1], carrier[2]

    describe(name, function()
        it("carries every byte, in order", function()
            local conn = connect()
            local all = pair.pattern(251 * 100)
            conn:send(all, "", "\0", 7)
            assert.equal(all .. "\0007", conn:read(#all + 2))
        end)

        it("carries more than fits on the way, both ways at once", function()
            local conn = connect()
            local all = pair.pattern(MUCH)
            local sender = echolot.spawn(function() conn:send(all):shutdown() end)
            local came = take_all(conn)
            sender:join()
            assert.is_true(came == all)
        end)

        it("reads as a file does", function()
            local conn = connect():send("one\r\ntwo\n12345rest\nlast"):shutdown()
            assert.equal("one", conn:read())
            assert.equal("two\n", conn:read "L")
            assert.equal("12345", conn:read(5))
            local lines = {}
            for line in conn:lines() do
                lines[#lines + 1] = line
            end
            assert.same({ "rest", "last" }, lines)
            assert.is_nil(conn:read())
            assert.equal("", conn:read "a")
            assert.equal("", conn:recv())
        end)

        it("packs and unpacks", function()
            local conn = connect():pack(">I4 s2", 123456, "text")
            assert.same({ 123456, "text" }, { conn:unpack ">I4 s2" })
        end)

        it("expects, however the bytes are cut", function()
            local conn = connect()
            local text = "OK 42\r\nline\nabc"
            local matching = pair.start(function()
                local number = conn:expect(echolot.pattern "OK (%d+)\r\n")
                conn:expect_line "line"
                return number, conn:expect(echolot.bytes(3))
            end)
            for i = 1, #text do
                conn:send(text:sub(i, i))
            end
            assert.same({ "42", "abc" }, { matching:join() })
            conn:shutdown():expect_eof()
        end)

        it("fails an expectation at the first byte that does not fit, and keeps the bytes", function()
            local conn = connect():send "abX"
            local err = pair.fails("mismatch", conn, "expect", "abc")
            assert.contains(ADDRESSES[name], err.message .. tostring(err.address))
            assert.equal("abX", conn:unread())
        end)

        it("ends a wait at its limit, and goes on", function()
            local conn = connect { timeout = 0.05 }
            local err = pair.fails("timeout", conn, "recv")
            assert.equal("recv", err.op)
            conn:timeout(5):send "late\n"
            assert.equal("late", conn:read())
        end)

        it("is silent where nothing comes", function()
            connect():expect_silence(0.05)
        end)

        it("ends our half, and theirs after it", function()
            local conn = connect():send("before"):shutdown():shutdown()
            pair.fails("usage", conn, "send", "after")
            assert.equal("before", conn:read "a")
            conn:expect_eof()
        end)

        it("keeps no more than max_buffer, and what it keeps", function()
            local conn = connect { max_buffer = 1000 }
            conn:send(("x"):rep(3000), "\n")
            local err = pair.fails("limit", conn, "read", "l")
            assert.equal(1000, #err.received)
            assert.equal(1000, #conn:unread())
            assert.equal(("x"):rep(3000), conn:read(1000) .. conn:read(1000) .. conn:read(1000))
            assert.equal("", conn:read())
        end)

        it("holds a send as long as nobody receives, and loses nothing", function()
            local conn = connect { max_buffer = 1000, timeout = 0.1 }
            local sent = pair.fails("timeout", conn, "send", ("x"):rep(TOO_MUCH))
            assert.equal("send", sent.op)
            local came = take_all(conn:timeout(5):shutdown())
            assert.is_true(#came > 1000 and #came < TOO_MUCH)
            assert.is_true(came == ("x"):rep(#came))
        end)

        it("never mixes what two tasks send", function()
            local conn = connect()
            local half = MUCH // 2
            local first = echolot.spawn(conn.send, conn, ("a"):rep(half))
            local second = echolot.spawn(conn.send, conn, ("b"):rep(half))
            local ending = echolot.spawn(function()
                first:join()
                second:join()
                conn:shutdown()
            end)
            local came = take_all(conn)
            ending:join()
            assert.is_true(came == ("a"):rep(half) .. ("b"):rep(half))
        end)

        it("ends a wait when it is closed, and stays closed", function()
            local conn = connect()
            local task = pair.start(pcall, conn.recv, conn)
            conn:close():close()
            local _, err = task:join()
            assert.equal("usage", err.kind)
            for _, method in ipairs { "recv", "send", "shutdown", "read" } do
                pair.fails("usage", conn, method)
            end
        end)

        it("forgets a wait that is cancelled", function()
            local conn = connect()
            local task = pair.start(conn.recv, conn)
            task:cancel()
            pair.fails("cancelled", task, "join")
            assert.equal("x", conn:send("x\n"):read())
        end)

        it("takes one reader at a time", function()
            local conn = connect()
            local task = pair.start(conn.read, conn)
            pair.fails("usage", conn, "read")
            conn:send "x\n"
            assert.equal("x", task:join())
        end)
    end)
end
