#!/usr/bin/env python3
"""Measures Echolot side by side with plain C clients.

README.md beside this file says what is measured and how to read it. The table goes to
standard output, progress to standard error. A ratio over its budget is shown and is no
failure; a program that fails, or gives a wrong count, is.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import re
import resource
import shutil
import statistics
import sys
import tempfile

from programs import START_SECONDS, Failure, Program, Server
from table import Budget, Row, compare, print_table

HERE = pathlib.Path(__file__).resolve().parent
HOST = "127.0.0.1"
LINE = 32  # bytes of a round trip's line, as in bench.h


def microseconds(seconds):
    return f"{seconds * 1e6:.2f} us"


class Bench:
    def __init__(self, options):
        self.programs = options.build / "tests" / "bench"
        self.echolot = options.echolot or options.build / "src" / "app" / "echolot"
        self.references_only = options.references
        self.runs = options.runs
        self.scale = 10 if options.quick else 1
        self.notes = []
        cores = sorted(os.sched_getaffinity(0))
        self.server_core = cores[0] if len(cores) > 1 else None
        self.client_core = cores[1] if len(cores) > 1 else None

    def missing(self):
        names = ["echo_server", "turn_server", "epoll_client", "uv_client",
                 "blocking_client", "recv_client"]
        paths = [self.programs / name for name in names]
        if not self.references_only:
            paths.append(self.echolot)
        return [path for path in paths if not os.access(path, os.X_OK)]

    def server(self, *words):
        return Server([self.programs / words[0], *words[1:]], self.server_core)

    def run(self, command, server):
        """Runs a client of that server; returns its CPU seconds, wall seconds, fields."""
        with Program(command, self.client_core) as client:
            try:
                cpu_s, wall_s = client.finish()
            except Failure as failure:
                if server.process.poll() is None:
                    raise
                raise Failure(f"{failure}; {server.complaint()}") from failure
            return cpu_s, wall_s, client.fields()

    def client(self, name, port, connections, rounds):
        """The command line of a client that makes round trips."""
        script = "one.lua" if connections == 1 else "many.lua"
        count = [] if connections == 1 else [connections]
        return {
            "echolot": [self.echolot, "run", HERE / script, HOST, port, *count, rounds],
            "epoll": [self.programs / "epoll_client", port, connections, rounds],
            "libuv": [self.programs / "uv_client", port, connections, rounds],
            "blocking": [self.programs / "blocking_client", port, rounds],
        }[name]

    def ours_and(self, *references):
        return [*references] if self.references_only else ["echolot", *references]

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def alternate(self, work, names, once):
        """Calls once(name) for every name in turn, each round from another one on, and
        returns the results of each by name, those of a round at the same place."""
        results = {name: [] for name in names}
        for run in range(self.runs):
            shift = run % len(names)
            for name in names[shift:] + names[:shift]:
                self.say(f"{work}: run {run + 1} of {self.runs}, {name}")
                results[name].append(once(name))
        return results

    # Many connections

    def many(self):
        connections, rounds = 1000, 300 // self.scale
        total = connections * rounds
        work = f"{connections:,} connections, CPU per round trip"
        if reason := too_few_files(connections):
            return [Row(work, verdict=f"skipped: {reason}")]

        def once(name):
            with self.server("echo_server", "echo") as server:
                command = self.client(name, server.port, connections, rounds)
                cpu_s, _, fields = self.run(command, server)
            check_count(name, fields, total)
            return cpu_s / total

        names = self.ours_and("epoll", "libuv")
        measured = self.alternate("many", names, once)
        rows = []
        if not self.references_only:
            budget = Budget(1.25, aim=1.15)
            rows = [
                compare(work, "echolot", "epoll", measured, microseconds, budget),
                compare(work, "echolot", "libuv", measured, microseconds),
            ]
        return rows + [compare(work, "libuv", "epoll", measured, microseconds)]

    # One connection

    def one(self):
        rows = self.one_on(
            self.client_core, "1 connection, wall per round trip", Budget(1.03))
        if self.client_core is not None:
            # Without the wake-up of another core, which is most of a round trip, what a
            # client adds stands out; the budget is for the whole.
            with self.server_on(self.client_core):
                work = "1 connection, server on the same core"
                rows += self.one_on(self.client_core, work)
        return rows

    @contextlib.contextmanager
    def server_on(self, core):
        before, self.server_core = self.server_core, core
        try:
            yield
        finally:
            self.server_core = before

    def one_on(self, core, work, budget=None):
        length = 100
        turns = 100_000 // self.scale // length
        names = self.ours_and("blocking", "libuv")
        self.say(f"one: {turns} turns of {length} round trips: {', '.join(names)}")
        with contextlib.ExitStack() as stack:
            command = ("turn_server", len(names), turns, length)
            server = stack.enter_context(self.server(*command))
            clients = []
            for name in names:
                command = self.client(name, server.port, 1, turns * length)
                client = stack.enter_context(Program(command, core))
                clients.append(client)
                server.line(client)  # so that the server knows them in this order
            failures = []  # of one client may be the cause of the others'
            for name, client in zip(names, clients):
                try:
                    client.finish()
                    check_count(name, client.fields(), turns * length)
                except Failure as failure:
                    failures.append(str(failure))
            if failures:
                raise Failure("; ".join(failures))
            lines = [line.split() for line in server.rest().splitlines()]
        if len(lines) != turns - 1:
            raise Failure(f"turn_server: {len(lines)} turns, not {turns - 1}")
        seconds = [[int(ns) / 1e9 / length for ns in column] for column in zip(*lines)]
        measured = dict(zip(names, seconds))
        rows = []
        if not self.references_only:
            rows = [
                compare(work, "echolot", "blocking", measured, microseconds, budget),
                compare(work, "echolot", "libuv", measured, microseconds),
            ]
        return rows + [compare(work, "libuv", "blocking", measured, microseconds)]

    # Idle connections

    def idle(self):
        connections = 10_000
        work = f"{connections:,} waiting connections, memory of each"
        if self.references_only:
            return [Row(work, verdict="skipped: it has no reference")]
        if reason := too_few_files(connections):
            return [Row(work, verdict=f"skipped: {reason}")]

        def once(_):
            with self.server("echo_server", "silent") as server:
                script = [self.echolot, "run", HERE / "idle.lua"]
                command = [*script, HOST, server.port, connections]
                fields = self.run(command, server)[2]
            names = {"connections", "before_kib", "after_kib"}
            if fields.keys() != names or fields["connections"] != connections:
                raise Failure(f"idle.lua: {fields}")
            return (fields["after_kib"] - fields["before_kib"]) / connections

        kib = self.alternate("idle", ["echolot"], once)["echolot"]
        each = statistics.median(kib)
        budget = Budget(3, unit=" KiB")
        verdict = budget.verdict(each)
        return [Row(work, f"echolot {each:.2f} KiB", budget=str(budget), verdict=verdict)]

    # Receiving

    def receive(self):
        size = (4 << 30) // self.scale // 64 * 64

        def once(name):
            with self.server("echo_server", "source", size) as server:
                command = {
                    "echolot": [self.echolot, "run", HERE / "receive.lua", HOST],
                    "recv": [self.programs / "recv_client"],
                }[name] + [server.port, size]
                cpu_s, wall_s, fields = self.run(command, server)
            taken_s = fields.get("wall_ns", 0) / 1e9
            if fields.get("bytes") != size or not 0 < taken_s <= wall_s:
                raise Failure(f"{name}: {fields}")
            return size / taken_s, cpu_s / size

        names = self.ours_and("recv")
        results = self.alternate("receive", names, once)
        work = f"{size / 2**30:g} GiB received"
        rate = {name: [run[0] for run in results[name]] for name in names}
        cpu = {name: [run[1] for run in results[name]] for name in names}

        def show_rate(bytes_per_s):
            return f"{bytes_per_s / 2**30:.2f} GiB/s"

        def show_cpu(seconds_per_byte):
            return f"{seconds_per_byte * 2**30:.2f} s/GiB"

        budget = Budget(0.75, at_least=True)
        return [
            compare(f"{work}, throughput", "echolot", "recv", rate, show_rate, budget),
            compare(f"{work}, CPU", "echolot", "recv", cpu, show_cpu),
        ]

    # System calls

    def calls(self):
        rows = []
        refusal = strace_refusal()
        for connections, few in ((1000, 5), (1, 1000)):
            plural = "" if connections == 1 else "s"
            work = f"{connections:,} connection{plural}, system calls per round trip"
            if reason := refusal or too_few_files(connections):
                rows.append(Row(work, verdict=f"skipped: {reason}"))
                continue
            # Two lengths, and the difference between them: what starting, connecting and
            # ending cost falls out.
            by_name = {}
            for name in self.ours_and("libuv"):
                self.say(f"calls: {connections:,} connection{plural}, {name}")
                less = self.count_calls(name, connections, few)
                more = self.count_calls(name, connections, few * 4)
                trips = connections * few * 3
                by_name[name] = {
                    call: (more.get(call, 0) - less.get(call, 0)) / trips
                    for call in sorted(less.keys() | more.keys())
                }
                self.notes.append(f"{work}, {name}: {describe_calls(by_name[name])}")
            total = {name: [sum(calls.values())] for name, calls in by_name.items()}
            rows.append(compare(work, "echolot", "libuv", total, "{:.3f}".format))
        return rows

    def count_calls(self, name, connections, rounds):
        with self.server("echo_server", "echo") as server, \
                tempfile.NamedTemporaryFile() as counts:
            command = self.client(name, server.port, connections, rounds)
            strace = ["strace", "-f", "-c", "-o", counts.name, *command]
            check_count(name, self.run(strace, server)[2], connections * rounds)
            return parse_strace(pathlib.Path(counts.name).read_text())


def check_count(name, fields, round_trips):
    expected = (round_trips, round_trips * LINE)
    if (fields.get("round_trips"), fields.get("bytes")) != expected:
        raise Failure(f"{name}: {fields}, not {round_trips} round trips")


def too_few_files(connections):
    """Why so many connections can't be had here, or None."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or limit >= connections + 64:
        return None
    return f"open files are limited to {limit} (ulimit -Hn)"


