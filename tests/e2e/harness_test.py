"""The harness notices what it is there for: each kind of fault, planted, fails its case."""

import os
import socket
import threading

import harness
from harness import Failed, Skip, case, environment, main, processes, run_case, until

import peer


def complaints(function):
    """What the harness says of a case."""
    found, _ = run_case(function)
    return "\n".join(found)


KEPT = []


def take_back():
    """Ends what was planted within this process."""
    for item in KEPT:
        if isinstance(item, tuple):
            item[0].set()
            item[1].join()
        else:
            item.close()
    KEPT.clear()


def plants(name, pattern):
    """A case that plants a fault, and must be complained about."""

    def register(function):
        @case(name)
        def check(t):
            usual, harness.LEAVE_S = harness.LEAVE_S, 0.2
            try:
                t.matches(pattern, complaints(function), "the complaint")
            finally:
                harness.LEAVE_S = usual
                take_back()

    return register


@plants("a check that does not hold", "what: expected 1, got 2")
def wrong(t):
    t.equal(1, 2, "what")


@plants("an exception of the test's own", "ZeroDivisionError")
def raises(t):
    t.equal(1, 1 // 0)


@plants("a status that is another", "status 3, not 0")
def status(t):
    t.status(0, t.run("sh", "-c", "exit 3"))


@plants("a program that does not end", "does not end")
def hangs(t):
    t.run("sleep", "1000", seconds=0.05)


@plants("a program that ends before what is awaited", "ended first")
def ends_first(t):
    t.start("true").wait_for("something")


@plants("a condition that does not come", "not within the deadline")
def never(t):
    until(lambda: False, "it", 0.05)


@plants("a process that a program leaves behind", "left processes behind")
def left(t):
    t.run("sh", "-c", "sleep 1000 >/dev/null 2>&1 &")


@plants("a process that has left its session, too", "left their session")
def left_session(t):
    t.run("sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &")


@plants("a descriptor left open", "descriptors left open")
def left_open(t):
    KEPT.append(socket.socket())


@plants("a thread left running", "threads left")
def left_running(t):
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, args=(30,), daemon=True)
    thread.start()
    KEPT.append((stop, thread))


@plants("a peer that fails by itself", "the peer Broken failed")
def broken_peer(t):
    class Broken(peer.Peer):
        def talk(self, conn):
            raise KeyError("of its own")

    broken = t.peer(Broken())
    until(lambda: t.connect(broken.port) and broken.fault, "it fails")


@plants("a sanitizer's report", "a sanitizer's report")
def sanitizer(t):
    t.run("sh", "-c", "echo 'x.c:1: runtime error: shift' >&2")


@plants("JSON with a key that comes twice", "comes twice")
def doubled(t):
    harness.as_events(b'{"a":1,"a":2}\n')


@plants("JSON with NaN", "is no JSON")
def nan(t):
    harness.as_events(b'{"a":NaN}\n')


@plants("JSON that is no UTF-8", "UnicodeDecodeError")
def no_utf8(t):
    harness.as_events(b'{"a":"\xff"}\n')


@plants("a report that is cut off", "has no end")
def cut(t):
    harness.as_events(b'{"a":1}')


@case("what was planted is gone")
def gone(t):
    mark = f"{harness.MARK}={os.getpid()}.".encode()
    t.equal([], processes(lambda pid, _: mark in environ(pid)))


def environ(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            return f.read()
    except OSError:
        return b""


@case("a case that holds is not complained about; a skip has its reason")
def holds(t):
    t.equal("", complaints(lambda t: t.equal(1, 1)))

    def skips(t):
        raise Skip("a reason")

    t.equal(([], "a reason"), run_case(skips))


@case("programs that are not installed are skipped")
def not_installed(t):
    try:
        harness.need("no-such-program")
    except Skip as reason:
        t.matches("no-such-program is not installed", str(reason))
    else:
        raise Failed("no skip")


@case("nothing of the user's environment reaches the program under test")
def clean(t):
    os.environ["ECHOLOT_TARGET"] = "nowhere"
    try:
        t.true("ECHOLOT_TARGET" not in environment(), "ECHOLOT_TARGET")
        t.equal("1", environment({"NO_COLOR": 1})["NO_COLOR"])
    finally:
        del os.environ["ECHOLOT_TARGET"]


if __name__ == "__main__":
    main()
