"""The stream of events: strict JSON, in order, with the fields of the contract."""

import base64

from harness import SCRIPTS, as_events, case, main

OUTCOMES = SCRIPTS / "outcomes.lua"
STATUSES = {
    "a group #outer passes #tagged": "pass",
    "a group #outer fails": "fail",
    "errs": "error",
    "times out": "timeout",
    "is skipped": "skip",
    "is not written": "skip",
    "gives up": "skip",
}
DIRECTIONS = {"send", "recv", "open", "eof", "close", "reset", "tls"}


def outcomes(t, *options):
    args = ["--test-timeout", "0.3", "-o", "jsonl", *options, OUTCOMES]
    return t.status(1, t.echolot("test", *args))


def line_of(mark):
    lines = OUTCOMES.read_text().splitlines()
    return next(n for n, line in enumerate(lines, 1) if mark in line)


def data_of(event):
    data = event["data"]
    return base64.b64decode(data["base64"], validate=True) if isinstance(data, dict) else data.encode()


@case("the order: run_start, file_start, each test's start, logs and end, file_end, run_end")
def order(t):
    events = outcomes(t).events()
    names = [e["event"] for e in events]
    t.equal(["run_start", "file_start", "test_start"], names[:3])
    t.equal(["test_end", "file_end", "run_end"], names[-3:])
    running = None
    for e in events:
        if e["event"] == "test_start":
            t.equal(None, running, "one test at a time")
            running = e["name"]
        elif e["event"] == "test_end":
            t.equal(running, e["name"], "it ends as it began")
            running = None
    t.equal(set(names), {"run_start", "file_start", "test_start", "log", "test_end", "file_end",
                         "run_end"})
    t.equal(list(STATUSES), [e["name"] for e in events if e["event"] == "test_end"], "the file's order")


@case("every event bears its name and a time in Unix seconds that does not run backwards much")
def times(t):
    for e in outcomes(t).events():
        t.true(isinstance(e["event"], str) and isinstance(e["t"], (int, float)), str(e))
        t.true(1.7e9 < e["t"] < 1e11, f"t of {e['event']}: {e['t']}")


@case("test_end: name, path, line, tags, target, status, duration, checks of each")
def fields(t):
    ends = outcomes(t).ends()
    t.equal(STATUSES, {name: e["status"] for name, e in ends.items()})
    for name, e in ends.items():
        t.equal(str(OUTCOMES), e["path"], name)
        t.true(isinstance(e["line"], int) and e["line"] > 0, name)
        t.true(isinstance(e["tags"], list), name)
        t.true(e["duration"] >= 0, name)
        t.true(isinstance(e["checks"], int), name)
        t.true(isinstance(e["transcript"], list), name)
    passes = ends["a group #outer passes #tagged"]
    t.equal(line_of("passes #tagged"), passes["line"])
    t.equal(["listed", "outer", "tagged"], sorted(passes["tags"]))
    t.matches(r"^tcp://127\.0\.0\.1:\d+$", passes["target"])
    t.equal(2, passes["checks"])
    t.equal(0, ends["is skipped"]["duration"])
    t.equal("for a reason", ends["gives up"]["reason"])


@case("test_end: facts with numbers, text, bytes as base64, tables; steps with their times")
def facts(t):
    passes = outcomes(t).ends()["a group #outer passes #tagged"]
    found = passes["facts"]
    t.equal(7, found["count"])
    t.equal("täxt", found["text"])
    t.equal({"base64": base64.b64encode(b"\0\1\xff").decode()}, found["binary"])
    t.equal({"list": [1, 2, 3], "yes": True, "half": 0.5}, found["nested"])
    t.equal(["reads back", "sends bytes"], [step["name"] for step in passes["steps"]])
    for step in passes["steps"]:
        t.true(0 <= step["t"] <= passes["duration"] and 0 <= step["duration"], str(step))


@case("a fact's table that is no list keeps all that is in it, whatever its keys are")
def mixed_facts(t):
    script = t.write("s.lua", """
        it("sparse", function() fact("x", { [1] = "a", [5] = "b" }) end)
        it("mixed", function() fact("x", { "a", key = "b" }) end)
        it("nul", function() fact("x", { ["k\\0one"] = "a", ["k\\0two"] = "b" }) end)
        it("name", function() fact("x\\0one", "a") fact("x\\0two", "b") end)""")
    result = t.echolot("test", "-o", "jsonl", script)
    for name, end in result.ends().items():
        if end["status"] == "error":
            t.equal("usage", end["error"]["kind"], f"{name}: kept, or refused")
        else:
            facts = end["facts"] if name == "name" else end["facts"]["x"]
            values = list(facts.values()) if isinstance(facts, dict) else facts
            t.equal(["a", "b"], sorted(values), name)


@case("test_end: the error's kind, message, place, difference; failed checks go on")
def errors(t):
    ends = outcomes(t).ends()
    fails = ends["a group #outer fails"]["error"]
    t.equal("mismatch", fails["kind"])
    t.equal(('two', 'one'), (fails["expected"].strip('"'), fails["actual"].strip('"')))
    t.equal(f"{OUTCOMES}:{line_of('-- fails')}", fails["where"])
    t.matches(rf"outcomes\.lua:{line_of('-- fails')}:", fails["traceback"])
    t.equal(1, len(ends["a group #outer fails"]["failed_checks"]))
    t.equal(2, ends["a group #outer fails"]["checks"])
    errs = ends["errs"]["error"]
    t.equal("timeout", errs["kind"])
    t.matches(r"^recv tcp://127\.0\.0\.1:\d+: timeout after 0\.01 s$", errs["message"])
    t.matches(rf"outcomes\.lua:{line_of('-- errs')}", errs.get("where", "") + errs["traceback"])
    t.equal("timeout", ends["times out"]["error"]["kind"])
    t.true("error" not in ends["a group #outer passes #tagged"], "a test that passes has none")


