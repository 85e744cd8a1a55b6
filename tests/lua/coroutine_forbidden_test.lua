-- "Concurrency" of the contract: where Lua cannot yield, a wait raises `usage` and says so.
local echolot = require "echolot"
local pair = require "conn_pair"

-- The error of a wait in there; the test goes on.
local function assert_refused(err)
    assert.equal("usage", err and err.kind)
    assert.contains("cannot wait here", err.message)
end

local function try(f, ...)
    local ok, err = pcall(f, ...)
    return not ok and err or nil
end

describe("a wait is refused", function()
    it("in the comparator of table.sort", function()
        local seen
        table.sort({ 3, 1, 2 }, function(a, b)
            seen = try(echolot.sleep, 0)
            return a < b
        end)
        assert_refused(seen)
        assert_refused(pair.failure("usage", table.sort, { 2, 1 }, function() echolot.sleep(0) end))
    end)

    it("in a callback of string.gsub", function()
        local ours, theirs = pair.pair()
        theirs:send "line\n"
        assert.equal("line", ours:read()) -- so that nothing is left to be read at once
        local seen
        local out = ("abc"):gsub(".", function(c)
            seen = try(ours.read, ours)
            return c:upper()
        end)
        assert.equal("ABC", out)
        assert_refused(seen)
    end)

    it("in a finalizer", function()
        local seen
        do
            local doomed = setmetatable({}, { __gc = function() seen = try(echolot.sleep, 0) end })
            doomed = nil
        end
        collectgarbage()
        collectgarbage()
        assert_refused(seen)
    end)

    it("in require, load's reader, and a message handler", function()
        package.preload["waits.while.loading"] = function() return try(echolot.sleep, 0) end
        finally(function()
            package.preload["waits.while.loading"] = nil
            package.loaded["waits.while.loading"] = nil
        end)
        assert_refused(require "waits.while.loading")

        local seen
        load(function() seen = seen or try(echolot.sleep, 0) end)
        assert_refused(seen)

        local _, handled = xpcall(error, function() return try(echolot.sleep, 0) end, "x")
        assert_refused(handled)
    end)

    it("in a coroutine that is resumed in such a place", function()
        local seen, through
        table.sort({ 2, 1 }, function(a, b)
            local inner = coroutine.wrap(function()
                seen = try(echolot.sleep, 0)
                coroutine.yield "own yields work"
            end)
            through = inner()
            return a < b
        end)
        assert_refused(seen)
        assert.equal("own yields work", through)
    end)

    it("of whatever kind", function()
        local ours, theirs = pair.pair()
        local listener = echolot.listen(pair.LOCAL)
        local gate = echolot.channel()
        local task = pair.start(gate.get, gate)
        local errors = {}
        table.sort({ 2, 1 }, function(a, b)
            errors[1] = try(echolot.sleep, 0)
            errors[2] = try(ours.recv, ours)
            errors[3] = try(ours.unpack, ours, "b")
            errors[4] = try(listener.accept, listener)
            errors[5] = try(echolot.connect, listener.address)
            errors[6] = try(task.join, task)
            errors[7] = try(gate.get, gate)
            errors[8] = try(ours.send, ours, ("x"):rep(64 << 20))
            return a < b
        end)
        for i = 1, 8 do
            assert_refused(errors[i])
        end
        -- and nothing is left behind by the attempts
        gate:put "value"
        assert.equal("value", task:join())
        theirs:send "x"
        assert.equal("x", ours:recv())
    end)

    it("but what needs no wait works there", function()
        local ours, theirs = pair.pair()
        theirs:send "12\n"
        assert.equal("", ours:read(0)) -- it has come
        local seen
        table.sort({ 2, 1 }, function(a, b)
            ours:send "ok"
            seen = seen or ours:read()
            return a < b
        end)
        assert.equal("12", seen)
        assert.equal("ok", theirs:read(2))
    end)
end)
