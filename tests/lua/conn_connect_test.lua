-- "Connections" of the contract: connect, its forms and its options.
local echolot = require "echolot"
local pair = require "conn_pair"

describe("connect", function()
    it("takes an address", function()
        local listener <close> = echolot.listen(pair.LOCAL)
        local conn <close> = echolot.connect(tostring(listener.address))
        assert.equal(listener.address, conn.peer)
    end)

    it("takes a host and a port, each in its forms", function()
        local listener <close> = echolot.listen(pair.LOCAL)
        for _, host in ipairs { "127.0.0.1", "localhost" } do
            for _, port in ipairs { listener.port, tostring(listener.port), listener.port + 0.0 } do
                local conn <close> = echolot.connect(host, port)
                assert.equal(listener.port, conn.peer.port)
            end
        end
    end)

    it("takes options behind either form", function()
        local listener <close> = echolot.listen(pair.LOCAL)
        local one <close> = echolot.connect(listener.address, { name = "one" })
        local two <close> = echolot.connect("127.0.0.1", listener.port, { name = "two" })
        assert.equal(listener.address, one.peer)
        assert.equal(listener.address, two.peer)
        pair.failure("usage", echolot.connect, listener.address, { nonsense = 1 })
        pair.failure("usage", echolot.connect, "127.0.0.1", listener.port, { nonsense = 1 })
    end)

    it("refuses options that it does not know", function()
        local err = pair.failure("usage", echolot.connect, "127.0.0.1:1", { time_out = 1 })
        assert.contains("time_out", err.message)
        pair.failure("usage", echolot.connect, "127.0.0.1:1", { 5 })
        pair.failure("usage", echolot.connect, "127.0.0.1:1", true)
    end)

    it("names those that it knows", function()
        local err = pair.failure("usage", echolot.connect, "127.0.0.1:1", { timout = 1 })
        assert.contains("no option 'timout'; there are timeout, tls, bind, nodelay, family, max_buffer, name", err.message)
    end)

    it("reads options without their metamethods", function()
        local spoiled = setmetatable({}, { __index = function() error "asked" end })
        local listener <close> = echolot.listen(pair.LOCAL)
        echolot.connect(listener.address, spoiled):close()
    end)

    it("is refused where nobody listens", function()
        local port = pair.refusing_port()
        local err = pair.failure("refused", echolot.connect, "127.0.0.1", port)
        assert.equal("connect", err.op)
        assert.equal("ECONNREFUSED", err.errno)
        assert.equal("tcp://127.0.0.1:" .. port, err.address)
        assert.matches("^connect tcp://127%.0%.0%.1:%d+: [^\n]+$", tostring(err))
    end)

    it("names every address of a name that it tried", function()
        local port = pair.refusing_port()
        local ok, err = pcall(echolot.connect, "localhost", port)
        assert.is_false(ok)
        assert.contains("127.0.0.1:" .. port, err.message)
        assert.equal("tcp://localhost:" .. port, err.address)
    end)
end)

