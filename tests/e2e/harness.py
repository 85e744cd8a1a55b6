"""What the end-to-end tests share: cases printed as TAP 13, processes, conditions with deadlines.

A case is a function decorated with @case("what holds"); it gets a Case, whose checks raise where
they don't hold. What a case starts is killed when it ends, by process group and never by name.
Then the harness looks for itself: a process that outlived the program it belonged to, a descriptor
or a thread that is still there fails the case.

From the environment: ECHOLOT (the program), ECHOLOT_MODULE_DIR (the folder of echolot.so),
ECHOLOT_SOURCE and ECHOLOT_BUILD (top folders); EL_SANITIZE=1 where the program is built with
sanitizers.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE / "scripts"
SOURCE = Path(os.environ.get("ECHOLOT_SOURCE", HERE.parents[1]))
BUILD = Path(os.environ.get("ECHOLOT_BUILD", SOURCE / "build"))
ECHOLOT = os.environ.get("ECHOLOT", str(BUILD / "src/app/echolot"))
MODULE_DIR = os.environ.get("ECHOLOT_MODULE_DIR", str(BUILD / "src/module"))
SANITIZED = os.environ.get("EL_SANITIZE") == "1"
ASAN_RUNTIME = os.environ.get("EL_ASAN_RUNTIME", "")

# Bounds, not expectations: whoever waits for a condition gives up after so long.
DEADLINE_S = 60 if SANITIZED else 20
CASE_S = 300 if SANITIZED else 90
LEAVE_S = 5  # for what ends with another to be gone
PACE_S = 0.005

MARK = "ECHOLOT_E2E_CASE"
SANITIZER_REPORT = re.compile(rb"(Address|Leak|UndefinedBehavior)Sanitizer|runtime error:")
UNWANTED = re.compile(r"ECHOLOT_|LUA_|LC_|LANG|NO_COLOR|CLICOLOR|LD_PRELOAD|DESTDIR|MESON")

sys.path.insert(0, str(HERE.parent))  # for `import peer`


class Failed(Exception):
    """A check that does not hold."""


class Skip(Exception):
    """A case that cannot be run here, and why."""


def need(program):
    """The path of a program that may be missing: then the case is skipped."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Skip(f"{program} is not installed")
    return path


def until(condition, what, seconds=None, process=None):
    """Waits for the condition; its value. Fails where it doesn't come, or the process ends first."""
    pace = threading.Event()
    last_s = time.monotonic() + (seconds or DEADLINE_S)
    while time.monotonic() < last_s:
        value = condition()
        if value:
            return value
        if process and process.ended():
            if value := condition():
                return value
            raise Failed(f"{what}: {process.describe()} ended first")
        pace.wait(PACE_S)
    raise Failed(f"{what}: not within the deadline")


def environment(extra=None, mark=""):
    env = {k: v for k, v in os.environ.items() if not UNWANTED.match(k)}
    env.update({"LC_ALL": "C.UTF-8", "TERM": "xterm", MARK: mark})
    for key, value in (extra or {}).items():
        env[key] = str(value)
    return env


def sanitized_host():
    """What a program that is none of ours, and loads our module, needs in its environment: the sanitizer's runtime
    comes first; leaks of that program's own are none of ours."""
    if not SANITIZED:
        return {}
    if not ASAN_RUNTIME:
        raise Skip("EL_ASAN_RUNTIME does not name the sanitizer's runtime")
    options = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    return {"LD_PRELOAD": ASAN_RUNTIME, "ASAN_OPTIONS": options}


def stat_fields(pid):
    """Fields of /proc/PID/stat from the third on (state, ppid, pgrp, session, ...), or None."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def processes(wanted):
    """Ids of the living processes of which wanted(pid, stat fields) is true."""
    found = []
    for entry in os.listdir("/proc"):
        fields = entry.isdigit() and stat_fields(entry)
        if fields and fields[0] not in "ZX" and wanted(int(entry), fields):
            found.append(int(entry))
    return found


def children_of(pid):
    return processes(lambda _, fields: int(fields[1]) == pid)


def bears(mark):
    """For processes(): whether it was started, however indirectly, by the case of that mark."""
    wanted = f"{MARK}={mark}".encode()

    def test(pid, _):
        try:
            return wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False

    return test


def listening_ports(pid):
    """TCP ports on which the process listens: {port: address as /proc/net/tcp writes it}."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(os.readlink(link))
        except OSError:
            pass
    ports = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                host, _, port = fields[1].rpartition(":")
                ports[int(port, 16)] = host
    return ports


