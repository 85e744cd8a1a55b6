"""Programs that scripts start: none outlives whom it belongs to, however that ends; and what a host has open, closed
or ignores does not reach them."""

import re
import signal

from harness import (
    ECHOLOT, MODULE_DIR, SANITIZED, SCRIPTS, bears, case, children_of, main, need, processes, sanitized_host, until,
)

PROGRAMS, RUN = SCRIPTS / "programs.lua", SCRIPTS / "programs_run.lua"

# How a worker is lost (scripts/programs.lua does it), and the status of the test.
LOSSES = {
    "kill": "error", "segv": "error", "exit": "error", "memory": "error", "spin": "timeout", "wait": "timeout",
}


def nobody_is_left(t):
    until(lambda: not processes(bears(t.mark)), "all programs have ended", 3)


def lost(how, status):
    @case(f"a worker lost by {how}: its programs, deaf to SIGTERM, end with it; so do those of the tests after it")
    def check(t):
        args = ["--test-timeout", "10" if SANITIZED else "3", "--memory-limit", "64M", "-o", "jsonl", PROGRAMS]
        process = t.start(ECHOLOT, "test", *args, env={"HOW": how})
        process.may_crash = True
        result = t.status(1, process.wait())
        t.equal(["pass", status, "pass"], [e["status"] for e in result.ends().values()])
        nobody_is_left(t)


for pair in LOSSES.items():
    lost(*pair)


def interrupted(name, number, status):
    @case(f"{name} during a run: its programs end")
    def check(t):
        process = t.start(ECHOLOT, "test", "-o", "jsonl", PROGRAMS, env={"HOW": "wait"})
        process.wait_for("has programs")
        process.kill(number)
        t.equal(status, process.wait().status)
        nobody_is_left(t)


interrupted("SIGINT", signal.SIGINT, 130)
interrupted("SIGTERM", signal.SIGTERM, 143)


@case("SIGKILL of the run: the programs that its scripts started end with it")
def killed(t):
    process = t.start(ECHOLOT, "test", "-o", "jsonl", SCRIPTS / "programs_plain.lua")
    process.wait_for("has programs")
    process.kill()
    process.wait()
    nobody_is_left(t)


def program_ends(how, status, *args):
    @case(f"a program of its own, {how}: those that it started end")
    def check(t):
        t.equal(status, t.echolot("run", RUN, how, *args).status)
        nobody_is_left(t)


program_ends("ends", 0)
program_ends("raises", 1)
program_ends("exits", 7)


def program_signalled(name, number, status):
    @case(f"a program of its own, at {name}: those that it started end")
    def check(t):
        process = t.start(ECHOLOT, "run", RUN, "waits")
        process.wait_for("ready")
        process.kill(number)
        t.equal(status, process.wait().status)
        nobody_is_left(t)


program_signalled("SIGINT", signal.SIGINT, 130)
program_signalled("SIGTERM", signal.SIGTERM, 143)


@case("while a program has ended and its script runs on, nothing is left to be buried")
def no_zombies(t):
    script = t.write("zombies.lua", """
        local echolot = require "echolot"
        local kept = {}
        for i = 1, 20 do
            kept[i] = echolot.process { "true" }
        end
        for i = 1, 20 do
            assert(kept[i]:wait() == 0)
        end
        print "all ended"
        echolot.sleep(1000)""")
    process = t.start(ECHOLOT, "run", script)
    process.wait_for("all ended")
    t.equal([], children_of(process.pid))
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as f:
        t.equal("", f.read(), "children, those that are dead too")


@case("standard files that are closed: programs have theirs all the same")
def closed(t):
    script = t.write("closed.lua", """
        local echolot = require "echolot"
        local sh = echolot.process { "sh", "-c", "read x; echo $x; echo err >&2; ls /proc/$$/fd" }
        assert(sh:send("hello\\n"):read() == "hello")
        assert(sh.stderr:read() == "err")
        assert(sh:read "a" == "0\\n1\\n2\\n")
        assert(echolot.process({ "cat", stdin = "bytes" }):read "a" == "bytes")
        assert(echolot.process({ "cat", stdin = false }):read "a" == "")
        assert(not pcall(echolot.process, { "no-such-command" }))
        io.open("done", "w"):close()""")
    for files in "<&-", ">&-", "2>&-", "<&- >&- 2>&-":
        t.status(0, t.run("/bin/sh", "-c", f'exec "$0" run "$1" {files}', ECHOLOT, script))
        (t.dir / "done").unlink()


