-- "Servers" of the contract: listen, accept, serve.
local echolot = require "echolot"
local pair = require "conn_pair"

describe("listen", function()
    it("on port 0 takes a free one", function()
        local one, other = echolot.listen(pair.LOCAL), echolot.listen(pair.LOCAL)
        assert.is_true(one.port > 0 and one.port < 65536)
        assert.is_not_equal(one.port, other.port)
        assert.equal("tcp://127.0.0.1:" .. one.port, tostring(one.address))
        assert.equal(one.port, one.address.port)
        assert.contains(tostring(one.address), tostring(one))
    end)

    it("takes an address, or a host and a port, and a name", function()
        for _, listener in ipairs {
            echolot.listen "tcp://127.0.0.1:0", echolot.listen("127.0.0.1", 0),
            echolot.listen "localhost:0", echolot.listen("localhost", 0, { family = "ipv4" }),
        } do
            local conn <close> = echolot.connect(listener.address)
            assert.equal(conn.local_address, listener:accept().peer)
        end
    end)

    it("gives what stands for its address", function()
        local listener = echolot.listen(pair.LOCAL)
        local conn <close> = echolot.connect(listener)
        assert.equal(listener.address.port, conn.peer.port)
        assert.equal("tcp", echolot.address(listener).scheme)
        pair.failure("usage", echolot.connect, io.stdout)
    end)

    it("on an address in use is denied", function()
        local first = echolot.listen(pair.LOCAL)
        local err = pair.failure("denied", echolot.listen, first.address)
        assert.equal("EADDRINUSE", err.errno)
        assert.equal("listen", err.op)
        assert.equal(tostring(first.address), err.address)
        first:close()
        echolot.listen(first.address):close() -- and free again, at once
    end)

    it("on an address of another machine fails", function()
        assert.equal("EADDRNOTAVAIL", pair.failure("unreachable", echolot.listen, "192.0.2.1:0").errno)
    end)

    it("refuses wrong addresses and options", function()
        pair.failure("usage", echolot.listen, "127.0.0.1")
        pair.failure("usage", echolot.listen, "127.0.0.1:65536")
        pair.failure("usage", echolot.listen)
        pair.failure("usage", echolot.listen, pair.LOCAL, { backlog = 5 })
        pair.failure("usage", echolot.listen, pair.LOCAL, { max_buffer = 0 })
        pair.failure("usage", echolot.listen, pair.LOCAL, { timeout = -1 })
    end)

    it("hands its options on to the connections that it accepts", function()
        local ours, theirs = pair.pair(nil, { timeout = 0.02, max_buffer = 4 })
        assert.contains("0.02", tostring(pair.fails("timeout", theirs, "recv")))
        ours:send "12345"
        pair.fails("limit", theirs, "read", "l")
        assert.equal("1234", theirs:unread())
    end)
end)

describe("accept", function()
    it("gives clients in the order in which they came", function()
        local listener = echolot.listen(pair.LOCAL)
        local clients = {}
        for i = 1, 50 do
            clients[i] = echolot.connect(listener.address)
        end
        for i = 1, 50 do
            assert.equal(clients[i].local_address, listener:accept().peer)
        end
    end)

    it("waits for one", function()
        local listener = echolot.listen(pair.LOCAL)
        local task = pair.start(listener.accept, listener)
        local conn = echolot.connect(listener.address)
        assert.equal(conn.local_address, task:join().peer)
    end)

    it("raises timeout where none comes, and goes on after it", function()
        local listener = echolot.listen(pair.LOCAL)
        assert.is_true(rawequal(listener, listener:timeout(0.02)))
        local started = echolot.now()
        local err = pair.fails("timeout", listener, "accept")
        assert.is_true(echolot.now() - started >= 0.02)
        assert.equal("accept", err.op)
        assert.contains("timeout after 0.02 s", tostring(err))
        local conn = echolot.connect(listener.address)
        assert.equal(conn.local_address, listener:timeout(5):accept().peer)
    end)

    it("is one task's at a time", function()
        local listener = echolot.listen(pair.LOCAL)
        local task = pair.start(listener.accept, listener)
        pair.fails("usage", listener, "accept")
        local conn = echolot.connect(listener.address)
        assert.equal(conn.local_address, task:join().peer)
    end)

    it("takes what a client had sent before it was accepted", function()
        local listener = echolot.listen(pair.LOCAL)
        echolot.connect(listener.address):send("early"):close()
        assert.equal("early", listener:accept():read "a")
    end)

    it("gives connections that know both addresses", function()
        local ours, theirs = pair.pair()
        assert.equal(ours.local_address, theirs.peer)
        assert.equal(ours.peer, theirs.local_address)
        assert.contains(tostring(ours.local_address), tostring(theirs))
    end)
end)

