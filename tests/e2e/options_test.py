"""The command line of `echolot`: its options, what they select, and the exit status."""

import os
import pty
import re
import socket

from harness import ECHOLOT, SCRIPTS, as_events, case, main

import peer

CALM, OUTCOMES = SCRIPTS / "calm.lua", SCRIPTS / "outcomes.lua"
ESCAPE = "\x1b\\["


# --- help, versions, mistakes ---


@case("--help of the program and of each command names each option, on standard output")
def help_texts(t):
    text = t.status(0, t.echolot("--help")).text()
    for command in ("test", "run", "serve"):
        t.matches(rf"^  {command} ", text)
    options = {
        "test": "target filter filter-out list jobs seed fail-fast timeout test-timeout memory-limit "
        "output transcript color quiet verbose help",
        "run": "timeout memory-limit help",
        "serve": "listen set list help",
    }
    for command, names in options.items():
        result = t.status(0, t.echolot(command, "--help"))
        t.equal(b"", result.err, "standard error")
        t.matches(rf"^usage: echolot {command} ", result.text())
        for name in names.split():
            t.matches(rf"--{name}\b", result.text(), f"{command} --help")
        t.equal(result.out, t.status(0, t.echolot(command, "-h")).out, "-h")
        t.equal([], [line for line in result.text().splitlines() if len(line) > 100], "its lines")


@case("--version: the program's name and a version")
def version(t):
    t.matches(r"^echolot \d+\.\d+\.\d+\n\Z", t.status(0, t.echolot("--version")).text())


MISUSES = {
    "no command": ([], ""),
    "unknown command": (["fetch"], "'fetch'"),
    "an option before the command": (["--target", "x", "test"], "--target"),
    "unknown long option": (["test", "--frobnicate", "x.lua"], "--frobnicate"),
    "unknown short option": (["test", "-Z", "x.lua"], "-Z"),
    "an option of another command": (["serve", "--filter", "x", "echo"], "--filter"),
    "an ambiguous option": (["test", "--t", "1", "x.lua"], "--t"),
    "an option without its value": (["test", "x.lua", "--jobs"], "--jobs"),
    "a value for a flag": (["test", "--list=yes", "x.lua"], "--list"),
    "no path": (["test"], "script"),
    "no file": (["run"], "FILE"),
    "no server": (["serve"], "NAME"),
    "an unknown server": (["serve", "gopher"], "'gopher'"),
    "two servers": (["serve", "echo", "time"], "'time'"),
    "jobs of none": (["test", "--jobs", "0", "x.lua"], "--jobs 0"),
    "jobs of a word": (["test", "-j", "many", "x.lua"], "many"),
    "a seed of a word": (["test", "--seed", "seven", "x.lua"], "--seed seven: a whole number expected"),
    "a negative seed": (["test", "--seed", "-1", "x.lua"], "--seed -1"),
    "a seed with a fraction": (["test", "--seed", "1.5", "x.lua"], "--seed 1.5"),
    "a negative timeout": (["test", "--timeout", "-1", "x.lua"], "--timeout -1"),
    "a timeout of zero": (["test", "--timeout", "0", "x.lua"], "--timeout 0"),
    "a timeout that is no number": (["test", "--test-timeout", "nan", "x.lua"], "nan"),
    "a size of a word": (["test", "--memory-limit", "lots", "x.lua"], "lots"),
    "an unknown choice": (["test", "--color", "pink", "x.lua"], "pink"),
    "part of a choice": (["test", "--color", "al", "x.lua"], "al"),
    "an unknown format": (["test", "-o", "yaml", str(CALM)], "yaml"),
    "two reports on one output": (["test", "-o", "pretty", "-o", "jsonl", str(CALM)], "jsonl"),
    "a report in a folder that is not there": (["test", "-o", "jsonl=none/x", str(CALM)], "none/x"),
    "a bad pattern": (["test", "--filter", "[", str(CALM)], r"\["),
    "a bad pattern to leave out": (["test", "--filter-out", "%", str(CALM)], "%"),
    "a target that is no address": (["test", "--target", "nowhere", str(CALM)], "nowhere"),
    "a named target that is none": (["test", "--target", "a=:7", str(CALM)], ":7"),
    "a script that is not there": (["test", "none.lua"], "none.lua"),
    "a program that is not there": (["run", "none.lua"], "none.lua"),
    "an unknown setting": (["serve", "echo", "--set", "colour=red"], "colour"),
    "a setting without a value": (["serve", "echo", "--set", "delay"], "delay"),
    "a setting out of its range": (["serve", "echo", "--set", "chunk=0"], "chunk"),
    "a bad address to listen at": (["serve", "echo", "--listen", "tcp://:x"], ":x"),
    "a port that is none": (["serve", "echo", "--listen", "127.0.0.1:65536"], "65536"),
}