@case("test_end: the transcript, in order, its bytes as text where plain, else base64")
def transcript(t):
    events = outcomes(t).ends()["a group #outer passes #tagged"]["transcript"]
    t.equal("open", events[0]["dir"])
    t.equal("close", events[-1]["dir"])
    t.equal([], [e for e in events if e["dir"] not in DIRECTIONS])
    t.equal(sorted(e["t"] for e in events), [e["t"] for e in events], "times")
    t.equal({"the peer"}, {e["peer"] for e in events})
    for direction in ("send", "recv"):
        chunks = [e for e in events if e["dir"] == direction]
        t.equal(b"hello\n\0\xff\27[31m\n".replace(b"\27", b"\x1b"), b"".join(map(data_of, chunks)))
    t.equal("hello\n", [e for e in events if e["dir"] == "send"][0]["data"], "plain text")
    t.true(isinstance([e for e in events if e["dir"] == "send"][1]["data"], dict), "base64")


@case("log events: print, log and what is written to the standard files, with the test's name and path")
def logs(t):
    events = [e for e in outcomes(t).events() if e["event"] == "log"]
    t.equal(["logged", "printed\t1\tnil", "written"], sorted(e["text"] for e in events))
    for e in events:
        t.equal(str(OUTCOMES), e["path"])
        if e["text"] != "written":
            t.equal("a group #outer passes #tagged", e["name"])


@case("run_end: its counts are those of the tests")
def counts(t):
    end = outcomes(t).events()[-1]
    expected = {"passed": 1, "failed": 2, "errors": 1, "skipped": 3}
    t.equal(expected, {key: end["counts"][key] for key in expected})
    t.true(end["duration"] > 0, "duration")


@case("file_end tells the number of tests; a file that does not load, its error")
def files(t):
    bad = t.write("bad.lua", "it('x', function()\n  local = 1\nend)\n")
    result = t.status(2, t.echolot("test", "-o", "jsonl", bad, SCRIPTS / "calm.lua"))
    ends = {e["path"]: e for e in result.events() if e["event"] == "file_end"}
    t.equal(2, ends[str(SCRIPTS / "calm.lua")]["tests"])
    t.equal("pass", ends[str(SCRIPTS / "calm.lua")]["status"])
    t.equal("error", ends[str(bad)]["status"])
    t.matches(r"bad\.lua:2: ", ends[str(bad)]["error"]["message"])
    t.equal({"calm one", "calm two"}, set(result.ends()))


@case("to a file and to the terminal at once: the same events, the file whole")
def both(t):
    path = t.dir / "events.jsonl"
    result = t.echolot("test", "--test-timeout", "0.3", "-o", "pretty", "-o", f"jsonl={path}", OUTCOMES)
    t.status(1, result)
    ends = {e["name"]: e["status"] for e in as_events(path.read_bytes()) if e["event"] == "test_end"}
    t.equal(STATUSES, ends)
    text = result.text()
    for name in STATUSES:
        t.true(name in text, f"{name} stands in the pretty report")
    t.matches(r"^1 passed, 2 failed, 3 skipped, 1 error$", text)
    t.equal([], [p.name for p in t.dir.iterdir() if p.name.startswith("events") and p != path])


@case("files side by side: each event is a line of its own, each file's in order")
def side_by_side(t):
    paths = [t.write(f"f{i}.lua", "".join(
        f"it('{i} {j}', function() print(('x'):rep({j} * 50)) end)\n" for j in range(40)))
        for i in range(6)]
    events = t.status(0, t.echolot("test", "-j", "6", "-o", "jsonl", *paths)).events()
    for i, path in enumerate(paths):
        mine = [e["name"] for e in events if e["event"] == "test_end" and e["path"] == str(path)]
        t.equal([f"{i} {j}" for j in range(40)], mine)
    t.equal(240, events[-1]["counts"]["passed"])


@case("text in any language comes through as it is, what is no UTF-8 in an escaped form")
def texts(t):
    names = ["日本語", "emoji 😀", 'quotes " \\ /', "tab\t", "\u2028 separators \u2029", "nul \0", ""]
    script = b"".join(
        b"it(%b, function() fact(%b, %b) end)\n" % ((quote(name.encode()),) * 3) for name in names
    )
    bad = b"it(%b, function() print(%b) end)\n" % ((quote(b"bad \xff\xc0\x80 \xed\xa0\x80"),) * 2)
    path = t.write("text.lua", script + bad)
    ends = t.status(0, t.echolot("test", "-o", "jsonl", path)).ends()
    t.equal(len(names) + 1, len(ends))
    for name in names[:5]:
        t.true(name in ends, name)
        t.equal({name: name}, ends[name]["facts"])


def quote(data):
    """A Lua string of these bytes."""
    return b'"' + b"".join(b"\\%03d" % byte for byte in data) + b'"'


if __name__ == "__main__":
    main()
