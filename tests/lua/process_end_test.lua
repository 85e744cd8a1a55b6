-- How programs end: by themselves, by kill, with their connection, with the test.
local echolot = require "echolot"
local pair = require "conn_pair"
local programs = require "process_programs"

describe("wait", function()
    it("gives the status, as often as it is asked", function()
        for _, status in ipairs { 0, 1, 77, 255 } do
            local sh = echolot.process { "sh", "-c", "exit " .. status }
            assert.equal(status, sh:wait())
            assert.equal(status, sh:wait())
            assert.equal(1, select("#", sh:wait()))
            assert.equal("", sh:recv())
        end
    end)

    it("gives nil and the signal that ended it", function()
        for _, name in ipairs { "TERM", "KILL", "SEGV", "HUP" } do
            local sh = echolot.process { "sh", "-c", ("ulimit -c 0; kill -%s $$"):format(name) }
            local code, signal = sh:wait()
            assert.is_nil(code)
            assert.equal("SIG" .. name, signal)
        end
        local code, signal = echolot.process({ "sh", "-c", "kill -40 $$" }):wait()
        assert.is_nil(code)
        assert.equal("SIG40", signal)
    end)

    it("waits, several tasks at once, and leaves output to be read", function()
        local sh = echolot.process { "sh", "-c", "read x; echo said; exit 3" }
        local tasks = {}
        for i = 1, 5 do
            tasks[i] = pair.start(sh.wait, sh)
        end
        tasks[2]:cancel()
        sh:send "go\n"
        for i = 1, 5 do
            if i ~= 2 then
                assert.equal(3, tasks[i]:join())
            end
        end
        assert.equal("said\n", sh:read "a")
    end)

    it("has the connection's limit", function()
        local cat = echolot.process { "cat", timeout = 0.02 }
        local long = pair.start(cat.wait, cat:timeout(math.huge))
        local err = pair.fails("timeout", cat:timeout(0.03), "wait")
        assert.equal("wait", err.op)
        assert.equal("exec:cat", err.address)
        assert.equal("x", cat:timeout(5):send("x\n"):read())
        cat:shutdown()
        assert.equal(0, long:join())
    end)

    it("works after close, which ends the program", function()
        local cat = echolot.process { "cat" }
        local code, signal = cat:close():close():wait()
        assert.is_true(code == 0 or signal == "SIGTERM")
        assert.is_nil(programs.state(cat.pid))
    end)

    it("is a program's only", function()
        local conn = pair.pair()
        for _, method in ipairs { "wait", "kill", "wait_port" } do
            local err = pair.fails("usage", conn, method, "TERM")
            assert.equal(method, err.op)
        end
        assert.is_nil(conn.pid)
        assert.is_nil(conn.stderr)
        assert.is_nil(conn.dropped)
    end)
end)

describe("kill", function()
    it("takes a name or a number, and TERM without", function()
        for given, name in pairs { [9] = "KILL", TERM = "TERM", SIGINT = "INT", hup = "HUP", [false] = "TERM" } do
            local sleep = echolot.process { "sleep", 1000 }
            local _, signal = sleep:kill(given or nil):wait()
            assert.equal("SIG" .. name, signal)
        end
    end)

    it("reaches the whole group", function()
        local sh, child = programs.shell ""
        sh:kill()
        assert.equal("SIGTERM", select(2, sh:wait()))
        programs.await_gone(child)
    end)

    it("stops and continues", function()
        local cat = echolot.process { "cat" }
        cat:kill "STOP":send("held\n")
        cat:expect_silence(0.05)
        cat:kill "CONT":expect "held\n"
    end)

    it("is harmless once it has ended", function()
        local sh = echolot.process { "true" }
        sh:wait()
        assert.equal(sh, sh:kill():kill "KILL")
    end)

    it("takes what is a signal only", function()
        local sh = echolot.process { "sleep", 1000 }
        for _, wrong in ipairs { "NONE", "", "SIG", 0, -1, 1.5, 65, 1 << 40, {}, true, "9x" } do
            pair.fails("usage", sh, "kill", wrong)
        end
        assert.is_true(programs.runs(sh.pid))
    end)
end)

