"""`echolot serve` and clients that nobody here wrote: ncat, socat, and Python's sockets."""

import re
import select
import socket
import struct
import subprocess
import time
from pathlib import Path

from harness import DEADLINE_S, ECHOLOT, SANITIZED, case, listening_ports, main, need, until

import peer

LINE = b"0123456789abcde\n"


def read_all(conn):
    data = b""
    while chunk := conn.recv(65536):
        data += chunk
    return data


def ends(conn):
    """Whether the server has ended, whichever way."""
    try:
        while conn.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def exactly(conn, count):
    data = b""
    while len(data) < count and (chunk := conn.recv(count - len(data))):
        data += chunk
    return data


def rss_kib(process):
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def stays_small(t, process):
    """Its resident memory; sanitizers keep what was freed, for a while."""
    limit_kib = (2048 if SANITIZED else 64) << 10
    t.true(rss_kib(process) < limit_kib, f"{rss_kib(process)} KiB")


def open_descriptors(process):
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


# --- programs as clients ---


@case("ncat: lines come back, and it ends when both have")
def ncat(t):
    server = t.serve("echo")
    result = t.run(need("ncat"), "127.0.0.1", str(server.port), input=LINE * 1000)
    t.equal(LINE * 1000, t.status(0, result).out)


@case("socat: much comes back, unchanged")
def socat(t):
    server = t.serve("echo", "--set", "framing=raw")
    data = bytes(range(256)) * 4096
    result = t.run(need("socat"), "-t", "20", "-", f"TCP:127.0.0.1:{server.port}", input=data)
    t.true(data == t.status(0, result).out, "the same bytes")


@case("ncat to daytime, time and qotd: an answer, then the end")
def small(t):
    ncat = need("ncat")
    out = {name: t.run(ncat, "--recv-only", "127.0.0.1", str(t.serve(name).port)).out
           for name in ("daytime", "time", "qotd")}
    t.matches(r"\d\d:\d\d:\d\d.*\r\n\Z", out["daytime"].decode())
    t.true(abs(struct.unpack(">I", out["time"])[0] - 2208988800 - time.time()) < 60, "this minute")
    t.true(0 < len(out["qotd"]) <= 512, "a quote of at most 512 bytes")


@case("a time that is given is told")
def fixed(t):
    server = t.serve("time", "--set", "now=0")
    t.equal(struct.pack(">I", 2208988800), read_all(t.connect(server.port)))


# --- the course's servers ---


@case("ics32: echo, fragments of four bytes, each line twice")
def ics32(t):
    server = t.serve("ics32", "--listen", "127.0.0.1:0")
    t.equal(["connect_four", "double", "echo", "fragments"], sorted(server.ports))
    conns = {name: t.connect(port) for name, port in server.ports.items()}
    for conn in conns.values():
        conn.sendall(b"hello there\r\n")
    t.equal(b"ERROR\r\n", exactly(conns["connect_four"], 7))
    t.equal(b"hello there\r\n", conns["echo"].recv(4096))
    t.equal(b"hell", conns["fragments"].recv(4096))
    t.equal(b"o there\r\n", exactly(conns["fragments"], 9))
    t.equal(b"hello there\r\n" * 2, exactly(conns["double"], 26))
    for conn in conns.values():
        conn.shutdown(socket.SHUT_WR)
        t.equal(b"", conn.recv(1))


@case("ics32: where a port is taken, nothing is left listening, and the line says which")
def taken(t):
    holder = t.peer(peer.Refuser())
    result = t.echolot("serve", "ics32", "--set", f"fragments.port={holder.port}", "--set", "echo.port=0",
                       "--set", "double.port=0", "--set", "connect_four.port=0", "--listen", "127.0.0.1")
    t.status(1, result)
    t.matches(rf"\Aecholot: [^\n]*{holder.port}[^\n]*\n\Z", result.errors())


@case("a server says where it listens, once it does, on 127.0.0.1 only")
def address(t):
    for name in ("chargen", "connect_four", "daytime", "discard", "echo", "ics32", "qotd", "time"):
        server = t.serve(*([name] if name != "ics32" else [name, "--listen", "127.0.0.1:0"]))
        listening = listening_ports(server.pid)
        t.equal(sorted(server.ports.values()), sorted(listening), name)
        t.equal({"0100007F"}, set(listening.values()), f"{name}: 127.0.0.1")
        t.equal(b"", server.err(), name)