describe("close of a listener", function()
    it("refuses later clients", function()
        local listener = echolot.listen(pair.LOCAL)
        local address = listener.address
        assert.is_true(rawequal(listener, listener:close()))
        pair.failure("refused", echolot.connect, address)
        assert.contains("closed", tostring(listener))
        assert.equal(address, listener.address)
    end)

    it("twice is harmless, accept then is the script's mistake", function()
        local listener = echolot.listen(pair.LOCAL)
        listener:close():close()
        assert.equal("accept", pair.fails("usage", listener, "accept").op)
    end)

    it("while a task accepts raises usage there", function()
        local listener = echolot.listen(pair.LOCAL)
        local task = pair.start(listener.accept, listener)
        listener:close()
        assert.contains("closed", pair.fails("usage", task, "join").message)
    end)

    it("is done by <close> and by collection", function()
        local address
        do
            local listener <close> = echolot.listen(pair.LOCAL)
            address = listener.address
        end
        pair.failure("refused", echolot.connect, address)
        do
            address = echolot.listen(pair.LOCAL).address
        end
        collectgarbage()
        collectgarbage()
        pair.failure("refused", echolot.connect, address)
    end)

    it("leaves the connections that it accepted", function()
        local ours, theirs = pair.pair() -- its listener is closed by now
        ours:send "still open"
        assert.equal("still open", theirs:recv())
    end)

    it("hangs up on clients that nobody accepted", function()
        local listener = echolot.listen(pair.LOCAL)
        local conn = echolot.connect(listener.address)
        listener:close()
        local ok, result = pcall(conn.recv, conn)
        assert.is_true(ok and result == "" or result.kind == "reset")
    end)
end)

describe("serve", function()
    it("runs the function for each client, and closes after it", function()
        local server = echolot.serve(pair.LOCAL, function(client)
            client:send("hello ", client:read(), "\n")
        end)
        for i = 1, 3 do
            local conn = echolot.connect(server.address)
            assert.equal("hello " .. i, conn:send(i, "\n"):read())
            assert.equal("", conn:recv())
        end
    end)

    it("serves many at once", function()
        local barrier = echolot.barrier(20)
        local server = echolot.serve(pair.LOCAL, function(client)
            barrier:wait() -- passes only when all are being served
            client:send "all here"
        end)
        local tasks = {}
        for i = 1, 20 do
            tasks[i] = function()
                return echolot.connect(server.address):read "a"
            end
        end
        for _, reply in ipairs { echolot.parallel(table.unpack(tasks)) } do
            assert.equal("all here", reply)
        end
    end)

    it("goes on after the error of one client", function()
        local server = echolot.serve(pair.LOCAL, function(client)
            local word = client:read()
            if word == "fail" then
                error "as asked"
            end
            client:send(word, "\n")
        end)
        local failing = echolot.connect(server.address)
        assert.equal("", failing:send("fail\n"):recv())
        assert.equal("fine", echolot.connect(server.address):send("fine\n"):read())
    end)

    it("is over when its listener is closed; clients are served to their end", function()
        local gate = echolot.channel()
        local server = echolot.serve(pair.LOCAL, function(client)
            client:send "wait\n"
            gate:get()
            client:send "end\n"
        end)
        local conn = echolot.connect(server.address)
        assert.equal("wait", conn:read())
        server:close()
        pair.failure("refused", echolot.connect, server.address)
        gate:put(true)
        assert.equal("end", conn:read())
    end)

    it("takes a function", function()
        for _, wrong in ipairs { 1, "x", {} } do
            pair.failure("usage", echolot.serve, pair.LOCAL, wrong)
        end
        pair.failure("usage", echolot.serve, pair.LOCAL)
        pair.failure("usage", echolot.serve, "nowhere", print)
    end)
end)