def misuse(name, args, word):
    @case(f"{name}: status 2 and one line that says so")
    def check(t):
        result = t.status(2, t.echolot(*args))
        if args:
            t.equal(b"", result.out, "standard output")
            t.matches(rf"\Aecholot[^\n]*{word}[^\n]*\n\Z", result.errors())
        else:
            t.matches("usage", result.text() + result.errors())


for name, (args, word) in MISUSES.items():
    misuse(name, args, word)


# --- exit statuses ---


@case("status 0: all passed, or were skipped")
def status_0(t):
    t.status(0, t.echolot("test", CALM))
    t.status(0, t.echolot("test", t.write("skip.lua", "it 'x'\n")))


@case("status 1: something failed, was an error, or timed out")
def status_1(t):
    for word in ("fails", "errs", "times out"):
        t.status(1, t.echolot("test", "--filter", word, "--test-timeout", "0.1", OUTCOMES))


@case("status 2: a script that does not load, whatever the others do; they run")
def status_2(t):
    bad = t.write("bad.lua", "it('x'")
    result = t.status(2, t.echolot("test", CALM, bad))
    t.matches(r"bad\.lua:1:", result.text())
    t.matches("^2 passed, 0 failed, 1 error$", result.text())


@case("status 3: a report that cannot be written; it is told")
def status_3(t):
    with open("/dev/full", "wb") as full:
        process = t.start(ECHOLOT, "test", CALM, stdout=full)
    result = t.status(3, process.wait())
    t.matches("cannot write.*[Nn]o space", result.errors())


@case("status 3: nobody reads the report any more; the program ends all the same")
def status_3_pipe(t):
    reader, writer = os.pipe()
    os.close(reader)
    process = t.start(ECHOLOT, "test", CALM, stdout=writer)
    os.close(writer)
    t.status(3, process.wait())


@case("status 5: nothing ran, and why")
def status_5(t):
    for args in (["--filter", "no such test", CALM], ["--filter-out", ".", CALM], [t.dir],
                 [t.write("empty.lua", "")], [t.write("none.lua", "local x = 1\n")]):
        result = t.status(5, t.echolot("test", *args))
        t.matches(r"\Aecholot test: [^\n]+\n\Z", result.errors())


@case("echolot run: 0, 1 with the error's place, 2 where it does not load, os.exit's own")
def run(t):
    program = t.write("p.lua", """
        if arg[1] == "raise" then error "as asked" end
        if arg[1] == "table" then error { code = 2 } end
        if arg[1] == "nothing" then error() end
        if arg[1] == "exit" then os.exit(tonumber(arg[2])) end
        print(arg[0], #arg, ...)""")
    t.equal(f"{program}\t2\ta\t--b\n", t.status(0, t.echolot("run", program, "a", "--b")).text())
    result = t.status(1, t.echolot("run", program, "raise"))
    t.matches(r"^echolot: .*p\.lua:2: as asked$", result.errors())
    result = t.status(1, t.echolot("run", program, "table"))
    t.equal("echolot: {code = 2}\n", result.errors())
    result = t.status(1, t.echolot("run", program, "nothing"))
    t.equal("echolot: an error that is nil\n", result.errors())
    t.status(7, t.echolot("run", program, "exit", "7"))
    t.status(2, t.echolot("run", t.write("bad.lua", "x = = 1")))
    t.matches("echolot test", t.status(1, t.echolot("run", CALM)).errors())


@case("echolot run --memory-limit: a program that needs more is ended, with a line that says so")
def run_memory(t):
    program = t.write("p.lua", "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end")
    result = t.status(1, t.echolot("run", "--memory-limit", "32M", program))
    t.matches(r"\Aecholot: out of memory \(limit 33554432 bytes[^\n]*\n\Z", result.errors())


# --- selection ---


def names(t, *args, status=0):
    return list(t.status(status, t.echolot("test", "-o", "jsonl", *args)).ends())


