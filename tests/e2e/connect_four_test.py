"""Connect Four: the server from outside, and the program that plays it, through pipes and a pty."""

import os
import pty
import re
import select
import socket

from harness import DEADLINE_S, ECHOLOT, SANITIZED, SOURCE, case, main

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


# --- the program that plays it ---

PROGRAM = SOURCE / "scripts/ics32/connect_four.lua"
ESCAPE = r"\x1b"
OPENINGS = {name: (opening, moves.lower().split(","))
            for name, (opening, moves, _) in ENDS.items()}


def player(t, port, typed, *more, **env):
    """Plays by pipe, on 7 columns and 6 rows unless told otherwise; the Result."""
    args = ["127.0.0.1", str(port), *(more or ("ada", "7", "6"))]
    return t.echolot("run", PROGRAM, *args, input=typed, env=env)


def boards(text):
    """The boards that were drawn, each a list of rows from the top: letters and marks."""
    rows = re.findall(r"^  \|(.*)\|$|^  \+(.*)\+$", text, re.M)
    found, board = [], []
    for row, bottom in rows:
        if row:
            board.append(row.split())
        elif bottom:
            found.append(board)
            board = []
    return found


@case("program: a game that is lost, by pipe")
def lost(t):
    opening, moves = OPENINGS["yellow wins"]
    result = player(t, t.serve("connect_four", *settings(opening)).port, "\n".join(moves) + "\n")
    text = t.status(0, result).text()
    t.equal("", result.errors())
    t.lacks(ESCAPE, text)
    drawn = boards(text)
    t.equal(5, len(drawn))
    t.equal([["."] * 7] * 6, drawn[0])
    t.equal([[".", ".", ".", ".", ".", ".", "."]] * 5 + [["[Y]", ".", ".", ".", ".", ".", "R"]], drawn[1])
    t.equal([".", ".", ".", ".", ".", ".", "R"], drawn[4][3])
    t.equal(["*Y*", "*Y*", "*Y*", "*Y*", "R", ".", "R"], drawn[4][5])
    t.matches(r"^Your move: drop 7\n\n   R  ada    Y  127\.0\.0\.1:\d+\n    1   2   3   4   5   6   7\n", text)
    t.matches(r"^Yellow drops into column 3\.$", text)
    t.matches(r"^Yellow has won\.\n\Z", text)