describe("option timeout", function()
    it("limits every wait of the connection", function()
        local ours = pair.pair { timeout = 0.02 }
        local started = echolot.now()
        local err = pair.fails("timeout", ours, "recv")
        assert.is_true(echolot.now() - started >= 0.02)
        assert.contains("timeout after 0.02 s", tostring(err))
    end)

    it("limits connecting", function()
        local listener = echolot.listen(pair.LOCAL)
        -- Nobody accepts: at some time the queue is full, and the next one is not answered.
        local waiting = {}
        local err
        for _ = 1, 5000 do
            local ok, result = pcall(echolot.connect, listener.address, { timeout = 0.1 })
            if not ok then
                err = result
                break
            end
            waiting[#waiting + 1] = result
        end
        assert.equal("timeout", err and err.kind)
        assert.equal("connect", err.op)
        assert.equal(("connect %s: timeout after 0.1 s"):format(listener.address), tostring(err))
        assert.is_nil(err.errno)
    end)

    it("is a number of seconds", function()
        for _, wrong in ipairs { -1, 0 / 0, "5", true, {} } do
            pair.failure("usage", echolot.connect, "127.0.0.1:1", { timeout = wrong })
        end
        local ours, theirs = pair.pair { timeout = math.huge }
        theirs:send "x"
        assert.equal("x", ours:recv())
    end)
end)

describe("option bind", function()
    it("is the local address", function()
        local ours, theirs = pair.pair { bind = "127.0.0.2" }
        assert.equal("127.0.0.2", ours.local_address.host)
        assert.equal(ours.local_address, theirs.peer)
    end)

    it("may name the port, too", function()
        local reserved = echolot.listen "127.0.0.3:0"
        local port = reserved.port
        reserved:close()
        local ours, theirs = pair.pair { bind = "127.0.0.3:" .. port }
        assert.equal("tcp://127.0.0.3:" .. port, tostring(ours.local_address))
        assert.equal(port, theirs.peer.port)
    end)

    it("may name a port that was in use a moment ago", function()
        local ours, theirs = pair.pair { bind = "127.0.0.4" }
        local from = ("127.0.0.4:%d"):format(ours.local_address.port)
        ours:close() -- ours first: our side keeps the port for a while
        assert.equal("", theirs:read "a")
        theirs:close()
        local again = pair.pair { bind = from } -- to another port of the other side
        assert.equal("tcp://" .. from, tostring(again.local_address))
    end)

    it("has to be an address of this machine, not a name", function()
        for _, wrong in ipairs { "localhost", "", "not an address", "127.0.0.1:x", 7, {} } do
            pair.failure("usage", echolot.connect, "127.0.0.1:1", { bind = wrong })
        end
        local listener <close> = echolot.listen(pair.LOCAL)
        local err = pair.failure("unreachable", echolot.connect, listener.address, { bind = "192.0.2.1" })
        assert.equal("EADDRNOTAVAIL", err.errno)
    end)
end)

describe("option family", function()
    it("keeps to it", function()
        local listener <close> = echolot.listen(pair.LOCAL)
        local conn <close> = echolot.connect("localhost", listener.port, { family = "ipv4" })
        assert.equal("127.0.0.1", conn.peer.host)
    end)

    it("leaves an address of the other family without one", function()
        local listener <close> = echolot.listen(pair.LOCAL)
        local err = pair.failure("resolve", echolot.connect, listener.address, { family = "ipv6" })
        assert.equal("connect", err.op)
        assert.is_true(#err.message > 0)
    end)

    it("is ipv4 or ipv6", function()
        for _, wrong in ipairs { "ipv5", "", 4, true } do
            pair.failure("usage", echolot.connect, "127.0.0.1:1", { family = wrong })
        end
    end)
end)

describe("option max_buffer", function()
    it("is a count of bytes", function()
        for _, wrong in ipairs { 0, -1, 1.5, "many", {} } do
            pair.failure("usage", echolot.connect, "127.0.0.1:1", { max_buffer = wrong })
        end
    end)

    it("caps what is received and not consumed", function()
        local ours, theirs = pair.pair { max_buffer = 10 }
        theirs:send(("x"):rep(1000))
        pair.fails("limit", ours, "read", "l")
        assert.equal(("x"):rep(10), ours:unread())
    end)
end)

describe("the other options", function()
    it("nodelay changes nothing that is sent", function()
        for _, nodelay in ipairs { true, false } do
            local ours, theirs = pair.pair({ nodelay = nodelay }, { nodelay = nodelay })
            ours:send("a", "b"):shutdown()
            assert.equal("ab", theirs:read "a")
        end
    end)

    it("name is a string", function()
        pair.failure("usage", echolot.connect, "127.0.0.1:1", { name = 7 })
        local ours = pair.pair { name = "client" }
        assert.is_not_nil(ours)
    end)

    it("tls may be false", function()
        local ours = pair.pair { tls = false }
        assert.is_nil(ours.tls)
    end)
end)

describe("what connect gives", function()
    it("knows both addresses, after closing too", function()
        local ours, theirs = pair.pair()
        assert.equal(ours.peer, theirs.local_address)
        assert.equal(ours.local_address, theirs.peer)
        local peer, own = tostring(ours.peer), tostring(ours.local_address)
        ours:close()
        assert.equal(peer, tostring(ours.peer))
        assert.equal(own, tostring(ours.local_address))
    end)

    it("has a text that names the other side", function()
        local ours = pair.pair()
        assert.contains(tostring(ours.peer), tostring(ours))
        ours:close()
        assert.contains("closed", tostring(ours))
    end)

    it("has no field that nobody gave it", function()
        local ours = pair.pair()
        assert.is_nil(ours.nonsense)
        assert.is_nil(ours[1])
        assert.is_nil(ours.tls)
    end)

    it("is not taken apart by misuse of its metatable", function()
        local ours, theirs = pair.pair()
        local metatable = getmetatable(ours)
        if type(metatable) == "table" then
            for _, event in ipairs { "__index", "__gc", "__close", "__tostring" } do
                local f = metatable[event]
                for _, wrong in ipairs { 1, "x", {}, io.stdout } do
                    pcall(f, wrong, "peer")
                end
                pcall(f)
            end
        end
        theirs:send "still there"
        assert.equal("still there", ours:recv())
    end)
end)
