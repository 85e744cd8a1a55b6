-- "Servers and processes" of the contract: udp and udp_listen; datagrams keep their boundaries.
local echolot = require "echolot"
local pair = require "conn_pair"
local inner = require "suite_inner"

local LARGEST = 65507 -- RFC 768 and RFC 791: 65,535 less the two headers

-- A socket that listens, and one that is connected to it.
local function two(options, listen_options)
    local server = echolot.udp_listen(pair.LOCAL, listen_options)
    return echolot.udp(server.address, options), server
end

describe("a datagram", function()
    it("keeps its boundaries, in its order on loopback", function()
        local ours, server = two()
        ours:send("one"):send("two two"):send(3)
        for _, expected in ipairs { "one", "two two", "3" } do
            assert.equal(expected, (server:recv()))
        end
        pair.fails("timeout", server:timeout(0), "recv")
    end)

    it("may be empty, which is no end", function()
        local ours, server = two()
        ours:send "":send "":send "x"
        assert.same({ "", "", "x" }, { (server:recv()), (server:recv()), (server:recv()) })
    end)

    it("has bytes of any value, up to 65,507 of them", function()
        local ours, server = two()
        local all = pair.pattern(LARGEST)
        ours:send(all)
        local got, from = server:recv()
        assert.is_true(got == all)
        server:send(all, from)
        assert.is_true(ours:recv() == all)
    end)

    it("that is longer is none: limit, and nothing is sent", function()
        local ours, server = two()
        local err = pair.fails("limit", ours, "send", ("x"):rep(LARGEST + 1))
        assert.equal("EMSGSIZE", err.errno)
        assert.equal("send", err.op)
        assert.equal(tostring(server.address), err.address)
        err = pair.fails("limit", server, "send", ("x"):rep(LARGEST + 1), ours.local_address)
        assert.equal(tostring(ours.local_address), err.address)
        ours:send "after"
        assert.equal("after", (server:recv()))
    end)

    it("comes with the address that it came from", function()
        local ours, server = two()
        ours:send "x"
        local _, from = server:recv()
        assert.equal(ours.local_address, from)
        assert.equal(("udp://127.0.0.1:%d"):format(ours.port), tostring(from))
        server:send("y", from)
        local _, server_address = ours:recv()
        assert.equal(server.address, server_address)
    end)

    it("of a stranger does not reach a socket that has a peer", function()
        local ours, server = two()
        local stranger = echolot.udp_listen(pair.LOCAL)
        stranger:send("strange", ours.local_address)
        server:send("expected", ours.local_address)
        assert.equal("expected", (ours:recv()))
        pair.fails("timeout", ours:timeout(0), "recv")
    end)
end)