# --- clients of every kind ---


@case("a byte at a time: nothing comes back before the line's end, then all of it")
def byte_at_a_time(t):
    conn = t.connect(t.serve("echo").port)
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i in range(len(LINE) - 1):
        conn.sendall(LINE[i : i + 1])
    t.equal(([], [], []), select.select([conn], [], [], 0.1), "nothing yet")
    conn.sendall(LINE[-1:])
    t.equal(LINE, exactly(conn, len(LINE)))


@case("half-close: what came before it is answered, with no end of line too")
def half_close(t):
    conn = t.connect(t.serve("echo").port)
    conn.sendall(LINE + b"rest")
    conn.shutdown(socket.SHUT_WR)
    t.equal(LINE + b"rest", read_all(conn))


@case("RST in the middle of a conversation: the server goes on with the others")
def reset(t):
    for name in ("echo", "discard", "chargen", "connect_four", "daytime", "time", "qotd"):
        server = t.serve(name)
        before = open_descriptors(server)
        for i in range(100):
            conn = t.connect(server.port)
            try:
                conn.sendall(LINE * (i % 3) + b"part")
            except ConnectionError:
                pass
            peer.reset(conn)
        until(lambda: open_descriptors(server) == before, f"{name} closes them")
        conn = t.connect(server.port)
        conn.sendall(LINE)
        if name != "discard":
            t.true(conn.recv(1), f"{name} still answers")
        t.equal(b"", server.err(), f"{name}: standard error")
        t.true(not server.ended(), name)


@case("a client that never reads holds up nobody else, and its memory has a bound")
def never_reads(t):
    for args in (["echo"], ["echo", "--set", "framing=raw"], ["echo", "--set", "repeat_reply=100000000"],
                 ["chargen"]):
        server = t.serve(*args)
        conn = t.connect(server.port)
        if args[0] == "echo":
            conn.settimeout(0.3)
            try:
                for _ in range(64):
                    conn.sendall(LINE * 16384)  # 16 MiB
            except TimeoutError:
                pass
        other = t.connect(server.port)
        other.sendall(LINE)
        t.equal(16, len(exactly(other, 16)), f"{args}: another client is served")
        stays_small(t, server)
        peer.reset(conn)
        other.sendall(LINE)
        t.true(other.recv(16), f"{args}: and still is")


GIB = 1 << 30


def pour(conn, count):
    """Sends so many bytes without a line end; how many the server took before it ended."""
    block = b"x" * (1 << 20)
    sent = 0
    try:
        while sent < count:
            conn.sendall(block)
            sent += len(block)
    except ConnectionError:
        pass
    return sent


@case("1 GiB without a line end to discard: taken, its memory stays small")
def pour_discard(t):
    server = t.serve("discard")
    conn = t.connect(server.port)
    t.equal(GIB, pour(conn, GIB))
    conn.shutdown(socket.SHUT_WR)
    t.equal(b"", conn.recv(1))
    stays_small(t, server)


@case("1 GiB without a line end to echo: it ends that client; its memory stays small")
def pour_echo(t):
    server = t.serve("echo")
    conn = t.connect(server.port)
    sent = pour(conn, GIB)
    t.true(sent < GIB, "it gives up early")
    t.true(ends(conn), "it closes")
    stays_small(t, server)
    other = t.connect(server.port)
    other.sendall(LINE)
    t.equal(LINE, exactly(other, len(LINE)))


@case("256 MiB through a raw echo, by another program: as much comes back")
def through_echo(t):
    socat = need("socat")
    server = t.serve("echo", "--set", "framing=raw")
    script = f"head -c {GIB >> 2} /dev/zero | {socat} -t 60 - TCP:127.0.0.1:{server.port} | wc -c"
    t.equal(str(GIB >> 2), t.status(0, t.run("sh", "-c", script)).text().strip())
    stays_small(t, server)