describe("a program that ends by itself", function()
    it("ends both streams; sending to it is a reset", function()
        local sh = echolot.process { "sh", "-c", "echo last" }
        assert.equal(0, sh:wait())
        local err = pair.fails("reset", sh, "send", "x")
        assert.equal("EPIPE", err.errno)
        assert.equal("last\n", sh:read "a")
        sh:expect_eof()
        assert.is_nil(programs.state(sh.pid))
    end)

    it("ends a send that waits for room", function()
        local sh = echolot.process { "sh", "-c", "read x; exit" }
        local task = pair.start(pcall, sh.send, sh, "x\n", ("y"):rep(1 << 20))
        local ok, err = task:join()
        assert.is_false(ok)
        assert.equal("reset", err.kind)
    end)

    it("may leave one behind that still talks", function()
        local sh = echolot.process { "sh", "-c", "exec 3<&0; (read x <&3; echo \"$x\") & exec true" }
        assert.equal(0, sh:wait())
        assert.equal("still here", sh:send("still here\n"):read())
    end)
end)

describe("reset", function()
    it("kills at once, what does not hear SIGTERM as well", function()
        local sh, child = programs.stubborn()
        assert.equal("SIGKILL", select(2, sh:reset():wait()))
        programs.await_gone(child)
    end)
end)

describe("close", function()
    it("gives a program the time to end well", function()
        local sh = echolot.process { "sh", "-c", "trap 'echo bye >&2; exit 5' TERM; echo ready; while :; do sleep 0.01; done" }
        sh:read()
        assert.equal(5, sh:close():wait())
        assert.matches("bye\n$", sh.stderr:read "a")
    end)

    it("ends one that does not, with its group, and holds nobody up meanwhile", function()
        local sh, child = programs.stubborn()
        local cat = echolot.process { "cat" }
        sh:close()
        assert.equal("x", cat:send("x\n"):read())
        assert.is_true(programs.runs(sh.pid))
        assert.equal("SIGKILL", select(2, sh:wait()))
        programs.await_gone(child)
    end)

    it("ends what a program that has ended left in its group", function()
        local sh = echolot.process { "sh", "-c", "sleep 1000 & echo $!" }
        local child = math.tointeger(sh:read())
        assert.equal(0, sh:wait())
        assert.is_true(programs.runs(child))
        sh:close()
        programs.await_gone(child)
    end)

    it("comes with <close>, and with the garbage", function()
        local pid
        do
            local cat <close> = echolot.process { "cat" }
            pid = cat.pid
        end
        programs.await_gone(pid)
        pid = echolot.process({ "sleep", 1000 }).pid
        collectgarbage()
        collectgarbage()
        programs.await_gone(pid)
    end)

    it("leaves no descriptor open", function()
        local stat <close> = assert(io.open "/proc/self/stat")
        local list = ("ls /proc/%d/fd"):format(stat:read "n")
        local function count()
            local ls <close> = assert(io.popen(list))
            return select(2, ls:read "a":gsub("\n", ""))
        end
        local before = count()
        for i = 1, 20 do
            local cat = echolot.process { "cat", stdin = i % 2 == 0 and "x\n" or nil }
            if i % 2 == 1 then
                cat:send "x\n"
            end
            assert.equal("x", cat:read())
            cat:close():wait()
            cat.stderr:close()
        end
        echolot.sleep(0) -- the last one's end is told before it is done with
        assert.equal(before, count())
    end)

    it("does not come while a script holds its standard error", function()
        local stderr = echolot.process({ "sh", "-c", "sleep 0.1; echo here >&2; read x" }).stderr
        collectgarbage()
        assert.equal("here", stderr:read())
    end)
end)

-- The first test of each pair leaves behind what the second looks for.
describe("the end of a test", function()
    local left = {}

    it("leaves programs", function()
        local sh, child = programs.shell ""
        left = { sh.pid, child, echolot.process({ "cat" }).pid, echolot.connect("exec:sleep 1000").pid }
        echolot.spawn(sh.wait, sh)
        echolot.spawn(sh.recv, sh)
    end)

    it("has ended them", function()
        for _, pid in ipairs(left) do
            assert.is_false(programs.runs(pid))
        end
    end)

    it("leaves one that does not hear SIGTERM, closed already", function()
        local sh, child = programs.stubborn()
        left = { sh.pid, child }
        sh:close()
    end)

    it("has ended it", function()
        assert.is_nil(programs.state(left[1]))
        assert.is_false(programs.runs(left[2]))
    end)

    it("leaves a stopped one", function()
        left = { echolot.process({ "sleep", 1000 }):kill("STOP").pid }
    end)

    it("has ended that, too", function()
        assert.is_nil(programs.state(left[1]))
    end)
end)

describe("a file's program", function()
    local cat

    setup(function()
        cat = echolot.process { "cat" }
    end)

    for i = 1, 2 do
        it("lives through test " .. i, function()
            assert.equal("here", cat:send("here\n"):read())
        end)
    end
end)
