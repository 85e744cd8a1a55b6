-- One test for each way in which a test can end, with all that a report can hold.
local echolot = require "echolot"
local server = target(echolot.servers.echo())

describe("a group #outer", function()
    conversation("passes #tagged", { tags = { "listed" }, name = "the peer" }, function(peer)
        fact("count", 7)
        fact("text", "täxt")
        fact("binary", "\0\1\xff")
        fact("nested", { list = { 1, 2, 3 }, yes = true, half = 0.5 })
        peer:send "hello\n"
        step("reads back", function()
            assert.equal("hello", peer:read())
        end)
        step("sends bytes", function()
            peer:send "\0\xff\27[31m\n"
        end)
        assert.equal("\0\xff\27[31m", peer:read())
        print("printed", 1, nil)
        log "logged"
        io.write "written\n"
    end) -- passes
    conversation("fails", function(peer)
        peer:send "one\n"
        check.equal("zero", "0")
        assert.equal("two", peer:read()) -- fails
    end)
end)
it("errs", function()
    local peer = server:connect()
    peer:timeout(0.01):recv() -- errs
end)
it("times out", function() echolot.sleep(1000) end)
pending "is skipped"
it("is not written")
it("gives up", function() pending "for a reason" end)
