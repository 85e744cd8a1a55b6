"""Bad input: one clear line with its place, the right status, and nothing else lost."""

import os
import re

from harness import ECHOLOT, SCRIPTS, Skip, case, main, need

import peer

CALM, CALLS = SCRIPTS / "calm.lua", SCRIPTS / "bad_calls.lua"


def is_one_line(text):
    return text and "\n" not in text and len(text) < 1000


# --- calls ---


@case("each call with what it cannot take raises the kind that it should, at its line, in one line")
def calls(t):
    ends = t.status(1, t.echolot("test", "--timeout", "2", "-o", "jsonl", CALLS)).ends()
    lines = CALLS.read_text().splitlines()
    wrong = []
    t.true(len(ends) > 150, "there are many")
    for name, end in ends.items():
        if name == "good at last":
            t.equal("pass", end["status"], name)
            continue
        kind = name.rpartition(": ")[2]
        error = end.get("error", {})
        got = error.get("kind", end["status"])
        place = re.search(r"bad_calls\.lua:(\d+)", error.get("where", "") + error.get("message", ""))
        if got != kind:
            wrong.append(f"{name}, got {got}: {error.get('message')}")
        elif not is_one_line(error["message"]):
            wrong.append(f"{name}: not one line: {error['message']}")
        elif not place or "function" not in lines[int(place[1]) - 1]:
            wrong.append(f"{name}: its place is {place and place[0]}: {error['message']}")
    t.true(not wrong, f"{len(wrong)} are wrong:\n" + "\n".join(wrong))


def program(t, body):
    """Runs a program of one statement, at its line 2; what it says on standard error."""
    script = t.write("program.lua", f"local echolot = require 'echolot'\n{body}\n")
    result = t.status(1, t.echolot("run", script))
    t.matches(r"\Aecholot: [^\n]*program\.lua:2: [^\n]+\n\Z", result.errors())
    return result.errors()


@case("echolot run says the same: status 1 and one line with file and line")
def programs(t):
    t.matches("port", program(t, "echolot.connect('127.0.0.1:65536')"))
    t.matches("recv", program(t, "echolot.serve('127.0.0.1:0', print).accept()") + "recv")
    t.matches("nil value", program(t, "echolot.nothing()"))


# --- the network ---

DIAL = """
local echolot = require "echolot"
local whom = target()
it("connects", function() whom:connect() end)
it("after", function() end)
"""


def dial(t, address, *options):
    """The error of connecting to the address; the test after it passes."""
    script = t.write("dial.lua", DIAL)
    result = t.status(1, t.echolot("test", "-o", "jsonl", "--target", address, *options, script))
    ends = result.ends()
    t.equal("pass", ends["after"]["status"])
    error = ends["connects"]["error"]
    t.true(is_one_line(error["message"]), error["message"])
    t.matches(r"dial\.lua:4", error.get("where", "") + error.get("traceback", ""), "its place")
    t.equal(address, error["address"])
    return error


@case("a refused port: refused, ECONNREFUSED, at once")
def refused(t):
    error = dial(t, t.peer(peer.Refuser()).address, "--timeout", "60")
    t.equal(("refused", "ECONNREFUSED"), (error["kind"], error["errno"]))


@case("a listener whose backlog is full: timeout")
def deaf(t):
    error = dial(t, t.peer(peer.Deaf()).address, "--timeout", "0.2")
    t.equal("timeout", error["kind"])
    t.matches("timeout after 0.2 s", error["message"])


@case("a name that does not resolve: resolve, naming it, within the time that was given")
def unresolved(t):
    error = dial(t, "tcp://no-such-host.invalid:7", "--timeout", "5")
    t.true(error["kind"] in ("resolve", "timeout"), error["kind"])
    if error["kind"] == "resolve":
        t.matches("no-such-host.invalid", error["message"])


@case("localhost, when the server is on 127.0.0.1 only: connected all the same")
def localhost(t):
    echo = t.peer(peer.Echo())
    script = t.write("dial.lua", DIAL)
    t.status(0, t.echolot("test", "--target", f"localhost:{echo.port}", script))