describe("udp and udp_listen", function()
    it("take addresses in every form", function()
        local server = echolot.udp_listen "udp://127.0.0.1:0"
        for _, args in ipairs {
            { server.address }, { tostring(server.address) }, { "127.0.0.1:" .. server.port },
            { "127.0.0.1", server.port }, { "127.0.0.1", server.port, { name = "me" } },
            { "localhost", server.port, { family = "ipv4" } },
        } do
            local ours <close> = echolot.udp(table.unpack(args))
            ours:send "x"
            local _, from = server:recv()
            assert.equal(ours.local_address, from)
        end
        local again <close> = echolot.udp_listen("localhost", 0)
        assert.is_true(again.port > 0)
    end)

    it("refuse what is no datagram socket's address", function()
        for _, wrong in ipairs { "tcp://127.0.0.1:7", "unix:/x", "tls://127.0.0.1:7", "exec:cat", "", "127.0.0.1", 7, {} } do
            pair.failure("usage", echolot.udp, wrong)
            pair.failure("usage", echolot.udp_listen, wrong)
        end
        pair.failure("usage", echolot.udp, "127.0.0.1:0")
        pair.failure("usage", echolot.udp, "127.0.0.1:7", { nonsense = 1 })
        pair.failure("usage", echolot.udp_listen, "127.0.0.1:0", { bind = "127.0.0.1" })
        pair.failure("usage", echolot.udp, "127.0.0.1:7", { timeout = -1 })
        local listener = echolot.listen(pair.LOCAL)
        pair.failure("usage", echolot.listen, "udp://127.0.0.1:0")
        assert.contains("udp://host:port", pair.failure("usage", echolot.udp, listener.address).message)
    end)

    it("take connect's options", function()
        local ours, server = two { bind = "127.0.0.2", timeout = 0.01, name = "client" }
        assert.equal("127.0.0.2", ours.local_address.host)
        ours:send "x"
        local _, from = server:recv()
        assert.equal("127.0.0.2", from.host)
        assert.equal(("recv %s: timeout after 0.01 s"):format(server.address),
            tostring(pair.fails("timeout", ours, "recv")))
    end)

    it("speak IPv6", function()
        local ok, server = pcall(echolot.udp_listen, "[::1]:0")
        if not ok then
            pending "this machine has no IPv6"
        end
        local ours = echolot.udp(server.address)
        ours:send "six"
        local datagram, from = server:recv()
        assert.equal("six", datagram)
        assert.equal(("udp://[::1]:%d"):format(ours.port), tostring(from))
        server:send("back", from)
        assert.equal("back", (ours:recv()))

        local any = echolot.udp_listen "[::]:0" -- which takes IPv4, too
        local four = echolot.udp("127.0.0.1", any.port)
        four:send "four"
        datagram, from = any:recv()
        assert.equal("four", datagram)
        any:send("as it came", from):send("as it is", four.local_address)
        assert.same({ "as it came", "as it is" }, { (four:recv()), (four:recv()) })
    end)

    it("name their errors: a port in use, an address of another machine, a name without one", function()
        local server = echolot.udp_listen(pair.LOCAL)
        local err = pair.failure("denied", echolot.udp_listen, server.address)
        assert.equal("EADDRINUSE", err.errno)
        assert.equal(("udp_listen %s: the address is already in use"):format(server.address), tostring(err))
        err = pair.failure("unreachable", echolot.udp_listen, "192.0.2.1:0")
        assert.equal("EADDRNOTAVAIL", err.errno)
        err = pair.failure("resolve", echolot.udp, "nobody.invalid:7")
        assert.equal("udp://nobody.invalid:7", err.address)
        pair.failure("resolve", echolot.udp, "127.0.0.1:7", { family = "ipv6" })
    end)

    it("give a socket that knows its addresses, after closing too", function()
        local ours, server = two()
        for _ = 1, 2 do
            assert.equal(server.address, ours.peer)
            assert.equal(ours.address, ours.local_address)
            assert.equal(ours.port, ours.local_address.port)
            assert.is_nil(server.peer)
            assert.equal(server.port, server.address.port)
            assert.equal("udp", server.address.scheme)
            assert.is_nil(ours.nonsense)
            assert.contains(tostring(server.address), tostring(ours))
            ours:close()
            server:close()
        end
        assert.contains("closed", tostring(ours))
    end)
end)

describe("send", function()
    it("takes an address where the socket has no peer, in every form", function()
        local one, other = echolot.udp_listen(pair.LOCAL), echolot.udp_listen(pair.LOCAL)
        one:send("a", other.address):send("b", tostring(other.address)):send("c", "127.0.0.1", other.port)
        one:send("d", "localhost", other.port):send("e", "localhost:" .. other.port)
        local got = {}
        for i = 1, 5 do
            got[i] = other:recv()
        end
        assert.equal("abcde", table.concat(got))
    end)

    it("needs one there, and takes none where there is a peer", function()
        local ours, server = two()
        pair.fails("usage", server, "send", "x")
        pair.fails("usage", ours, "send", "x", server.address)
        pair.fails("usage", server, "send", "x", "127.0.0.1:0")
        pair.fails("usage", server, "send", "x", "tcp://127.0.0.1:7")
        for _, wrong in ipairs { true, {}, print } do
            pair.fails("usage", ours, "send", wrong)
        end
        pair.fails("usage", ours, "send")
        assert.equal("resolve", pair.fails("resolve", server, "send", "x", "nobody.invalid:7").kind)
        pair.fails("usage", ours, "recv", 4096)
    end)

    it("is refused to where nobody is, on that socket alone", function()
        local ours, server = two()
        local other = echolot.udp(server.address)
        local alive = echolot.udp_listen(pair.LOCAL)
        local third = echolot.udp(alive.address)
        server:close()
        ours:send "into the void"
        local err = pair.fails("refused", ours, "recv")
        assert.equal("ECONNREFUSED", err.errno)
        assert.equal("recv", err.op)
        assert.equal(tostring(ours.peer), err.address)
        for _, socket in ipairs { ours, other, third } do -- once, and nobody else
            pair.fails("timeout", socket:timeout(0.01), "recv")
        end
        third:send "fine"
        assert.equal("fine", (alive:recv()))
    end)

    it("is told of an earlier refusal, once", function()
        local ours, server = two()
        local port = server.port
        server:close()
        ours:send "into the void"
        pair.settle()
        assert.equal("send", pair.fails("refused", ours, "send", "again").op)
        local again = echolot.udp_listen("127.0.0.1", port)
        ours:send "somebody is there"
        assert.equal("somebody is there", (again:recv()))
    end)

    it("to nobody wakes who waits", function()
        local ours, server = two()
        server:close()
        local waiting = pair.start(ours.recv, ours)
        ours:send "into the void"
        pair.fails("refused", waiting, "join")
    end)
end)

