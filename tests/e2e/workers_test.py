"""What a test does to its worker costs that test, and nothing else."""

import re

from harness import ECHOLOT, SANITIZED, SCRIPTS, as_events, case, main

LIMITS = ["--test-timeout", "3" if SANITIZED else "0.5", "--memory-limit", "64M"]
# A worker that computes is given 2 s more: of those, one is enough for a run of its own.
SLOW = {"spin_in_c", "spin_in_hook", "spin_coroutine", "stop"}
SEGV = "exited with status 86" if SANITIZED else "Segmentation fault"

# What of scripts/lost_*.lua is lost, and what its test_end says.
LOST = {
    "spin": ("timeout", "timeout", "computes without waiting"),
    "spin_in_c": ("timeout", "timeout", "computes without waiting"),
    "spin_in_hook": ("timeout", "timeout", "computes without waiting"),
    "spin_coroutine": ("timeout", "timeout", "computes without waiting"),
    "memory": ("error", "limit", "memory limit of 67108864 bytes"),
    "memory_at_once": ("error", "limit", "memory limit of 67108864 bytes"),
    "exit": ("error", "error", r"lost_exit\.lua:2: .*os\.exit\(0\)"),
    "segv": ("error", "error", SEGV),
    "kill": ("error", "error", "Killed"),
    "stop": ("timeout", "timeout", "no answer"),
}


def run(t, *names, status, options=()):
    """Runs scripts, calm.lua beside them, which must pass; the Result."""
    paths = [SCRIPTS / f"{name}.lua" for name in names]
    process = t.start(ECHOLOT, "test", *LIMITS, *options, "-o", "jsonl", *paths, SCRIPTS / "calm.lua")
    process.may_crash = "lost_segv" in names
    result = t.status(status, process.wait())
    ends = result.ends()
    for name in ("calm one", "calm two"):
        t.true(name in ends, f"{name} is reported")
        t.equal("pass", ends[name]["status"], name)
    check_counts(t, result.events())
    return result


def check_counts(t, events):
    """The counts of run_end are those of the test_end events; each file that began has ended."""
    statuses = [e["status"] for e in events if e["event"] == "test_end"]
    counts = events[-1]["counts"]
    t.equal("run_end", events[-1]["event"])
    t.equal(statuses.count("pass"), counts["passed"], "passed")
    t.equal(statuses.count("fail") + statuses.count("timeout"), counts["failed"], "failed")
    for kind in ("file", "test"):
        began = sorted(e["path"] for e in events if e["event"] == f"{kind}_start")
        ended = sorted(e["path"] for e in events if e["event"] == f"{kind}_end")
        t.equal(began, ended, f"each {kind}_start has its {kind}_end")


def lost(name, status, kind, message):
    @case(f"lost_{name}.lua: the test is a {status}, the rest goes on")
    def check(t):
        result = run(t, f"lost_{name}", status=1)
        ends = [e for e in result.ends().values() if "lost_" in e["path"]]
        t.equal(3, len(ends), "all three tests are reported")
        before, bad, after = ends
        t.equal(["pass", status, "pass"], [e["status"] for e in ends])
        t.equal(kind, bad["error"]["kind"])
        t.matches(message, bad["error"]["message"])
        t.true(bad["line"] > before["line"] and bad["path"].endswith(f"lost_{name}.lua"), "its place")
        t.equal(1, len(re.findall(r'"event":"file_start","path":"[^"]*lost_', result.text())), "starts")


for name, expected in LOST.items():
    if name not in SLOW:
        lost(name, *expected)


@case("all at once, several at a time: each is told apart; the pretty report says the same")
def all_at_once(t):
    scripts = [SCRIPTS / f"lost_{name}.lua" for name in LOST]
    events = t.dir / "events"
    args = ["--jobs", "4", "-o", "pretty", "-o", f"jsonl={events}"]
    process = t.start(ECHOLOT, "test", *LIMITS, *args, *scripts, SCRIPTS / "calm.lua")
    process.may_crash = True
    pretty = t.status(1, process.wait()).text()
    check_counts(t, as_events(events.read_bytes()))
    ends = [e for e in as_events(events.read_bytes()) if e["event"] == "test_end"]
    t.equal(3 * len(LOST) + 2, len(ends), "tests reported")
    bad = {e["path"].rpartition("lost_")[2][:-4]: e for e in ends if e["status"] != "pass"}
    t.equal(sorted(LOST), sorted(bad))
    for name, (status, kind, message) in LOST.items():
        t.equal((status, kind), (bad[name]["status"], bad[name]["error"]["kind"]), name)
        t.matches(message, bad[name]["error"]["message"], name)
        t.matches(message, pretty, f"{name}: the reason")
        t.matches(rf"lost_{name}\.lua:\d", pretty, f"{name}: the place")
    t.matches(r"^22 passed, 5 failed, 5 errors$", pretty)


@case("a child that a test leaves behind does not hold up the run, nor outlives it")
def kept_child(t):
    result = run(t, "kept_child", status=0)
    t.equal(6, len(result.ends()))