@case("a server that never answers: timeout, with what had come before")
def silent(t):
    script = t.write("s.lua", """
        target()
        conversation("x", function(p) p:send "hi\\n":timeout(0.1):read() end)""")
    target = t.peer(peer.Silent()).address
    ends = t.status(1, t.echolot("test", "-o", "jsonl", "--target", target, script)).ends()
    error = ends["x"]["error"]
    t.equal("timeout", error["kind"])
    t.matches(r"^read tcp://127\.0\.0\.1:\d+: timeout after 0\.1 s$", error["message"])


@case("10,000 sockets with 64 descriptors: limit, at the call; the report is still written")
def descriptors(t):
    echo = t.peer(peer.Echo())
    script = t.write("many.lua", """
        local echolot = require "echolot"
        local whom = target()
        it("many", function()
            local conns = {}
            for i = 1, 10000 do
                conns[i] = whom:connect()
            end
        end)
        it("many at once", function()
            local tasks, limits, conns = {}, {}, {}
            for i = 1, 1000 do
                tasks[i] = echolot.spawn(function()
                    local ok, conn = pcall(whom.connect, whom)
                    table.insert(ok and conns or limits, conn)
                    assert(ok or conn.kind == "limit", conn)
                end)
            end
            for i = 1, 1000 do tasks[i]:join() end
            assert(#conns > 0, "some of them connect")
            error(limits[1])
        end)
        it("listens", function()
            local all = {}
            for i = 1, 10000 do all[i] = echolot.listen "127.0.0.1:0" end
        end)
        it("after", function()
            assert.equal("x", whom:connect():send "x":recv())
        end)""")
    report = t.dir / "report"
    command = 'ulimit -n 64; exec "$@"'
    result = t.run("sh", "-c", command, "sh", ECHOLOT, "test", "-o", "pretty", "-o", f"jsonl={report}",
                   "--target", echo.address, script, CALM)
    t.status(1, result)
    t.matches("^3 passed, 0 failed, 3 errors$", result.text())
    result.out = report.read_bytes()
    ends = result.ends()
    for name in ("many", "many at once", "listens"):
        t.equal("limit", ends[name]["error"]["kind"], name)
        t.equal("EMFILE", ends[name]["error"].get("errno"), name)
    t.matches(r"many\.lua:7", str(ends["many"]["error"]), "its place")
    t.equal("pass", ends["after"]["status"], "after")


@case("too few descriptors to start at all: status 3, a line that says why, no hang")
def no_descriptors(t):
    for n in range(5, 30):
        result = t.run("sh", "-c", f'ulimit -n {n}; exec "$@"', "sh", ECHOLOT, "test", CALM)
        t.true(result.status in (0, 1, 3, 127), f"{n} descriptors: status {result.status}")
        if result.status != 0:
            t.matches(r"open files|descriptors|EMFILE|shared", result.errors() + result.text(), f"{n}")


@case("escape sequences and invalid UTF-8 of a server: no control byte reaches the terminal")
def escapes(t):
    hostile = b"\x1b]0;title\x07\x1b[2J\x1b[31mred\x9b32m\xc2\x9b33m\xe2\x80\xaeright\xff\xfe\x00\x08\x7f\r\n"
    speaker = t.peer(peer.Speaker(hostile * 3))
    script = t.write("s.lua", """
        target()
        conversation("reads", function(p) assert.equal("hello", p:read()) end)
        conversation("prints", function(p) print(p:read()) io.write(p:read "L") error(p:read()) end)
        conversation("counts", function(p) p:read(1000, 1000) p:unpack ">I8 I8 I8 z z z z z z z z z" end)""")
    args = ["--transcript", "always", "-v", "--color", "never", "--target", speaker.address, script]
    result = t.status(1, t.echolot("test", *args))
    text = result.out.decode("utf-8", "strict")
    t.lacks(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)
    t.equal(b"", result.err, "standard error")
    t.matches("red", text)
    program = t.write("p.lua", f"local p = require 'echolot'.connect '{speaker.address}' error(p:read())")
    failed = t.status(1, t.echolot("run", program))
    t.lacks(rb"[\x00-\x09\x0b-\x1f\x7f\x9b]".decode("latin-1"), failed.err.decode("utf-8", "strict"))
    report = t.status(1, t.echolot("test", "-o", "jsonl", "--target", speaker.address, script))
    t.equal(3, len(report.ends()))


