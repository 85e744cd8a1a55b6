-- "Suites" of the contract: hooks and their order, finally, what hooks open.
local inner = require "suite_inner"

before_each(function()
    inner.need_program(pending)
end)

-- The logs of a suite, in one line.
local function trace(source, options)
    local result = inner.run(source, options)
    return table.concat(result.logs, " "), result
end

describe("hooks", function()
    it("surround each test, outer ones first before and last after", function()
        local logs = trace [[
            before_each(function() log "b1" end)
            after_each(function() log "a1" end)
            describe("group", function()
                before_each(function() log "b2" end)
                before_each(function() log "b3" end)
                after_each(function() log "a2" end)
                it("x", function() log "x" end)
                it("y", function() log "y" end)
            end)
            it("z", function() log "z" end)
        ]]
        assert.equal("b1 b2 b3 x a2 a1 b1 b2 b3 y a2 a1 b1 z a1", logs)
    end)

    it("of setup and teardown surround the group, once", function()
        for _, words in ipairs { { "setup", "teardown" }, { "lazy_setup", "lazy_teardown" },
            { "strict_setup", "strict_teardown" } } do
            local source = [[
                SETUP(function() log "s1" end)
                TEARDOWN(function() log "t1" end)
                describe("group", function()
                    SETUP(function() log "s2" end)
                    TEARDOWN(function() log "t2" end)
                    before_each(function() log "b" end)
                    it("x", function() log "x" end)
                    it("y", function() log "y" end)
                end)
                it("z", function() log "z" end)
            ]]
            source = source:gsub("SETUP", words[1]):gsub("TEARDOWN", words[2])
            local logs = trace(source)
            assert.equal("s1 s2 b x b y t2 z t1", logs, words[1])
        end
    end)

    it("lazy ones are left out where no test runs, strict ones are not", function()
        local source = [[
            describe("group", function()
                setup(function() log "setup" end)
                lazy_setup(function() log "lazy" end)
                strict_setup(function() log "strict" end)
                teardown(function() log "teardown" end)
                strict_teardown(function() log "strict_teardown" end)
                it("x", function() log "x" end)
            end)
            it("other", function() log "other" end)
        ]]
        assert.equal("strict strict_teardown other", trace(source, "--filter other"))
        local logs = trace(source, "--filter x")
        assert.matches("^strict setup lazy x teardown strict_teardown", logs)
    end)

    it("after a test come though it failed, and so does finally", function()
        local logs, result = trace [[
            after_each(function() log "after" end)
            it("fails", function()
                finally(function() log "finally 1" end)
                finally(function() log "finally 2" end)
                error "out"
            end)
            it("is pending", function()
                finally(function() log "finally 3" end)
                pending "later"
            end)
        ]]
        assert.matches("^finally %d finally %d after finally 3 after$", logs)
        assert.same({ "fails=error", "is pending=skip" }, inner.outcome(result))
        assert.contains("out", result.tests[1].error.message)
    end)

    it("that fail before a test fail it, and its body is not called", function()
        local logs, result = trace [[
            before_each(function() error "hook" end)
            it("x", function() log "body" end)
        ]]
        assert.equal("", logs)
        assert.same({ "x=error" }, inner.outcome(result))
        assert.contains("hook", result.tests[1].error.message)
    end)

    it("that fail after a test fail it, and the others are called", function()
        local logs, result = trace [[
            after_each(function() log "outer" end)
            describe("group", function()
                after_each(function() error "hook" end)
                it("x", function() finally(function() error "finally" end) end)
            end)
        ]]
        assert.equal("outer", logs)
        assert.equal("error", result.tests[1].status)
        assert.contains("finally", result.tests[1].error.message) -- the first
        assert.equal(1, #result.tests[1].failed_checks)
        assert.contains("hook", result.tests[1].failed_checks[1].message) -- the other is told, too
    end)

    it("that fail after a test that failed are told beside its own failure", function()
        local _, result = trace [[
            after_each(function() error "hook" end)
            it("x", function() check.equal(1, 2); assert.equal(3, 4) end)
        ]]
        local test = result.tests[1]
        assert.equal("fail", test.status)
        assert.contains("expected 3", test.error.message)
        assert.equal(2, #test.failed_checks)
        assert.contains("expected 1", test.failed_checks[1].message)
        assert.contains("hook", test.failed_checks[2].message)
    end)

    it("that fail in setup fail each test of the group, and of no other", function()
        local _, result = trace [[
            describe("group", function()
                setup(function() error "no database" end)
                it("x", function() end)
                describe("inner", function() it("y", function() end) end)
            end)
            it("z", function() end)
        ]]
        assert.same({ "group x=error", "group inner y=error", "z=pass" }, inner.outcome(result))
        assert.contains("no database", result.tests[2].error.message)
        assert.equal(1, result.status)
    end)

    it("that fail in teardown are the file's error", function()
        local _, result = trace [[
            teardown(function() error "cannot clean up" end)
            it("x", function() end)
        ]]
        assert.same({ "x=pass" }, inner.outcome(result))
        assert.equal(1, result.status)
        local file_end = result.events[#result.events - 1]
        assert.equal("file_end", file_end.event)
        assert.contains("cannot clean up", file_end.error.message)
    end)

    it("may wait", function()
        local logs = trace [[
            local echolot = require "echolot"
            for _, word in ipairs { "setup", "teardown", "before_each", "after_each" } do
                _G[word](function()
                    echolot.sleep(0)
                    log(word)
                end)
            end
            it("x", function() finally(function() echolot.sleep(0) log "finally" end) end)
        ]]
        assert.equal("setup before_each finally after_each teardown", logs)
    end)

    it("wait no longer than a test may", function()
        local _, result = trace([[
            setup(function() require("echolot").sleep(3600) end)
            it("x", function() end)
        ]], "--test-timeout 0.2")
        assert.equal(1, #result.tests)
        assert.is_not_equal("pass", result.tests[1].status)
    end)

    it("open in setup what all tests of the file may use", function()
        local _, result = trace [[
            local echolot = require "echolot"
            local server, conn
            setup(function()
                server = echolot.serve("127.0.0.1:0", function(client)
                    for line in client:lines() do client:send(line, "\n") end
                end)
                conn = echolot.connect(server.address)
            end)
            for i = 1, 3 do
                it("uses it " .. i, function()
                    assert.equal("x" .. i, conn:send("x", i, "\n"):read())
                end)
            end
        ]]
        assert.same({ "uses it 1=pass", "uses it 2=pass", "uses it 3=pass" }, inner.outcome(result))
    end)
end)
