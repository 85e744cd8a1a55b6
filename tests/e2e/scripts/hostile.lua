-- With the peers of tests/peer, each named by its target; only those whose address is given run.
local echolot = require "echolot"
local function with(name, f)
    if os.getenv("ECHOLOT_TARGET_" .. name:upper()) then
        conversation(name, { target = target(name, nil) }, f)
    end
end
local function kind_of(f, ...)
    local ok, err = pcall(f, ...)
    return not ok and err.kind, err
end

with("dripper", function(peer) -- "one\r\ntwo\n" .. a number, 7 .. "end"
    assert.equal("one", peer:read())
    assert.equal("two\n", peer:read "L")
    assert.equal(7, peer:unpack ">I4")
    assert.equal("end", peer:read "a")
end)
with("resetter", function(peer)
    peer:send "x"
    local kind, err = kind_of(peer.read, peer)
    assert.equal("reset", kind)
    assert.equal("ECONNRESET", err.errno)
    assert.equal("partial", err.received)
    assert.equal("partial", peer:unread())
    assert.is_true(({ reset = true, usage = true })[kind_of(peer.send, peer, "y")])
end)
with("neverreader", function(peer)
    peer:timeout(0.2)
    local kind = kind_of(function() while true do peer:send(("x"):rep(65536)) end end)
    assert.equal("timeout", kind)
end)
with("flooder", function(peer)
    local kind = kind_of(peer.read, peer, "l")
    assert.equal("limit", kind)
    assert.is_true(#peer:unread() <= 1 << 20)
    assert.equal(("x"):rep(100), peer:read(100))
    assert.equal("limit", (kind_of(peer.read, peer, "a")))
end)
with("silent", function(peer)
    peer:send "anybody?\n"
    assert.equal("timeout", (kind_of(peer.recv, peer:timeout(0.05))))
    assert.equal("", peer:unread())
end)
with("halfcloser", function(peer)
    assert.equal("last words", peer:read "a")
    assert.equal("", peer:recv())
    for i = 1, 100 do peer:send("still heard ", i, "\n") end
    peer:shutdown()
end)
with("cutter", function(peer) -- 4 bytes announce 100, of which 7 come
    local length = peer:unpack ">I4"
    assert.equal(100, length)
    assert.equal("partial", peer:read(length))
    assert.is_nil(peer:read(1))
end)
with("cutter_unpack", function(peer)
    local kind, err = kind_of(peer.unpack, peer, ">s4")
    assert.equal("eof", kind)
    assert.equal(11, #err.received)
end)
with("escapes", function(peer)
    local bytes = peer:read "a"
    assert.contains("\27[2J", bytes)
    print(bytes)
    fact("bytes", bytes)
    error(bytes)
end)
