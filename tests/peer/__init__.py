"""Peers that are hard to talk to, each a server on a free loopback port. See README.md.

    with Dripper(b"slowly") as peer:
        ... connect to peer.address ...

A peer runs in threads of the process that started it; stop() ends them all, whatever they wait
for. What one of them raises, other than the network's errors, stands in `fault` afterwards.
"""

import fcntl
import socket
import struct
import termios
import threading
import traceback

SIOCOUTQ = termios.TIOCOUTQ  # the same number: bytes sent that the other side has not acknowledged


class Peer:
    """The base of all: accepts clients, each served by talk(conn) in a thread of its own."""

    backlog = 128

    def __init__(self):
        self.listener = None
        self.threads, self.conns = [], []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.fault = None
        self.clients = 0
        self.received = bytearray()

    def start(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=self.backlog)
        self.port = self.listener.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.spawn(self.accept)
        return self

    def stop(self):
        if not self.listener:
            return
        self.stopping.set()
        with self.lock:
            self.shut(self.listener)
            for conn in self.conns:
                self.shut(conn)
        for thread in self.threads:
            thread.join()
        self.listener.close()
        for conn in self.conns:
            conn.close()
        self.listener = None

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    @staticmethod
    def shut(sock):
        """Wakes whoever waits in it."""
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it was not connected any more

    def spawn(self, function, *args):
        def guarded():
            try:
                function(*args)
            except OSError:
                pass  # the client's doing, or stop()'s
            except Exception:
                self.fault = traceback.format_exc()

        thread = threading.Thread(target=guarded, daemon=True)
        self.threads.append(thread)
        thread.start()

    def accept(self):
        while not self.stopping.is_set():
            conn = self.listener.accept()[0]
            with self.lock:
                self.conns.append(conn)
                self.clients += 1
                if self.stopping.is_set():
                    return
                self.spawn(self.serve, conn)

    def serve(self, conn):
        try:
            self.talk(conn)
        finally:
            if not self.keeps_open:
                conn.close()

    # A peer that says no more, yet does not close.
    keeps_open = False

    def talk(self, conn):
        raise NotImplementedError

    def take(self, conn, count=65536):
        """Receives some; kept in `received`."""
        data = conn.recv(count)
        self.received += data
        return data


def reset(conn):
    """Closes with RST."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


class Echo(Peer):
    """Sends back what comes; ends when the client does."""

    def talk(self, conn):
        while data := conn.recv(65536):
            conn.sendall(data)


class Dripper(Peer):
    """Sends its data a byte at a time, each in a segment that was acknowledged before the next."""

    def __init__(self, data):
        super().__init__()
        self.data = data

    def talk(self, conn):
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(self.data)):
            conn.sendall(self.data[i : i + 1])
            while self.unacknowledged(conn) and not self.stopping.wait(0.0005):
                pass

    @staticmethod
    def unacknowledged(conn):
        return struct.unpack("i", fcntl.ioctl(conn, SIOCOUTQ, b"\0" * 4))[0]


class Resetter(Peer):
    """Reads until so many bytes are in (0: none), sends its data, then resets."""

    def __init__(self, after=1, data=b""):
        super().__init__()
        self.after, self.data = after, data

    def talk(self, conn):
        taken = 0
        while taken < self.after and (data := self.take(conn)):
            taken += len(data)
        if self.data:
            conn.sendall(self.data)
            while Dripper.unacknowledged(conn) and not self.stopping.wait(0.0005):
                pass
        reset(conn)


class NeverReader(Peer):
    """Accepts, and never reads: the client's sends fill both buffers."""

    keeps_open = True

    def start(self):
        super().start()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        return self

    def talk(self, conn):
        pass


class Flooder(Peer):
    """Sends without end and never reads."""

    def __init__(self, line=b"x" * 65536):
        super().__init__()
        self.line = line

    def talk(self, conn):
        while True:
            conn.sendall(self.line)


class Silent(Peer):
    """Reads all, and never answers."""

    keeps_open = True

    def talk(self, conn):
        while self.take(conn):
            pass


class HalfCloser(Peer):
    """Sends its data and ends its half at once; goes on reading to the client's end."""

    def __init__(self, data):
        super().__init__()
        self.data = data
        self.finished = threading.Event()

    def talk(self, conn):
        conn.sendall(self.data)
        conn.shutdown(socket.SHUT_WR)
        while self.take(conn):
            pass
        self.finished.set()


class Speaker(Peer):
    """Sends its data, whatever it may be, and closes: messages cut in their middle, escape
    sequences, invalid UTF-8."""

    def __init__(self, data):
        super().__init__()
        self.data = data

    def talk(self, conn):
        conn.sendall(self.data)
        conn.shutdown(socket.SHUT_WR)
        while self.take(conn):
            pass


class Meeting(Peer):
    """Answers each client's line once so many clients are there that have sent one: only those
    who come at the same time are answered."""

    def __init__(self, count):
        super().__init__()
        self.count = count
        self.present = []

    def talk(self, conn):
        if not self.take(conn):
            return
        with self.lock:
            self.present.append(conn)
            if len(self.present) == self.count:
                for one in self.present:
                    one.sendall(b"all here\n")
        try:
            self.take(conn)  # its end
        finally:
            with self.lock:
                self.present.remove(conn)


class Deaf:
    """Listens without accepting, its backlog full: further clients are left without an answer."""

    fault = None

    def start(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.waiting = []
        while not self.is_full():
            pass
        return self

    def is_full(self):
        """Whether the last of those that try to connect was left without an answer."""
        conn = socket.socket()
        self.waiting.append(conn)
        conn.settimeout(0.3)
        try:
            conn.connect(("127.0.0.1", self.port))
        except TimeoutError:
            return True
        return False

    def stop(self):
        for conn in [*self.waiting, self.listener]:
            conn.close()


class Refuser:
    """Holds a port without listening on it: connections to it are refused, whoever else runs."""

    fault = None

    def start(self):
        self.holder = socket.socket()
        self.holder.bind(("127.0.0.1", 0))
        self.port = self.holder.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        return self

    def stop(self):
        self.holder.close()
