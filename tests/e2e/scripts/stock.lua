-- A program for lua5.4 and for `echolot run`: every call, outside of any coroutine and within
-- them, with a server of its own. Prints "ok" at the end.
local echolot = require "echolot"

local function equal(expected, actual)
    if expected ~= actual then
        error(("expected %s, got %s"):format(tostring(expected), tostring(actual)), 2)
    end
end
local function raises(kind, f, ...)
    local ok, err = pcall(f, ...)
    equal(false, ok)
    equal(kind, type(err) == "table" and err.kind or err)
    return err
end

-- The whole of a conversation with an echo server of ours, wherever it is called.
local function converse()
    local listener = echolot.serve("127.0.0.1:0", function(conn)
        for line in conn:lines "L" do conn:write(line) end
        conn:shutdown()
    end)
    local address = echolot.address(tostring(listener.address))
    equal(listener.port, address.port)
    equal("127.0.0.1", address.host)
    local conn <close> = echolot.connect(listener.address, { timeout = 5, name = "stock" })
    equal(tostring(address), tostring(conn.peer))
    equal("127.0.0.1", conn.local_address.host)
    equal(conn, conn:send("one\n", "two\n"))
    equal("one", conn:read())
    equal("two\n", conn:read "L")
    conn:write("three ", 3, "\n")
    local got = conn:recv(5)
    while #got < 8 do got = got .. conn:recv() end
    equal("three 3\n", got)
    conn:pack(">I2", 0x410a)
    equal(0x410a, (conn:unpack ">I2"))
    conn:send "a\nb\nc\n":shutdown()
    local lines = {}
    for line in conn:lines() do lines[#lines + 1] = line end
    equal("a b c", table.concat(lines, " "))
    equal("", conn:recv())
    equal(nil, conn:read "l")
    equal("", conn:read "a")
    equal("", conn:unread())
    equal(conn, conn:timeout(1))
    conn:close():close()
    local second <close> = echolot.connect("127.0.0.1", listener.port)
    second:send "x\n":reset()
    listener:close()
    raises("usage", conn.recv, conn)
    local err = raises("refused", echolot.connect, address)
    equal("ECONNREFUSED", err.errno)
    equal("connect", err.op)
    equal(tostring(address), err.address)
    equal(true, tostring(err):find("^connect tcp://127%.0%.0%.1:%d+: ") ~= nil)
    equal(nil, tostring(err):find "\n")
    equal("string", type(err.message))
end

-- The same over the other sockets.
local function converse_otherwise()
    local file = os.tmpname()
    local name = "unix:@" .. file
    os.remove(file)
    local listener = echolot.serve(name, function(conn) conn:send(conn:recv()) end)
    local conn <close> = echolot.connect(listener.address)
    equal("x", conn:send "x":read "a")
    listener:close()
    raises("refused", echolot.connect, name)
    local server <close> = echolot.udp_listen "127.0.0.1:0"
    local peer <close> = echolot.udp("localhost", server.port, { family = "ipv4" })
    peer:send "ask"
    local datagram, from = server:recv()
    equal("ask", datagram)
    server:send("answer", from)
    equal("answer", (peer:recv()))
    raises("timeout", peer.recv, peer:timeout(0.01))
end

-- listen and accept by hand, all errors of waiting.
local function accept()
    local listener <close> = echolot.listen "127.0.0.1:0"
    local client <close> = echolot.connect(listener.address)
    local conn <close> = listener:accept()
    client:send "partial"
    local err = raises("timeout", conn.read, conn:timeout(0.05), "l")
    equal("partial", err.received)
    equal("partial", conn:unread())
    raises("timeout", function() conn:read(8) end)
    client:close()
    raises("eof", conn.unpack, conn, ">I8")
    equal("partial", conn:read "a")
    local small <close> = echolot.connect(listener.address, { max_buffer = 16 })
    local other <close> = listener:accept()
    other:send(("x"):rep(100))
    raises("limit", small.read, small, "l")
    other:reset()
    raises("reset", function() while true do small:recv() end end)
end

-- Tasks and what is built of them.
local function tasks()
    equal(7, echolot.spawn(function(n) echolot.sleep(0.001) return n end, 7):join())
    local cancelled = echolot.spawn(echolot.sleep, 1000)
    cancelled:cancel()
    raises("cancelled", cancelled.join, cancelled)
    local a, b = echolot.parallel(function() return 1 end, function() echolot.sleep(0.001) return 2 end)
    equal(3, a + b)
    raises("timeout", echolot.timeout, 0.01, echolot.sleep, 1000)
    local channel = echolot.channel(1)
    echolot.spawn(function() for i = 1, 10 do channel:put(i) end channel:close() end)
    local sum = 0
    for value in function() return channel:get() end do sum = sum + value end
    equal(55, sum)
    local barrier, passed = echolot.barrier(3), 0
    for _ = 1, 2 do echolot.spawn(function() barrier:wait() passed = passed + 1 end) end
    barrier:wait()
    echolot.sleep(0.001)
    equal(2, passed)
    equal(true, echolot.now() > 0)
end

-- Where Lua cannot yield: outside of a task the loop is run there and then; within one it is usage.
local function in_comparator()
    table.sort({ 3, 2, 1 }, function(a, b) echolot.sleep(0.001) return a < b end)
end

local all = { converse, converse_otherwise, accept, tasks }
for _, f in ipairs(all) do f() end
for _, f in ipairs(all) do coroutine.wrap(f)() end
for _, f in ipairs(all) do
    local co = coroutine.create(f)
    local ok, err = coroutine.resume(co)
    equal(true, ok or tostring(err))
    equal("dead", coroutine.status(co))
end
echolot.run(function()
    for _, f in ipairs(all) do f() end
    for _, f in ipairs(all) do coroutine.wrap(f)() end
    local spawned = {}
    for i, f in ipairs(all) do spawned[i] = echolot.spawn(f) end
    for _, task in ipairs(spawned) do task:join() end
    echolot.parallel(converse, converse, accept, tasks)
    raises("usage", in_comparator)
    for i in coroutine.wrap(function() for i = 1, 3 do echolot.sleep(0.001) coroutine.yield(i) end end) do
        equal(true, i <= 3)
    end
end)
equal(9, (select(2, echolot.run(function(...) return ... end, 8, 9))))
local err = raises("usage", echolot.run, nil)
equal("echolot.Error", getmetatable(err).__name)
raises("from a task", echolot.run, function() echolot.spawn(function() error("from a task", 0) end) end)
raises("plain", echolot.run, error, "plain", 0)
local same = assert(echolot.servers.echo { reply = "upper" }):start()
equal("HI", echolot.connect(same.address):send "hi\n":read())
same:close()
local line = echolot.gen.line(1, 9):such_that(function(s) return s ~= "x" end)
equal(line:sample(7), echolot.gen.sample(line, 7))
raises("usage", echolot.gen.integer, 2, 1)
print "ok"
