"""The processes of a benchmark: started on a core, timed, and never left behind."""

import contextlib
import os
import pathlib
import re
import select
import signal
import subprocess
import tempfile
import time

CLIENT_SECONDS = 900  # beyond the C clients' own deadline
START_SECONDS = 60


class Failure(Exception):
    """A program that did not do its work; the message is for the table."""


@contextlib.contextmanager
def pinned(core):
    """What is started inside runs on that core only (None: wherever it likes)."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Program:
    """A process that we started; as a context manager, one that does not outlive it.

    It leads a process group of its own, so that ending it ends what it started too: a
    client would outlive the strace that watches it.
    """

    def __init__(self, command, core, **pipes):
        self.command = [str(word) for word in command]
        self.errors = tempfile.TemporaryFile()
        self.output = tempfile.TemporaryFile()
        pipes.setdefault("stdin", subprocess.DEVNULL)
        pipes.setdefault("stdout", self.output)
        self.started = time.monotonic()
        try:
            with pinned(core):
                self.process = subprocess.Popen(
                    self.command, stderr=self.errors, start_new_session=True, **pipes)
        except OSError as error:
            raise Failure(f"{self.command[0]}: {error.strerror}") from error
        self.pidfd = os.pidfd_open(self.process.pid)  # readable once it has ended

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.pidfd)
        self.errors.close()
        self.output.close()

    def complaint(self):
        """The last line of its standard error, for a message."""
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        name = pathlib.Path(self.command[0]).name
        return f"{name}: {lines[-1]}" if lines else f"{name}: no message"

    def finish(self, seconds=CLIENT_SECONDS):
        """Waits for its end; returns its CPU and wall seconds, or fails as it did."""
        ended, _, _ = select.select([self.pidfd], [], [], seconds)
        if not ended:
            raise Failure(f"{self.command[0]}: still running after {seconds} s")
        _, status, usage = os.wait4(self.process.pid, 0)
        wall_s = time.monotonic() - self.started
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.process.returncode != 0:
            raise Failure(f"{self.complaint()} (status {self.process.returncode})")
        return usage.ru_utime + usage.ru_stime, wall_s

    def fields(self):
        """The name=number pairs of the last line that it printed."""
        self.output.seek(0)
        lines = self.output.read().decode(errors="replace").strip().splitlines()
        pairs = re.findall(r"(\w+)=(\d+)", lines[-1] if lines else "")
        if not pairs:
            raise Failure(f"{self.command[0]}: printed no result")
        return {name: int(number) for name, number in pairs}


class Server(Program):
    """One of our servers. It ends once we close its standard input."""

    def __init__(self, command, core):
        super().__init__(command, core, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.unread = b""
        try:
            self.port = int(self.line())
        except ValueError as error:
            self.__exit__()
            raise Failure(f"{self.command[0]}: printed no port") from error
        except Failure:
            self.__exit__()
            raise

    def __exit__(self, *details):
        self.process.stdin.close()
        if details == (None, None, None):  # else it may wait for clients that never come
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(START_SECONDS)
        super().__exit__(*details)
        self.process.stdout.close()

    def more(self, client=None):
        """Adds to what is unread; returns False at the end. Fails when the client ends
        before anything comes."""
        awaited = [self.process.stdout] + ([client.pidfd] if client else [])
        ready, _, _ = select.select(awaited, [], [], START_SECONDS)
        if not ready:
            raise Failure(f"{self.command[0]}: silent for {START_SECONDS} s")
        if self.process.stdout not in ready:
            raise Failure(client.complaint())
        data = os.read(self.process.stdout.fileno(), 65536)
        self.unread += data
        return data != b""

    def line(self, client=None):
        while b"\n" not in self.unread:
            if not self.more(client):
                raise Failure(self.complaint())
        line, _, self.unread = self.unread.partition(b"\n")
        return line.decode()

    def rest(self):
        """All that it still prints, once its standard input has ended."""
        self.process.stdin.close()
        while self.more():
            pass  # to the end of its output, each step within START_SECONDS
        self.finish(START_SECONDS)
        return self.unread.decode()