@case("3,000 quick connections, each with a line; 3,000 without: all descriptors come back")
def quick(t):
    server = t.serve("echo")
    before = open_descriptors(server)
    for i in range(3000):
        with socket.create_connection(("127.0.0.1", server.port), DEADLINE_S) as conn:
            conn.sendall(LINE)
            if i % 10 == 0:
                t.equal(LINE, exactly(conn, len(LINE)))
    for i in range(3000):
        conn = socket.create_connection(("127.0.0.1", server.port), DEADLINE_S)
        if i % 2:
            peer.reset(conn)
        conn.close()
    until(lambda: open_descriptors(server) == before, "all are closed")
    stays_small(t, server)
    t.equal(b"", server.err())


@case("1,000 clients at the same time, answered in any order")
def many(t):
    server = t.serve("echo")
    conns = [t.connect(server.port) for _ in range(1000)]
    for i, conn in enumerate(conns):
        conn.sendall(b"client %d\n" % i)
    for i in reversed(range(1000)):
        t.equal(b"client %d\n" % i, exactly(conns[i], len(b"client %d\n" % i)))


@case("more clients than descriptors: they wait their turn, none is lost")
def few_descriptors(t):
    server = t.start("sh", "-c", 'ulimit -n 40; exec "$@"', "sh", ECHOLOT, "serve", "echo")
    server.wait_for(r"^listening on .*\n")
    port = int(re.search(rb":(\d+) \(", server.out())[1])
    conns = [t.connect(port) for _ in range(100)]
    for i, conn in enumerate(conns):
        conn.sendall(b"client %d\n" % i)
    for i, conn in enumerate(conns):
        t.equal(b"client %d\n" % i, exactly(conn, len(b"client %d\n" % i)))
        conn.close()


# --- options ---

OPTIONS = {
    ("reply=upper",): (b"a\nb\r\n", b"A\nB\r\n"),
    ("reply=reverse", "terminator=crlf"): (b"abc\n", b"cba\r\n"),
    ("reply=count", "terminator=lf"): (b"four\r\n", b"4\n"),
    ("reply=previous",): (b"1\n2\n3\n", b"\n1\n2\n"),
    ("reply=hash",): (b"123456789\n", b"cbf43926\n"),
    ("terminator=none",): (b"a\nb\n", b"ab"),
    ("repeat_reply=3",): (b"a\n", b"a\na\na\n"),
    ("greeting=welcome",): (b"a\n", b"welcome\na\n"),
    ("max_line=3",): (b"abcdef\ng\n", b"abc\ng\n"),
    ("max_line=3", "overflow=split"): (b"abcdef\n", b"abc\ndef\n"),
    ("chunk=1",): (b"abcdef\n", b"abcdef\n"),
    ("batch=4",): (b"a\nb\nc\n", b"a\nb\nc\n"),
    ("framing=raw", "reply=upper"): (b"abc", b"ABC"),
    ("half_close=close",): (b"a\nb", b"a\n"),
}


def option(settings, sent, expected):
    @case("echo with " + " ".join(settings))
    def check(t):
        args = [arg for setting in settings for arg in ("--set", setting)]
        conn = t.connect(t.serve("echo", *args).port)
        conn.sendall(sent)
        conn.shutdown(socket.SHUT_WR)
        t.equal(expected, read_all(conn))


for settings, (sent, expected) in OPTIONS.items():
    option(settings, sent, expected)


@case("close_after, overflow=close and idle_timeout end the conversation by themselves")
def endings(t):
    conn = t.connect(t.serve("echo", "--set", "close_after=2").port)
    conn.sendall(b"1\n2\n3\n")
    t.equal(b"1\n2\n", read_all(conn))
    conn = t.connect(t.serve("echo", "--set", "max_line=3", "--set", "overflow=close").port)
    conn.sendall(b"ok\nlong line\n")
    t.equal(b"ok\n", read_all(conn))
    conn = t.connect(t.serve("echo", "--set", "idle_timeout=0.05").port)
    t.equal(b"", read_all(conn))


@case("standard output that nobody reads does not keep a server from serving")
def no_reader(t):
    server = t.start(ECHOLOT, "serve", "echo", stdout=subprocess.DEVNULL)
    conn = t.connect(server.wait_ports()[0])
    conn.sendall(LINE)
    t.equal(LINE, exactly(conn, len(LINE)))


if __name__ == "__main__":
    main()
