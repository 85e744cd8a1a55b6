-- "Suites" of the contract: conversations, their options and targets.
local echolot = require "echolot"
local inner = require "suite_inner"

describe("conversation", function()
    target(echolot.servers.echo())

    conversation("is handed a connection to the file's target", function(peer)
        assert.equal("hello", peer:send("hello\n"):read())
    end)

    conversation("is handed one that is not closed before its end", function(peer)
        finally(function()
            assert.equal("still open", peer:send("still open\n"):read())
        end)
    end)

    conversation("takes the options of connect", { timeout = 0.02, max_buffer = 3, name = "us" }, function(peer)
        local ok, err = pcall(peer.recv, peer)
        assert.is_false(ok)
        assert.contains("0.02", tostring(err))
        peer:timeout(5):send "abcd\n"
        ok, err = pcall(peer.read, peer)
        assert.is_false(ok)
        assert.equal("limit", err.kind)
    end)

    conversation("takes a count of peers", { peers = 3 }, function(...)
        assert.equal(3, select("#", ...))
        for i, peer in ipairs { ... } do
            peer:send(i, "\n")
        end
        for i, peer in ipairs { ... } do
            assert.equal(tostring(i), peer:read())
        end
    end)

    conversation("takes a target of its own", { target = echolot.servers.echo { reply = "upper" } }, function(peer)
        assert.equal("LOUD", peer:send("loud\n"):read())
    end)
end)

describe("in a file of its own", function()
    before_each(function()
        inner.need_program(pending)
    end)

    it("a conversation without a target says what to do", function()
        local result = inner.run [[conversation("x", function() end)]]
        assert.equal("usage", result.tests[1].error.kind)
        assert.contains("target", result.tests[1].error.message)
    end)

    it("a conversation closes its connection, and tells its target", function()
        local result = inner.run [[
            local echolot = require "echolot"
            target(echolot.servers.echo())
            local kept
            conversation("x", function(peer) kept = peer end)
            it("y", function()
                local ok, err = pcall(kept.recv, kept)
                assert.is_false(ok)
                assert.equal("usage", err.kind)
            end)
        ]]
        assert.same({ "x=pass", "y=pass" }, inner.outcome(result))
        assert.matches("^tcp://127%.0%.0%.1:%d+$", result.tests[1].target)
        assert.is_nil(result.tests[2].target)
    end)

    it("peers have names of their own in the report, unless one was given", function()
        local result = inner.run [[
            local echolot = require "echolot"
            target(echolot.servers.echo())
            conversation("two", { peers = 2 }, function(a, b) a:send "a\n" b:send "b\n" a:read() b:read() end)
            conversation("named", { name = "us" }, function(peer) peer:send "a\n" peer:read() end)
        ]]
        local names = {}
        for _, event in ipairs(result.tests[1].transcript) do
            names[event.peer] = true
        end
        assert.same({ ["peer 1"] = true, ["peer 2"] = true }, names)
        assert.equal("us", result.tests[2].transcript[1].peer)
    end)

    it("a target comes from the command line, the environment, or the file", function()
        local source = [[
            local named = target("second", "127.0.0.1:2")
            local first = target "127.0.0.1:1"
            it("x", function()
                fact("first", first.address)
                fact("port", first.port)
                fact("host", first.host)
                fact("named", named.address)
            end)
        ]]
        local facts = inner.run(source).tests[1].facts
        assert.equal("tcp://127.0.0.1:1", facts.first)
        assert.equal(1, facts.port)
        assert.equal("127.0.0.1", facts.host)
        assert.equal("tcp://127.0.0.1:2", facts.named)
        facts = inner.run(source, "--target 127.0.0.1:11 --target second=127.0.0.1:22").tests[1].facts
        assert.equal("tcp://127.0.0.1:11", facts.first)
        assert.equal("tcp://127.0.0.1:22", facts.named)
        assert.equal(2, inner.run(source, "--target nonsense").status)
    end)

    it("the unnamed target is the conversations', whichever was declared first", function()
        local result = inner.run [[
            local echolot = require "echolot"
            target("other", "127.0.0.1:1")
            target(echolot.servers.echo())
            conversation("x", function(peer) assert.equal("y", peer:send("y\n"):read()) end)
        ]]
        assert.same({ "x=pass" }, inner.outcome(result))
    end)

    it("a target connects, and may be connected to", function()
        local result = inner.run [[
            local echolot = require "echolot"
            local server = target("a", echolot.servers.echo())
            it("by address", function()
                assert.equal("x", echolot.connect(server):send("x\n"):read())
            end)
            it("by connect", function()
                assert.equal("x", server:connect({ name = "us" }):send("x\n"):read())
            end)
        ]]
        assert.same({ "by address=pass", "by connect=pass" }, inner.outcome(result))
    end)

    it("a target that refuses is the conversation's error", function()
        local port = echolot.listen("127.0.0.1:0"):close().port
        local result = inner.run(([[
            target "127.0.0.1:%d"
            conversation("x", function() log "never" end)
        ]]):format(port))
        assert.equal("refused", result.tests[1].error.kind)
        assert.same({}, result.logs)
    end)
end)
