-- "Servers and processes" of the contract: what a program is started with, its three files, what cannot be started.
local echolot = require "echolot"
local pair = require "conn_pair"

-- The words as a program gets them.
local SHOW_WORDS = [[for word; do printf '<%s>' "$word"; done]]

local function words_of(command)
    return echolot.connect(command):shutdown():read "a"
end

describe("the words of an exec: address", function()
    local function split(text)
        return words_of(("exec:sh -c '%s' sh %s"):format(SHOW_WORDS:gsub("'", [['\'']]), text))
    end

    for text, words in pairs {
        ["a b"] = "<a><b>",
        ["  a \t b\n"] = "<a><b>",
        ["'a b' c"] = "<a b><c>",
        [ [["a b" c]] ] = "<a b><c>",
        [ [[a\ b c]] ] = "<a b><c>",
        [ [['a\b"c']] ] = [[<a\b"c>]],
        [ [["a\"b\\c\d'"]] ] = [[<a"b\c\d'>]],
        [ [["\$x \`"]] ] = "<$x `>",
        [ [[a'b'"c"d]] ] = "<abcd>",
        ["'' x"] = "<><x>",
        ["$HOME *.lua ~ a|b >c;d"] = "<$HOME><*.lua><~><a|b><>c;d>",
    } do
        it("are those of " .. text, function()
            assert.equal(words, split(text))
        end)
    end

    it("raise usage where they cannot be told", function()
        for _, text in ipairs { "", "   ", "cat 'a", [[cat "a]], [[cat "a\"]], [[cat a\]], "cat \0" } do
            pair.failure("usage", echolot.connect, "exec:" .. text)
            pair.failure("usage", echolot.address, "exec:" .. text)
        end
    end)
end)

describe("connect exec:", function()
    it("takes connect's options, and is called what it is told", function()
        local conn = echolot.connect("exec:sleep 1000", { timeout = 0.01, max_buffer = 10, name = "sleeper" })
        local err = pair.fails("timeout", conn, "recv")
        assert.equal("exec:sleep 1000", err.address)
        assert.equal("exec:sleep 1000", tostring(conn.peer))
        assert.equal("exec", conn.peer.scheme)
        assert.is_nil(conn.local_address)
        assert.contains("exec:sleep 1000", tostring(conn))
        for _, wrong in ipairs { { bind = "127.0.0.1" }, { family = "ipv4" }, { port = 1 } } do
            pair.failure("usage", echolot.connect, "exec:cat", wrong)
        end
    end)

    it("does what echolot.process's connections do", function()
        local conn = echolot.connect "exec:sh -c 'echo to stderr >&2; exit 7'"
        assert.equal("to stderr\n", conn.stderr:read "a")
        assert.equal(7, conn:wait())
    end)
end)

describe("a conversation with a program", function()
    target "exec:sed -u 's/a/b/'"

    conversation("is one", { name = "sed" }, function(peer)
        peer:send "banana\n":expect "bbnana\n"
        peer:shutdown():expect_eof()
        assert.equal(0, peer:wait())
    end)

    conversation("takes a target of its own", { target = "exec:tr a-z A-Z" }, function(peer)
        assert.equal("LOUD\n", peer:send("loud\n"):shutdown():read "a")
    end)

    conversation("has several peers", { peers = 2 }, function(one, two)
        assert.not_equal(one.pid, two.pid)
        assert.equal("1", two:send("1\n"):read())
        assert.equal("2", one:send("2\n"):read())
    end)
end)

describe("process", function()
    it("calculates with bc", function()
        local bc = echolot.process { "bc", "-q" }
        assert.equal("42", bc:send("6 * 7\n"):read())
        assert.equal(tostring(1 << 62), bc:send("2 ^ 62\n"):read())
        bc:send("quit\n"):expect_eof()
        assert.equal(0, bc:wait())
    end)

    it("gives words as they are; numbers as their text", function()
        local all = echolot.process { "sh", "-c", SHOW_WORDS, "sh", "a b", "", "$HOME'\"\\", 7, "\255\n" }
        assert.equal("<a b><><$HOME'\"\\><7><\255\n>", all:read "a")
    end)

    it("is called by a command line that gives the same words again", function()
        local given = { "sh", "-c", SHOW_WORDS, "sh", "a b", "", "it's", [["\]], "*", "plain-1.5_x/y" }
        local first = echolot.process(given)
        assert.equal(first:read "a", words_of(tostring(first.peer)))
    end)

    it("shows a long command of several lines in short, on one", function()
        local long = echolot.process { "sh", "-c", "exec sleep 1000\n" .. ("#"):rep(1000), timeout = 0.01 }
        local err = pair.fails("timeout", long, "recv")
        assert.is_true(#err.address < 250)
        assert.contains([[sleep 1000\n###]], err.address)
        assert.not_contains("\n", tostring(err))
        assert.equal(1000, #tostring(long.peer):match "#+")
    end)

    it("adds to the environment, and takes from it", function()
        local function ask(env)
            return echolot.process({ "sh", "-c", "echo ${ONE-none} ${HOME-none} ${PATH:+path}", env = env }):read()
        end
        assert.equal("1 none path", ask { ONE = 1, HOME = false })
        assert.matches("^none ", ask {})
        assert.equal("a=b c /tmp path", ask { ONE = "a=b c", HOME = "/tmp" })
    end)

    it("looks for the command in the PATH that it will have", function()
        assert.equal("usage", pair.failure("usage", echolot.process, { "cat", env = { PATH = "/nowhere" } }).kind)
    end)

    it("runs in the directory that it is told", function()
        assert.equal("/", echolot.process({ "pwd", cwd = "/" }):read())
        local here = echolot.process({ "pwd" }):read()
        assert.equal(here, echolot.process({ "sh", "-c", "pwd -P", env = { PWD = false } }):read())
    end)

    it("gets a string as its standard input, of any length", function()
        assert.equal("a\nb\n", echolot.process({ "sort", stdin = "b\na\n" }):read "a")
        local much = ("0123456789abcde\n"):rep(1 << 18)
        local wc = echolot.process { "wc", "-c", stdin = much }
        assert.equal(#much, math.tointeger(wc:read()))
        pair.fails("usage", wc, "send", "more")
        assert.equal("", echolot.process({ "cat", stdin = "" }):read "a")
    end)

    it("gets nothing where stdin is false", function()
        local cat = echolot.process { "cat", stdin = false }
        cat:expect_eof()
        assert.equal(0, cat:wait())
        pair.fails("usage", cat, "send", "x")
    end)

    it("keeps standard output and standard error apart", function()
        local sh = echolot.process { "sh", "-c", "echo out; echo err >&2; read x; echo \"$x\" >&2", name = "shell" }
        assert.equal("out", sh:read())
        assert.equal("err", sh.stderr:read())
        assert.equal("again", sh:send("again\n").stderr:expect_line())
        assert.equal(sh.stderr, sh.stderr)
        assert.equal("", sh:recv())
        assert.equal("", sh.stderr:recv())
        pair.fails("usage", sh.stderr, "send", "x")
        local err = pair.fails("usage", sh.stderr, "wait")
        assert.matches("no program", err.message)
        assert.contains("stderr of exec:sh", tostring(sh.stderr))
    end)

    it("begins with nothing open but its three files, whatever the script has", function()
        local file = assert(io.open "/proc/self/stat") -- Lua opens it without the flag that closes it
        local conn, other = pair.pair()
        local neighbour = echolot.process { "cat" }
        local list = echolot.process { "sh", "-c", "ls /proc/$$/fd; ls -l /proc/$$/fd >&2" }
        assert.equal("0\n1\n2\n", list:read "a")
        file:close()
        conn:close()
        other:close()
        neighbour:close()
    end)

    it("begins with every signal at its default, and none blocked", function()
        local status = echolot.process({ "cat", "/proc/self/status" }):read "a"
        for _, field in ipairs { "SigBlk", "SigIgn", "SigCgt" } do
            assert.matches("^0+$", status:match(field .. ":%s*(%x+)"), field)
        end
        -- SIGPIPE, of which we want to hear nothing, ends it as it would in a shell.
        local yes = echolot.process { "sh", "-c", "exec 3>&1; (yes; echo $? >&2) | head -n 1 >&3" }
        assert.equal("y", yes:read())
    end)

    it("leads a group of its own", function()
        local sh = echolot.process { "sh", "-c", "cut -d ' ' -f 5 /proc/$$/stat" }
        assert.equal(tostring(sh.pid), sh:read())
    end)

    it("takes a table with words, and nothing that it does not know", function()
        for _, wrong in ipairs {
            "cat", 1, {}, { "" }, { false }, { {} }, { "a\0b" }, { "cat", [3] = "x" }, { [0] = "cat" }, { [2] = "cat" },
            { "cat", x = 1 }, { "cat", env = 1 }, { "cat", env = { 1 } }, { "cat", env = { ["a=b"] = "c" } },
            { "cat", env = { a = true } }, { "cat", env = { a = "\0" } }, { "cat", cwd = 1 }, { "cat", cwd = "a\0b" },
            { "cat", stdin = true }, { "cat", stdin = 1 }, { "cat", timeout = -1 }, { "cat", bind = "127.0.0.1" },
        } do
            local err = pair.failure("usage", echolot.process, wrong)
            assert.equal("process", err.op)
            assert.matches("^.+:%d+$", err.where)
        end
        pair.failure("usage", echolot.process)
    end)
end)

describe("what cannot be started", function()
    it("is told at once, with its name", function()
        local err = pair.failure("usage", echolot.process, { "no-such-command", "x" })
        assert.equal("ENOENT", err.errno)
        assert.equal("process", err.op)
        assert.equal("exec:no-such-command x", err.address)
        assert.contains("'no-such-command'", err.message)
        err = pair.failure("usage", echolot.connect, "exec:./no-such-command")
        assert.equal("ENOENT", err.errno)
        assert.equal("connect", err.op)
    end)

    it("is denied where it is not executable", function()
        local err = pair.failure("denied", echolot.process, { "/etc/passwd" })
        assert.equal("EACCES", err.errno)
        pair.failure("denied", echolot.process, { "/" })
    end)

    it("is told of its directory", function()
        local err = pair.failure("usage", echolot.process, { "cat", cwd = "/no/such/directory" })
        assert.equal("ENOENT", err.errno)
        assert.contains("'/no/such/directory'", err.message)
        assert.equal("ENOTDIR", pair.failure("usage", echolot.process, { "cat", cwd = "/etc/passwd" }).errno)
    end)

    it("is told where the words are too long for the system", function()
        assert.equal("E2BIG", pair.failure("limit", echolot.process, { "echo", ("x"):rep(1 << 20) }).errno)
    end)

    it("leaves nothing behind, however often", function()
        local function count()
            local n = 0
            for _ in echolot.process({ "ls", ("/proc/%d/fd"):format(echolot.process({ "sh", "-c", "echo $PPID" }):read()) })
                :lines() do
                n = n + 1
            end
            return n
        end
        collectgarbage()
        local before = count()
        for _ = 1, 50 do
            pcall(echolot.process, { "no-such-command" })
        end
        collectgarbage()
        assert.is_true(count() <= before + 12) -- the garbage of count itself
    end)
end)

describe("standard error that nobody reads", function()
    -- On standard output as well, so that it is known when all is written.
    local FLOOD = "yes 0123456789abcde | head -n 300000 >&2; echo last >&2; echo done"

    it("does not hold a program, costs no more than max_buffer, and keeps the newest", function()
        local sh = echolot.process { "sh", "-c", FLOOD, max_buffer = 10000 }
        assert.equal("done", sh:read())
        assert.equal(0, sh:wait())
        local rest = sh.stderr:read "a"
        assert.matches("last\n$", rest)
        assert.is_true(#rest <= 10000)
        assert.equal(300000 * 16 + 5, #rest + sh.stderr.dropped)
        assert.is_nil(sh.dropped)
    end)

    it("loses nothing while somebody reads it", function()
        local sh = echolot.process { "sh", "-c", FLOOD, max_buffer = 10000 }
        local count = 0
        for line in sh.stderr:lines() do
            count = count + 1
        end
        assert.equal(300001, count)
        assert.equal(0, sh.stderr.dropped)
    end)

    it("still has its limit for one who waits for more", function()
        local sh = echolot.process { "sh", "-c", "head -c 3000 /dev/zero >&2; read x", max_buffer = 1000 }
        pair.fails("limit", sh.stderr, "read", "l")
        assert.equal(1000, #sh.stderr:read(1000))
    end)
end)
