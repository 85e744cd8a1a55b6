-- The small embedded servers by UDP (RFC 862 to 868): on the port that they have by TCP.
local echolot = require "echolot"
local pair = require "conn_pair"
local servers = echolot.servers

local function ask(server, datagram)
    local running <close> = server:start()
    local peer <close> = echolot.udp(running.host, running.port)
    return (peer:send(datagram or ""):recv())
end

describe("by UDP", function()
    it("echo sends each datagram back, as it is", function()
        local running = servers.echo():start()
        local peer = echolot.udp(running.host, running.port)
        for _, datagram in ipairs { "", "x", "line\r\n", "\n", "two\nlines\n", pair.pattern(65507) } do
            assert.is_true(peer:send(datagram):recv() == datagram)
        end
        local stream <close> = echolot.connect(running)
        assert.equal("both", stream:send("both\n"):read())
    end)

    it("echo changes what it was told to", function()
        assert.equal("LOUD\r\n", ask(servers.echo { reply = "upper" }, "loud\r\n"))
        assert.equal("cba", ask(servers.echo { reply = "reverse", terminator = "none" }, "abc\n"))
        assert.equal("4\n", ask(servers.echo { reply = "count", terminator = "lf" }, "four"))
        assert.equal("\ncba", ask(servers.echo { reply = "reverse", framing = "raw" }, "abc\n"))
        local running <close> = servers.echo({ repeat_reply = 3, reply = "previous" }):start()
        local peer = echolot.udp(running.host, running.port)
        peer:send "one":send "two"
        local got = {}
        for i = 1, 6 do
            got[i] = peer:recv()
        end
        assert.same({ "", "", "", "one", "one", "one" }, got)
    end)

    it("discard says nothing", function()
        local running <close> = servers.discard():start()
        local peer = echolot.udp(running.host, running.port)
        pair.fails("timeout", peer:send("x"):timeout(0.02), "recv")
    end)

    it("chargen answers with 0 to 512 characters", function()
        local running <close> = servers.chargen():start()
        local peer = echolot.udp(running.host, running.port)
        for _ = 1, 50 do
            local characters = peer:send("whatever"):recv()
            assert.is_true(#characters <= 512)
            assert.matches("^[ -~\r\n]*$", characters)
        end
    end)

    it("daytime, time and qotd tell what they tell by TCP", function()
        assert.equal("Monday, February 15, 1982 01:37:43-UTC\r\n", ask(servers.daytime { now = 382585063 }))
        assert.equal(string.pack(">I4", 2629584000), ask(servers.time { now = 420595200 }))
        assert.equal("one\r\n", ask(servers.qotd { quotes = { "one" } }, "x"))
    end)

    it("many clients are served at once", function()
        local running <close> = servers.echo():start()
        local talks = {}
        for i = 1, 50 do
            talks[i] = function()
                local peer <close> = echolot.udp(running.host, running.port)
                return tonumber((peer:send(i):recv()))
            end
        end
        local sum = 0
        for _, n in ipairs { echolot.parallel(table.unpack(talks)) } do
            sum = sum + n
        end
        assert.equal(50 * 51 // 2, sum)
    end)
end)

describe("where a small server listens", function()
    it("is one port for both, without a scheme", function()
        for _, address in ipairs { false, "127.0.0.1", "127.0.0.1:0" } do
            local running <close> = servers.time():start(address or nil)
            assert.equal(("tcp://127.0.0.1:%d"):format(running.port), running.address)
            assert.equal(running.port, running.udp.port)
        end
    end)

    it("is by one of them where the scheme says so", function()
        for _, address in ipairs { "udp://127.0.0.1", "udp://127.0.0.1:0" } do
            local running <close> = servers.time({ now = 0 }):start(address)
            assert.equal(("udp://127.0.0.1:%d"):format(running.port), running.address)
            assert.equal(4, #echolot.connect(running.address):send(""):recv())
            pair.failure("refused", echolot.connect, running.host, running.port)
            assert.contains(running.address, tostring(running))
        end
        local running <close> = servers.time():start "tcp://127.0.0.1:0"
        assert.is_nil(running.udp)
        local peer = echolot.udp(running.host, running.port)
        pair.fails("refused", peer:send "", "recv")
    end)

    it("is by TCP for those that know streams only", function()
        local running <close> = servers.connect_four():start()
        assert.is_nil(running.udp)
        for _, name in ipairs { "connect_four", "ics32" } do
            local err = pair.failure("usage", function() servers[name]():start "udp://127.0.0.1:0" end)
            assert.contains("streams only", err.message)
        end
    end)

    it("is free again once it is closed; where one of the two is taken nothing is left", function()
        local running = servers.echo():start()
        running:close()
        running:close()
        local taken <close> = echolot.udp_listen("127.0.0.1", running.port)
        local err = pair.failure("denied", function() servers.echo():start("127.0.0.1:" .. running.port) end)
        assert.equal("EADDRINUSE", err.errno)
        assert.equal(("udp://127.0.0.1:%d"):format(running.port), err.address)
        echolot.listen("127.0.0.1", running.port):close()
        taken:close()
        servers.echo():start("127.0.0.1:" .. running.port):close()
    end)
end)

describe("a target", function()
    local clock = target("clock", servers.time { now = 0 })

    it("that is a small server is there by UDP too", function()
        local peer <close> = echolot.udp(clock, { timeout = 2 })
        assert.equal(2208988800, string.unpack(">I4", (peer:send(""):recv())))
        assert.equal(2208988800, clock:connect():unpack ">I4")
    end)
end)
