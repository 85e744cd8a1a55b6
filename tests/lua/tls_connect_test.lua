-- Whom a client believes: certificates and their names, what options allow, and what is said of a refusal.
local echolot = require "echolot"
local pair = require "conn_pair"
local tls = require "tls_pair"

setup(tls.make)
teardown(tls.remove)

-- A listener that shows this certificate; clients that fail are no matter of its own.
local function serve(name, more)
    return echolot.listen("tls://127.0.0.1:0", { tls = tls.server(name, more) })
end

local function connect(listener, host, options)
    return echolot.connect(("tls://%s:%d"):format(host, listener.port), { tls = options or tls.client() })
end

describe("a certificate", function()
    -- certificate, host, what the refusal says (nil: it is accepted)
    local CASES = {
        { "server", "localhost" },
        { "server", "127.0.0.1" },
        { "chain", "localhost" },
        { "below_middle", "localhost", "issuer is unknown: .*CN=below_middle.* signed by CN=middle" },
        { "unknown_issuer", "localhost", "issuer is unknown: .*signed by CN=stranger" },
        { "self_signed", "localhost", "CN=self_signed,O=Echolot is self%-signed" },
        { "expired", "localhost", "CN=expired,O=Echolot expired on 2020%-02%-01 00:00:00 UTC" },
        { "not_yet", "localhost", "not valid before 2098%-01%-01 00:00:00 UTC" },
        { "other_name", "localhost", "not for localhost, but for other%.example, www%.other%.example" },
        { "other_name", "127.0.0.1", "not for the address 127%.0%.0%.1, but for other%.example" },
        { "name_like_ip", "127.0.0.1", "but for 127%.0%.0%.1 as a host's name" },
        { "nul_in_name", "localhost", "not for localhost, but for localhost\\x00evil%.example" },
        { "no_names", "localhost", "not for localhost, but for no_names" },
    }
    for _, case in ipairs(CASES) do
        local name, host, says = table.unpack(case)
        it(("'%s' is %s for %s"):format(name, says and "refused" or "accepted", host), function()
            local listener <close> = serve(name)
            if not says then
                assert.equal("TLSv1.3", connect(listener, host).tls.version)
                return
            end
            local err = pair.failure("tls", connect, listener, host)
            assert.matches(says, err.message)
            assert.equal("connect", err.op)
            assert.equal(("tls://%s:%d"):format(host, listener.port), err.address)
            -- and is accepted, whatever it is, by who does not ask
            assert.is_not_nil(connect(listener, host, { verify = false }).tls)
        end)
    end

    it("is verified unless the script says otherwise, with the system's trust", function()
        local listener <close> = serve "server"
        pair.failure("tls", echolot.connect, listener.address)
        pair.failure("tls", echolot.connect, "127.0.0.1", listener.port, { tls = true })
        pair.failure("tls", echolot.connect, listener.address, { tls = { verify = true } })
    end)

    it("may be for another name, that sni gives", function()
        local listener <close> = serve "server"
        for _, name in ipairs { "a.wild.example", "localhost", "localhost." } do
            assert.is_not_nil(connect(listener, "127.0.0.1", tls.client { sni = name }).tls)
        end
        for _, name in ipairs { "wild.example", "a.b.wild.example", "evil.example" } do
            local err = pair.failure("tls", connect, listener, "127.0.0.1", tls.client { sni = name })
            assert.contains("not for " .. name, err.message)
        end
        assert.is_not_nil(connect(listener, "localhost", tls.client { sni = false }).tls)
    end)
end)

describe("whom is trusted", function()
    it("is a file, a directory, or text", function()
        local listener <close> = serve "server"
        local folder = tls.path("ca"):match "^(.*)/"
        for _, ca in ipairs { tls.path "ca", folder, tls.text "ca" } do
            assert.is_not_nil(connect(listener, "localhost", { ca = ca }).tls)
        end
        pair.failure("tls", connect, listener, "localhost", { ca = tls.path "stranger" })
        pair.failure("tls", connect, listener, "localhost", { ca = tls.text "stranger" })
    end)

    it("need not be a root", function()
        local listener <close> = serve "below_middle"
        for _, ca in ipairs { tls.path "middle", tls.path "below_middle" } do
            assert.is_not_nil(connect(listener, "localhost", { ca = ca }).tls)
        end
        pair.failure("tls", connect, listener, "localhost", { ca = tls.path "server" })
    end)

    it("is read again where the file has changed", function()
        local listener <close> = serve "server"
        local path = tls.path "changing"
        local function write(name)
            local file <close> = assert(io.open(path, "w"))
            file:write(tls.text(name), name == "ca" and "\n" or "")
        end
        write "stranger"
        pair.failure("tls", connect, listener, "localhost", { ca = path })
        write "ca"
        assert.is_not_nil(connect(listener, "localhost", { ca = path }).tls)
        os.remove(path)
    end)
end)

