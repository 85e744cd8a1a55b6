-- wait_port: until a program that is a server accepts connections.
local echolot = require "echolot"
local pair = require "conn_pair"

local function free_address()
    return ("127.0.0.1:%d"):format(pair.refusing_port())
end

describe("wait_port", function()
    it("waits for a server that takes its time", function()
        local address = free_address()
        local port = address:match "%d+$"
        local server = echolot.process {
            "sh", "-c", ("sleep 0.1; exec socat TCP4-LISTEN:%s,bind=127.0.0.1,reuseaddr,fork EXEC:cat"):format(port),
        }
        assert.equal(server, server:wait_port(address))
        local conn = echolot.connect(address)
        assert.equal("hello", conn:send("hello\n"):read())
    end)

    it("serves as a target", function()
        local address = free_address()
        local server = echolot.process { "ncat", "-l", "-k", "127.0.0.1", address:match "%d+$", "-c", "sed -u s/a/b/" }
        server:wait_port("tcp://" .. address):wait_port(echolot.address(address))
        local conn = echolot.connect(address)
        assert.equal("bnana", conn:send("anana\n"):read())
    end)

    it("says how a server ended that did not accept, and what it said of that", function()
        local server = echolot.process { "sh", "-c", [[echo "cannot bind
twice" >&2; exit 9]] }
        local err = pair.fails("eof", server, "wait_port", free_address())
        assert.equal("wait_port", err.op)
        assert.contains("exec:sh", err.address)
        assert.contains("status 9", err.message)
        assert.contains([["cannot bind\ntwice\n"]], err.message)
        assert.not_contains("\n", tostring(err))
        assert.equal("cannot bind\ntwice\n", server.stderr:read "a")
    end)

    it("names the signal that ended it", function()
        local server = echolot.process { "sleep", "1000" }
        local task = pair.start(pcall, server.wait_port, server, free_address())
        server:kill "KILL"
        local _, err = task:join()
        assert.equal("eof", err.kind)
        assert.contains("SIGKILL", err.message)
    end)

    it("says all that a reader of standard error has left of it", function()
        local server = echolot.process { "sh", "-c", "echo why >&2" }
        local reader = pair.start(server.stderr.read, server.stderr, "a")
        local err = pair.fails("eof", server, "wait_port", free_address())
        assert.contains("status 0", err.message)
        assert.equal("why\n", reader:join())
    end)

    it("has the connection's limit", function()
        local server = echolot.process { "sh", "-c", "echo still thinking >&2; exec sleep 1000", timeout = 0.3 }
        local err = pair.fails("timeout", server, "wait_port", free_address())
        assert.contains("still thinking", err.message)
        assert.equal("wait_port", err.op)
    end)

    it("can be cancelled", function()
        local server = echolot.process { "sleep", "1000" }
        local task = pair.start(server.wait_port, server, free_address())
        task:cancel()
        pair.fails("cancelled", task, "join")
    end)

    it("takes an address where something can listen", function()
        local server = echolot.process { "sleep", "1000" }
        for _, wrong in ipairs { "127.0.0.1", "127.0.0.1:0", "udp://127.0.0.1:7", "exec:cat", 7, {} } do
            pair.fails("usage", server, "wait_port", wrong)
        end
        pair.fails("usage", server, "wait_port")
    end)

    it("is not answered by its own attempts", function()
        -- A port of those from which the system takes ours: it may well connect one to itself.
        local server = echolot.process { "sleep", "1000", timeout = 1 }
        pair.fails("timeout", server, "wait_port", free_address())
    end)
end)
