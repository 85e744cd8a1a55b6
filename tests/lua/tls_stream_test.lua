-- What holds of a stream holds of one that speaks TLS: bytes, ends, limits of time and memory, what is noted.
local echolot = require "echolot"
local pair = require "conn_pair"
local tls = require "tls_pair"

setup(function() tls.make "server" end)
teardown(tls.remove)

local KINDS = {
    { "from the beginning", tls.pair },
    { "after starttls", tls.started_pair },
    { "with its records handed on byte by byte", function(client, server) return tls.pair_between(1, client, server) end },
    { "in TLS 1.2", function(client, server)
        client = client or {}
        client.tls = { max_version = "1.2" }
        return tls.pair(client, server)
    end },
}

for _, kind in ipairs(KINDS) do
    local make = kind[2]
    describe("TLS " .. kind[1], function()
        it("carries what is sent, both ways", function()
            local ours, theirs = make()
            ours:send("one\n", "two\n", "", 3):send "\0\xff"
            theirs:expect "one\ntwo\n3\0\xff"
            theirs:send "reply\r\n"
            assert.equal("reply", ours:read())
        end)

        it("ends one half at a time", function()
            local ours, theirs = make()
            ours:send("last"):shutdown()
            assert.equal("last", theirs:recv())
            assert.equal("", theirs:recv())
            assert.equal("", theirs:recv())
            theirs:send("more"):send("and more")
            ours:expect "moreand more"
            pair.fails("usage", ours, "send", "x")
            theirs:shutdown():expect_eof()
            ours:expect_eof()
        end)

        it("ends properly where a side just closes", function()
            local ours, theirs = make()
            theirs:send "bye"
            theirs:close()
            assert.equal("bye", ours:read "a")
            ours:expect_eof()
        end)

        it("carries more than any buffer holds", function()
            local ours, theirs = make({ max_buffer = 5000 }, { max_buffer = 7000 })
            local size = kind[1]:find "byte by byte" and 30000 or 3000000
            local text = pair.pattern(size)
            for _, way in ipairs { { ours, theirs }, { theirs, ours } } do
                local sender = echolot.spawn(function() way[1]:send(text):send "end" end)
                local parts, left = {}, size
                while left > 0 do
                    local some = way[2]:recv(math.min(4999, left))
                    parts[#parts + 1] = some
                    left = left - #some
                    assert.is_true(#way[2]:unread() <= 7000)
                end
                sender:join()
                way[2]:expect "end"
                assert.is_true(table.concat(parts) == text)
            end
        end)
    end)
end

describe("a TLS connection", function()
    it("raises tls where it is cut, once what came before is read", function()
        local ours, theirs, between = tls.pair_between()
        theirs:send "half a li"
        ours:expect "half"
        between[1]:shutdown()
        assert.equal(" a li", ours:recv())
        local err = pair.fails("tls", ours, "recv")
        assert.contains("close_notify", err.message)
        assert.contains("close_notify", pair.fails("tls", ours, "recv").message)
        pair.fails("tls", ours, "expect_eof")
        pair.fails("tls", ours, "read", "a")
    end)

    it("is reset by a reset", function()
        local ours, theirs = tls.pair()
        theirs:send("x"):reset()
        pair.failure("reset", function()
            repeat
            until ours:recv() == ""
        end)
        ours, theirs = tls.pair()
        ours:reset()
        theirs:expect_reset()
    end)

    it("raises tls where a record is damaged", function()
        local ours, theirs, between = tls.pair_between()
        ours:send("fine"):expect_silence(0.001)
        theirs:expect "fine"
        between[2]:send(("\23\3\3\0\32%s"):format(("x"):rep(32)))
        local err = pair.fails("tls", theirs, "recv")
        assert.contains("damaged", err.message)
        -- who sees that says so
        assert.contains("bad record mac", pair.fails("tls", ours, "recv").message)
        pair.fails("tls", theirs, "send", "x")
    end)

    it("raises tls where plain text comes in the middle", function()
        local ours, _, between = tls.pair_between()
        between[1]:send "451 going down for maintenance\r\n"
        pair.fails("tls", ours, "recv")
    end)

    it("keeps to the limit of a wait", function()
        local ours = tls.pair { timeout = 0.03 }
        pair.fails("timeout", ours, "recv")
        ours:expect_silence(0.01)
    end)

    it("raises limit where a line is longer than max_buffer, and goes on behind it", function()
        local ours, theirs = tls.pair { max_buffer = 1000 }
        theirs:send(("x"):rep(1500), "\nnext\n")
        pair.fails("limit", ours, "read", "l")
        assert.equal(1000, #ours:recv(1000))
        assert.equal(("x"):rep(500), ours:read())
        assert.equal("next", ours:read())
    end)

    it("stops a sender whose peer does not read", function()
        local ours, theirs = tls.pair({ timeout = 0.1 }, { max_buffer = 1000 })
        local err = pair.failure("timeout", function()
            for _ = 1, 1000 do
                ours:send(("x"):rep(100000))
            end
        end)
        assert.equal("send", err.op)
        assert.is_true(#theirs:unread() <= 1000)
    end)

    it("loses nothing where a side closes once its send has returned", function()
        local ours, theirs = tls.pair(nil, { max_buffer = 100000 })
        local size = 30000000 -- more than the system takes
        local sender = echolot.spawn(function() ours:send(("x"):rep(size)):close() end)
        local came = 0
        for _ = 1, math.huge do
            local some = theirs:recv(100000)
            if some == "" then
                break
            end
            came = came + #some
        end
        sender:join()
        assert.equal(size, came)
    end)

    it("tells the end even where its buffer is full", function()
        local ours, theirs = tls.pair { max_buffer = 4 }
        theirs:send("abcd"):shutdown()
        assert.equal("abcd", ours:read(4))
        ours:expect_eof()
    end)

    it("hands over what it holds decrypted when nothing more comes", function()
        local ours, theirs = tls.pair { max_buffer = 10 }
        theirs:send(("0123456789"):rep(1000)) -- one record
        for _ = 1, 1000 do
            assert.equal("0123456789", ours:read(10))
        end
        ours:expect_silence(0.001)
    end)

    it("packs, unpacks and iterates", function()
        local ours, theirs = tls.pair()
        ours:pack(">I4 s2", 7, "seven")
        assert.same({ 7, "seven" }, { theirs:unpack ">I4 s2" })
        theirs:send("a\nb\nc"):shutdown()
        local lines = {}
        for line in ours:lines() do
            lines[#lines + 1] = line
        end
        assert.same({ "a", "b", "c" }, lines)
    end)

    it("is shared by a reader and several writers", function()
        local ours, theirs = tls.pair()
        local tasks = {}
        for i = 1, 8 do
            tasks[i] = echolot.spawn(function()
                for _ = 1, 20 do
                    ours:send(("%d"):format(i):rep(20000), "\n")
                end
            end)
        end
        for _ = 1, 160 do
            local line = theirs:read()
            assert.equal(20000, #line)
            assert.equal(line:sub(1, 1):rep(20000), line)
        end
        for _, task in ipairs(tasks) do
            task:join()
        end
    end)

    it("closes while somebody waits", function()
        local ours = tls.pair()
        local waiting = pair.start(ours.recv, ours)
        ours:close()
        pair.fails("usage", waiting, "join")
        pair.fails("usage", ours, "send", "x")
        assert.contains("tls://", tostring(ours))
    end)
end)
