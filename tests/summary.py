"""Counts the single test cases of a `meson test` run: python3 tests/summary.py BUILD_DIRECTORY

Meson counts programs; most of ours hold many cases. A program's cases are taken from its TAP, else
from the last line "N passed, N failed[, N skipped][, N errors]" of its output, else it is one case.
"""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

FAILED = {"FAIL", "ERROR", "TIMEOUT", "INTERRUPT", "UNEXPECTEDPASS"}
IS_TAP = re.compile(r"^(TAP version \d+|1\.\.\d+)", re.M)
TAP_CASE = re.compile(r"^(not )?ok\b([^#\n]*)(#\s*skip)?", re.M | re.I)
TAP_NO_CASES = re.compile(r"^1\.\.0\s*#\s*skip", re.M | re.I)
COUNTS = re.compile(
    r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?(?:, (\d+) errors?)?", re.M
)


def count(result, stdout):
    """(passed, failed, skipped) of one program, given meson's verdict on it and what it printed."""
    counts = list(COUNTS.finditer(stdout))
    if result == "EXPECTEDFAIL":
        passed, failed, skipped = 1, 0, 0
    elif IS_TAP.search(stdout):
        cases = TAP_CASE.findall(stdout)
        skipped = sum(1 for _, _, skip in cases if skip)
        failed = sum(1 for bad, _, skip in cases if bad and not skip)
        passed = len(cases) - skipped - failed
        skipped += bool(TAP_NO_CASES.search(stdout))
    elif counts:
        passed, failed, skipped, errors = (int(n or 0) for n in counts[-1].groups())
        failed += errors
    else:
        passed, failed, skipped = result == "OK", 0, result == "SKIP"
    if result in FAILED and not failed:
        failed = 1  # it crashed, hung or broke its plan: what it did report can't excuse that
    return int(passed), failed, int(skipped)


def read(log):
    """(suite, name, result, counts, seconds) of each program in a testlog.json."""
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        test = json.loads(line)
        # "project:suite / name", or "name" alone if all are of one suite
        where, _, name = test["name"].rpartition(" / ")
        suite = where.partition(":")[2] or "-"
        counts = count(test["result"], test.get("stdout", ""))
        yield suite, name, test["result"], counts, test.get("duration", 0)


def main(build):
    log = Path(build, "meson-logs", "testlog.json")
    rows = defaultdict(lambda: [0, 0, 0, 0])
    failures = []
    for suite, name, result, counts, seconds in read(log) if log.exists() else ():
        rows[suite] = [a + b for a, b in zip(rows[suite], (*counts, seconds))]
        if counts[1]:
            failures.append(f"FAILED  {suite} / {name}: {counts[1]} ({result.lower()})")
    passed, failed, skipped, _ = map(sum, zip([0] * 4, *rows.values()))

    width = max(map(len, ["suite", *rows]))
    print(f"\n{'suite':{width}}  passed  failed  skipped  seconds")
    for suite in sorted(rows):
        print("{:{}}  {:6}  {:6}  {:7}  {:7.1f}".format(suite, width, *rows[suite]))
    print()
    for failure in failures:
        print(failure)
    if not passed + failed:
        print(f"nothing ran, says {log}")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "build"))