@case("program: each way to win and to lose is told, the fours marked")
def results(t):
    for name, (opening, moves) in OPENINGS.items():
        result = player(t, t.serve("connect_four", *settings(opening)).port, "\n".join(moves) + "\n")
        text = t.status(0, result).text()
        winner = ENDS[name][2][-3:] == "RED" and "You have won!" or "Yellow has won."
        t.true(text.endswith(f"\n{winner}\n"), f"{name}: {text[-500:]}")
        letter = "R" if winner.startswith("You") else "Y"
        final = " ".join(" ".join(row) for row in boards(text)[-1])
        t.equal(4, final.count(f"*{letter}*"), name)
        t.equal(4, final.count("*") // 2, name)


@case("program: moves are typed in many ways; what is wrong is said, and asked again")
def moves(t):
    port = t.serve("connect_four", "--set", "opening=DROP 1", "--set", "opening=POP 1",
                   "--set", "opening=DROP 2").port
    typed = ("\nx\n0\n8\ndrop\ndrop x\npop 1\n-3\n3.0\n99999999999999999999\nHELP\r\n"
             " d 3\npop 1\nPop 3\np2\n D4 \nquit\n")
    text = t.status(0, player(t, port, typed)).text()
    said = re.findall(r"^Your move: (.*)\n(?:  )?(\S.*)?$", text, re.M)
    hint = "Please type a column such as 3, or pop 3; help tells more."
    no_column = "There is no such column: they are numbered from 1 to 7."
    t.equal([("", hint), ("x", hint), ("0", no_column), ("8", no_column), ("drop", hint), ("drop x", hint),
             ("pop 1", "There is nothing in column 1."), ("-3", hint), ("3.0", hint),
             ("99999999999999999999", no_column), ("HELP", "3, drop 3, d3    drop a piece into column 3"),
             (" d 3", ""), ("pop 1", "The lowest piece of column 1 is not yours."), ("Pop 3", ""),
             ("p2", "There is nothing in column 2."), (" D4 ", ""), ("quit", "Goodbye!")], said)
    drawn = boards(text)
    t.equal(4, len(drawn))
    t.equal([".", ".", ".", ".", ".", ".", "."], drawn[2][5])  # both have popped
    t.matches(r"^  \+\[v\]-+\+\nYellow pops column 1\.$", text)
    t.equal([".", "[Y]", ".", "R", ".", ".", "."], drawn[3][5])


@case("program: a column that is full is refused by it, before the server")
def full(t):
    opening = ["DROP 1", "DROP 1", "DROP 2"]
    text = player(t, t.serve("connect_four", *settings(opening)).port, "1\n1\n1\nquit\n",
                  "ada", "4", "4").text()
    t.matches(r"^Your move: 1\nColumn 1 is full\.$", text)
    t.equal(4, len(boards(text)[0]))


@case("program: it asks for what is not given")
def asks(t):
    port = t.serve("connect_four").port
    typed = f"\n localhost \nx\n65536\n{port}\n\nada lovelace\nada\n3\nmany\n5\n21\n\nquit\n"
    text = t.status(0, t.echolot("run", PROGRAM, input=typed)).text()
    t.equal(["", " localhost "], re.findall(r"^Host: (.*)$", text, re.M))
    t.equal(["x", "65536", str(port)], re.findall(r"^Port: (.*)$", text, re.M))
    t.equal(["", "ada lovelace", "ada"], re.findall(r"^Your name: (.*)$", text, re.M))
    t.equal(["3", "many", "5"], re.findall(r"^Columns \(4 to 20, usually 7\): (.*)$", text, re.M))
    t.equal(["21", ""], re.findall(r"^Rows \(4 to 20, usually 6\): (.*)$", text, re.M))
    t.matches(r"^Please name a host", text)
    t.matches(r"^Please give a port", text)
    t.matches(r"^Please give a name without spaces\.$", text)
    t.matches(r"^Please give the number of columns, from 4 to 20\.$", text)
    t.matches(r"^Please give the number of rows, from 4 to 20\.$", text)
    t.equal([["."] * 5] * 6, boards(text)[0])


@case("program: the end of the input ends it wherever it comes")
def input_ends(t):
    port = t.serve("connect_four").port
    answers = ["localhost", str(port), "ada", "7", "6", "4"]
    for count in range(len(answers) + 1):
        typed = "".join(answer + "\n" for answer in answers[:count])
        result = t.status(0, t.echolot("run", PROGRAM, input=typed))
        t.equal("", result.errors())
        t.true(result.text().endswith("\n"), "a line of its own for the shell")


@case("program: arguments that will not do end it with one line")
def arguments(t):
    port = str(t.serve("connect_four").port)
    for args in (["", port], ["127.0.0.1", "0x7"], ["127.0.0.1", port, "a b"],
                 ["127.0.0.1", port, "ada", "3"], ["127.0.0.1", port, "ada", "7", "21"]):
        result = t.status(1, t.echolot("run", PROGRAM, *args))
        t.matches(r"\APlease [^\n]*\.\n\Z", result.errors(), args)
        t.equal("", result.text())


BREACHES = {
    "refuses the greeting": (b"ERROR\r\n", "it says 'ERROR' instead of WELCOME ada"),
    "greets another": (b"WELCOME bob\r\n", "it says 'WELCOME bob' instead of WELCOME ada"),
    "knows no game": (b"WELCOME ada\r\nERROR\r\n", "it says 'ERROR' instead of READY"),
    "moves unasked": (b"DROP 4\r\n", "it says 'DROP 4' instead of OKAY, INVALID or a winner"),
    "makes an illegal move": (b"OKAY\r\nPOP 4\r\nREADY\r\n", "it says 'POP 4' instead of a legal move"),
    "drops beside the board": (b"OKAY\r\nDROP 8\r\n", "it says 'DROP 8' instead of a legal move"),
    "moves by a word": (b"OKAY\r\nDROP x\r\n", "it says 'DROP x' instead of a legal move"),
    "names a winner too early": (b"WINNER_RED\r\n", "it says 'WINNER_RED' instead of OKAY or READY"),
    "lets yellow win by nothing": (b"OKAY\r\nDROP 1\r\nWINNER_YELLOW\r\n",
                                   "it says 'WINNER_YELLOW' instead of OKAY or READY"),
    "is not ready": (b"OKAY\r\nDROP 1\r\nFINE\r\n", "it says 'FINE' instead of READY or a winner"),
    "obeys a terminal": (b"\x1b]0;mine\x07\xff" + b"x" * 100 + b"\n",
                         "it says '?]0;mine??x{50}...' instead of"),
    "leaves": (b"", "The server has closed the connection."),
    "leaves at its INVALID": (b"INVALID\r\n", "The server has closed the connection."),
    "never ends its line": (b"x" * (1 << 20), "The server says more than it should. (read "),
}


def breach(name, said, expected):
    @case(f"program: one clear line where the server {name}")
    def check(t):
        begun = b"" if said.startswith((b"ERROR", b"WELCOME")) else b"WELCOME ada\r\nREADY\r\n"
        speaker = t.peer(peer.Speaker(begun + said))
        result = t.status(1, player(t, speaker.port, "4\n4\n"))
        pattern = re.escape(expected).replace(r"x\{50\}", "x{50}").replace(r"\?", "[?]")
        t.matches(rf"\A[^\n]*{pattern}[^\n]*\n\Z", result.errors())
        t.lacks(r"[^\n -~]", result.errors())


for name, (said, expected) in BREACHES.items():
    breach(name, said, expected)


@case("program: nobody listens")
def refused(t):
    result = t.status(1, player(t, t.peer(peer.Refuser()).port, ""))
    t.matches(r"\ANobody listens there[^\n]*\n\Z", result.errors())


@case("program: what it may meet and takes calmly: INVALID, a draw")
def calm(t):
    begun = b"WELCOME ada\nREADY\n"
    speaker = t.peer(peer.Speaker(begun + b"INVALID\nREADY\nOKAY\nDROP 4\nREADY\n"))
    text = t.status(0, player(t, speaker.port, "4\n4\nquit\n")).text()
    t.matches(r"^Your move: 4\nThe server refuses that move\.\nYour move: 4\n\n", text)
    t.equal(b"I32CFSP_HELLO ada\r\nAI_GAME\r\nDROP 4\r\nDROP 4\r\n", bytes(speaker.received))
    for said in (b"OKAY\n", b"OKAY\nDROP 4\n"):
        speaker = t.peer(peer.Speaker(begun + said))
        text = t.status(0, player(t, speaker.port, "4\n")).text()
        t.matches(r"The server ends the game: nobody has won\.\n\Z", text)


@case("program: the board's sizes are asked for as they are")
def sizes(t):
    speaker = t.peer(peer.Speaker(b"WELCOME ada\r\nREADY\r\n"))
    text = t.status(0, player(t, speaker.port, "", "ada", "20", "4")).text()
    t.equal(b"I32CFSP_HELLO ada\r\nAI_GAME 20 4\r\n", bytes(speaker.received))
    t.equal([["."] * 20] * 4, boards(text)[0])
    t.true(all(len(row) <= 80 for row in text.splitlines()), "80 columns are enough")


class Terminal:
    """The program in a terminal of its own: types, and waits for what is shown."""

    def __init__(self, t, port, **env):
        self.t, self.shown = t, ""
        self.leader, follower = pty.openpty()
        args = ["127.0.0.1", str(port), "ada", "7", "6"]
        self.process = t.start(ECHOLOT, "run", PROGRAM, *args, stdin=follower, stdout=follower, env=env)
        os.close(follower)

    def wait_for(self, pattern):
        while not re.search(pattern, self.shown):
            if not select.select([self.leader], [], [], DEADLINE_S)[0]:
                self.t.fail(f"{pattern} is not shown: {self.shown[-500:]!r}")
            try:
                self.shown += os.read(self.leader, 65536).decode()
            except OSError:  # the other side has ended
                self.t.fail(f"it ended before {pattern}: {self.shown[-500:]!r}")

    def type(self, text):
        self.wait_for(r"Your move: \Z")
        self.shown = ""
        os.write(self.leader, text.encode() + b"\n")

    def close(self):
        """What is shown at last."""
        try:
            while data := os.read(self.leader, 65536):
                self.shown += data.decode()
        except OSError:
            pass
        os.close(self.leader)
        self.t.status(0, self.process.wait())
        return self.shown


@case("program: in a terminal, in place, with colour")
def terminal(t):
    opening, moves = OPENINGS["red wins"]
    screen = Terminal(t, t.serve("connect_four", *settings(opening)).port)
    for move in moves[:-1]:
        screen.type(move)
        screen.wait_for(r"Yellow drops into column 7\.")
        t.matches(r"\x1b\[H\x1b\[J", screen.shown)
        t.matches(r"\x1b\[1;97;41m R \x1b\[0m", screen.shown, "a red tile")
        t.matches(r"\x1b\[1;30;43m\[Y\]\x1b\[0m", screen.shown, "a yellow one, marked")
    screen.type(moves[-1])
    shown = screen.close()
    t.equal(4, shown.count("*R*"))
    t.matches(r"You have won!", shown)


@case("program: a terminal without colour keeps its letters; a dumb one is never cleared")
def plain_terminal(t):
    for env, clears in (({"NO_COLOR": "1"}, True), ({"TERM": "dumb"}, False)):
        port = t.serve("connect_four", "--set", "opening=DROP 2").port
        screen = Terminal(t, port, **env)
        screen.type("1")
        screen.wait_for(r"Your move: \Z")
        shown = screen.shown
        screen.type("q")
        screen.close()
        t.lacks(r"\x1b\[[\d;]*m", shown, env)
        t.equal(clears, "\x1b[H\x1b[J" in shown, env)
        t.matches(r"\| R  \[Y\]  \.   \.   \.   \.   \. \|", shown)


# --- the script that tests such servers ---

SUITE = SOURCE / "scripts/ics32/connect_four_test.lua"


@case("tests: they hold for the server, whatever it plays; without a target they have their own")
def suite(t):
    t.status(0, t.echolot("test", SUITE))
    for strength in ("full", "random"):
        port = t.serve("connect_four", "--set", f"strength={strength}").port
        result = t.status(0, t.echolot("test", SUITE, "--target", f"127.0.0.1:{port}"))
        t.matches(r"^\d+ passed, 0 failed$", result.text())


@case("tests: none of them holds for what is no such server")
def suite_fails(t):
    port = t.serve("echo").port
    ends = t.echolot("test", "-o", "jsonl", SUITE, "--target", f"127.0.0.1:{port}").ends()
    t.equal([], [name for name, end in ends.items() if end["status"] == "pass"])


if __name__ == "__main__":
    main()
