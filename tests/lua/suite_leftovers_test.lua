-- "Suites" of the contract: every test ends with nothing left open.
local inner = require "suite_inner"

before_each(function()
    inner.need_program(pending)
end)

describe("what a test leaves", function()
    it("open is closed", function()
        local result = inner.run [[
            local echolot = require "echolot"
            local listener, client, accepted
            it("leaves", function()
                listener = echolot.listen "127.0.0.1:0"
                client = echolot.connect(listener.address)
                accepted = listener:accept()
            end)
            it("finds it closed", function()
                for _, left in ipairs { client, accepted } do
                    local ok, err = pcall(left.recv, left)
                    assert.is_false(ok)
                    assert.equal("usage", err.kind)
                end
                local ok, err = pcall(listener.accept, listener)
                assert.is_false(ok)
                assert.equal("usage", err.kind)
            end)
        ]]
        assert.same({ "leaves=pass", "finds it closed=pass" }, inner.outcome(result))
    end)

    it("running is cancelled, before what it uses is closed", function()
        local result = inner.run [[
            local echolot = require "echolot"
            local seen = {}
            it("leaves", function()
                local listener = echolot.listen "127.0.0.1:0"
                local conn = echolot.connect(listener.address)
                for _, wait in ipairs {
                    function() echolot.sleep(3600) end,
                    function() conn:recv() end,
                    function() listener:accept() listener:accept() end,
                } do
                    echolot.spawn(function()
                        local guard <close> = setmetatable({}, { __close = function(_, err)
                            seen[#seen + 1] = err and err.kind
                        end })
                        wait()
                    end)
                end
                echolot.sleep(0.01)
            end)
            it("finds them cancelled", function()
                assert.same({ "cancelled", "cancelled", "cancelled" }, seen)
            end)
        ]]
        assert.same({ "leaves=pass", "finds them cancelled=pass" }, inner.outcome(result))
    end)

    it("failed, and joined by nobody, fails it", function()
        local result = inner.run [[
            local echolot = require "echolot"
            it("errs", function()
                echolot.spawn(function() error "in a task" end)
                echolot.sleep(0.01)
            end)
            it("mismatches", function()
                echolot.spawn(function() assert.equal(1, 2) end)
                echolot.sleep(0.01)
            end)
            it("is fine", function()
                local task = echolot.spawn(error, "seen")
                pcall(task.join, task)
            end)
            it("was cancelled", function()
                local task = echolot.spawn(echolot.sleep, 3600)
                echolot.sleep(0)
                task:cancel()
            end)
        ]]
        assert.same({
            "errs=error", "mismatches=fail", "is fine=pass", "was cancelled=pass",
        }, inner.outcome(result))
        assert.contains("in a task", result.tests[1].error.message)
        assert.matches("_test%.lua:3", result.tests[1].error.traceback)
    end)

    it("is not hidden by a failure that was seen before it", function()
        local result = inner.run [[
            local echolot = require "echolot"
            it("errs", function()
                local seen = echolot.spawn(error, "seen", 0)
                echolot.spawn(error, "unseen", 0)
                echolot.sleep(0.01)
                pcall(seen.join, seen)
            end)
        ]]
        assert.same({ "errs=error" }, inner.outcome(result))
        assert.contains("unseen", result.tests[1].error.message)
    end)

    it("cleans up while it is cancelled", function()
        local result = inner.run [[
            local echolot = require "echolot"
            it("leaves", function()
                echolot.spawn(function()
                    local guard <close> = setmetatable({}, { __close = function()
                        log "cleaning"
                        local ok, err = pcall(echolot.sleep, 1)
                        log(ok, err.kind)
                    end })
                    echolot.sleep(3600)
                end)
                echolot.sleep(0)
            end)
        ]]
        assert.same({ "cleaning", "false\tcancelled" }, result.logs)
        assert.same({ "leaves=pass" }, inner.outcome(result))
    end)

    it("running at the end of the file is cancelled, too", function()
        local result = inner.run [[
            local echolot = require "echolot"
            echolot.spawn(function()
                local guard <close> = setmetatable({}, { __close = function() log "closed" end })
                echolot.sleep(3600)
            end)
            it("x", function() echolot.sleep(0) end)
        ]]
        assert.same({ "x=pass" }, inner.outcome(result))
        assert.same({ "closed" }, result.logs)
    end)

    it("by thousands is no trouble", function()
        local result = inner.run [[
            local echolot = require "echolot"
            it("leaves", function()
                local channel = echolot.channel()
                for _ = 1, 3000 do
                    echolot.spawn(channel.get, channel)
                    echolot.spawn(echolot.sleep, 3600)
                end
                echolot.sleep(0.01)
            end)
            it("goes on", function() end)
        ]]
        assert.same({ "leaves=pass", "goes on=pass" }, inner.outcome(result))
    end)
end)

describe("the transcript", function()
    it("tells what each connection sent and received", function()
        local result = inner.run [[
            local echolot = require "echolot"
            it("talks", function()
                local listener <close> = echolot.listen "127.0.0.1:0"
                local client = echolot.connect(listener.address, { name = "client" })
                local server = listener:accept()
                client:send "ping\n"
                server:read()
                server:send "\0\255"
                client:read(2)
                server:shutdown()
                client:recv()
                client:reset()
                pcall(server.recv, server)
            end)
        ]]
        local ours = {}
        for _, event in ipairs(result.tests[1].transcript) do
            assert.is_number(event.t)
            if event.peer == "client" then
                ours[#ours + 1] = event
            end
        end
        local KNOWN = { open = true, send = true, recv = true, eof = true, close = true, reset = true, tls = true }
        for _, event in ipairs(result.tests[1].transcript) do
            check.is_true(KNOWN[event.dir], "the contract knows no direction " .. event.dir)
        end
        assert.equal("open", ours[1].dir)
        assert.equal("send", ours[2].dir)
        assert.equal("ping\n", ours[2].data)
        assert.equal("recv", ours[3].dir)
        assert.equal("AP8=", ours[3].data.base64)
        assert.equal("eof", ours[4].dir)
        assert.equal("reset", ours[5].dir)
    end)

    it("tells what nobody had read when a connection was closed", function()
        local result = inner.run [[
            local echolot = require "echolot"
            it("leaves bytes", function()
                local listener <close> = echolot.listen "127.0.0.1:0"
                local function talk(name, text, take)
                    local client = echolot.connect(listener.address, { name = name })
                    local server <close> = listener:accept()
                    server:send(text)
                    if #text > 0 then
                        client:read(take)
                    end
                    return client
                end
                talk("whole", "ab", 2):close()
                talk("some", "one two", 4):close()
                talk("reset", "one two", 1):reset()
                talk("binary", "a\0\255", 1):close()
                talk("left", ("y"):rep(3000) .. "\n", 3)
            end)
        ]]
        local ends = {}
        for _, event in ipairs(result.tests[1].transcript) do
            if (event.dir == "close" or event.dir == "reset") and not event.half then
                ends[event.peer] = event
            end
        end
        assert.is_nil(ends.whole.unread)
        assert.is_nil(ends.whole.data)
        assert.same({ 3, "two" }, { ends.some.unread, ends.some.data })
        assert.same({ "reset", 6, "ne two" }, { ends.reset.dir, ends.reset.unread, ends.reset.data })
        assert.same({ 2, "AP8=" }, { ends.binary.unread, ends.binary.data.base64 })
        assert.same({ 2998, ("y"):rep(64) }, { ends.left.unread, ends.left.data })
        assert.is_nil(ends.left.omitted)
    end)

    it("is there for a test that passes", function()
        local result = inner.run [[
            local echolot = require "echolot"
            it("talks", function()
                local listener <close> = echolot.listen "127.0.0.1:0"
                echolot.connect(listener.address):send "x"
            end)
            it("does not", function() end)
        ]]
        assert.is_true(#result.tests[1].transcript >= 2)
        assert.equal(0, #result.tests[2].transcript)
    end)
end)
