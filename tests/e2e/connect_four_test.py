"""Connect Four: the server from outside, and the program that plays it, through pipes and a pty."""

import select
import socket

from harness import SANITIZED, case, main

import peer

GIB = 1 << 30


def line(conn):
    """The next line with its end, byte by byte: nothing behind it is taken. b"" at the end."""
    data = b""
    while not data.endswith(b"\n") and (byte := conn.recv(1)):
        data += byte
    return data


def rest(conn):
    data = b""
    while chunk := conn.recv(65536):
        data += chunk
    return data


def talk(t, port, text):
    """All that the server says to the text; the client ends its half behind it."""
    conn = t.connect(port)
    conn.sendall(text)
    conn.shutdown(socket.SHUT_WR)
    return rest(conn)


def settings(opening, *more):
    pairs = [f"opening={move}" for move in opening] + list(more)
    return [arg for pair in pairs for arg in ("--set", pair)]


HELLO = b"I32CFSP_HELLO boo\r\nAI_GAME\r\n"
WELCOME = b"WELCOME boo\r\nREADY\r\n"

# --- the server ---


@case("server: a game, line by line, on the course's server")
def course(t):
    server = t.serve("ics32", "--listen", "127.0.0.1:0")
    conn = t.connect(server.ports["connect_four"])
    for said, heard in (
        (b"I32CFSP_HELLO b\xc3\xb6\xc3\xb6!\r\n", [b"WELCOME b\xc3\xb6\xc3\xb6!\r\n"]),
        (b"AI_GAME 5 4\r\n", [b"READY\r\n"]),
        (b"DROP 6\r\n", [b"INVALID\r\n", b"READY\r\n"]),
        (b"POP 1\r\n", [b"INVALID\r\n", b"READY\r\n"]),
        (b"DROP 1\r\n", [b"OKAY\r\n"]),
    ):
        conn.sendall(said)
        for expected in heard:
            t.equal(expected, line(conn), said)
    t.matches(r"\ADROP [1-5]\r\n\Z", line(conn).decode(), "its move")
    t.equal(b"READY\r\n", line(conn))
    conn.sendall(b"drop 1\r\n")
    t.equal(b"ERROR\r\n", rest(conn))


@case("server: options of the course's Connect Four")
def course_options(t):
    server = t.serve("ics32", "--listen", "127.0.0.1:0", "--set", "connect_four.opening=DROP 7")
    t.equal(WELCOME + b"OKAY\r\nDROP 7\r\nREADY\r\n",
            talk(t, server.ports["connect_four"], HELLO + b"DROP 1\r\n"))


ENDS = {
    "red wins": (["DROP 7", "DROP 7", "DROP 7"],
                 "DROP 1,DROP 2,DROP 3,DROP 4", "WINNER_RED"),
    "yellow wins": (["DROP 1", "DROP 2", "DROP 3", "DROP 4"],
                    "DROP 7,DROP 7,DROP 5,DROP 7", "OKAY,DROP 4,WINNER_YELLOW"),
    "red's pop lets yellow win": (["DROP 1", "DROP 2", "DROP 4", "DROP 3"],
                                  "DROP 4,DROP 7,DROP 7,DROP 6,POP 4", "WINNER_YELLOW"),
    "yellow's pop lets red win": (["DROP 4", "DROP 7", "DROP 7", "POP 4"],
                                  "DROP 1,DROP 2,DROP 4,DROP 3", "OKAY,POP 4,WINNER_RED"),
    "red's pop makes both four": (["DROP 1", "DROP 2", "DROP 3", "DROP 4", "DROP 7"],
                                  "DROP 4,DROP 1,DROP 2,DROP 3,DROP 4,POP 4", "WINNER_RED"),
    "yellow's pop makes both four": (["DROP 4", "DROP 1", "DROP 2", "DROP 3", "DROP 4", "POP 4"],
                                     "DROP 1,DROP 2,DROP 3,DROP 4,DROP 7,DROP 7",
                                     "OKAY,POP 4,WINNER_YELLOW"),
}