@case("--filter and --filter-out: Lua patterns on full names; several --filter add up")
def filters(t):
    t.equal(["calm two"], names(t, "--filter", "two$", CALM))
    t.equal(["calm one"], names(t, "--filter-out", "t[w]o", CALM))
    t.equal(["calm one", "calm two"], names(t, "--filter", "one", "--filter", "two", CALM))
    t.equal(["calm one"], names(t, "--filter", "calm", "--filter-out", "two", CALM))
    t.equal(["is skipped"], names(t, "--filter=is skipped", OUTCOMES))


@case("--list names each selected test with its place, and runs none")
def lists(t):
    result = t.status(0, t.echolot("test", "--list", "--filter-out", "calm two", CALM, OUTCOMES))
    lines = result.text().splitlines()
    t.equal(f"{CALM}:2: calm one", lines[0])
    t.equal(8, len(lines), "lines")
    t.matches(r"^.*outcomes\.lua:6: a group #outer passes #tagged$", result.text())
    t.status(5, t.echolot("test", "--list", "--filter", "none", CALM))


@case("a directory: each test script below it, by name, no library, nothing hidden; each once")
def directory(t):
    for name in ("b.lua", "a/z.lua", "a.lua", "c/.hidden/x.lua", ".git/y.lua"):
        t.write(f"d/{name}", f"it('{name}', function() end)\n")
    t.write("d/lib.lua", "local M = {}\n-- it('not this')\nfunction M.it(x) return x end\nreturn M\n")
    t.write("d/notes.txt", "it('nor this', function() end)\n")
    found = names(t, "-j", "1", t.dir / "d", t.dir / "d/b.lua")
    t.equal(["a.lua", "a/z.lua", "b.lua"], sorted(found))
    t.equal(names(t, "-j", "1", t.dir / "d"), found, "the same order again")


@case("a script finds its library beside it, whatever the current directory is")
def library(t):
    t.write("d/lib.lua", "return { answer = 42 }\n")
    script = t.write("d/s.lua", "it('x', function() assert.equal(42, require 'lib'.answer) end)\n")
    t.equal(["x"], names(t, script))
    t.status(0, t.echolot("test", "d/s.lua"))
    t.status(0, t.echolot("test", "s.lua", cwd=t.dir / "d"))
    t.status(0, t.echolot("run", t.write("d/p.lua", "assert(require 'lib'.answer == 42)"), cwd="/"))


@case("--fail-fast stops at the first test that does not pass, in its file and after")
def fail_fast(t):
    bad = t.write("a.lua", "it('1', function() end) it('2', error) it('3', function() end)")
    t.equal(["1", "2"], names(t, "-j", "1", "--fail-fast", bad, CALM, status=1))
    killed = t.write("b.lua", "it('1', function() os.execute 'kill -9 $PPID' end) it('2', print)")
    t.equal(["1"], names(t, "-j", "1", "--fail-fast", killed, CALM, status=1))


@case("--jobs 2: two files at the same time")
def jobs(t):
    meeting = t.peer(peer.Meeting(2))
    found = names(t, "-j", "2", "--target", f"meeting={meeting.address}",
                  SCRIPTS / "meets.lua", SCRIPTS / "meets_too.lua")
    t.equal(["meets"], found)


@case("--jobs 1: one after the other")
def one_job(t):
    meeting = t.peer(peer.Meeting(2))
    result = t.echolot("test", "-j", "1", "--timeout", "0.3", "-o", "jsonl", "--target",
                       f"meeting={meeting.address}", SCRIPTS / "meets.lua", SCRIPTS / "meets_too.lua")
    t.status(1, result)
    errors = [e["error"]["kind"] for e in result.events() if e["event"] == "test_end"]
    t.equal(["timeout", "timeout"], errors)


# --- targets ---


