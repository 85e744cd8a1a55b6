"""What tests/summary.py makes of meson's logs."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

SUMMARY = Path(__file__).resolve().parents[1] / "summary.py"

CASES = [  # name, programs as (meson's result, what they printed), exit status, last line
    ("a program that counts nothing is a case", [("OK", "")], 0, "1 passed, 0 failed"),
    ("and one failure if it fails", [("FAIL", "")], 1, "0 passed, 1 failed"),
    ("a skipped program", [("OK", ""), ("SKIP", "")], 0, "1 passed, 0 failed, 1 skipped"),
    ("nothing but skipped is not passed", [("SKIP", "")], 1, "0 passed, 0 failed, 1 skipped"),
    ("nothing ran", [], 1, "0 passed, 0 failed"),
    (
        "TAP",
        [("ERROR", "TAP version 13\n1..4\nok 1 - a\nnot ok 2\n# ok 9\nok 3 # SKIP\n  ok 8\nok\n")],
        1,
        "2 passed, 1 failed, 1 skipped",
    ),
    ("TAP with its plan last", [("OK", "ok a\nok b\n1..2\n")], 0, "2 passed, 0 failed"),
    (
        "TAP as cmocka skips",
        [("OK", "1..2\nok 1 - a\nnot ok 2 # SKIP b\n")],
        0,
        "1 passed, 0 failed, 1 skipped",
    ),
    (
        "TAP that skips everything",
        [("OK", ""), ("SKIP", "1..0 # SKIP no xinetd\n")],
        0,
        "1 passed, 0 failed, 1 skipped",
    ),
    ("TAP cut short by a crash", [("ERROR", "1..3\nok 1\nok 2\n")], 1, "2 passed, 1 failed"),
    ("words that only look like TAP", [("OK", "ok then\n")], 0, "1 passed, 0 failed"),
    (
        "the last line of counts",
        [("FAIL", "1 passed, 9 failed\nthen\n7 passed, 2 failed, 3 skipped, 1 error\n")],
        1,
        "7 passed, 3 failed, 3 skipped",
    ),
    ("failures hidden by the status", [("OK", "5 passed, 1 failed\n")], 1, "5 passed, 1 failed"),
    ("a program that hung", [("TIMEOUT", "5 passed, 0 failed\n")], 1, "5 passed, 1 failed"),
    ("an expected failure", [("EXPECTEDFAIL", "0 passed, 1 failed\n")], 0, "1 passed, 0 failed"),
    ("an expected failure that passed", [("UNEXPECTEDPASS", "")], 1, "0 passed, 1 failed"),
]


def summarize(programs):
    """(exit status, lines) of summary.py over a log of (name, result, stdout)."""
    with tempfile.TemporaryDirectory() as build:
        log = Path(build, "meson-logs", "testlog.json")
        log.parent.mkdir()
        with log.open("w", encoding="utf-8") as file:
            for name, result, stdout in programs:
                program = {"name": name, "result": result, "stdout": stdout, "duration": 0.1}
                file.write(json.dumps(program) + "\n")
        done = subprocess.run([sys.executable, SUMMARY, build], capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines()


def results():
    """(name, held, what came) of each case."""
    for name, programs, status, last in CASES:
        came = summarize([("echolot:unit / buf", *program) for program in programs])
        yield name, (came[0], came[1][-1]) == (status, last), came

    _, lines = summarize(
        [
            ("echolot:unit / buf", "OK", "3 passed, 0 failed\n"),
            ("echolot:e2e / echo", "FAIL", ""),
            ("echolot:unit / text", "OK", ""),
            ("echolot / bare", "SKIP", ""),
            ("alone", "FAIL", ""),
        ]
    )
    rows = {words[0]: words[1:4] for words in map(str.split, lines) if len(words) == 5}
    del rows["suite"]
    expected = {"-": ["0", "1", "1"], "e2e": ["0", "1", "0"], "unit": ["4", "0", "0"]}
    yield "a row for each suite", rows == expected, lines
    failed = {"FAILED  e2e / echo: 1 (fail)", "FAILED  - / alone: 1 (fail)"}
    yield "the names of what failed", failed < set(lines), lines


print("TAP version 13")
all_held = True
count = 0
for count, (name, held, came) in enumerate(results(), 1):
    print(f"{'ok' if held else 'not ok'} {count} - {name}" + ("" if held else f"\n# {came}"))
    all_held = all_held and held
print(f"1..{count}")
sys.exit(not all_held)