def end(name, opening, moves, expected):
    @case(f"server: {name}")
    def check(t):
        port = t.serve("connect_four", *settings(opening)).port
        moves_said = b"".join(move.encode() + b"\n" for move in moves.split(","))
        said = talk(t, port, HELLO + moves_said + b"DROP 1\n" * 1000)  # unheard, and harmless
        answers = b"".join(b"OKAY\r\n%s\r\nREADY\r\n" % move.encode() for move in opening)
        wanted = "".join(word + "\r\n" for word in expected.split(",")).encode()
        full = WELCOME + answers + wanted
        if expected.startswith("OKAY"):  # the opening's last move is the one that decides
            last = b"OKAY\r\n%s\r\nREADY\r\n" % opening[-1].encode()
            full = WELCOME + answers.removesuffix(last) + wanted
        t.equal(full, said)


for name, (opening, moves, expected) in ENDS.items():
    end(name, opening, moves, expected)


@case("server: OKAY is sent before it thinks")
def okay_first(t):
    conn = t.connect(t.serve("connect_four", "--set", "delay=3600").port)
    conn.sendall(HELLO + b"DROP 4\r\n")
    for expected in (b"WELCOME boo\r\n", b"READY\r\n", b"OKAY\r\n"):
        t.equal(expected, line(conn))
    t.equal(([], [], []), select.select([conn], [], [], 0.1), "no move yet")


@case("server: a byte at a time")
def bytewise(t):
    conn = t.connect(t.serve("connect_four", "--set", "opening=DROP 7").port)
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in HELLO + b"DROP 1\r\n":
        conn.sendall(bytes([byte]))
    conn.shutdown(socket.SHUT_WR)
    t.equal(WELCOME + b"OKAY\r\nDROP 7\r\nREADY\r\n", rest(conn))


@case("server: 1 GiB without a line end is an ERROR at once; its memory stays small")
def endless_line(t):
    server = t.serve("connect_four")
    conn = t.connect(server.port)
    sent, block = 0, b"x" * (1 << 20)
    try:
        while sent < GIB:
            conn.sendall(block)
            sent += len(block)
    except ConnectionError:
        pass
    t.true(sent < GIB, "it gives up early")
    limit_kib = (2048 if SANITIZED else 64) << 10
    with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
        rss_kib = int(next(s for s in status if s.startswith("VmHWM:")).split()[1])
    t.true(rss_kib < limit_kib, f"{rss_kib} KiB")
    t.equal(b"ERROR\r\n", talk(t, server.port, b"x" * 65537 + b"\n"))


@case("server: who asks for moves without end and never reads holds up nobody")
def never_reads(t):
    server = t.serve("connect_four")
    conn = t.connect(server.port)
    conn.settimeout(0.3)
    try:
        conn.sendall(HELLO)
        for _ in range(64):
            conn.sendall(b"POP 7\r\n" * (1 << 17))
    except TimeoutError:
        pass
    t.true(talk(t, server.port, HELLO + b"DROP 1\r\n").startswith(WELCOME + b"OKAY\r\n"), "served")
    peer.reset(conn)


@case("server: 200 clients at once; those that leave in the middle harm nobody")
def many(t):
    server = t.serve("connect_four", "--set", "seed=1")
    conns = [t.connect(server.port) for _ in range(200)]
    for conn in conns:
        conn.sendall(HELLO + b"DROP 1\r\nDROP 2\r\nDR")
    for conn in conns[::3]:
        peer.reset(conn)
    left = [conn for i, conn in enumerate(conns) if i % 3]
    for conn in left:
        conn.sendall(b"OP 3\r\n")
        conn.shutdown(socket.SHUT_WR)
    t.equal(1, len({rest(conn) for conn in left}), "games of one seed")
    t.equal(b"", server.err())
    t.true(not server.ended(), "it is there")


@case("server: options that are wrong are refused by name")
def usage(t):
    for setting in ("opening=DROP", "opening=drop 4", "strength=weak", "columns=7"):
        result = t.status(2, t.echolot("serve", "connect_four", "--set", setting))
        t.matches(rf"\Aecholot: servers.connect_four: [^\n]*'{setting.split('=')[0]}'[^\n]*\n\Z",
                  result.errors())
    result = t.echolot("serve", "connect_four", "--set", "opening=POP")
    t.matches(r"'opening' is a list of moves such as 'DROP 4' or 'POP 4', not 'POP'\n", result.errors())


if __name__ == "__main__":
    main()
