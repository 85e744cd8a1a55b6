"""Signals: what had finished is reported, the status is the shell's, nobody is left behind."""

import os
import pty
import signal

from harness import (
    ECHOLOT, SCRIPTS, as_events, case, children_of, main, processes, stat_fields, until,
)

import peer

WAITS, SPINS = SCRIPTS / "signal_run.lua", SCRIPTS / "signal_spin.lua"


def start(t, *args, until_it_writes="waiting"):
    """Starts a run of tests; returns once its last test is under way. The process, its workers."""
    process = t.start(ECHOLOT, "test", *args)
    workers = until(lambda: children_of(process.pid), "workers start", process=process)
    if until_it_writes:
        process.wait_for(until_it_writes)
    return process, workers


def interrupt(process):
    """Sends SIGINT; returns once that was delivered: two that wait together are one."""

    def is_delivered():
        with open(f"/proc/{process.pid}/status") as f:
            pending = [line.split()[1] for line in f if line.startswith(("SigPnd", "ShdPnd"))]
        return not any(int(mask, 16) & 1 << (signal.SIGINT - 1) for mask in pending)

    if not process.ended():
        process.kill(signal.SIGINT)
        until(lambda: process.ended() or is_delivered(), "the signal is delivered")


def alive(pids):
    return processes(lambda pid, _: pid in pids)


def jsonl(name, number, status, script=WAITS, said="waiting"):
    @case(f"{name} during a run: what had finished is reported, status {status}")
    def check(t):
        process, workers = start(t, "-o", "jsonl", script, until_it_writes=said)
        process.kill(number)
        result = t.status(status, process.wait())
        events = result.events()
        t.equal("run_end", events[-1]["event"])
        t.equal(number, events[-1]["interrupted"])
        finished = [e["name"] for e in events if e["event"] == "test_end"]
        t.equal(["ends", "ends badly"][: len(finished)], finished)
        t.true(finished, "something had finished")
        t.equal(finished.count("ends"), events[-1]["counts"]["passed"])
        until(lambda: not alive(workers), "the workers end")
        t.equal(b"", result.err, "standard error")


jsonl("SIGINT", signal.SIGINT, 130)
jsonl("SIGTERM", signal.SIGTERM, 143)
jsonl("SIGINT while a worker spins", signal.SIGINT, 130, SPINS, "spinning")


@case("SIGINT: the pretty report says so, shows the failures so far, and counts them")
def pretty(t):
    events = t.dir / "events"
    process, _ = start(t, "-o", "pretty", "-o", f"jsonl={events}", WAITS, until_it_writes="ends badly")
    process.kill(signal.SIGINT)
    text = t.status(130, process.wait()).text()
    t.matches("interrupted", text)
    t.matches("as it should", text)
    t.matches("^1 passed, 0 failed, 1 error$", text)
    t.equal("run_end", as_events(events.read_bytes())[-1]["event"], "the file is whole")


@case("SIGINT of a terminal, which reaches the workers too: the same")
def terminal(t):
    leader, follower = pty.openpty()
    try:
        process = t.start(ECHOLOT, "test", WAITS, SPINS, "-j", "2", stdout=follower)
        workers = until(lambda: len(children_of(process.pid)) == 2 and children_of(process.pid),
                        "workers start", process=process)
        shown = b""
        while b"ends" not in shown:
            shown += os.read(leader, 65536)
        os.killpg(process.pid, signal.SIGINT)
        result = process.wait()
        os.close(follower)
        follower = None
        while True:
            try:
                shown += os.read(leader, 65536)
            except OSError:  # how a terminal without another side ends
                break
        t.status(130, result)
        t.matches("interrupted", shown.decode())
        t.matches(r"^\S*[12] passed, 0 failed", shown.decode())
        until(lambda: not alive(workers), "the workers end")
    finally:
        os.close(leader)
        if follower is not None:
            os.close(follower)


@case("a second SIGINT ends the program at once, though it cannot write its report")
def second(t):
    reader, writer = os.pipe()
    try:
        script = t.write("much.lua", """
            for i = 1, 3000 do it("test " .. i .. (" long"):rep(50), function() end) end""")
        process = t.start(ECHOLOT, "test", script, stdout=writer)
        os.close(writer)
        writer = None
        # The pipe is full, the supervisor waits in a write to it.
        until(lambda: "pipe" in wchan(process.pid), "the pipe fills", process=process)
        interrupt(process)
        interrupt(process)
        t.status(130, process.wait())
    finally:
        os.close(reader)
        if writer is not None:
            os.close(writer)


def wchan(pid):
    """What the process waits for in the kernel."""
    try:
        with open(f"/proc/{pid}/wchan") as f:
            return f.read()
    except OSError:
        return ""


@case("SIGINT twice, at once, in a run: status 130, no worker left")
def twice(t):
    process, workers = start(t, "-o", "jsonl", WAITS, SPINS, "-j", "2", until_it_writes="ends badly")
    interrupt(process)
    interrupt(process)
    t.status(130, process.wait())
    until(lambda: not alive(workers), "the workers end")