describe("conn.tls", function()
    it("tells what was agreed on", function()
        local ours, theirs = tls.pair({ tls = { alpn = { "h2", "echo/1" } } }, { tls = { alpn = { "echo/1" } } })
        assert.equal("TLSv1.3", ours.tls.version)
        assert.matches("^TLS_", ours.tls.cipher)
        assert.equal("echo/1", ours.tls.alpn)
        assert.equal("echo/1", theirs.tls.alpn)
        assert.equal(ours.tls.cipher, theirs.tls.cipher)
        assert.is_nil(theirs.tls.peer_certificate)
        ours:close()
        assert.equal("TLSv1.3", ours.tls.version)
    end)

    it("tells of the peer's certificate", function()
        local ours = tls.pair()
        local certificate = ours.tls.peer_certificate
        assert.equal("CN=server,O=Echolot", certificate.subject)
        assert.equal("CN=ca,O=Echolot", certificate.issuer)
        assert.same({ "localhost", "*.wild.example", "127.0.0.1", "::1" }, certificate.names)
        assert.equal("2020-01-01", os.date("!%Y-%m-%d", certificate.not_before))
        assert.equal("2099-01-01", os.date("!%Y-%m-%d", certificate.not_after))
        assert.matches("^%x+$", certificate.serial)
        assert.matches("^" .. ("%x"):rep(64) .. "$", certificate.sha256)
        assert.equal(tls.text "server", certificate.pem)
    end)

    it("holds a name with a NUL as it is", function()
        local listener <close> = serve "nul_in_name"
        local ours = connect(listener, "localhost", { verify = false })
        assert.same({ "localhost\0evil.example" }, ours.tls.peer_certificate.names)
    end)

    it("is nil where no TLS is spoken", function()
        assert.is_nil(pair.pair().tls)
    end)
end)

