-- Servers that speak TLS: clients that fail or stall the handshake concern nobody else; clients with certificates.
local echolot = require "echolot"
local pair = require "conn_pair"
local tls = require "tls_pair"

setup(function() tls.make("server", "client", "other_name", "expired") end)
teardown(tls.remove)

local function listen(more, timeout)
    return echolot.listen("tls://127.0.0.1:0", { tls = tls.server("server", more), timeout = timeout })
end

local function connect(listener, more)
    return echolot.connect(listener.address, { tls = tls.client(more) })
end

describe("a listener that speaks TLS", function()
    it("has an address of TLS, that clients connect to", function()
        local listener = listen()
        assert.equal("tls", listener.address.scheme)
        assert.equal(("tls://127.0.0.1:%d"):format(listener.port), tostring(listener.address))
        assert.contains(tostring(listener.address), tostring(listener))
        local ours = connect(listener) -- before anybody accepts
        local theirs = listener:accept()
        assert.equal(tostring(listener.address), "tls://127.0.0.1:" .. theirs.local_address.port)
        theirs:send "hello\n"
        ours:expect_line "hello"
        assert.contains("tls://127.0.0.1:" .. ours.local_address.port, tostring(theirs))
        listener:close()
        pair.fails("usage", listener, "accept")
    end)

    it("is asked for by an option too", function()
        local listener <close> = echolot.listen("127.0.0.1:0", { tls = tls.server() })
        local ours = echolot.connect("127.0.0.1", listener.port, { tls = tls.client() })
        assert.is_not_nil(ours.tls)
        assert.is_not_nil(listener:accept().tls)
    end)

    it("takes its certificate and key as text, and both from one", function()
        local both = tls.text "server" .. tls.text "key"
        for _, options in ipairs { { certificate = tls.text "server", key = tls.text "key" }, { certificate = both } } do
            local listener <close> = echolot.listen("tls://127.0.0.1:0", { tls = options })
            assert.is_not_nil(connect(listener).tls)
        end
    end)

    it("keeps nobody waiting for those that stall or speak something else", function()
        local listener = listen()
        local stalled = {}
        for i = 1, 40 do -- more than wait ahead of accept
            stalled[i] = echolot.connect("127.0.0.1", listener.port)
        end
        stalled[41] = echolot.connect("127.0.0.1", listener.port):send "\22\3\1\2\0\1"
        stalled[42] = echolot.connect("127.0.0.1", listener.port):send "GET / HTTP/1.0\r\n\r\n"
        stalled[43] = echolot.connect("127.0.0.1", listener.port)
        stalled[43]:reset()
        for _ = 1, 3 do
            local ours = connect(listener)
            local theirs = listener:accept()
            ours:send "x"
            theirs:expect "x"
        end
    end)

    it("lets nobody go who came through before somebody asks", function()
        local listener = listen()
        local ours = {}
        for i = 1, 10 do
            ours[i] = connect(listener)
            ours[i]:send(("%d\n"):format(i))
        end
        for i = 1, 10 do
            listener:accept():expect_line(tostring(i))
        end
    end)

    it("gives up a handshake that takes longer than its limit, and tells the client nothing", function()
        local listener = listen(nil, 0.05)
        local stalled = echolot.connect("127.0.0.1", listener.port)
        stalled:expect_eof()
    end)

    it("tells of clients that failed where nobody else came", function()
        local listener = listen(nil, 0.1)
        pair.failure("tls", echolot.connect, listener.address)
        local err = pair.fails("tls", listener, "accept")
        assert.matches("^timeout after 0%.1 s: 1 client failed in the TLS handshake", err.message)
        assert.matches("127%.0%.0%.1:%d+: the peer sent the alert \"unknown CA\"", err.message)
        echolot.connect("127.0.0.1", listener.port):send("GET / HTTP/1.0\r\n\r\n")
        err = pair.fails("tls", listener, "accept")
        assert.contains([[it said "GET / HTTP/1.0]], err.message)
        pair.fails("timeout", listener, "accept")
    end)

    it("serves each client in a task", function()
        local server <close> = echolot.serve("tls://127.0.0.1:0", function(conn)
            conn:send(conn.tls.version, " ", conn:read(), "\n")
        end, { tls = tls.server() })
        pair.failure("tls", echolot.connect, server.address)
        local tasks = {}
        for i = 1, 20 do
            tasks[i] = echolot.spawn(function()
                connect(server):send(i, "\n"):expect_line("TLSv1.3 " .. i)
            end)
        end
        for _, task in ipairs(tasks) do
            task:join()
        end
    end)

    it("closes with handshakes under way", function()
        local listener = listen()
        local stalled = echolot.connect("127.0.0.1", listener.port)
        connect(listener):close()
        listener:close()
        stalled:read "a"
    end)
end)

describe("a server that wants certificates", function()
    it("accepts those that its authority has signed", function()
        local listener <close> = listen { ca = tls.path "ca" }
        local ours = connect(listener, tls.server "client")
        local theirs = listener:accept()
        assert.equal("CN=client,O=Echolot", theirs.tls.peer_certificate.subject)
        assert.same({ "ada@client.example" }, theirs.tls.peer_certificate.names)
        ours:send "x"
        theirs:expect "x"
    end)

    it("refuses those without, or with a bad one", function()
        local listener <close> = listen({ ca = tls.path "ca", verify = true }, 0.2)
        local ours = connect(listener) -- in TLS 1.3 the client is done before the server has looked
        local err = pair.fails("tls", ours, "recv")
        assert.contains("it wants a certificate of ours", err.message)
        assert.contains("showed no certificate", pair.fails("tls", listener, "accept").message)
        ours = connect(listener, tls.server "expired")
        assert.contains("our certificate has expired", pair.fails("tls", ours, "recv").message)
        assert.contains("CN=expired,O=Echolot expired on 2020", pair.fails("tls", listener, "accept").message)
    end)

    it("refuses them within the handshake in TLS 1.2", function()
        local listener <close> = listen { ca = tls.path "ca", max_version = "1.2" }
        pair.failure("tls", connect, listener)
    end)

    it("asks for none where verify is false", function()
        local listener <close> = listen { ca = tls.path "ca", verify = false }
        connect(listener, tls.server "client")
        assert.is_nil(listener:accept().tls.peer_certificate)
    end)
end)
