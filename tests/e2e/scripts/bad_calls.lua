-- Calls with what they cannot take. Each test's name ends with the kind of error that its last
-- line raises, at that line. `peer` is a connection to an echo server.
local echolot = require "echolot"
local server = target(echolot.servers.echo())

local function bad(name, kind, f)
    it(name .. ": " .. kind, f)
end
local function bad_peer(name, kind, f)
    conversation(name .. ": " .. kind, f)
end

describe("addresses", function()
    for _, text in ipairs {
        "", " ", ":", "host", "host:", ":7", "host:port", "host:0", "host:65536", "host:-1", "host:1.5",
        "host:1e3", "host:+7", "host: 7", "host:7 ", "host:99999999999999999999", "host:7:8", "[::1]",
        "[::1:7", "::1:7", "[::g]:7", "[]:7", "http://host:7", "tcp://", "tcp:///host:7", "tcp://host",
        "tcp://host:7/path", "tcp://a b:7", "unix:", "exec:", "host\0:7", "ho\nst:7", "a@b:7",
        ("h"):rep(70000) .. ":7", ("x"):rep(300) .. ".example:7", "-:", "//:7",
    } do
        bad(("%q"):format(text:sub(1, 30)), "usage", function() echolot.connect(text) end)
    end
    for _, port in ipairs { 0, 65536, -1, 1.5, math.huge, 0 / 0, "port", "", true, 1 << 40, math.mininteger } do
        bad("port " .. tostring(port), "usage", function() echolot.connect("127.0.0.1", port) end)
    end
    bad("port {}", "usage", function() echolot.connect("127.0.0.1", print) end)
    bad("nil", "usage", function() echolot.connect(nil) end)
    bad("nothing", "usage", function() echolot.connect() end)
    bad("a table", "usage", function() echolot.connect {} end)
    bad("a NUL in the host", "usage", function() echolot.connect("127.0.0.1\0.example", 7) end)
    bad("an empty host", "usage", function() echolot.connect("", 7) end)
    bad("a number", "usage", function() echolot.address(7) end)
    bad("listening at no port", "usage", function() echolot.listen "127.0.0.1" end)
    bad("listening at 65536", "usage", function() echolot.listen "127.0.0.1:65536" end)
end)

describe("options", function()
    for name, value in pairs {
        timeout = -1, max_buffer = 0, family = "ipv7", bind = "nowhere", name = {}, colour = "red", tls = 7,
    } do
        bad("connect " .. name, "usage", function() echolot.connect(server.address, { [name] = value }) end)
    end
    bad("connect NaN", "usage", function() echolot.connect(server.address, { timeout = 0 / 0 }) end)
    bad("connect max_buffer 1.5", "usage", function() echolot.connect(server.address, { max_buffer = 1.5 }) end)
    bad("connect a list", "usage", function() echolot.connect(server.address, { 1 }) end)
    bad("connect a string", "usage", function() echolot.connect(server.address, "fast") end)
    bad("servers.echo", "usage", function() echolot.servers.echo { chunk = 0 } end)
    bad("servers.echo unknown", "usage", function() echolot.servers.echo { colour = "red" } end)
end)