def strace_refusal():
    """Why strace can't be used here, or None."""
    if shutil.which("strace") is None:
        return "no strace here"
    command = ["strace", "-f", "-c", "-o", os.devnull, "true"]
    with Program(command, None) as trial:
        try:
            trial.finish(START_SECONDS)
        except Failure as failure:
            return str(failure)
    return None


def parse_strace(text):
    """Calls by name from the table of strace -c: the fourth column, and the last."""
    calls = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 5 and re.fullmatch(r"[\d.]+", words[0]) and words[-1] != "total":
            calls[words[-1]] = int(words[3])
    if not calls:
        raise Failure("strace: a table that can't be read")
    return calls


def describe_calls(calls):
    """The calls that the round trips themselves make; the odd brk is none of them."""
    often = sorted(calls.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {count:.3f}" for name, count in often if count >= 0.001)


WORKS = {
    "many": "CPU per round trip, 1,000 connections at once",
    "one": "wall time per round trip, 1 connection",
    "idle": "memory of each of 10,000 connections that wait",
    "receive": "throughput of 4 GiB received",
    "calls": "system calls per round trip, counted by strace",
}


def describe_machine(bench, build):
    """A line on what was compared, and how it was built: figures without it mislead."""
    if bench.client_core is None:
        cores = "one core for all"
    else:
        cores = f"server on core {bench.server_core}, clients on core {bench.client_core}"
    runs = "one run" if bench.runs == 1 else f"{bench.runs} alternating runs"
    text = f"{cores}; {runs}; Linux {platform.release()}"
    if bench.references_only:
        return text
    with contextlib.suppress(OSError, ValueError, KeyError):
        file = build / "meson-info" / "intro-buildoptions.json"
        chosen = {item["name"]: item["value"] for item in json.loads(file.read_text())}
        text += (f"; Echolot with optimization {chosen['optimization']}"
                 f", sanitizers {chosen['b_sanitize']}")
    return text


def positive(text):
    number = int(text)
    if not 1 <= number <= 1000:
        raise ValueError(text)
    return number


def take_options():
    works = "\n".join(f"  {name:8} {about}" for name, about in WORKS.items())
    parser = argparse.ArgumentParser(
        description="Measures Echolot side by side with plain C clients.",
        epilog=f"works:\n{works}",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path, help="build directory")
    parser.add_argument("works", nargs="*", metavar="WORK",
                        help="what to measure (default: everything)")
    parser.add_argument("--runs", type=positive, metavar="N",
                        help="alternating runs (default 5; with --quick 3)")
    parser.add_argument("--quick", action="store_true",
                        help="a tenth of the work: a look, not a figure")
    parser.add_argument("--references", action="store_true",
                        help="the C clients against each other, without Echolot")
    parser.add_argument("--echolot", type=pathlib.Path, metavar="PATH",
                        help="the binary (default: BUILD/src/app/echolot)")
    options = parser.parse_intermixed_args()
    unknown = [name for name in options.works if name not in WORKS]
    if unknown:
        parser.error(f"no such work: {', '.join(unknown)} (of {', '.join(WORKS)})")
    options.runs = options.runs or (3 if options.quick else 5)
    return options


def main():
    options = take_options()
    bench = Bench(options)
    missing = bench.missing()
    if missing:
        print("not built:", *missing, sep="\n  ", file=sys.stderr)
        print(f"meson compile -C {options.build} bench-programs builds the C programs",
              file=sys.stderr)
        return 2
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    rows, failed = [], False
    for name in [name for name in WORKS if name in (options.works or WORKS)]:
        try:
            rows += getattr(bench, name)()
        except Failure as failure:
            failed = True
            rows.append(Row(WORKS[name], verdict=f"failed: {failure}"))
    print(describe_machine(bench, options.build), end="\n\n")
    print_table(rows)
    if bench.notes:
        print("", *bench.notes, sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