describe("versions, ciphers and protocols", function()
    it("are those that both allow", function()
        local listener <close> = serve("server", { max_version = "1.2" })
        local ours = connect(listener, "localhost")
        assert.equal("TLSv1.2", ours.tls.version)
        ours = connect(listener, "localhost", tls.client { ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256" })
        assert.equal("ECDHE-ECDSA-AES128-GCM-SHA256", ours.tls.cipher)
        local newest <close> = serve("server", { min_version = "TLSv1.3" })
        ours = connect(newest, "localhost", tls.client { ciphers = "TLS_CHACHA20_POLY1305_SHA256" })
        assert.equal("TLS_CHACHA20_POLY1305_SHA256", ours.tls.cipher)
    end)

    it("raise tls where there are none, at the one who is told", function()
        local old <close> = serve("server", { max_version = "1.2" })
        local err = pair.failure("tls", connect, old, "localhost", tls.client { min_version = "1.3" })
        assert.contains("no version of TLS that both speak", err.message)
        local narrow <close> = serve("server", { ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384" })
        err = pair.failure("tls", connect, narrow, "localhost",
            tls.client { ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256" })
        assert.contains("no cipher", err.message)
        local choosy <close> = serve("server", { alpn = { "smtp" } })
        err = pair.failure("tls", connect, choosy, "localhost", tls.client { alpn = { "imap" } })
        assert.contains("no protocol of alpn", err.message)
        assert.is_nil(connect(choosy, "localhost").tls.alpn)
    end)

    it("of old go on where they are asked for", function()
        local listener <close> = serve("server", { min_version = "1.0", max_version = "1.1" })
        local ours = connect(listener, "localhost", tls.client { max_version = 1.1 })
        assert.equal("TLSv1.1", ours.tls.version)
        pair.failure("tls", connect, listener, "localhost")
    end)
end)

describe("a peer that does not speak TLS", function()
    local function says(f, matches)
        local listener <close> = echolot.serve("127.0.0.1:0", f)
        local err = pair.failure("tls", connect, listener, "127.0.0.1")
        assert.contains(matches, err.message)
    end

    it("is quoted", function()
        says(function(conn)
            conn:send "220 mail.example ESMTP\r\n"
            conn:recv()
        end, [[the peer does not speak TLS: it said "220 mail.example ESMTP]])
        says(function(conn) conn:send("\27[2J\n"):recv() end, [[it said "\x1b[2J]])
        says(function(conn) conn:send "no"; conn:close() end, [[it said "no"]])
    end)

    it("is known where it sends our own bytes back", function()
        says(function(conn)
            for _ = 1, 10 do
                conn:send(conn:recv())
            end
        end, "our own bytes back")
    end)

    it("may end, reset, or never say a word", function()
        says(function(conn) conn:recv(); conn:shutdown() end, "ended the connection in the middle of the handshake")
        local listener <close> = echolot.serve("127.0.0.1:0", function(conn)
            conn:recv()
            conn:reset()
        end)
        local err = pair.failure("reset", connect, listener, "127.0.0.1")
        assert.contains("in the TLS handshake", err.message)
        local silent <close> = echolot.listen "127.0.0.1:0"
        err = pair.failure("timeout", echolot.connect, "tls://127.0.0.1:" .. silent.port, { timeout = 0.05 })
        assert.equal("timeout after 0.05 s, in the TLS handshake", err.message)
    end)

    it("is given up where a task is cancelled", function()
        local silent <close> = echolot.listen "127.0.0.1:0"
        local task = echolot.spawn(connect, silent, "127.0.0.1")
        local theirs = silent:accept()
        theirs:expect "\22\3" -- a handshake's record
        task:cancel()
        pair.fails("cancelled", task, "join")
        theirs:skip_until(echolot.regex "(?!x)x|$")
    end)
end)

describe("options of tls", function()
    it("are checked", function()
        for _, wrong in ipairs {
            7, "yes", { 1 }, { colour = "red" }, { verify = 1 }, { ca = true }, { ca = "" }, { ca = "a\0b" }, { alpn = 7 },
            { alpn = {} }, { alpn = { "" } }, { alpn = { ("x"):rep(256) } }, { min_version = "1.4" }, { max_version = {} },
            { min_version = "1.3", max_version = "1.2" }, { ciphers = "NONE-SUCH" }, { sni = 7 }, { key = "x" },
            { sni = ("x"):rep(300) },
        } do
            pair.failure("usage", echolot.connect, "127.0.0.1:1", { tls = wrong })
        end
        pair.failure("usage", echolot.connect, "tls://127.0.0.1:1", { tls = false })
        pair.failure("usage", echolot.connect, "exec:cat", { tls = true })
        pair.failure("usage", echolot.listen, "tls://127.0.0.1:0")
        pair.failure("usage", echolot.listen, "127.0.0.1:0", { tls = true })
        pair.failure("usage", echolot.listen, "127.0.0.1:0", { tls = tls.server("server", { sni = "x" }) })
    end)

    local function refused(kind, says, options)
        local err = pair.failure(kind, echolot.connect, "tls://127.0.0.1:1", { tls = options })
        assert.matches(says, err.message)
    end

    it("name files that can be read", function()
        local good = tls.server "client"
        refused("usage", "trusted certificates '/none/such': no such file", { ca = "/none/such" })
        refused("usage", "/dev/null", { ca = "/dev/null" })
        refused("usage", "there is no certificate in PEM form", { ca = tls.path "no_pem" })
        refused("usage", "certificate '/none/such': no such file", { certificate = "/none/such" })
        refused("usage", "there is no certificate", { certificate = tls.path "no_pem" })
        refused("usage", "there is no private key", { certificate = good.certificate })
        refused("usage", "private key '/none/such'", { certificate = good.certificate, key = "/none/such" })
        refused("usage", "it is encrypted", { certificate = good.certificate, key = tls.path "encrypted_key" })
        refused("usage", "given as text: there is no", { ca = "-----BEGIN CERTIFICATE-----\nnothing" })
    end)

    it("name a key that belongs to the certificate", function()
        local path = tls.path "client"
        refused("tls", "does not belong to the certificate", { certificate = path, key = tls.path "other_key" })
    end)
end)
