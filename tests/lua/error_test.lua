-- "Errors" of the contract: the kinds that TCP can bring about, their fields, their text.
local echolot = require "echolot"
local pair = require "conn_pair"

-- One failure of each kind: what raises it, and what its fields are.
local function kinds()
    local quiet, quiet_peer = pair.pair { timeout = 0.02 }
    quiet_peer:send "some"
    local ended, ended_peer = pair.pair()
    ended_peer:send("ab"):shutdown()
    local broken, broken_peer = pair.pair()
    broken_peer:reset()
    local small, small_peer = pair.pair { max_buffer = 4 }
    small_peer:send "12345"
    local listener = echolot.listen(pair.LOCAL)
    local port = pair.refusing_port()
    return {
        { kind = "usage", op = "recv", f = function() quiet:recv(0) end },
        { kind = "usage", op = "connect", f = function() echolot.connect "nowhere" end },
        { kind = "resolve", op = "connect", address = "tcp://127.0.0.1:1",
            f = function() echolot.connect("127.0.0.1:1", { family = "ipv6" }) end },
        { kind = "refused", op = "connect", address = "tcp://127.0.0.1:" .. port, errno = "ECONNREFUSED",
            f = function() echolot.connect("127.0.0.1", port) end },
        { kind = "unreachable", op = "connect", address = "tcp://127.0.0.1:1", errno = "EADDRNOTAVAIL",
            f = function() echolot.connect("127.0.0.1:1", { bind = "192.0.2.1" }) end },
        { kind = "reset", op = "recv", address = tostring(broken.peer), errno = "ECONNRESET", received = "",
            f = function() broken:recv() end },
        { kind = "timeout", op = "read", address = tostring(quiet.peer), received = "some",
            message = "timeout after 0.02 s", f = function() quiet:read(100) end },
        { kind = "eof", op = "unpack", address = tostring(ended.peer), received = "ab",
            f = function() ended:unpack ">I4" end },
        { kind = "limit", op = "read", address = tostring(small.peer), received = "1234",
            f = function() small:read "l" end },
        { kind = "denied", op = "listen", address = tostring(listener.address), errno = "EADDRINUSE",
            f = function() echolot.listen(listener.address) end },
        { kind = "mismatch", op = "assert", f = function() assert.equal(1, 2) end },
    }
end

describe("an error", function()
    it("has the fields of its kind", function()
        for _, case in ipairs(kinds()) do
            local err = pair.failure(case.kind, case.f)
            assert.equal("table", type(err))
            assert.equal(case.op, err.op, case.kind)
            assert.equal(case.address, err.address, case.kind)
            assert.equal(case.errno, err.errno, case.kind)
            assert.is_string(err.message)
            if case.message then
                assert.equal(case.message, err.message)
            end
            if case.received then
                assert.equal(case.received, err.received, case.kind)
            end
        end
    end)

    it("is one line: op address: message", function()
        for _, case in ipairs(kinds()) do
            local err = pair.failure(case.kind, case.f)
            if case.kind ~= "mismatch" then
                local start = err.address and ("%s %s: "):format(err.op, err.address) or err.op .. ": "
                assert.equal(start .. err.message, tostring(err))
                assert.is_nil(tostring(err):find("\n", 1, true))
            end
        end
    end)

    it("reads as the example of the contract", function()
        local ours, theirs = pair.pair { timeout = 0.05 }
        local err = pair.fails("timeout", ours, "recv")
        assert.equal(("recv %s: timeout after 0.05 s"):format(theirs.local_address), tostring(err))
        theirs:close()
    end)

    it("is caught by pcall as a value, and goes through error unchanged", function()
        local ours = pair.pair()
        local ok, err = pcall(ours.recv, ours, "x")
        assert.is_false(ok)
        assert.equal("usage", err.kind)
        local again, same = pcall(error, err)
        assert.is_false(again)
        assert.is_true(rawequal(err, same))
    end)

    it("is told from other values", function()
        local ours = pair.pair()
        local _, err = pcall(ours.recv, ours, "x")
        assert.is_true(echolot.Error.is(err))
        for _, other in ipairs { "text", {}, 1, true, setmetatable({}, { __name = "echolot.Error" }) } do
            assert.is_false(echolot.Error.is(other))
        end
        assert.is_false(echolot.Error.is(nil))
    end)

    it("comes to xpcall's handler, which may ask where it was", function()
        local ours = pair.pair()
        local ok, seen = xpcall(function()
            ours:recv "x"
        end, function(err)
            return { kind = err.kind, traceback = debug.traceback() }
        end)
        assert.is_false(ok)
        assert.equal("usage", seen.kind)
        assert.contains("error_test.lua", seen.traceback)
    end)

    it("stays what it is when the connection has gone", function()
        local ours, theirs = pair.pair { timeout = 0.02 }
        theirs:send "kept"
        local err = pair.fails("timeout", ours, "read", 10)
        ours:close()
        collectgarbage()
        assert.equal("kept", err.received)
        assert.contains("timeout", tostring(err))
    end)

    it("names the argument's type and what was expected", function()
        local ours = pair.pair()
        local err = pair.fails("usage", ours, "send", {})
        assert.contains("string expected, got table", err.message)
        err = pair.failure("usage", ours.recv, "no connection")
        assert.contains("connection expected, got string", err.message)
    end)

    it("says that a method wants its colon", function()
        local ours = pair.pair()
        local err = pair.failure("usage", ours.recv)
        assert.contains("':'", err.message)
    end)

    it("knows the line of the script", function()
        local ours = pair.pair()
        local line = debug.getinfo(1, "l").currentline + 1
        local _, err = pcall(function() ours:recv "x" end)
        assert.matches("error_test%.lua:" .. line .. "$", err.where)
    end)
end)

describe("a name that cannot be looked up", function()
    it("has no address, whatever is wrong with it", function()
        for _, host in ipairs { "\xff\xfe.example", "a..b", ("x"):rep(64) .. ".example" } do
            pair.failure("resolve", echolot.connect, host, 1)
        end
    end)
end)