@case("a supervisor that is killed leaves no worker behind, waiting or spinning")
def killed(t):
    process, workers = start(t, "-o", "jsonl", WAITS, SPINS, "-j", "2", until_it_writes="spinning")
    until(lambda: len(children_of(process.pid)) == 2, "both workers start", process=process)
    workers = children_of(process.pid)
    process.kill(signal.SIGKILL)
    t.equal(-signal.SIGKILL, process.wait().status)
    until(lambda: not alive(workers), "the workers end")


@case("a run that ends by itself leaves no worker behind")
def ended(t):
    t.status(0, t.echolot("test", "-j", "2", SCRIPTS / "calm.lua"))
    # the harness looks for members of its session


@case("echolot run: SIGINT and SIGTERM end a script that waits for a peer, alone or among others")
def waits_for_peer(t):
    silent = t.peer(peer.Silent())
    bodies = ["local conn = echolot.connect(address) print 'ready' conn:timeout(1000):recv()",
              "echolot.run(function() local conn = echolot.connect(address) print 'ready' "
              "conn:timeout(1000):recv() end)",
              "local l = echolot.listen '127.0.0.1:0' print 'ready' l:accept()"]
    for body in bodies:
        script = t.write("script.lua", f"""
            io.stdout:setvbuf "no"
            local echolot = require "echolot"
            local address = "{silent.address}"
            {body}""")
        for number in (signal.SIGINT, signal.SIGTERM):
            process = t.start(ECHOLOT, "run", script)
            process.wait_for("ready")
            # it is asleep, whatever it waits with
            until(lambda: stat_fields(process.pid)[0] == "S", "it waits", process=process)
            process.kill(number)
            t.equal(b"", t.status(128 + number, process.wait()).err, body)


def program(name, number, status, body):
    @case(f"echolot run: {name} ends a script {body[0]}, status {status}")
    def check(t):
        script = t.write("script.lua", f"io.stdout:setvbuf 'no' print 'ready'\n{body[1]}\n")
        process = t.start(ECHOLOT, "run", script)
        process.wait_for("ready")
        process.kill(number)
        result = process.wait()
        t.status(status, result)
        t.equal(b"", result.err, "standard error")


SLEEPS = "that waits", "require 'echolot'.sleep(1000)"
program("SIGINT", signal.SIGINT, 130, SLEEPS)
program("SIGTERM", signal.SIGTERM, 143, SLEEPS)
program("SIGINT", signal.SIGINT, 130, ("that computes", "while true do end"))
program("SIGINT", signal.SIGINT, 130, ("that catches all", "while true do pcall(load 'while true do end') end"))
program("SIGINT", signal.SIGINT, 130, ("that catches all waits", """
    local echolot = require 'echolot'
    while true do pcall(echolot.sleep, 1000) end"""))
program("SIGINT", signal.SIGINT, 130, ("that computes in a coroutine",
                                       "coroutine.wrap(function() while true do end end)()"))


@case("echolot run: SIGINT ends a script that waits for its input, status 130")
def reads(t):
    script = t.write("script.lua", "io.stdout:setvbuf 'no' print 'ready' print(io.read())")
    reader, writer = os.pipe()
    try:
        process = t.start(ECHOLOT, "run", script, stdin=reader)
        process.wait_for("ready")
        process.kill(signal.SIGINT)
        t.status(130, process.wait())
    finally:
        os.close(reader)
        os.close(writer)


@case("echolot run: what <close> and pcall do still happens after SIGINT")
def closes(t):
    script = t.write("script.lua", """
        io.stdout:setvbuf "no"
        local echolot = require "echolot"
        local c <close> = setmetatable({}, { __close = function() print "closed" end })
        echolot.spawn(print, "ready") -- said once the script waits
        echolot.sleep(1000)""")
    process = t.start(ECHOLOT, "run", script)
    process.wait_for("ready")
    process.kill(signal.SIGINT)
    t.matches("^closed$", t.status(130, process.wait()).text())


@case("echolot run: a second SIGINT ends a script that computes where no signal is heard")
def second_run(t):
    script = t.write("script.lua", """
        io.stdout:setvbuf "no"
        print "ready"
        ;(("a"):rep(60)):find(("a*"):rep(40) .. "b")""")
    process = t.start(ECHOLOT, "run", script)
    process.wait_for("ready")
    interrupt(process)
    interrupt(process)
    t.status(130, process.wait())


def serve(name, number, status):
    @case(f"echolot serve: {name} ends it, status {status}, without a word")
    def check(t):
        server = t.serve("ics32", "--listen", "127.0.0.1:0")
        conn = t.connect(server.port)
        conn.sendall(b"one\n")
        t.equal(b"one\n", conn.recv(100))
        server.kill(number)
        result = t.status(status, server.wait())
        t.equal(b"", result.err, "standard error")
        t.equal(b"", conn.recv(100), "the client sees an end")


serve("SIGINT", signal.SIGINT, 130)
serve("SIGTERM", signal.SIGTERM, 143)


if __name__ == "__main__":
    main()
