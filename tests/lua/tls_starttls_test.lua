-- starttls: TLS from the middle of a conversation on.
local echolot = require "echolot"
local pair = require "conn_pair"
local tls = require "tls_pair"

setup(function() tls.make("server", "other_name") end)
teardown(tls.remove)

-- A client and a server that have agreed to go on in TLS.
local function agreed(client)
    local ours, theirs = pair.pair(client)
    theirs:send "220 ready\r\n"
    ours:expect_line "220 ready"
    ours:send "STARTTLS\r\n"
    theirs:expect_line "STARTTLS"
    theirs:send "220 go ahead\r\n"
    ours:expect_line "220 go ahead"
    return ours, theirs
end

describe("starttls", function()
    it("protects what comes after it, in both roles", function()
        local ours, theirs = agreed()
        assert.is_nil(ours.tls)
        local server = echolot.spawn(theirs.starttls, theirs, tls.server())
        assert.equal(ours, ours:starttls(tls.client()))
        assert.equal(theirs, server:join())
        assert.equal("TLSv1.3", ours.tls.version)
        assert.equal("CN=server,O=Echolot", ours.tls.peer_certificate.subject)
        assert.equal("TLSv1.3", theirs.tls.version)
        ours:send "EHLO\r\n"
        theirs:expect_line "EHLO"
        theirs:shutdown()
        ours:expect_eof()
    end)

    it("verifies who it talks to, and leaves a connection of no use where that fails", function()
        local ours, theirs = agreed()
        local server = echolot.spawn(pcall, theirs.starttls, theirs, tls.server "other_name")
        local err = pair.fails("tls", ours, "starttls", tls.client())
        assert.contains("not for the address 127.0.0.1, but for other.example", err.message)
        assert.equal("starttls", err.op)
        assert.contains("not for", pair.fails("tls", ours, "recv").message)
        pair.fails("tls", ours, "send", "x")
        assert.is_nil(ours.tls)
        ours:close()
        local ok, failure = server:join()
        assert.is_false(ok)
        assert.equal("tls", failure.kind)
        assert.contains("bad certificate", failure.message)
    end)

    it("takes no plain text that came before for part of it", function()
        local ours, theirs = agreed()
        ours:send "MAIL FROM:<evil>\r\n"
        theirs:expect "M"
        local err = pair.fails("tls", theirs, "starttls", tls.server())
        assert.equal("AIL FROM:<evil>\r\n", err.received)
        assert.contains("plain text", err.message)
        -- nothing has happened: both are as they were
        theirs:expect_line "AIL FROM:<evil>"
        theirs:send "ok"
        ours:expect "ok"
    end)

    it("takes none that comes later either", function()
        local ours, theirs = agreed()
        theirs:send "250 injected\r\n"
        local err = pair.fails("tls", ours, "starttls", tls.client())
        assert.contains("250 injected", err.message .. (err.received or ""))
    end)

    it("keeps to the connection's limit", function()
        local ours, theirs = agreed { timeout = 0.05 }
        local err = pair.fails("timeout", ours, "starttls", tls.client())
        assert.equal("timeout after 0.05 s, in the TLS handshake", err.message)
        pair.fails("timeout", ours, "recv")
        assert.is_not_nil(theirs)
    end)

    it("fails where the peer ends or closes, or we do", function()
        local ours, theirs = agreed()
        local starting = pair.start(ours.starttls, ours, tls.client())
        theirs:recv()
        theirs:close()
        pair.fails("tls", starting, "join")
        ours = agreed()
        starting = pair.start(ours.starttls, ours, tls.client())
        ours:close()
        pair.fails("usage", starting, "join")
        ours = agreed()
        starting = pair.start(ours.starttls, ours, tls.client())
        ours:reset()
        pair.fails("usage", starting, "join")
    end)

    it("closes the connection where its task is cancelled", function()
        local ours, theirs = agreed()
        local starting = pair.start(ours.starttls, ours, tls.client())
        starting:cancel()
        pair.fails("cancelled", starting, "join")
        theirs:read "a"
        pair.fails("usage", ours, "recv")
    end)

    it("is misused where it cannot be", function()
        local ours, theirs = agreed()
        pair.fails("usage", theirs, "starttls") -- a server without a certificate
        pair.fails("usage", ours, "starttls", 7)
        pair.fails("usage", ours, "starttls", { colour = "red" })
        local reading = pair.start(ours.recv, ours)
        pair.fails("usage", ours, "starttls", tls.client())
        theirs:send "x"
        assert.equal("x", reading:join())
        ours:shutdown()
        pair.fails("usage", ours, "starttls", tls.client())
        ours:close()
        pair.fails("usage", ours, "starttls", tls.client())
        local secure = tls.pair()
        assert.contains("already", pair.fails("usage", secure, "starttls", tls.client()).message)
    end)

    it("lets others wait for what will be protected", function()
        local ours, theirs = agreed()
        local starting = pair.start(ours.starttls, ours, tls.client())
        local reading = pair.start(ours.read, ours)
        local writing = pair.start(ours.send, ours, "from a writer\n")
        theirs:starttls(tls.server())
        theirs:send "for a reader\n"
        theirs:expect_line "from a writer"
        assert.equal("for a reader", reading:join())
        starting:join()
        writing:join()
    end)
end)