def free_port():
    """A port that is free now. Not one of those that the system gives to clients, so that it
    stays free but for other tests that look for one, and nobody connects to itself."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(1000):
        port = 10000 + int.from_bytes(os.urandom(4), "big") % max(low - 10000, 1)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Skip("no free port")


def as_events(data):
    """The objects of a jsonl report, read strictly."""

    def once(pairs):
        keys = [key for key, _ in pairs]
        if len(set(keys)) != len(keys):
            raise Failed(f"a key comes twice in {keys}")
        return dict(pairs)

    def no_constant(name):
        raise Failed(f"{name} is no JSON")

    events = []
    text = data.decode("utf-8", "strict")
    if text and not text.endswith("\n"):
        raise Failed("the last line of the report has no end")
    for line in text.split("\n")[:-1]:
        events.append(json.loads(line, object_pairs_hook=once, parse_constant=no_constant))
    return events


class Result:
    """What a program that ended left: status (negative: the signal), out and err (bytes)."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def text(self):
        return self.out.decode("utf-8", "replace")

    def errors(self):
        return self.err.decode("utf-8", "replace")

    def shown(self):
        """What a person needs of it: of events, the tests that did not pass."""
        text = self.text()[-2000:]
        if self.out.startswith(b'{"'):
            try:
                bad = [e for e in self.events() if e.get("error")]
                text = "\n".join(f"{e.get('name', e.get('path'))}: {e['error']}" for e in bad)
            except (Failed, ValueError):
                pass
        return f"{text}\n{self.errors()[-2000:]}"

    def events(self):
        return as_events(self.out)

    def ends(self):
        """The test_end events, by the test's name."""
        return {e["name"]: e for e in self.events() if e["event"] == "test_end"}


class Process:
    """A program under way, in a session of its own, its output in files."""

    def __init__(self, case, args, env=None, cwd=None, stdin=None, stdout=None):
        self.case, self.args = case, [os.fspath(a) for a in args]
        n = len(case.processes)
        self.out_path, self.err_path = case.dir / f".out{n}", case.dir / f".err{n}"
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.popen = subprocess.Popen(
                self.args,
                stdin=stdin if stdin is not None else subprocess.DEVNULL,
                stdout=stdout if stdout is not None else out,
                stderr=err,
                env=environment(env, case.mark),
                cwd=cwd or case.dir,
                start_new_session=True,
            )
        self.pid = self.popen.pid
        self.killed = self.may_crash = False
        case.processes.append(self)

    def describe(self):
        return f"{Path(self.args[0]).name} (status {self.popen.returncode}) {self.err()[-500:]!r}"

    def ended(self):
        return self.popen.poll() is not None

    def out(self):
        return self.out_path.read_bytes()

    def err(self):
        return self.err_path.read_bytes()

    def wait(self, seconds=None):
        """Waits for its end; the Result."""
        try:
            status = self.popen.wait(seconds or DEADLINE_S)
        except subprocess.TimeoutExpired:
            shown = f"{self.out()[-800:]!r} {self.err()[-800:]!r}"
            raise Failed(f"{self.args} does not end; it wrote {shown}") from None
        return Result(status, self.out(), self.err())

    def wait_for(self, pattern, seconds=None):
        """Waits until its output or diagnostics match; the match."""
        compiled = re.compile(pattern.encode(), re.M)

        def found():
            return compiled.search(self.out()) or compiled.search(self.err())

        return until(found, f"{self.args[0]} writes {pattern}", seconds, self)

    def wait_ports(self, count=1):
        """Waits until it listens on so many ports; them."""

        def ports():
            try:
                listening = listening_ports(self.pid)
            except OSError:
                return None
            return listening if len(listening) >= count else None

        return sorted(until(ports, f"{self.args[0]} listens", process=self))

    def kill(self, number=signal.SIGKILL):
        """Sends a signal to this process only."""
        os.kill(self.pid, number)

    def members(self):
        """The living processes of its session, itself included."""
        return processes(lambda _, fields: int(fields[3]) == self.pid)

    def finish(self):
        """Ends it where it has not ended, with its group. What is wrong about how it ended."""
        alive = not self.ended()
        if alive:
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()
        if self.popen.stdin:
            self.popen.stdin.close()
        try:
            until(lambda: not self.members(), "", LEAVE_S)
        except Failed:
            left = self.members()
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            return f"{self.args} left processes behind: {left}"
        if SANITIZER_REPORT.search(self.err() + self.out()) and not self.may_crash:
            return f"a sanitizer's report of {self.args}:\n{self.err().decode(errors='replace')}"
        return None


