-- Unix sockets: what holds of every connection holds over them, and what is theirs alone.
local echolot = require "echolot"
local pair = require "conn_pair"

local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""

describe("over a Unix socket:", function()
    before_each(function() pair.over "unix" end)
    for _, name in ipairs {
        "conn_close", "conn_recv", "conn_send", "data_pack", "expect", "expect_sweep", "file_lines", "file_read",
    } do
        dofile(here .. name .. "_test.lua")
    end
end)

-- A listener at `path` that a killed program has left behind: its file is there, nobody answers.
local function leave_stale(path)
    local listener = echolot.listen("unix:" .. path)
    local kept = path .. ".kept"
    assert(os.rename(path, kept))
    listener:close()
    assert(os.rename(kept, path))
end

local function is_there(path)
    local ok, _, errno = os.rename(path, path)
    assert.is_true(ok or errno == 2)
    return ok == true
end

describe("a Unix address", function()
    it("names both ends; a client has no name", function()
        local address = "unix:" .. pair.path()
        local listener <close> = echolot.listen(address)
        assert.equal(address, tostring(listener.address))
        assert.equal("unix", listener.address.scheme)
        assert.is_nil(listener.address.host)
        assert.is_nil(listener.port)
        assert.equal(("listener (%s)"):format(address), tostring(listener))
        local ours = echolot.connect(listener.address)
        local theirs = listener:accept()
        assert.equal(address, tostring(ours.peer))
        assert.equal(address, tostring(theirs.local_address))
        assert.same({ scheme = "unix", path = "" }, ours.local_address)
        assert.equal("unix:", tostring(theirs.peer))
        assert.equal(("connection (%s)"):format(address), tostring(theirs))
        ours:close()
        assert.equal(address, tostring(ours.peer))
        assert.equal(("recv %s: the connection is closed"):format(address), tostring(pair.fails("usage", ours, "recv")))
    end)

    it("may be abstract: no file, gone with its listener", function()
        local address = "unix:@echolot-" .. pair.path():gsub("/", ".")
        local listener = echolot.listen(address)
        assert.equal(address, tostring(listener.address))
        local ours <close> = echolot.connect(address)
        local theirs <close> = listener:accept()
        assert.equal(address, tostring(theirs.local_address))
        theirs:send "x\n"
        assert.equal("x", ours:read())
        assert.equal("EADDRINUSE", pair.failure("denied", echolot.listen, address).errno)
        listener:close()
        assert.equal("ECONNREFUSED", pair.failure("refused", echolot.connect, address).errno)
    end)

    it("has to fit into a socket's address", function()
        for _, path in ipairs { "/" .. ("x"):rep(107), "@" .. ("x"):rep(107), "", "@", "/a\0b" } do
            pair.failure("usage", echolot.connect, "unix:" .. path)
            pair.failure("usage", echolot.listen, "unix:" .. path)
        end
        local longest = "unix:@" .. ("x"):rep(106)
        local listener <close> = echolot.listen(longest)
        assert.equal(longest, tostring(echolot.connect(longest).peer))
    end)

    it("takes connect's options, but for a local address", function()
        local listener <close> = echolot.listen("unix:" .. pair.path(), { timeout = 0.01 })
        pair.failure("usage", echolot.connect, listener.address, { bind = "127.0.0.1" })
        local ours <close> = echolot.connect(listener.address, { nodelay = true, name = "client", max_buffer = 1 })
        local theirs = listener:accept()
        assert.contains("timeout after 0.01 s", tostring(pair.fails("timeout", theirs, "recv")))
        assert.is_not_nil(ours)
    end)
end)

