"""Conversations with servers that nobody here wrote, and with those of tests/peer."""

import struct

from harness import SANITIZED, SCRIPTS, Failed, Skip, case, free_port, main, need

import peer
from services import SERVICES, start_xinetd


def xinetd(t):
    """Starts it; {service: address}."""
    for _ in range(5):
        ports = {name: free_port() for name in SERVICES}
        server = start_xinetd(t, "tcp", ports)
        try:
            if set(server.wait_ports(len(ports))) == set(ports.values()):
                return {name: f"127.0.0.1:{port}" for name, port in ports.items()}
        except Failed:
            log = t.dir / "log"
            if not log.exists() or b"in use" not in log.read_bytes():
                raise
    raise Skip("no free ports for xinetd")


@case("xinetd's echo, discard, chargen, daytime and time")
def services(t):
    targets = [f"--target={name}={address}" for name, address in xinetd(t).items()]
    ends = t.status(0, t.echolot("test", "-o", "jsonl", *targets, SCRIPTS / "services.lua")).ends()
    t.equal(7, len(ends))


@case("our own echo, discard, chargen, daytime and time: the same script")
def own_services(t):
    raw = {"echo": ["--set", "framing=raw"]}
    ports = {name: t.serve(name, *raw.get(name, [])).port for name in SERVICES}
    targets = [f"--target={name}=127.0.0.1:{port}" for name, port in ports.items()]
    t.status(0, t.echolot("test", *targets, SCRIPTS / "services.lua"))


def talk(t, address, *options, count=3):
    args = ["-o", "jsonl", "--target", address, *options, SCRIPTS / "talks.lua"]
    t.equal(count, len(t.status(0, t.echolot("test", *args)).ends()))


def socat(t, what):
    """Starts one that listens; its address."""
    args = ["-t", "10", "TCP-LISTEN:0,bind=127.0.0.1,fork,backlog=50", what]
    return f"127.0.0.1:{t.start(need('socat'), *args).wait_ports()[0]}"


@case("socat, PIPE: an echo server")
def socat_pipe(t):
    talk(t, socat(t, "PIPE"))


@case("socat, EXEC of cat: an echo server")
def socat_cat(t):
    talk(t, socat(t, "EXEC:cat"))


@case("socat, EXEC of cat, sed, tr and rev: each answers what was sent before our end")
def socat_filters(t):
    programs = {"cat": "cat", "sed": "sed s/.*/[&]/", "tr": "tr a-z A-Z", "rev": "rev"}
    env = {f"ECHOLOT_TARGET_{name.upper()}": socat(t, f"EXEC:{command}")
           for name, command in programs.items() if need(name)}
    result = t.status(0, t.echolot("test", "-o", "jsonl", SCRIPTS / "filters.lua", env=env))
    t.equal(sorted(programs), sorted(result.ends()))


@case("ncat -e cat: an echo server")
def ncat(t):
    server = t.start(need("ncat"), "-l", "-k", "-e", "/bin/cat", "127.0.0.1", "0")
    # at our end it drops what its program still says
    talk(t, f"127.0.0.1:{server.wait_ports()[0]}", "--filter-out", "our end", count=2)


@case("Python's echo server of tests/peer")
def python(t):
    talk(t, t.peer(peer.Echo()).address)


# --- hostile ones ---

CUT = struct.pack(">I", 100) + b"partial"
ESCAPES = b"\x1b[2J\x1b]0;title\x07\x9b31m\xff\xfe\xe2\x80\xae\r\n" * 3
HOSTILE = {
    "dripper": lambda: peer.Dripper(b"one\r\ntwo\n" + struct.pack(">I", 7) + b"end"),
    "resetter": lambda: peer.Resetter(1, b"partial"),
    "neverreader": peer.NeverReader,
    "flooder": peer.Flooder,
    "silent": peer.Silent,
    "halfcloser": lambda: peer.HalfCloser(b"last words"),
    "cutter": lambda: peer.Speaker(CUT),
    "cutter_unpack": lambda: peer.Speaker(CUT),
    "escapes": lambda: peer.Speaker(ESCAPES),
}


def hostile(name, make):
    @case(f"a hostile peer: {name}")
    def check(t):
        other = t.peer(make())
        env = {f"ECHOLOT_TARGET_{name.upper()}": other.address}
        result = t.echolot("test", "-o", "jsonl", SCRIPTS / "hostile.lua", env=env)
        ends = result.ends()
        t.equal([name], list(ends))
        if name == "escapes":
            t.equal("error", ends[name]["status"])
            pretty = t.echolot("test", "-v", SCRIPTS / "hostile.lua", env=env)
            t.lacks(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", pretty.out.decode("utf-8", "strict"))
        else:
            t.status(0, result)
        if name == "halfcloser":
            t.true(other.finished.wait(10), "it sees our end")
            t.equal(b"".join(b"still heard %d\n" % i for i in range(1, 101)), bytes(other.received))


for name, make in HOSTILE.items():
    hostile(name, make)


@case("a peer that floods, for a whole second: memory stays where it was")
def flood(t):
    other = t.peer(peer.Flooder())
    script = t.write("s.lua", f"""
        local echolot = require "echolot"
        io.stdout:setvbuf "no"
        local function rss()
            for line in io.lines "/proc/self/status" do
                local n = line:match "^VmRSS:%s*(%d+)"
                if n then return tonumber(n) end
            end
        end
        local peer = echolot.connect "{other.address}"
        pcall(peer.read, peer, "l")
        local before, last_s = rss(), echolot.now() + 1
        while echolot.now() < last_s do
            echolot.sleep(0.05)
        end
        print(rss() - before, #peer:unread())""")
    grown, held = map(int, t.status(0, t.echolot("run", script)).text().split())
    t.true(grown < (65536 if SANITIZED else 2048), f"{grown} KiB more")
    t.true(held <= 1 << 20, f"{held} bytes held")


if __name__ == "__main__":
    main()