@case("an address with control bytes in it does not reach the terminal either")
def address_bytes(t):
    raw = []
    for args in (["test", "--target", "\x1b[31mx:\x9b", CALM], ["test", "\x1b[2J.lua"], ["\x1b[2J"],
                 ["serve", "\x1b[2J"], ["test", "--\x1b[2J"], ["run", "\x1b[2J.lua"],
                 ["test", "-o", "\x1b[2J", CALM], ["test", "--color", "\x1b[2J", CALM],
                 ["serve", "echo", "--listen", "\x1b[2J"], ["serve", "echo", "--set", "\x1b[2J=1"]):
        result = t.status(2, t.echolot(*args))
        shown = re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", result.err + result.out)
        if shown:
            raw.append(args)
    t.equal([], raw, "shown as they are")


# --- files ---

FILES = {
    "a syntax error": ("it('x', function()\n\n  x = = 1\nend)", 2, r"bad\.lua:3: unexpected symbol"),
    "an error while it is read": ("\nlocal x = nil + 1", 2, r"bad\.lua:2: attempt to perform arithmetic"),
    "a mistake in a suite word": ("\n\nit(7, print)", 2, r"name is expected"),
    "a target that is none": ("\ntarget 'nowhere'", 2, r"nowhere"),
    "a binary chunk": (b"\x1bLua\x54\x00\x19\x93\r\n\x1a\n", 2, r"bad\.lua: a binary chunk"),
    "bytes that are no Lua": (bytes(range(256)) * 4, 2, r"bad\.lua:1: "),
    "an end that is missing": ("describe('x', function()\nit('y', function()\n", 2, r"bad\.lua:\d: .*'end'"),
    "an endless name": ("it('x', function()\n" + "a" * 100000 + "\nend)", 2, r"bad\.lua:\d: syntax error"),
    "a byte-order mark": (b"\xef\xbb\xbfit('x', function() end)", 0, None),
    "a #! line": ("#!/usr/bin/env echolot\nit('x', function() end)", 0, None),
    "lines that end with CRLF": ("it('x', function()\r\nend)\r\n", 0, None),
    "no last line end": ("it('x', function() end)", 0, None),
    "an empty file": ("", 0, None),
    "no test": ("local x = 1", 0, None),
    "a return value": ("it('x', function() end) return 7", 0, None),
}


def file_case(name, content, status, message):
    @case(f"a script with {name}: status {status}, the file beside it runs")
    def check(t):
        script = t.write("bad.lua", content)
        result = t.status(status, t.echolot("test", "-o", "jsonl", script, CALM))
        t.true({"calm one", "calm two"} <= set(result.ends()), "calm.lua is reported")
        end = [e for e in result.events() if e["event"] == "file_end" and "bad" in e["path"]][0]
        t.equal("pass" if status == 0 else "error", end["status"])
        if message:
            t.matches(message, end["error"]["message"])
            t.true("\n" not in end["error"]["message"], "one line")
            place = end["error"].get("where", "") + end["error"].get("traceback", "")
            t.matches(r"bad\.lua", end["error"]["message"] + place, "it names the file")
            pretty = t.echolot("test", script).text()
            t.matches(message, pretty)


for name, (content, status, message) in FILES.items():
    file_case(name, content, status, message)


@case("a path that is not there, or no file: status 2, one line each, before anything runs")
def paths(t):
    result = t.status(2, t.echolot("test", "none.lua", CALM, "nor/this.lua"))
    t.equal(b"", result.out, "nothing runs")
    t.matches(r"\A[^\n]*none\.lua: No such file[^\n]*\n[^\n]*nor/this\.lua: No such[^\n]*\n\Z",
              result.errors())


@case("/dev/null holds no test; a FIFO that nobody writes to holds up its own worker only")
def devices(t):
    t.status(5, t.echolot("test", "/dev/null"))
    os.mkfifo(t.dir / "fifo.lua")
    os.mkfifo(t.dir / "d.lua")
    result = t.echolot("test", "-j", "1", "--test-timeout", "0.2", "-o", "jsonl", t.dir / "fifo.lua", CALM)
    t.true(result.status in (1, 2), f"status {result.status}")
    t.equal({"calm one", "calm two"}, set(result.ends()))


@case("a script that comes through a pipe runs as one from a file does")
def pipes(t):
    t.equal("here\n", t.status(0, t.run(ECHOLOT, "run", "/dev/stdin", input="print 'here'")).text())
    reader, writer = os.pipe()
    os.write(writer, b"print 'here'\n")
    os.close(writer)
    process = t.start(ECHOLOT, "run", "/dev/stdin", stdin=reader)
    os.close(reader)
    t.equal("here\n", t.status(0, process.wait()).text())


