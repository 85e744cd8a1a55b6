-- "Addresses" of the contract.
local echolot = require "echolot"
local pair = require "conn_pair"

local GOOD = {
    -- text, scheme, host, port or nil, path, canonical text
    { "127.0.0.1:80", "tcp", "127.0.0.1", 80, nil, "tcp://127.0.0.1:80" },
    { "tcp://127.0.0.1:80", "tcp", "127.0.0.1", 80, nil, "tcp://127.0.0.1:80" },
    { "localhost:65535", "tcp", "localhost", 65535, nil, "tcp://localhost:65535" },
    { "[::1]:7", "tcp", "::1", 7, nil, "tcp://[::1]:7" },
    { "tcp://[::1]:7", "tcp", "::1", 7, nil, "tcp://[::1]:7" },
    { "tls://example.org:993", "tls", "example.org", 993, nil, "tls://example.org:993" },
    { "udp://[fe80::1]:53", "udp", "fe80::1", 53, nil, "udp://[fe80::1]:53" },
    { "unix:/run/x.sock", "unix", nil, nil, "/run/x.sock", "unix:/run/x.sock" },
    { "unix:@abstract", "unix", nil, nil, "@abstract", "unix:@abstract" },
    { "exec:cat -u", "exec", nil, nil, "cat -u", "exec:cat -u" },
}

local BAD = {
    "", ":", "localhost", "localhost:", ":80", "tcp://", "tcp://:80", "localhost:65536", "localhost:-1",
    "localhost:http", "localhost:1.5", "localhost: 80", "::1:80", "[::1]", "[::1", "[::1]80", "[127.0.0.1]:80",
    "http://localhost:80", "a b:80", "a/b:80", "a\0b:80", "a\n:80", "unix:", "exec:", "exec:  ",
}

describe("an address", function()
    it("is taken apart", function()
        for _, row in ipairs(GOOD) do
            local address = echolot.address(row[1])
            assert.equal(row[2], address.scheme, row[1])
            assert.equal(row[3], address.host, row[1])
            assert.equal(row[4], address.port, row[1])
            assert.equal(row[5], address.path, row[1])
        end
    end)

    it("has a canonical text, which parses to the same", function()
        for _, row in ipairs(GOOD) do
            assert.equal(row[6], tostring(echolot.address(row[1])))
            assert.equal(row[6], tostring(echolot.address(row[6])))
            assert.is_true(echolot.address(row[1]) == echolot.address(row[6]))
        end
        assert.is_false(echolot.address "a:1" == echolot.address "a:2")
    end)

    it("that does not parse raises usage and names itself", function()
        for _, text in ipairs(BAD) do
            local err = pair.failure("usage", echolot.address, text)
            assert.equal("address", err.op)
            assert.matches("^bad address '", err.message)
        end
        assert.contains("localhost:http", pair.failure("usage", echolot.address, "localhost:http").message)
    end)

    it("may have port 0 only to listen", function()
        local listener <close> = echolot.listen "127.0.0.1:0"
        assert.is_true(listener.port > 0)
        pair.failure("usage", echolot.connect, "127.0.0.1:0")
        pair.failure("usage", echolot.connect, "127.0.0.1", 0)
    end)

    it("is a string, an address, or something with one", function()
        local listener <close> = echolot.listen(echolot.address "127.0.0.1:0")
        for _, whom in ipairs {
            tostring(listener.address), listener.address, { address = listener.address },
            { address = tostring(listener.address) },
        } do
            local conn <close> = echolot.connect(whom)
            assert.equal(listener.address, conn.peer)
        end
        for _, wrong in ipairs { 80, true, {}, { address = 80 }, print } do
            pair.failure("usage", echolot.connect, wrong)
            pair.failure("usage", echolot.address, wrong)
        end
        pair.failure("usage", echolot.connect)
    end)

    it("raises usage before anything is sent", function()
        local listener <close> = echolot.listen "127.0.0.1:0"
        pair.failure("usage", echolot.connect, "127.0.0.1", 99999)
        pair.failure("usage", echolot.connect, "127.0.0.1", -1)
        pair.failure("usage", echolot.connect, "127.0.0.1", 1.5)
        pair.failure("usage", echolot.connect, "127.0.0.1", "http")
        pair.failure("usage", echolot.connect, "bad host", listener.port)
        pair.fails("timeout", listener:timeout(0.02), "accept")
    end)

    it("of other kinds is told from a bad one", function()
        local err = pair.failure("usage", echolot.connect, "exec:no-such-command")
        assert.is_nil(err.message:match "^bad address")
    end)

    it("keeps what a script writes into it to itself", function()
        local address = echolot.address "localhost:80"
        address.port = 81
        assert.equal("tcp://localhost:81", tostring(address))
        assert.equal("tcp://localhost:80", tostring(echolot.address "localhost:80"))
    end)
end)