describe("recv", function()
    it("waits, under the socket's limit", function()
        local ours, server = two()
        local task = pair.start(function() return (server:recv()) end)
        ours:send "late"
        assert.equal("late", task:join())
        local started = echolot.now()
        assert.is_true(rawequal(ours, ours:timeout(0.02)))
        local err = pair.fails("timeout", ours, "recv")
        assert.is_true(echolot.now() - started >= 0.02)
        assert.is_nil(err.errno)
        pair.fails("usage", ours, "timeout", -1)
    end)

    it("without waiting gives what is there", function()
        local ours, server = two()
        server:timeout(0)
        pair.fails("timeout", server, "recv")
        ours:send "there"
        assert.equal("there", (server:recv()))
    end)

    it("gives each datagram to one of the tasks that wait, each in its turn", function()
        local ours, server = two()
        local tasks = {}
        for i = 1, 5 do
            tasks[i] = pair.start(function() return (server:recv()) end)
        end
        for i = 1, 5 do
            ours:send(i)
        end
        for i = 1, 5 do
            assert.equal(tostring(i), tasks[i]:join())
        end
    end)

    it("keeps the limit of each task that waits", function()
        local ours, server = two()
        local patient = pair.start(function() return (server:recv()) end)
        local hasty = pair.start(server.recv, server:timeout(0.01))
        pair.fails("timeout", hasty, "join")
        ours:send "x"
        assert.equal("x", patient:join())
    end)

    it("can be cancelled, and takes nothing then", function()
        local ours, server = two()
        local task = pair.start(server.recv, server)
        task:cancel()
        pair.fails("cancelled", task, "join")
        ours:send "x"
        assert.equal("x", (server:recv()))
        pair.fails("timeout", server:timeout(0), "recv")
    end)

    it("and a look-up, too, can be cancelled", function()
        local server = echolot.udp_listen(pair.LOCAL)
        for _, call in ipairs {
            { echolot.udp, "localhost:7" }, { echolot.udp_listen, "localhost:0" },
            { server.send, server, "x", "localhost:7" },
        } do
            local task = echolot.spawn(table.unpack(call))
            echolot.spawn(task.cancel, task) -- once it waits, and before the loop has had a turn
            pair.fails("cancelled", task, "join")
        end
    end)

    it("works in a script's own coroutines, and outside of any task", function()
        local ours, server = two()
        local datagrams = coroutine.wrap(function()
            while true do
                coroutine.yield((server:recv()))
            end
        end)
        ours:send "a":send "b"
        assert.same({ "a", "b" }, { datagrams(), datagrams() })
    end)
end)