@case("a directory: as a script for run, status 2; named like a script below another, no script")
def directories(t):
    (t.dir / "d.lua").mkdir()
    t.matches(r"d\.lua: is a directory\n\Z", t.status(2, t.echolot("run", t.dir / "d.lua")).errors())
    t.matches("no test script below", t.status(5, t.echolot("test", t.dir)).errors())
    t.status(0, t.echolot("test", t.dir, CALM))


@case("links that go round in circles, or nowhere: each script once, no endless search")
def links(t):
    t.write("d/a.lua", "it('x', function() end)")
    (t.dir / "d/self").symlink_to(".")
    (t.dir / "d/nowhere.lua").symlink_to("gone")
    result = t.echolot("test", "-o", "jsonl", t.dir / "d")
    t.equal(1, len([e for e in result.events() if e["event"] == "test_end"]), "tests")


@case("a script that may not be read: status 2, one line, the others run")
def unreadable(t):
    script = t.write("secret.lua", "it('x', function() end)")
    script.chmod(0)
    t.dir.chmod(0o755)
    command = [ECHOLOT]
    if os.geteuid() == 0:
        command = [need("setpriv"), "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", ECHOLOT]
        if t.run(*command, "--version").status != 0:
            raise Skip("the program is not readable by nobody")
        if t.run(*command[:-1], "test", "-r", CALM).status != 0:
            raise Skip("the scripts are not readable by nobody")
    result = t.run(*command, "test", "-o", "jsonl", script, CALM)
    t.status(2, result)
    t.equal({"calm one", "calm two"}, set(result.ends()))
    end = [e for e in result.events() if e["event"] == "file_end" and "secret" in e["path"]][0]
    t.matches(r"secret\.lua: Permission denied", end["error"]["message"])
    locked = t.dir / "locked"
    locked.mkdir(mode=0)
    failed = t.status(2, t.run(*command, "test", locked))
    t.matches(r"\A[^\n]*locked: Permission denied\n\Z", failed.errors())
    locked.chmod(0o700)


@case("names that are no UTF-8, of tests and of files, are reported as something that is")
def names(t):
    folder = os.fsencode(t.dir)
    path = os.path.join(folder, b"bad\xff\x1b[31m.lua")
    with open(path, "wb") as f:
        f.write(b"it('\xff\xfe \xc0\xaf \xed\xa0\x80 \xf5', function() fact('\xff', '\xff') error '\xff' end)")
    result = t.status(1, t.echolot("test", "-o", "jsonl", path))
    t.equal(1, len(result.ends()))
    text = t.status(1, t.echolot("test", path)).out.decode("utf-8", "strict")
    t.lacks(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    t.status(1, t.echolot("test", t.dir))
    t.lacks(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", t.status(0, t.echolot("test", "--list", path)).text())


@case("echolot run: tasks that wait for each other, or for nobody: the place, status 1, no hang")
def deadlock(t):
    nobody = t.write("nobody.lua", """
        local e = require "echolot"
        e.spawn(function()
            e.channel():get()
        end):join()""")
    result = t.status(1, t.run(ECHOLOT, "run", nobody))
    t.matches(r"nobody\.lua:4: .*deadlock", result.errors())
    each_other = t.write("each_other.lua", """
        local e = require "echolot"
        local one, other
        one = e.spawn(function() e.sleep(0) other:join() end)
        other = e.spawn(function() one:join() end)
        print(pcall(one.join, one))""")
    t.matches(r"^false\tjoin: ", t.status(1, t.run(ECHOLOT, "run", each_other)).text())


@case("names that are empty, equal, very long, or many: each test is reported by its number")
def many(t):
    script = t.write("many.lua", """
        for i = 1, 2000 do it("same", function() end) end
        it("", function() end)
        it(("long"):rep(50000), function() end)
        local function nest(n) describe("g" .. n, function()
            if n < 150 then nest(n + 1) else it("deep", function() end) end
        end) end
        nest(1)""")
    events = t.status(0, t.echolot("test", "-o", "jsonl", script)).events()
    numbers = [e["number"] for e in events if e["event"] == "test_end"]
    t.equal(list(range(1, 2004)), numbers)


if __name__ == "__main__":
    main()
