"""Nothing grows: 1,000 conversations of 100 round trips, round after round in one process."""

import os
import resource
import subprocess
from pathlib import Path

from harness import ECHOLOT, SANITIZED, SCRIPTS, Skip, case, main, until

CONVERSATIONS, ROUND_TRIPS = (200, 20) if SANITIZED else (1000, 100)
ROUNDS = 3


def descriptors(pid):
    """What is open, as the kernel names it, but for numbers that differ from time to time."""
    folder = Path(f"/proc/{pid}/fd")
    return sorted((int(p.name), os.readlink(p).split(":")[0]) for p in folder.iterdir())


def rss_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def soak(t, address):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < CONVERSATIONS + 100:
        raise Skip(f"{soft} descriptors are too few")
    process = t.start(ECHOLOT, "run", SCRIPTS / "soak.lua", address, str(CONVERSATIONS), str(ROUND_TRIPS),
                      stdin=subprocess.PIPE)
    held, open_now, resident = [], [], []
    for n in range(1, ROUNDS + 1):
        process.popen.stdin.write(b"go\n")
        process.popen.stdin.flush()
        until(lambda: process.out().count(b"\n") == n, f"round {n} ends", 60, process)
        # it waits for its input again: what it holds now is what a round leaves
        held.append(int(process.out().split()[-1]))
        open_now.append(descriptors(process.pid))
        resident.append(rss_kib(process.pid))
    process.popen.stdin.close()
    t.status(0, process.wait())
    figures = f"Lua {held} bytes, {[len(o) for o in open_now]} descriptors, {resident} KiB resident"
    print("# " + figures)
    t.true(len(set(map(str, open_now))) == 1, f"descriptors: {open_now}")
    t.true(len(open_now[0]) < 30, f"descriptors: {open_now[0]}")
    t.true(max(held[1:]) - min(held[1:]) <= 2048, f"Lua's memory: {figures}")
    if not SANITIZED:  # whose allocator keeps what was freed
        t.true(resident[-1] - resident[0] <= 1024, f"resident memory: {figures}")


@case("against Python's echo server: descriptors and memory return to where they were")
def python(t):
    soak(t, t.echo_server())


@case("against an embedded server in another process: the same")
def embedded(t):
    server = t.serve("echo")
    before = descriptors(server.pid)
    soak(t, f"127.0.0.1:{server.port}")
    until(lambda: descriptors(server.pid) == before, "the server's descriptors are closed")


@case("a suite of 2,000 tests with a connection each leaves its worker with none")
def suite(t):
    script = t.write("s.lua", """
        local echolot = require "echolot"
        local server = target(echolot.servers.echo())
        local function count()
            local n = 0
            for _ in io.popen("ls /proc/$PPID/fd"):lines() do n = n + 1 end
            return n
        end
        local before
        conversation("first", function(p) p:send "x\\n":read() before = count() end)
        for i = 1, 2000 do
            conversation("c" .. i, function(p) p:send "x\\n" assert.equal("x", p:read()) server:connect() end)
        end
        conversation("last", function(p)
            p:send "x\\n":read() -- both ends are there
            while count() ~= before do echolot.sleep(0.01) end -- the server's are closed, too
        end)""")
    ends = t.status(0, t.echolot("test", "--test-timeout", "10", "-o", "jsonl", script)).ends()
    t.equal(2002, len(ends))


if __name__ == "__main__":
    main()
