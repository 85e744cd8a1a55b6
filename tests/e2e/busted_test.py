"""The same spec files under busted and under Echolot: each test has the same outcome, in the same
order, and what tests and hooks print comes in the same order.
"""

from harness import HERE, case, main, need

SPECS = HERE / "busted"

STATUS = {"success": "pass", "failure": "fail", "error": "error", "pending": "skip"}


def under_busted(t, spec):
    """Outcomes, (status, name), and what is printed, each in the order of the run."""
    # by the Lua that Echolot has inside, whatever "lua" is here
    program = [need("lua5.4"), need("busted")]
    result = t.run(*program, "-o", SPECS / "outcomes.lua", spec, cwd=SPECS)
    t.equal("", result.errors(), "busted's diagnostics")
    outcomes, printed = [], []
    for line in result.text().splitlines():
        status, _, name = line.partition("\t")
        if line.startswith("\1"):
            outcomes.append((STATUS.get(status[1:], status[1:]), name))
        else:
            printed.append(line)
    t.true(outcomes, "busted reports something")
    return outcomes, printed


def under_echolot(t, spec):
    """The same of Echolot's."""
    result = t.echolot("test", "-o", "jsonl", spec, cwd=SPECS)
    t.equal("", result.errors(), "Echolot's diagnostics")
    outcomes, printed = [], []
    for event in result.events():
        if event["event"] == "test_end":
            outcomes.append((event["status"], event["name"]))
        elif event["event"] == "log":
            printed.append(event["text"])
        elif event["event"] == "file_end" and event["status"] != "pass":
            message = event["error"]["message"]
            outcomes.append(("file", message.partition(":")[0]))
    return outcomes, printed


# By spec, in their order: what busted reports, and what Echolot reports instead. To busted an error outside of a test
# is a result of its own, and tests that could not be run are none.
DIFFERENCES = {
    "structure_spec.lua": [
        (("outside", "a describe that raises"), [("error", "a describe that raises")]),
    ],
    "hook_errors_spec.lua": [
        (("outside", "before_each before_each"), [("error", "before_each hinders")]),
        (("outside", "before_each before_each"), [("error", "before_each hinders again")]),
        (("outside", "setup setup"), [
            ("error", "setup hinders"),
            ("error", "setup a group hinders"),
        ]),
        (("pass", "after_each comes late"), []),
        (("outside", "after_each after_each"), [("error", "after_each comes late")]),
        (("outside", "teardown teardown"), []),
        (("outside", "an assertion in before_each before_each"), [
            ("fail", "an assertion in before_each hinders"),
        ]),
        (None, [("file", "teardown")]),
    ],
}


def with_differences(t, spec, outcomes):
    """busted's outcomes as Echolot should report them."""
    differences, result = list(DIFFERENCES.get(spec, [])), []
    for outcome in [*outcomes, None]:
        if differences and differences[0][0] == outcome:
            result += differences.pop(0)[1]
        elif outcome:
            result.append(outcome)
    t.equal([], differences, "differences that busted does not show")
    return result


def equal_lists(t, wanted, got, what):
    for n, (one, other) in enumerate(zip(wanted, got), 1):
        t.equal(one, other, f"{what} {n}")
    t.equal(wanted[len(got):], got[len(wanted):], f"{what}s that only one of them has")


def compare(spec):
    @case(f"{spec}: as under busted")
    def check(t):
        outcomes, printed = under_busted(t, spec)
        our_outcomes, our_printed = under_echolot(t, spec)
        equal_lists(t, with_differences(t, spec, outcomes), our_outcomes, "outcome")
        equal_lists(t, printed, our_printed, "line")


for path in sorted(SPECS.glob("*_spec.lua")):
    compare(path.name)


if __name__ == "__main__":
    main()
