"""System calls of a round trip, counted: the difference between a long and a short conversation."""

from harness import ECHOLOT, SANITIZED, SCRIPTS, Skip, case, main, need

SHORT, LONG = 100, 600


def counts(t, address, connections, round_trips):
    """{system call: how often} of a program with so many round trips on each connection."""
    out = t.dir / "strace"
    result = t.run(need("strace"), "-f", "-c", "-o", out, ECHOLOT, "run", SCRIPTS / "round_trips.lua",
                   address, str(connections), str(round_trips))
    t.status(0, result)
    found = {}
    for line in out.read_text().splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[3].isdigit() and fields[-1] != "total":
            found[fields[-1]] = int(fields[3])
    return found


def per_round_trip(t, connections):
    """{system call: how many more the longer conversation makes}, and its round trips more."""
    if SANITIZED:
        raise Skip("the sanitizers make calls of their own")
    if t.run(need("strace"), "-c", "-o", t.dir / "try", "true").status != 0:
        raise Skip("ptrace is not permitted")
    address = t.echo_server()
    short, long = counts(t, address, connections, SHORT), counts(t, address, connections, LONG)
    more = {name: long.get(name, 0) - short.get(name, 0) for name in long}
    return {name: n for name, n in more.items() if n}, connections * (LONG - SHORT)


def total(more, *names):
    return sum(more.get(name, 0) for name in names)


@case("one connection: a write, a read and one wait at most for each round trip, and nothing else")
def one(t):
    more, trips = per_round_trip(t, 1)
    print(f"# {trips} round trips: {more}")
    t.equal(trips, total(more, "write", "writev", "sendto", "sendmsg"), "writes")
    t.equal(trips, total(more, "read", "readv", "recvfrom", "recvmsg"), "reads")
    waits = total(more, "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll")
    t.true(waits <= trips, f"waits: {more}")
    t.true(sum(more.values()) - 2 * trips - waits <= trips // 50, f"others: {more}")


@case("50 connections: a write and a read for each round trip, no more waits than round trips")
def fifty(t):
    more, trips = per_round_trip(t, 50)
    print(f"# {trips} round trips: {more}")
    t.equal(trips, total(more, "write", "writev", "sendto", "sendmsg"), "writes")
    t.equal(trips, total(more, "read", "readv", "recvfrom", "recvmsg"), "reads")
    t.true(total(more, "epoll_wait", "epoll_pwait", "epoll_pwait2") <= trips, "waits")
    t.true(total(more, "epoll_ctl") <= trips // 50, f"changes to the set: {more}")


if __name__ == "__main__":
    main()