@case("tests that come in another order when the file is read again run once each all the same")
def any_order(t):
    events = run(t, "lost_in_any_order", status=1).events()
    ends = [e for e in events if e["event"] == "test_end" and "lost_" in e["path"]]
    expected = [f"test {n}" for n in range(1, 21)] + ["twice", "twice", "no \\xff text"]
    t.equal(sorted(expected), sorted(e["name"] for e in ends))
    bad = [e["name"] for e in ends if e["status"] != "pass"]
    t.equal(["test 13", "test 7"], sorted(bad))


@case("a child that outlives its killed worker does not hide how that ended")
def child_of_lost(t):
    result = run(t, "lost_with_child", status=1, options=["--test-timeout", "600"])
    t.matches("Killed", result.ends()["dies, its child lives"]["error"]["message"])


@case("much output of every kind is reported, line by line")
def prints(t):
    events = run(t, "kept_prints", status=0).events()
    texts = [e["text"] for e in events if e["event"] == "log"]
    t.equal(20000, sum(text.startswith("print\t") for text in texts), "print")
    t.equal(20000, sum(text.startswith("write ") for text in texts), "io.write")
    t.true("e" * (1 << 20) in texts, "the megabyte on standard error")
    t.true("o" * (1 << 20) in texts, "the megabyte without an end")


@case("a test that closes its standard files ends as any other, and so do those after it")
def closes(t):
    result = run(t, "kept_closes", status=0)
    t.equal("pass", result.ends()["after"]["status"])


@case("what a script's children write to the events' descriptor does not reach the report")
def writes_events(t):
    result = run(t, "kept_writes_events", status=0)
    t.equal(5, len(result.ends()))


@case("a test that takes the globals away loses its own file at most, and that is reported")
def clobbers(t):
    result = run(t, "kept_clobbers", status=1)
    ends = [e for e in result.events() if e["event"] == "file_end" and "clobbers" in e["path"]]
    t.equal(1, len(ends), "file_end")


@case("whatever value is raised, the test is an error with a message, the next test runs")
def raised(t):
    # Lua's stack is big when it overflows, and filling it takes a loaded machine seconds.
    options = ["--memory-limit", "512M", "--test-timeout", "30"]
    result = run(t, "kept_errors", status=1, options=options)
    ends = [e for e in result.events() if e["event"] == "test_end" and "calm" not in e["path"]]
    bad = [e for e in ends if e["name"] != "after"]
    t.equal(20, len(ends), "all are reported")
    t.equal("pass", ends[-1]["status"], "after")
    for end in bad:
        t.equal("error", end["status"], end["name"])
        t.true(end["error"]["message"], end["name"] + " has a message")
    t.matches("overflow", result.ends()["a stack overflow"]["error"]["message"])
    t.matches("code = 7|code.*7", result.ends()["a table"]["error"]["message"])


@case("and the pretty report of them holds no control byte, no byte that is no UTF-8")
def raised_pretty(t):
    result = t.status(1, t.echolot("test", SCRIPTS / "kept_errors.lua"))
    text = result.out.decode("utf-8", "strict")
    t.lacks(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    t.matches("^1 passed, 0 failed, 19 errors", text)


@case("a spin while the file is read costs that file only")
def spin_at_load(t):
    script = t.write("spin_at_load.lua", "it('never', function() end)\nwhile true do end\n")
    result = t.echolot("test", *LIMITS, "-o", "jsonl", script, SCRIPTS / "calm.lua")
    t.true(result.status in (1, 2), f"status {result.status}")
    t.equal(["calm one", "calm two"], list(result.ends()))
    end = [e for e in result.events() if e["event"] == "file_end" and "spin" in e["path"]][0]
    t.equal("timeout", end["error"]["kind"])


@case("a spin, an exit or a crash in a teardown is the file's error, after its tests")
def teardown(t):
    bodies = {"spin": "while true do end", "exit": "os.exit(1)",
              "crash": "os.execute 'kill -KILL $PPID' while true do end"}
    for name, body in bodies.items():
        script = t.write(f"{name}.lua", f"teardown(function() {body} end)\nit('one', function() end)\n")
        result = t.echolot("test", *LIMITS, "-o", "jsonl", script, SCRIPTS / "calm.lua")
        t.status(1, result)
        t.equal(["calm one", "calm two", "one"], sorted(result.ends()), name)
        end = [e for e in result.events() if e["event"] == "file_end" and name in e["path"]][0]
        t.equal("error", end["status"], name)
        t.true(end["error"]["message"], name)


@case("a test that waits too long is a timeout, and costs its worker nothing")
def waits(t):
    script = t.write("waits.lua", """
        local echolot = require "echolot"
        it("waits", function() echolot.sleep(1000) end)
        it("catches all", function() while true do pcall(echolot.sleep, 1000) end end)
        it("after", function() end)""")
    result = t.status(1, t.echolot("test", *LIMITS, "-o", "jsonl", script))
    t.equal(["timeout", "timeout", "pass"], [e["status"] for e in result.ends().values()])
    t.matches("test-timeout", result.ends()["waits"]["error"]["message"])


if __name__ == "__main__":
    main()