@case("no descriptor left for a program: limit, which says so; with some again it starts")
def descriptors(t):
    script = t.write("few.lua", """
        local echolot = require "echolot"
        local kept, err = {}, nil
        repeat
            local ok, what = pcall(echolot.process, { "cat" })
            kept[#kept + 1] = ok and what or nil
            err = not ok and what
        until err
        print(err.kind, err.errno, #kept > 1)
        for _ = 1, 100 do
            assert(not pcall(echolot.process, { "cat" }))
        end
        for _, cat in ipairs(kept) do
            assert(cat:send("x\\n"):read() == "x")
            cat:close().stderr:close()
            cat:wait()
        end
        print(echolot.process({ "echo", "again" }):read())""")
    result = t.run("/bin/sh", "-c", 'ulimit -n 64; exec "$0" run "$1"', ECHOLOT, script)
    t.equal("limit\tEMFILE\ttrue\nagain\n", t.status(0, result).text())


@case("--target exec: a file that declares none of its own talks to the program")
def target(t):
    script = t.write("target_test.lua", """
        conversation("talks", function(peer)
            peer:send("a\\n"):expect "b c\\n"
            peer:shutdown():expect_eof()
        end)""")
    result = t.status(0, t.echolot("test", "--target", "exec:sed -u 's/a/b c/'", "-o", "jsonl", script))
    end = result.ends()["talks"]
    t.equal("exec:sed -u 's/a/b c/'", end["target"])
    t.true({"peer": "exec:sed -u 's/a/b c/'", "dir": "recv"}.items() <= end["transcript"][2].items(), "the transcript")


@case("--target exec: with a command that cannot be split: wrong usage")
def bad_target(t):
    script = t.write("target_test.lua", 'conversation("talks", function(peer) end)')
    result = t.echolot("test", "--target", "exec:cat 'a", script)
    t.matches("quote.*not closed", t.status(2, result).errors())


@case("the transcript has what a program was given, and its standard error where there is some")
def transcript(t):
    script = t.write("transcript_test.lua", """
        local echolot = require "echolot"
        it("talks", function()
            echolot.process({ "sort", stdin = "b\\na\\n", name = "sorter" }):read "a"
            echolot.process({ "sh", "-c", "echo oops >&2", name = "shell" }).stderr:read "a"
        end)""")
    events = t.status(0, t.echolot("test", "-o", "jsonl", script)).ends()["talks"]["transcript"]
    data = [(e["peer"], e["dir"], e["data"]) for e in events if "data" in e]
    t.equal([("sorter", "send", "b\na\n"), ("sorter", "recv", "a\nb\n"), ("stderr of shell", "recv", "oops\n")], data)
    t.equal({"sorter", "shell", "stderr of shell"}, {e["peer"] for e in events}, "parties")


def stock(name, status, *command):
    @case(f"in a stock Lua, {name}")
    def check(t):
        env = {"LUA_CPATH": f"{MODULE_DIR}/?.so"} | sanitized_host()
        result = t.run(*command, need("lua5.4"), SCRIPTS / "stock_process.lua", status, env=env)
        t.equal(("ok\n", ""), (t.status(0, result).text(), result.errors()))
        nobody_is_left(t)


stock("programs do as in ours, and end with it", "3", "env")
# A host may have every child buried by the system, which then tells nobody how it ended.
stock("which ignores SIGCHLD, their ends are known all the same", "denied", "env", "--ignore-signal=CHLD")
stock("which ignores SIGPIPE and has signals blocked, they do not", "3", "env", "--ignore-signal=PIPE",
      "--block-signal=TERM")


@case("a server's log that nobody reads costs no more than its buffer")
def flood(t):
    script = t.write("flood.lua", """
        local echolot = require "echolot"
        local sh = echolot.process { "sh", "-c", "yes oops | head -c 300000000 >&2; echo done", timeout = 60 }
        assert(sh:read() == "done")
        for line in io.lines "/proc/self/status" do
            if line:find "^VmHWM" then print((line:gsub("%s+", " "))) end
        end""")
    result = t.status(0, t.echolot("run", script))
    kib = int(re.search(r"VmHWM: (\d+) kB", result.text())[1])
    t.true(SANITIZED or kib < 64 << 10, f"{kib} KiB at its largest")


main()