class Case:
    """One case: its folder, what it started, its checks."""

    count = 0

    def __init__(self, folder):
        Case.count += 1
        self.mark = f"{os.getpid()}.{Case.count}"
        self.dir = Path(folder)
        self.processes, self.peers, self.conns = [], [], []

    # --- starting ---

    def write(self, name, text):
        """A file in the case's folder; its path."""
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def start(self, *args, **more):
        return Process(self, args, **more)

    def run(self, *args, input=None, seconds=None, **more):
        """Runs a program to its end; the Result."""
        if input is None:
            return self.start(*args, **more).wait(seconds)
        with open(self.write(f".in{len(self.processes)}", input), "rb") as stdin:
            return self.start(*args, stdin=stdin, **more).wait(seconds)

    def echolot(self, *args, **more):
        return self.run(ECHOLOT, *args, **more)

    def serve(self, *args):
        """Starts `echolot serve`; the process, with .ports of its servers by name."""
        server = self.start(ECHOLOT, "serve", *args)
        server.wait_for(r"^listening on .*\n\Z")
        lines = re.findall(rb"^listening on tcp://(.*):(\d+) \((\w+)\)$", server.out(), re.M)
        server.ports = {name.decode(): int(port) for _, port, name in lines}
        server.port = next(iter(server.ports.values()))
        return server

    def peer(self, peer):
        """Starts one of tests/peer; it is ended with the case."""
        self.peers.append(peer)
        return peer.start()

    def connect(self, port):
        """A connected socket of Python's, closed with the case."""
        conn = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        self.conns.append(conn)
        return conn

    def echo_server(self):
        """Starts tests/peer/echo_server.py, in a process of its own; its address."""
        server = self.start(sys.executable, "-B", HERE.parent / "peer" / "echo_server.py")
        return "127.0.0.1:" + server.wait_for(r"^(\d+)\n")[1].decode()

    # --- checks ---

    def fail(self, what):
        raise Failed(what)

    def true(self, value, what):
        if not value:
            raise Failed(what)
        return value

    def equal(self, expected, actual, what=""):
        if expected != actual:
            raise Failed(f"{what}: expected {expected!r}, got {actual!r}")

    def matches(self, pattern, text, what=""):
        found = re.search(pattern, text, re.M)
        if not found:
            raise Failed(f"{what}: {pattern!r} does not match {text[-2000:]!r}")
        return found

    def lacks(self, pattern, text, what=""):
        found = re.search(pattern, text, re.M)
        if found:
            raise Failed(f"{what}: {found[0]!r} stands in {text[-2000:]!r}")

    def status(self, expected, result):
        if result.status != expected:
            raise Failed(f"status {result.status}, not {expected}\n{result.shown()}")
        return result

    # --- the end ---

    def close(self):
        """Ends what is left; yields what should not have been left."""
        for conn in self.conns:
            conn.close()
        for peer in self.peers:
            peer.stop()
            if peer.fault:
                yield f"the peer {type(peer).__name__} failed:\n{peer.fault}"
        for process in self.processes:
            if fault := process.finish():
                yield fault
        try:
            until(lambda: not processes(bears(self.mark)), "", LEAVE_S)
        except Failed:
            left = processes(bears(self.mark))
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            yield f"processes that left their session are still there: {left}"


cases = []


def case(name):
    """Registers a case. Cases run in the order of the file."""

    def register(function):
        cases.append((name, function))
        return function

    return register


def descriptors():
    """{descriptor: what it is} of this process."""
    found = {}
    for entry in os.listdir("/proc/self/fd"):
        try:
            found[int(entry)] = os.readlink(f"/proc/self/fd/{entry}")
        except OSError:
            pass  # that of the listing itself
    return found


def on_alarm(*_):
    raise Failed(f"the case did not end within {CASE_S} s")


def run_case(function):
    """Runs one; (complaints, reason of a skip or None)."""
    before, complaints, skipped = descriptors(), [], None
    with tempfile.TemporaryDirectory(prefix="echolot-e2e-") as folder:
        current = Case(folder)
        signal.signal(signal.SIGALRM, on_alarm)
        signal.alarm(CASE_S)
        try:
            function(current)
        except Skip as reason:
            skipped = str(reason)
        except Failed as failed:
            complaints.append(str(failed))
            frames = traceback.extract_tb(failed.__traceback__)
            inner = [f for f in frames if Path(f.filename) != Path(__file__).resolve()]
            complaints += [f"at {Path(f.filename).name}:{f.lineno}: {f.line}" for f in inner[-2:]]
        except Exception:  # a fault of the test's own
            complaints.append(traceback.format_exc())
        finally:
            signal.alarm(0)
        complaints += current.close()
    extra = {fd: what for fd, what in descriptors().items() if before.get(fd) != what}
    if extra:
        complaints.append(f"descriptors left open by the test: {extra}")
    if threading.active_count() > 1:
        complaints.append(f"threads left by the test: {threading.enumerate()[1:]}")
    return complaints, skipped


def main():
    """Runs the registered cases, those named like the arguments if there are any."""
    wanted = sys.argv[1:]
    chosen = [c for c in cases if not wanted or any(word in c[0] for word in wanted)]
    print("TAP version 13")
    print(f"1..{len(chosen)}")
    failed = 0
    for n, (name, function) in enumerate(chosen, 1):
        complaints, skipped = run_case(function)
        failed += bool(complaints)
        verdict = "not ok" if complaints else "ok"
        print(f"{verdict} {n} - {name}" + (f" # SKIP {skipped}" if skipped else ""))
        for complaint in complaints:
            for line in complaint.splitlines():
                print("# " + line[:2000])
        sys.stdout.flush()
    sys.exit(failed > 0)
