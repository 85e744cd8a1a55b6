-- The small services of old, as xinetd has them built in.
local echolot = require "echolot"
local services = {}
for _, name in ipairs { "echo", "discard", "chargen", "daytime", "time" } do
    services[name] = target(name, nil)
end
local UNIX_EPOCH = 2208988800 -- in seconds since 1900 (RFC 868)

conversation("echo: whatever is sent comes back", { target = services.echo }, function(peer)
    peer:send "hello\n"
    assert.equal("hello", peer:read())
    peer:send("a", "b", "c\r\n")
    assert.equal("abc", peer:read())
    local all = {}
    for i = 0, 255 do all[#all + 1] = string.char(i) end
    local bytes = table.concat(all)
    peer:send(bytes)
    assert.equal(bytes, peer:read(#bytes))
end)

conversation("echo: much, sent and read at the same time", { target = services.echo }, function(peer)
    local block = ("0123456789abcde\n"):rep(4096)
    local sender = echolot.spawn(function()
        for _ = 1, 64 do peer:send(block) end
    end)
    for _ = 1, 64 do
        assert.is_true(peer:read(#block) == block)
    end
    sender:join()
end)

conversation("echo: 20 clients side by side", { target = services.echo, peers = 20 }, function(...)
    local peers = { ... }
    for i, peer in ipairs(peers) do peer:send("client ", i, "\n") end
    for i = #peers, 1, -1 do
        assert.equal("client " .. i, peers[i]:read())
    end
end)

conversation("discard: takes all, says nothing", { target = services.discard }, function(peer)
    for _ = 1, 64 do peer:send(("x"):rep(65536)) end
    local err = assert.has_error(function() peer:timeout(0.05):recv() end)
    assert.equal("timeout", err.kind)
    peer:timeout(5):shutdown()
    assert.equal("", peer:recv())
end)

conversation("chargen: lines of 72 characters, each character after the one before", { target = services.chargen }, function(peer)
    local lines = {}
    for i = 1, 200 do
        local line = peer:read()
        assert.equal(72, #line)
        for at = 2, 72 do
            local before, byte = line:byte(at - 1, at)
            assert.is_true(byte == before + 1 or before >= 125 and byte <= 33, line)
        end
        lines[i] = line
    end
    assert.is_not_equal(lines[1], lines[2])
end)

conversation("daytime: a line of today, then the end", { target = services.daytime }, function(peer)
    local line = peer:read()
    assert.matches("%d%d:%d%d:%d%d", line)
    assert.contains(os.date "%Y", line)
    assert.equal("", peer:recv())
end)

conversation("time: 32 bits, big-endian, of this minute", { target = services.time }, function(peer)
    local seconds = peer:unpack ">I4"
    assert.near(os.time(), seconds - UNIX_EPOCH, 60)
    assert.equal("", peer:recv())
end)
