-- The small embedded servers (RFC 863 to 868), the group of the course, and what all servers
-- have in common: addresses, ends, options in Lua and on the command line.
local echolot = require "echolot"
local servers = echolot.servers

local function connect(server)
    return echolot.connect(server:start())
end

local function refused(f)
    local err = assert.has_error(f)
    assert.equal("usage", err.kind)
    return tostring(err)
end

describe("discard", function()
    it("takes everything, sends nothing, ends when the client does", function()
        local peer <close> = connect(servers.discard())
        local block = ("x"):rep(1 << 16)
        for _ = 1, 64 do
            peer:send(block)
        end
        assert.equal("", peer:unread())
        assert.equal("", peer:shutdown():read "a")
    end)

    it("has no options", function()
        assert.contains("servers.discard: no option 'delay'; it has none",
            refused(function() servers.discard { delay = 1 } end))
    end)
end)

describe("chargen", function()
    it("sends lines of 72 characters from a ring of 95", function()
        local peer <close> = connect(servers.chargen())
        local lines = {}
        for i = 1, 96 do
            lines[i] = peer:read "L"
            assert.equal(74, #lines[i])
        end
        assert.equal(' !"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n', lines[1])
        assert.equal('!"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh\r\n', lines[2])
        assert.equal("~ !", lines[95]:sub(1, 3))
        assert.equal(lines[1], lines[96])
    end)

    it("goes on after the client's FIN, and ends with its close", function()
        local peer <close> = connect(servers.chargen())
        peer:send("whatever"):shutdown()
        for _ = 1, 1000 do
            assert.equal(74, #peer:read "L")
        end
    end)

    it("throws away what is sent to it, even to one who does not read", function()
        local peer <close> = connect(servers.chargen())
        peer:send(("x"):rep(16 << 20))
        assert.equal(74, #peer:read "L")
    end)

    it("does not keep others from being served", function()
        local running = servers.chargen():start()
        local greedy <close> = echolot.connect(running)
        local reader = echolot.spawn(function()
            while greedy:recv(1 << 16) ~= "" do end
        end)
        for _ = 1, 20 do
            local peer <close> = echolot.connect(running)
            assert.equal(74, #peer:read "L")
        end
        reader:cancel()
    end)
end)

describe("daytime", function()
    it("tells a time as one line, then ends", function()
        local peer <close> = connect(servers.daytime { now = 382585063 })
        assert.equal("Monday, February 15, 1982 01:37:43-UTC\r\n", peer:read "a")
    end)

    it("tells the clock's time by itself", function()
        local before = os.time()
        local peer <close> = connect(servers.daytime())
        local line = peer:read "l"
        local possible = {}
        for at = before, os.time() do
            possible[#possible + 1] = os.date("!%A, %B %d, %Y %H:%M:%S-UTC", at)
        end
        assert.contains(line, possible)
        assert.is_nil(peer:read "l")
    end)

    it("ends properly even where the client has sent something", function()
        local peer <close> = connect(servers.daytime { now = 0 })
        peer:send "now, please\n"
        assert.equal("Thursday, January 01, 1970 00:00:00-UTC\r\n", peer:read "a")
    end)
end)

describe("time", function()
    it("tells the seconds since 1900 in four bytes, then ends", function()
        -- The RFC's own table: 1 May 1983, 00:00 GMT.
        local peer <close> = connect(servers.time { now = 420595200 })
        assert.equal(string.pack(">I4", 2629584000), peer:read "a")
    end)

    it("begins anew in 2036", function()
        local peer <close> = connect(servers.time { now = 2085978496 })
        assert.equal("\0\0\0\0", peer:read "a")
    end)

    it("tells the clock's time by itself", function()
        local before = os.time()
        local peer <close> = connect(servers.time())
        local told = string.unpack(">I4", peer:read(4)) - 2208988800
        assert.is_true(before <= told and told <= os.time())
    end)
end)

describe("qotd", function()
    it("sends a quote to each client, in turn", function()
        local running = servers.qotd({ quotes = { "one", "two\nlines" } }):start()
        for _, expected in ipairs { "one\r\n", "two\r\nlines\r\n", "one\r\n" } do
            local peer <close> = echolot.connect(running)
            assert.equal(expected, peer:read "a")
        end
    end)

    it("has quotes of its own, within what the RFC allows", function()
        for _, quote in ipairs(servers.qotd().options.quotes) do
            assert.matches("^[ -~]+$", quote)
            assert.is_true(#quote + 2 < 512)
        end
    end)

    it("refuses quotes that are none", function()
        local long = ("x"):rep(510)
        for _, quotes in ipairs { {}, "one", { 1 }, { "" }, { long }, { a = "one" }, { "one", x = "two" } } do
            local text = refused(function() servers.qotd { quotes = quotes } end)
            assert.contains("option 'quotes' is a list of strings, each of 1 to 509 bytes", text)
        end
    end)
end)

describe("ics32", function()
    it("is a plain echo, one in fragments, one that answers twice, and Connect Four", function()
        local running = servers.ics32():start()
        local echo <close> = echolot.connect(running.echo)
        assert.equal("hello\r\n", echo:send("hello\r\n"):recv())
        local fragments <close> = echolot.connect(running.fragments)
        assert.equal("hell", fragments:send("hello\r\n"):recv())
        assert.equal("o\r\n", fragments:recv())
        local double <close> = echolot.connect(running.double)
        assert.equal("hello\r\n", double:send("hello\r\n"):recv())
        assert.equal("hello\r\n", double:recv())
        local connect_four <close> = echolot.connect(running.connect_four)
        assert.equal("WELCOME me", connect_four:send("I32CFSP_HELLO me\r\n"):read())
    end)

    it("stands on the course's ports", function()
        local options = servers.ics32().options
        assert.equal(5151, options.echo.port)
        assert.equal(5150, options.fragments.port)
        assert.equal(5152, options.double.port)
        assert.equal(4444, options.connect_four.port)
    end)

    it("has the plain echo's address, and its members'", function()
        local running = servers.ics32():start()
        assert.equal(running.echo.address, running.address)
        assert.equal(running.echo.port, running.port)
        local names = {}
        for i, member in ipairs(running.members) do
            names[i] = member.name
        end
        assert.same({ "echo", "fragments", "double", "connect_four" }, names)
        assert.is_unique({ running.echo.port, running.fragments.port, running.double.port,
            running.connect_four.port })
    end)

    it("takes free ports unless told otherwise", function()
        local one, two = servers.ics32():start(), servers.ics32():start()
        assert.is_unique { one.echo.port, two.echo.port, one.double.port, two.double.port }
    end)

    it("passes options on to its members", function()
        local running = servers.ics32({ double = { repeat_reply = 3, chunk_delay = 0 } }):start()
        local peer <close> = echolot.connect(running.double)
        assert.equal("a\na\na\n", peer:send("a\n"):shutdown():read "a")
    end)

    it("refuses what its members do not know, by name", function()
        assert.contains("servers.ics32: no option 'treble'; there are connect_four, double, echo, fragments",
            refused(function() servers.ics32 { treble = {} } end))
        assert.contains("no option 'double.repat'; there are double.batch",
            refused(function() servers.ics32 { double = { repat = 3 } } end))
        assert.contains("option 'echo.port' is a whole number from 0 to 65535, not 65536",
            refused(function() servers.ics32 { echo = { port = 65536 } } end))
        assert.contains("option 'echo' is a table of options of echo, not 5151",
            refused(function() servers.ics32 { echo = 5151 } end))
    end)

    it("takes a host or free ports, not one port for all", function()
        assert.contains("several servers cannot share port 7: give a host",
            refused(function() servers.ics32():start "tcp://127.0.0.1:7" end))
        assert.contains("echo.port and double.port are both 5152",
            refused(function() servers.ics32({ echo = { port = 5152 } }):start "127.0.0.1" end))
    end)

    it("takes its members' ports where only a host is given, and undoes a start that fails", function()
        local busy = echolot.listen "tcp://127.0.0.1:0"
        local free = echolot.listen "tcp://127.0.0.1:0"
        local free_port = free.port
        free:close()
        local options = { echo = { port = free_port }, fragments = { port = busy.port } }
        local err = assert.has_error(function()
            servers.ics32(options):start "127.0.0.1"
        end)
        assert.equal("EADDRINUSE", err.errno)
        local again <close> = echolot.listen("127.0.0.1", free_port) -- closed again
        assert.equal(free_port, again.port)
    end)

    it("closes all members at once", function()
        local running = servers.ics32():start()
        local ports = {}
        for i, member in ipairs(running.members) do
            ports[i] = member.port
        end
        running:close()
        for _, port in ipairs(ports) do
            local err = assert.has_error(function() echolot.connect("127.0.0.1", port) end)
            assert.equal("refused", err.kind)
        end
    end)
end)

describe("a server", function()
    it("listens at a free port of 127.0.0.1 unless told otherwise", function()
        local running = servers.echo():start()
        assert.equal("127.0.0.1", running.host)
        assert.equal(("tcp://127.0.0.1:%d"):format(running.port), running.address)
        assert.equal(running.port, running.listener.port)
        assert.same({ running }, running.members)
    end)

    it("takes addresses with and without a port or scheme", function()
        for _, address in ipairs { "127.0.0.1", "tcp://127.0.0.1", "127.0.0.1:0", "tcp://127.0.0.1:0" } do
            assert.equal("127.0.0.1", servers.echo():start(address).host, address)
        end
        for _, address in ipairs { "nonsense:x", "", "unix:", "tcp://", "udp://", "a b" } do
            refused(function() servers.echo():start(address) end)
        end
        for _, address in ipairs { "tls://127.0.0.1:0", "exec:cat" } do
            assert.contains("tcp, udp and unix addresses only",
                refused(function() servers.echo():start(address) end))
        end
    end)

    it("can be started more than once", function()
        local server = servers.echo()
        local one, two = server:start(), server:start()
        assert.is_not.equal(one.port, two.port)
        one:close()
        local peer <close> = echolot.connect(two)
        assert.equal("a\n", peer:send("a\n"):recv())
    end)

    it("ends its clients when it closes, and may be closed again", function()
        local running = servers.echo({ delay = 3600 }):start()
        local peer <close> = echolot.connect(running)
        peer:send "hello\n"
        local idle <close> = echolot.connect(running)
        idle:send "hello\n"
        echolot.spawn(function() end):join()
        running:close():close()
        for _, conn in ipairs { peer, idle } do
            local ok, data = pcall(conn.read, conn, "a")
            assert.is_true(not ok and data.kind == "reset" or data == "")
        end
        local err = assert.has_error(function() echolot.connect(running) end)
        assert.equal("refused", err.kind)
    end)

    it("says that a port is taken", function()
        local running = servers.echo():start()
        local err = assert.has_error(function() servers.echo():start(running.address) end)
        assert.equal("EADDRINUSE", err.errno)
        assert.contains(running.address, tostring(err))
    end)

    it("tells a fault of its own instead of swallowing it", function()
        local server = require "echolot.servers.server"
        local faulty = server.constructor {
            name = "faulty", summary = "", options = {},
            serve = function() error "a bug" end,
        }
        local reports = echolot.channel(1)
        local running = faulty():start(nil, function(text) reports:put(text) end)
        local peer <close> = echolot.connect(running)
        assert.matches("internal error of the server: .*a bug", reports:get())
        assert.equal("", peer:recv())
    end)
end)

-- What servers with a conversation of their own rely on.
describe("the ground of all servers", function()
    local server = require "echolot.servers.server"
    local turns = require "echolot.servers.turns"

    local function make(serve)
        return server.constructor { name = "own", summary = "", options = {}, serve = serve } ()
    end

    it("ends politely where a client passes a limit", function()
        local running = make(function(conn)
            conn:send "before\n"
            conn:read "l"
        end):start()
        local peer <close> = echolot.connect(running)
        local writer = echolot.spawn(pcall, peer.send, peer, ("x"):rep(3 << 20))
        assert.equal("before\n", peer:read "a")
        writer:join()
    end)

    it("leaves no task behind when it is closed", function()
        echolot.timeout(5, echolot.run, function()
            local running = make(function(conn) conn:recv() end):start()
            local idle <close> = echolot.connect(running)
            running:close()
        end)
    end)

    it("gives others their turn from time to time", function()
        local give_way = turns.new()
        local had_turn = false
        echolot.spawn(function() had_turn = true end)
        local last_s = echolot.now() + 5
        while not had_turn and echolot.now() < last_s do
            give_way()
        end
        assert.is_true(had_turn)
    end)
end)

describe("options", function()
    local function refused_by_echo(options)
        return refused(function() servers.echo(options) end)
    end

    it("that do not exist are named, and those that do", function()
        local text = refused_by_echo { colour = "red" }
        assert.contains("servers.echo: no option 'colour'", text)
        assert.contains("terminator", text)
    end)

    it("with a wrong value are named, with what they may be", function()
        assert.contains("option 'reply' is one of same, upper, lower, reverse, previous, count, hash, not 'loud'",
            refused_by_echo { reply = "loud" })
        assert.contains("option 'chunk' is a whole number from 1 to", refused_by_echo { chunk = 0 })
        assert.contains("'chunk'", refused_by_echo { chunk = 1.5 })
        assert.contains("'chunk'", refused_by_echo { chunk = "4" })
        assert.contains("option 'delay' is a number of seconds from 0", refused_by_echo { delay = -1 })
        assert.contains("'delay'", refused_by_echo { delay = 0 / 0 })
        assert.contains("'delay'", refused_by_echo { delay = math.huge })
        assert.contains("option 'idle_timeout' is a positive number of seconds", refused_by_echo { idle_timeout = 0 })
        assert.contains("option 'greeting' is a string, not a table", refused_by_echo { greeting = {} })
        assert.contains("'framing'", refused_by_echo { framing = true })
    end)

    it("are named, in a table", function()
        assert.contains("named, not numbered", refused_by_echo { "raw" })
        assert.contains("a table of options is expected", refused_by_echo "raw")
    end)

    it("may be whole numbers written as floats", function()
        assert.equal(4, servers.echo({ chunk = 4.0 }).options.chunk)
        assert.equal("integer", math.type(servers.echo({ chunk = 4.0 }).options.chunk))
    end)

    it("are all there with their defaults", function()
        local server = servers.echo { reply = "upper" }
        assert.equal("echo", server.name)
        assert.equal("upper", server.options.reply)
        assert.equal("line", server.options.framing)
        assert.is_nil(server.options.chunk)
    end)

    it("of one server are not another's", function()
        local given = { reply = "upper" }
        local upper = servers.echo(given)
        given.reply = "lower"
        assert.equal("upper", upper.options.reply)
    end)
end)

describe("settings of the command line", function()
    local options_of = require "echolot.servers.options"
    local catalogue = require "echolot.servers.catalogue"

    local function schema(name)
        for _, definition in ipairs(catalogue) do
            if definition.name == name then
                return definition.options
            end
        end
    end

    local function parse(name, ...)
        return options_of.parse("serve", schema(name), { ... })
    end

    it("become options", function()
        assert.same({ chunk = 4, delay = 0.5, reply = "upper", greeting = "a=b" },
            parse("echo", "chunk=4", "delay=.5", "reply=upper", "greeting=a=b"))
        assert.same({ greeting = "" }, parse("echo", "greeting="))
        assert.same({ chunk = 5 }, parse("echo", "chunk=4", "chunk=5"))
        assert.same({ quotes = { "one", "two" } }, parse("qotd", "quotes=one", "quotes=two"))
        assert.same({ fragments = { port = 7001 }, double = { repeat_reply = 3, port = 0 } },
            parse("ics32", "fragments.port=7001", "double.repeat_reply=3", "double.port=0"))
    end)

    it("are refused by name", function()
        local cases = {
            { "echo", "chunk", "'chunk' is not of the form key=value" },
            { "echo", "=4", "'=4' is not of the form key=value" },
            { "echo", "chunk=", "option 'chunk' is a whole number" },
            { "echo", "chunk=0x4", "option 'chunk' is a whole number" },
            { "echo", "chunk=-1", "option 'chunk' is a whole number" },
            { "echo", "chunk=99999999999999999999", "option 'chunk' is a whole number" },
            { "echo", "delay=soon", "option 'delay' is a number of seconds from 0, not 'soon'" },
            { "echo", "delay=.", "option 'delay'" },
            { "echo", "chunk.x=4", "no option 'chunk.x'" },
            { "echo", "colour=red", "no option 'colour'; there are batch" },
            { "ics32", "echo=5151", "option 'echo' is a table of options of echo, not '5151'" },
            { "ics32", "echo.colour=red", "no option 'echo.colour'; there are echo.batch" },
            { "ics32", "echo.port=65536", "option 'echo.port' is a whole number from 0 to 65535" },
            { "ics32", "echo.port.x=1", "no option 'echo.port.x'" },
        }
        for _, case in ipairs(cases) do
            assert.contains(case[3], refused(function() parse(case[1], case[2]) end))
        end
    end)

    it("are described, each option once", function()
        for _, definition in ipairs(catalogue) do
            local text = table.concat(options_of.describe(definition.options), "\n")
            for _, option in ipairs(definition.options) do
                assert.contains(option.name, text)
            end
        end
        local text = table.concat(options_of.describe(schema "ics32"), "\n")
        assert.contains("double.repeat_reply=N", text)
        assert.contains("(5150)", text)
        assert.contains("echo.OPTION=...", text)
        assert.contains("connect_four.OPTION=... any other option of connect_four", text)
    end)
end)