describe("connecting to a Unix socket", function()
    it("is refused where there is none, with what the system said", function()
        local path = pair.path()
        local err = pair.failure("refused", echolot.connect, "unix:" .. path)
        assert.equal("ENOENT", err.errno)
        assert.equal(("connect unix:%s: no such file or directory"):format(path), tostring(err))
        err = pair.failure("refused", echolot.connect, ("unix:%s/x"):format(here .. "conn_unix_test.lua"))
        assert.equal("ENOTDIR", err.errno)
    end)

    it("is refused where nobody answers any more", function()
        local path = pair.path()
        leave_stale(path)
        local err = pair.failure("refused", echolot.connect, "unix:" .. path)
        assert.equal("ECONNREFUSED", err.errno)
        assert.equal("unix:" .. path, err.address)
        os.remove(path)
    end)

    it("waits while the listener's queue is full, no longer than its limit", function()
        local listener = echolot.listen("unix:" .. pair.path())
        local waiting = {}
        local err
        for _ = 1, 1200 do
            local ok, result = pcall(echolot.connect, listener.address, { timeout = 0.05 })
            if not ok then
                err = result
                break
            end
            waiting[#waiting + 1] = result
        end
        assert.equal("timeout", err and err.kind)
        assert.equal(("connect %s: timeout after 0.05 s"):format(listener.address), tostring(err))
        local late = pair.start(echolot.connect, listener.address)
        for _ = 1, 33 do
            listener:accept()
        end
        assert.equal(tostring(listener.address), tostring(late:join().peer))
    end)
end)

describe("a Unix listener", function()
    it("removes the file that it has made when it closes, at its test's end too", function()
        local path = pair.path()
        local listener = echolot.listen("unix:" .. path)
        assert.is_true(is_there(path))
        listener:close()
        assert.is_false(is_there(path))
        listener:close()
        do
            local again <close> = echolot.listen("unix:" .. path)
            assert.is_true(is_there(path))
        end
        assert.is_false(is_there(path))
    end)

    it("removes no file that took the place of its own", function()
        local path = pair.path()
        local first <close> = echolot.listen("unix:" .. path)
        os.remove(path)
        local second <close> = echolot.listen("unix:" .. path)
        first:close()
        assert.is_true(is_there(path))
        echolot.connect("unix:" .. path):close()
        os.remove(path)
        assert(io.open(path, "w")):close()
        second:close()
        assert.is_true(is_there(path))
        os.remove(path)
    end)

    it("takes the place of a socket that nobody answers any more", function()
        local path = pair.path()
        leave_stale(path)
        local listener <close> = echolot.listen("unix:" .. path)
        local ours <close> = echolot.connect("unix:" .. path)
        listener:accept():send "new\n"
        assert.equal("new", ours:read())
    end)

    it("leaves every other file alone", function()
        local path = pair.path()
        assert(io.open(path, "w")):write("precious"):close()
        local err = pair.failure("denied", echolot.listen, "unix:" .. path)
        assert.equal("EADDRINUSE", err.errno)
        assert.equal("unix:" .. path, err.address)
        assert.equal("precious", io.open(path):read "a")
        os.remove(path)

        local live <close> = echolot.listen("unix:" .. path)
        pair.failure("denied", echolot.listen, "unix:" .. path)
        echolot.connect("unix:" .. path):close()
        live:accept()

        local link = pair.path()
        leave_stale(path .. ".stale")
        assert(os.execute(("ln -s '%s' '%s'"):format(path .. ".stale", link)))
        pair.failure("denied", echolot.listen, "unix:" .. link)
        assert.is_true(is_there(path .. ".stale"))
        os.remove(path .. ".stale")
        os.remove(link)
    end)

    it("needs a folder to be in", function()
        local err = pair.failure("usage", echolot.listen, ("unix:%s/x"):format(pair.path()))
        assert.equal("ENOENT", err.errno)
    end)

    it("serves", function()
        local server <close> = echolot.serve("unix:" .. pair.path(), function(client)
            for line in client:lines() do
                client:send(line:upper(), "\n")
            end
        end)
        local ours <close> = echolot.connect(server.address)
        assert.equal("LOUD", ours:send("loud\n"):read())
    end)

    it("is where an embedded server may listen", function()
        local address = "unix:" .. pair.path()
        local running <close> = echolot.servers.echo():start(address)
        assert.equal(address, running.address)
        assert.equal(("echo server (%s)"):format(address), tostring(running))
        local ours <close> = echolot.connect(running)
        assert.equal("here", ours:send("here\n"):read())
        local err = pair.failure("usage", function() echolot.servers.ics32():start(address) end)
        assert.contains(address, tostring(err))
    end)
end)

describe("reset over a Unix socket", function()
    it("is an end for the peer, as close is: the carrier knows nothing else", function()
        pair.over "unix"
        local ours, theirs = pair.pair()
        theirs:reset()
        assert.equal("", ours:recv())
        assert.equal("EPIPE", pair.fails("reset", ours, "send", "x").errno)
    end)

    it("is what the peer sees where a close left bytes in the system's hands", function()
        pair.over "unix"
        local ours, theirs = pair.pair({ max_buffer = 1 })
        theirs:send "more than one"
        assert.equal("m", ours:recv())
        ours:close()
        assert.equal("ECONNRESET", pair.fails("reset", theirs, "recv").errno)
    end)
end)