describe("what nobody takes", function()
    it("is kept up to max_buffer; then the newest are dropped, and counted", function()
        local ours, server = two(nil, { max_buffer = 4096 })
        local sent = 0
        for _ = 1, 50 do
            for _ = 1, 100 do
                ours:send(("%05d"):format(sent) .. ("x"):rep(1000))
                sent = sent + 1
            end
            pair.settle()
        end
        assert.is_true(server.dropped > 0)
        local got = 0
        server:timeout(0)
        while true do
            local ok, datagram = pcall(server.recv, server)
            if not ok then
                break
            end
            assert.equal(got, tonumber(datagram:sub(1, 5)), "the oldest ones are kept")
            got = got + 1
        end
        assert.equal(sent, got + server.dropped)
        ours:send "again"
        assert.equal("again", (server:timeout(5):recv()))
        local dropped = server.dropped
        server:close()
        assert.equal(dropped, server.dropped)
    end)

    it("may be larger than max_buffer, one at a time", function()
        local ours, server = two(nil, { max_buffer = 1 })
        for _, size in ipairs { LARGEST, 10, 0 } do
            ours:send(("x"):rep(size))
        end
        for _, size in ipairs { LARGEST, 10, 0 } do
            assert.equal(size, #server:recv())
        end
    end)
end)

describe("close", function()
    it("is done by itself, by <close>, by garbage collection; twice is harmless", function()
        local ours, server = two()
        assert.is_true(rawequal(ours, ours:close()))
        ours:close()
        for _, call in ipairs { { "send", "x" }, { "recv" } } do
            local err = pair.fails("usage", ours, table.unpack(call))
            assert.equal("the socket is closed", err.message)
        end
        local port = server.port
        do
            local closing <close> = server
        end
        do
            echolot.udp_listen("127.0.0.1", port)
        end
        collectgarbage()
        collectgarbage()
        echolot.udp_listen("127.0.0.1", port):close()
    end)

    it("wakes whoever waits, with usage", function()
        local _, server = two()
        local tasks = { pair.start(server.recv, server), pair.start(server.recv, server) }
        server:close()
        for _, task in ipairs(tasks) do
            assert.equal("recv", pair.fails("usage", task, "join").op)
        end
    end)

    it("happens at the end of the test that opened it", function()
        inner.need_program(pending)
        local ends = inner.run([[
            local echolot = require "echolot"
            local port
            it("opens", function()
                port = echolot.udp_listen("127.0.0.1:0").port
                _G.kept = echolot.udp("127.0.0.1", port)
            end)
            it("finds it closed", function()
                assert.contains("closed", tostring(_G.kept))
                echolot.udp_listen("127.0.0.1", port)
            end)
        ]]).by_name
        assert.equal("pass", ends["finds it closed"].status)
    end)

    it("is safe from misuse of the metatable", function()
        local ours = two()
        for _, f in pairs(getmetatable(ours)) do
            if type(f) == "function" then
                for _, wrong in ipairs { 1, "x", {}, io.stdout } do
                    pcall(f, wrong, "peer")
                end
                pcall(f)
            end
        end
        pair.failure("usage", ours.recv, {})
    end)
end)

describe("targets", function()
    it("may be udp:// addresses: connect and conversations give datagram sockets", function()
        local server = echolot.udp_listen(pair.LOCAL)
        local ours = echolot.connect(server.address, { name = "client" })
        ours:send "x"
        local _, from = server:recv()
        assert.equal(ours.local_address, from)

        inner.need_program(pending)
        local result = inner.run([[
            local whom = target "udp://127.0.0.1:7"
            conversation("talks", function(peer)
                assert.equal(tostring(peer.peer), whom.address)
                assert.equal(peer.peer.port, whom.port)
                peer:close()
            end)
        ]])
        assert.equal("pass", result.by_name.talks.status)
        assert.equal("udp://127.0.0.1:7", result.by_name.talks.target)
    end)
end)

describe("a report", function()
    it("has an event for each datagram, and says with whom", function()
        inner.need_program(pending)
        local ends = inner.run([[
            local echolot = require "echolot"
            it("talks", function()
                local server = echolot.udp_listen("127.0.0.1:0", { name = "server" })
                local one, two = echolot.udp(server.address), echolot.udp(server.address)
                one:send "a":send "":send "b"
                two:send "c"
                for _ = 1, 4 do
                    local datagram, from = server:recv()
                    server:send(datagram, from)
                end
                error "to be seen"
            end)
        ]]).by_name
        local by_party = {}
        for _, event in ipairs(ends.talks.transcript) do
            if event.peer == "server" then
                local whom = event.dir == "open" and "" or event.address or ""
                by_party[whom] = by_party[whom] or {}
                table.insert(by_party[whom], event.dir .. (event.data and ":" .. event.data or ""))
                assert.is_true(event.datagram)
            end
        end
        local talks = {}
        for whom, events in pairs(by_party) do
            if whom ~= "" then
                assert.matches("^udp://127%.0%.0%.1:%d+$", whom)
                table.sort(events)
                talks[#talks + 1] = table.concat(events, " ")
            end
        end
        table.sort(talks)
        assert.same({ "recv: recv:a recv:b send: send:a send:b", "recv:c send:c" }, talks)
        assert.same({ "open", "close" }, by_party[""])
    end)
end)
