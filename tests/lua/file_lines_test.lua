-- "Connections as files" of the contract: lines and write.
local echolot = require "echolot"
local pair = require "conn_pair"

local function sent(data)
    local ours, theirs = pair.pair()
    theirs:send(data):shutdown()
    return ours
end

local function collect(...)
    local list = {}
    for a, b in ... do
        list[#list + 1] = b and { a, b } or a
    end
    return list
end

describe("lines", function()
    it("iterates over lines without their ends", function()
        assert.same({ "one", "two", "", "last" }, collect(sent("one\r\ntwo\n\nlast"):lines()))
        assert.same({}, collect(sent(""):lines()))
    end)

    it("takes formats", function()
        assert.same({ "one\n", "two" }, collect(sent("one\ntwo"):lines "L"))
        assert.same({ "abc", "de" }, collect(sent("abcde"):lines(3)))
        assert.same({ { "key", "v1" }, { "KEY", "v2" } }, collect(sent("key\nv1KEY\nv2"):lines("l", 2)))
        assert.same({ "x", "y" }, collect(sent("x\ny\n"):lines "*l"))
    end)

    it("refuses a wrong format where it is called", function()
        local ours = pair.pair()
        pair.fails("usage", ours, "lines", "x")
        pair.fails("usage", ours, "lines", {})
    end)

    it("leaves the rest when the loop is left", function()
        local ours = sent "one\ntwo\nthree\n"
        for line in ours:lines() do
            if line == "two" then
                break
            end
        end
        assert.equal("three", ours:read())
    end)

    it("waits for each line", function()
        local ours, theirs = pair.pair()
        local seen = {}
        local task = pair.start(function()
            for line in ours:lines() do
                seen[#seen + 1] = line
                ours:send "ok\n"
            end
        end)
        for i = 1, 3 do
            theirs:send(i, "\n")
            assert.equal("ok", theirs:read())
        end
        theirs:shutdown()
        task:join()
        assert.same({ "1", "2", "3" }, seen)
    end)

    it("raises what read raises", function()
        local ours, theirs = pair.pair { timeout = 0.02 }
        theirs:send "one\nhalf"
        local lines = ours:lines()
        assert.equal("one", lines())
        local err = pair.failure("timeout", lines)
        assert.equal("half", err.received)
        ours:close()
        pair.failure("usage", lines)
    end)

    it("keeps its connection alive", function()
        local lines
        local theirs
        do
            local ours
            ours, theirs = pair.pair()
            lines = ours:lines()
        end
        collectgarbage()
        theirs:send "still here\n"
        assert.equal("still here", lines())
    end)
end)

describe("write", function()
    it("is send", function()
        local ours, theirs = pair.pair()
        assert.is_true(rawequal(ours, ours:write("a", 1, "b", 2.5)))
        ours:write():shutdown()
        assert.equal("a1b2.5", theirs:read "a")
    end)

    it("works with what writes to files", function()
        local ours, theirs = pair.pair()
        local function report(file)
            for i = 1, 3 do
                file:write(("%d: %s\n"):format(i, ("x"):rep(i)))
            end
        end
        report(ours)
        ours:shutdown()
        assert.equal("1: x\n2: xx\n3: xxx\n", theirs:read "a")
    end)

    it("refuses what write of a file refuses", function()
        local ours = pair.pair()
        pair.fails("usage", ours, "write", {})
        pair.fails("usage", ours, "write", true)
    end)
end)