@case("targets: --target, then the environment, then the script's own")
def targets(t):
    def found(*args, **env):
        result = t.status(0, t.echolot("test", "-o", "jsonl", *args, SCRIPTS / "targets.lua", env=env))
        return [name.split("tcp://")[1] for name in result.ends()]

    own = ["127.0.0.1:1001", "127.0.0.1:1002"]
    t.equal(own, found())
    t.equal(["h:1", own[1]], found("--target", "h:1"))
    t.equal([own[0], "h:2"], found("--target", "other-one=h:2"))
    t.equal(["h:1", "h:2"], found("--target", "tcp://h:1", "--target", "other-one=tcp://h:2"))
    t.equal(["[::1]:9", own[1]], found("--target", "[::1]:9"))
    env = {"ECHOLOT_TARGET": "e:1", "ECHOLOT_TARGET_OTHER_ONE": "e:2"}
    t.equal(["e:1", "e:2"], found(**env))
    t.equal(["h:1", "e:2"], found("--target", "h:1", **env))
    t.equal(["e:1", "h:2"], found("--target", "other-one=h:2", **env))


@case("a target of the environment that is no address: the file does not load, and says which")
def bad_environment(t):
    env = {"ECHOLOT_TARGET": "nonsense"}
    result = t.status(2, t.echolot("test", "-o", "jsonl", SCRIPTS / "targets.lua", env=env))
    t.matches("nonsense", result.events()[-2]["error"]["message"])


@case("a target without any address: the file does not load, and says how to give one")
def no_target(t):
    result = t.status(2, t.echolot("test", SCRIPTS / "meets.lua"))
    t.matches("--target meeting=ADDRESS", result.text())


# --- limits ---


@case("--timeout limits each wait on a connection, --test-timeout each test")
def timeouts(t):
    silent = t.peer(peer.Silent())
    script = t.write("s.lua", """
        target()
        conversation("a", function(p) p:recv() end)
        conversation("b", function(p) p:timeout(1000) p:recv() end)""")
    args = ["--timeout", "0.05", "--test-timeout", "0.2", "--target", silent.address]
    ends = t.status(1, t.echolot("test", "-o", "jsonl", *args, script)).ends()
    t.matches("^recv .*: timeout after 0.05 s$", ends["a"]["error"]["message"])
    t.equal("error", ends["a"]["status"])
    t.equal("timeout", ends["b"]["status"])
    t.matches("0.2 s", ends["b"]["error"]["message"])


@case("--memory-limit: suffixes count by 1,024")
def sizes(t):
    script = t.write("s.lua", "it('x', function() local s = ('x'):rep(24 << 20) end)")
    for size, status in {"16M": 1, "16m": 1, "16384k": 1, "64M": 0, "0.5G": 0, "67108864": 0}.items():
        result = t.echolot("test", "--memory-limit", size, script)
        t.status(status, result)


# --- output ---


def on_terminal(t, *args, env=None):
    """What the program writes to a terminal."""
    leader, follower = pty.openpty()
    shown = b""
    try:
        process = t.start(ECHOLOT, *args, stdout=follower, env=env)
        os.close(follower)
        while True:
            try:
                shown += os.read(leader, 65536)
            except OSError:  # the other side has ended
                break
        process.wait()
    finally:
        os.close(leader)
    return shown.decode()


@case("--color: always, never; auto is for terminals, unless NO_COLOR or a dumb one")
def color(t):
    def piped(*args, **env):
        return t.echolot("test", *args, CALM, env=env).text()

    t.lacks(ESCAPE, piped())
    t.matches(ESCAPE, piped("--color", "always"))
    t.matches(ESCAPE, piped("--color", "always", NO_COLOR="1"))
    t.matches(ESCAPE, on_terminal(t, "test", CALM))
    t.matches(ESCAPE, on_terminal(t, "test", CALM, env={"NO_COLOR": ""}))
    t.lacks(ESCAPE, on_terminal(t, "test", "--color", "never", CALM))
    t.lacks(ESCAPE, on_terminal(t, "test", CALM, env={"NO_COLOR": "1"}))
    t.lacks(ESCAPE, on_terminal(t, "test", CALM, env={"TERM": "dumb"}))
    path = t.dir / "report"
    t.echolot("test", "-o", f"pretty={path}", CALM)
    t.lacks(ESCAPE, path.read_text())


@case("without a UTF-8 locale the report keeps to ASCII")
def ascii_only(t):
    out = t.echolot("test", "--test-timeout", "0.1", OUTCOMES, env={"LC_ALL": "C"}).out
    t.equal([], [byte for byte in out.replace("täxt".encode(), b"") if byte > 126], "bytes")