describe("on a connection", function()
    for _, n in ipairs { 0, -1, 1.5, math.mininteger, 2 ^ 63, 2 ^ 64, 0 / 0, math.huge, "many", true } do
        bad_peer("recv " .. tostring(n), "usage", function(peer) peer:recv(n) end)
    end
    bad_peer("recv {}", "usage", function(peer) peer:recv {} end)
    for _, n in ipairs { -1, 1.5, math.mininteger, 2 ^ 63, 2 ^ 64, 0 / 0, "x", "", "*", true } do
        bad_peer("read " .. tostring(n), "usage", function(peer) peer:read(n) end)
    end
    bad_peer("read 2^63-1", "limit", function(peer) peer:send "some\n":read(math.maxinteger) end)
    bad_peer("read more than max_buffer", "limit", function(peer) peer:read((1 << 20) + 1) end)
    bad_peer("lines x", "usage", function(peer) peer:lines "x" end)
    bad_peer("send nil", "usage", function(peer) peer:send(nil) end)
    bad_peer("send a table", "usage", function(peer) peer:send("a", {}) end)
    bad_peer("send a boolean", "usage", function(peer) peer:write(true) end)
    bad_peer("timeout nil", "usage", function(peer) peer:timeout() end)
    bad_peer("timeout -1", "usage", function(peer) peer:timeout(-1) end)
    bad_peer("timeout NaN", "usage", function(peer) peer:timeout(0 / 0) end)
    bad_peer("timeout a word", "usage", function(peer) peer:timeout "long" end)
    bad_peer("pack a bad format", "usage", function(peer) peer:pack("y", 1) end)
    bad_peer("pack a bad value", "usage", function(peer) peer:pack(">I4", "x") end)
    bad_peer("pack an overflow", "usage", function(peer) peer:pack(">I1", 256) end)
    bad_peer("unpack a bad format", "usage", function(peer) peer:unpack "y" end)
    bad_peer("unpack nothing", "usage", function(peer) peer:unpack() end)
    for _, call in ipairs { "send", "recv", "read", "lines", "shutdown", "pack", "unpack" } do
        bad_peer("closed, " .. call, "usage", function(peer) local c = peer:close() for _ in (c[call](c, "I1", 1)) do end end)
        bad(call .. " of nothing", "usage", function() server:connect()[call](nil) end)
        bad(call .. " of another file", "usage", function() server:connect()[call](io.stdout) end)
    end
    bad_peer("shut down, send", "usage", function(peer) peer:shutdown():send "x" end)
end)

describe("waiting where Lua cannot", function()
    bad_peer("in a comparator", "usage", function(peer) table.sort({ 1, 2, 3 }, function() return peer:recv() end) end)
    bad_peer("in a gsub", "usage", function(peer) ("x"):gsub("x", function() return peer:recv() end) end)
    bad_peer("in a reader of load", "usage", function(peer) error((select(2, load(function() return peer:recv() end))), 0) end)
    bad_peer("in a finalizer", "usage", function(peer)
        local err
        setmetatable({}, { __gc = function() err = select(2, pcall(peer.recv, peer)) end })
        collectgarbage()
        error(err, 0)
    end)
end)

describe("tasks", function()
    bad("spawn nothing", "usage", function() echolot.spawn() end)
    bad("spawn a string", "usage", function() echolot.spawn "x" end)
    bad("sleep a word", "usage", function() echolot.sleep "long" end)
    bad("sleep -1", "usage", function() echolot.sleep(-1) end)
    bad("timeout of nothing", "usage", function() echolot.timeout(1) end)
    bad("timeout -1", "usage", function() echolot.timeout(-1, print) end)
    bad("timeout passed", "timeout", function() echolot.timeout(0.01, echolot.sleep, 1000) end)
    bad("parallel of a string", "usage", function() echolot.parallel(print, "x") end)
    bad("barrier of 0", "usage", function() echolot.barrier(0) end)
    bad("channel of -1", "usage", function() echolot.channel(-1) end)
    bad("put nil", "usage", function() echolot.channel(1):put(nil) end)
    bad("put into a closed one", "usage", function() echolot.channel(1):close():put(1) end)
    bad("join itself", "usage", function() local t t = echolot.spawn(function() t:join() end) t:join() end)
    bad("serve nothing", "usage", function() echolot.serve("127.0.0.1:0") end)
end)

describe("suites", function()
    bad("it within a test", "usage", function() it("x", function() end) end)
    bad("fact without a name", "usage", function() fact() end)
    bad("fact of a function", "usage", function() fact("x", print) end)
    bad("fact of itself", "usage", function() local t = {} t.t = t fact("x", t) end)
    bad("finally of nothing", "usage", function() finally() end)
end)

it("good at last", function() server:connect():send "x\n":close() end)
