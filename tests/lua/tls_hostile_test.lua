-- Peers that mean harm, before and within the handshake: bounded in time and memory, and told in words.
local echolot = require "echolot"
local pair = require "conn_pair"
local tls = require "tls_pair"

setup(function() tls.make("server", "huge") end)
teardown(tls.remove)

-- The error of a client whose server sends this in answer to its first words.
local function client_meets(answer)
    local server <close> = echolot.serve("127.0.0.1:0", function(conn)
        conn:recv()
        pcall(conn.send, conn, answer)
        pcall(conn.read, conn, "a")
    end, { max_buffer = 1 << 24 })
    return pair.failure("tls", echolot.connect, "tls://127.0.0.1:" .. server.port, { timeout = 2 })
end

-- What a server tells of a client that sends this.
local function server_meets(words)
    local listener <close> = echolot.listen("tls://127.0.0.1:0", { tls = tls.server(), timeout = 0.2 })
    local client <close> = echolot.connect("127.0.0.1", listener.port)
    pcall(client.send, client, words)
    return pair.fails("tls", listener, "accept")
end

local EMPTY_RECORD, WARNING = "\22\3\3\0\0", "\21\3\3\0\2\1\90"
local GARBAGE = {
    ["empty records without end"] = EMPTY_RECORD:rep(50000),
    ["warnings without end"] = WARNING:rep(50000),
    ["a record larger than any"] = "\22\3\3\255\255" .. ("x"):rep(65535),
    ["a message larger than any"] = "\22\3\3\64\0\1\255\255\255" .. ("x"):rep(16380),
    ["noise in a record"] = "\22\3\3\0\100" .. ("\171"):rep(100),
    ["application data first"] = "\23\3\3\0\100" .. ("\171"):rep(100),
    ["an alert"] = "\21\3\3\0\2\2\40",
}

describe("a peer that sends", function()
    for name, bytes in pairs(GARBAGE) do
        it(name .. " fails at once, as a server", function()
            assert.is_true(#client_meets(bytes).message < 300)
        end)

        it(name .. " fails, as a client", function()
            assert.is_true(#server_meets(bytes).message < 400)
        end)
    end

    it("an alert is told by its name", function()
        assert.contains([[the alert "handshake failure"]], client_meets("\21\3\3\0\2\2\40").message)
        assert.contains([[the alert "unrecognized name": it knows no host of that name]],
            client_meets("\21\3\3\0\2\2\112").message)
    end)

    it("terminal codes is quoted without them", function()
        assert.contains([[it said "\x1b]0;owned\a"]], client_meets("\27]0;owned\7").message)
    end)

    it("the first words byte by byte is waited for", function()
        local ours, theirs = tls.pair_between(1)
        ours:send "x"
        theirs:expect "x"
    end)
end)

it("certificates beyond 100 KB are refused", function()
    local listener <close> = echolot.listen("tls://127.0.0.1:0", { tls = tls.server "huge" })
    local err = pair.failure("tls", echolot.connect, listener.address, { tls = tls.client() })
    assert.contains("too large", err.message)
end)

it("more stalled clients than handshakes are kept leave room for one that does not", function()
    local listener <close> = echolot.listen("tls://127.0.0.1:0", { tls = tls.server() })
    local stalled = {}
    for i = 1, 300 do
        stalled[i] = echolot.connect("127.0.0.1", listener.port)
    end
    local ours = echolot.connect(listener.address, { tls = tls.client() })
    ours:send "x"
    listener:accept():expect "x"
    stalled[1]:expect_eof() -- the oldest made room
end)

it("a stalled handshake counts against the limit of connect as a whole", function()
    local silent <close> = echolot.listen "127.0.0.1:0"
    local dripping = echolot.spawn(function()
        local conn = silent:accept()
        while true do
            conn:send(EMPTY_RECORD)
            echolot.sleep(0.03)
        end
    end)
    local err = pair.failure("timeout", echolot.connect, "tls://127.0.0.1:" .. silent.port, { timeout = 0.2 })
    assert.contains("in the TLS handshake", err.message)
    dripping:cancel()
end)