@case("--transcript: of failed tests, of all, of none")
def transcript(t):
    def shown(*args):
        return t.echolot("test", *args, "--filter", "passes", "--filter", "fails", OUTCOMES).text()

    t.matches('"one', shown())
    t.lacks('"hello', shown())
    t.equal(shown().count("conversation"), shown("--transcript", "failed").count("conversation"))
    t.matches('"hello', shown("--transcript", "always"))
    t.lacks('← "one\\\\n|connected', shown("--transcript", "never"))


@case("-q shows failures and counts only; -v what passing tests print")
def verbosity(t):
    quiet = t.echolot("test", "-q", "--filter", "passes", "--filter", "fails", OUTCOMES).text()
    t.lacks("passes", quiet)
    t.matches("FAILED", quiet)
    t.matches("^1 passed, 1 failed$", quiet)
    t.lacks("logged", t.echolot("test", "--filter", "passes", OUTCOMES).text())
    t.matches("logged", t.echolot("test", "-v", "--filter", "passes", OUTCOMES).text())


@case("a report's file appears when it is whole; what stood there before stays until then")
def whole_files(t):
    path = t.write("report", "before")
    script = t.write("s.lua", f"""
        it("sees the old one", function()
            local f <close> = io.open({str(path)!r})
            assert.equal("before", f:read "a")
        end)""")
    t.status(0, t.echolot("test", "-o", f"jsonl={path}", script))
    t.equal("run_end", as_events(path.read_bytes())[-1]["event"])
    t.equal(["report", "s.lua"], sorted(p.name for p in t.dir.iterdir() if p.name[0] != "."))


@case("a report's folder that goes away meanwhile: status 3, told, the other report is there")
def lost_folder(t):
    (t.dir / "gone\x1b[2J").mkdir()
    script = t.write("s.lua", f"it('x', function() os.execute 'rm -r {t.dir}/gone*' end)")
    result = t.status(3, t.echolot("test", "-o", "pretty", "-o", f"jsonl={t.dir}/gone\x1b[2J/r", script))
    t.matches(r"cannot write the report to .*/gone\\x1b\[2J/r: ", result.errors())
    t.matches("^1 passed, 0 failed$", result.text())


PROPERTIES = """
local gen = require("echolot").gen
property("holds", {{ runs = 20 }}, gen.integer(), function(n) log(n) end)
property("does not", gen.line(), function(line) assert.is_true(#line < {limit}) end)
"""


@case("--seed: a run's report says how to repeat it; the same cases, whatever else is selected")
def seed(t):
    script = t.write("seeded.lua", PROPERTIES.format(limit=30))
    report = t.status(1, t.echolot("test", script)).text()
    t.matches(r"✓ holds \(20 cases, |ok holds \(20 cases, ", report)
    t.matches(r'line = "a" × 30 \(30 bytes\)', report)
    found = t.matches(r"falsified after \d+ cases? and \d+ shrinking steps \(--seed (\d+)\)", report)
    repeated = t.status(1, t.echolot("test", "--seed", found[1], script)).text()
    t.matches(re.escape(found[0]), repeated)
    again = t.status(1, t.echolot("test", "--seed", found[1], "--filter", "not", "-j", "1", script)).text()
    t.matches(re.escape(found[0]), again)
    numbers = [as_events(t.echolot("test", "-o", "jsonl", "--seed", n, script).out) for n in ("0", "0", "1")]
    logs = [[event["text"] for event in events if event["event"] == "log"] for events in numbers]
    t.equal(20, len(logs[0]))
    t.equal(logs[0], logs[1], "twice the same seed")
    t.equal(True, logs[0] != logs[2], "another seed")


@case("results go to standard output, diagnostics to standard error")
def streams(t):
    result = t.status(1, t.echolot("test", "--test-timeout", "0.1", OUTCOMES))
    t.equal(b"", result.err, "standard error")


@case("--target reaches a file that declares none; a name that no file knows is told")
def undeclared(t):
    script = t.write("undeclared.lua", "conversation('x', function(peer) peer:send 'a\\n' end)")
    listener = socket.create_server(("127.0.0.1", 0))
    address = "127.0.0.1:%d" % listener.getsockname()[1]
    t.status(0, t.echolot("test", "--target", address, script))
    t.status(1, t.echolot("test", script))
    result = t.status(0, t.echolot("test", "--target", address, "--target", f"nobody={address}", script))
    t.matches("no script declares a target 'nobody'", result.errors())
    listener.close()


if __name__ == "__main__":
    main()
