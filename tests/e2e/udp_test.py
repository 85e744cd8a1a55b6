"""Datagrams with socat, xinetd, ncat and Python's sockets on the other side."""

import os
import socket
import subprocess

from harness import DEADLINE_S, ECHOLOT, SANITIZED, Skip, case, free_port, main, need, until
from services import SERVICES, start_xinetd

SMALL = """
local echolot = require "echolot"
local services = {}
for _, name in ipairs { "echo", "discard", "chargen", "daytime", "time" } do
    services[name] = target(name, nil)
end
-- xinetd, having answered, throws away what has come meanwhile: who needs an answer asks again.
local function ask(name, datagram)
    for try = 1, 50 do
        local peer <close> = echolot.udp(services[name], { timeout = 0.2 })
        local ok, answer = pcall(function() return (peer:send(datagram):recv()) end)
        if ok then
            return answer
        elseif answer.kind ~= "timeout" or try == 50 then
            error(answer, 0)
        end
    end
end
it("echo", function()
    for _, datagram in ipairs { "x", "two\\nlines", ("x"):rep(1000), "\\0\\255" } do
        assert.equal(datagram, ask("echo", datagram))
    end
end)
it("discard", function()
    local peer <close> = echolot.udp(services.discard, { timeout = 0.05 })
    assert.equal("timeout", assert.has_error(function() peer:send("x"):recv() end).kind)
end)
it("chargen", function()
    for _ = 1, 10 do
        local text = ask("chargen", "x")
        assert.matches("^[ -~\\r\\n]*$", text)
        assert.is_true(#text <= 1024)
    end
end)
it("daytime", function()
    assert.contains(os.date "%Y", ask("daytime", "x"))
end)
it("time", function()
    assert.near(os.time(), string.unpack(">I4", ask("time", "x")) - 2208988800, 60)
end)
"""


def bound(pid, table="udp"):
    """UDP ports to which the process is bound."""
    inodes = set()
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{entry}"))
        except OSError:
            pass
    ports = set()
    with open(f"/proc/{pid}/net/{table}") as lines:
        for line in list(lines)[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in inodes:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def free_udp_port(family=socket.AF_INET, host="127.0.0.1"):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def python_socket(t):
    conn = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    t.conns.append(conn)
    conn.settimeout(DEADLINE_S)
    return conn


def run(t, text):
    return t.status(0, t.echolot("run", t.write("s.lua", text))).text()


@case("xinetd's echo, discard, chargen, daytime and time by UDP")
def xinetd(t):
    ports = {name: free_port() for name in SERVICES}
    server = start_xinetd(t, "udp", ports)
    until(lambda: bound(server.pid) >= set(ports.values()), "xinetd listens", process=server)
    small(t, {name: f"127.0.0.1:{port}" for name, port in ports.items()})


@case("our own, started by echolot serve: the same script")
def own(t):
    small(t, {name: f"127.0.0.1:{t.serve(name).port}" for name in SERVICES})


def small(t, addresses):
    targets = [f"--target={name}={address}" for name, address in addresses.items()]
    result = t.status(0, t.echolot("test", "-o", "jsonl", *targets, t.write("small.lua", SMALL)))
    t.equal(sorted(SERVICES), sorted(result.ends()))


def socat(t, family, host, number):
    port = free_udp_port(number, host.strip("[]"))
    listen = f"UDP{family}-RECVFROM:{port},bind={host},fork"
    server = t.start(need("socat"), "-T", "10", listen, "EXEC:cat")
    table = "udp" if family == 4 else "udp6"
    until(lambda: port in bound(server.pid, table), "socat listens", process=server)
    text = run(t, f"""
        local echolot = require "echolot"
        local peer = echolot.udp "{host}:{port}"
        for i = 1, 10 do
            print(peer:send("number " .. i):recv())
        end""")
    t.equal("".join(f"number {i}\tudp://{host}:{port}\n" for i in range(1, 11)), text)


@case("socat's UDP4-RECVFROM, with cat behind it: an echo server")
def socat4(t):
    socat(t, 4, "127.0.0.1", socket.AF_INET)


@case("socat's UDP6-RECVFROM, with cat behind it: an echo server")
def socat6(t):
    try:
        free_udp_port(socket.AF_INET6, "::1")
    except OSError:
        raise Skip("this machine has no IPv6") from None
    socat(t, 6, "[::1]", socket.AF_INET6)


@case("socat and ncat -u as clients of echolot serve echo")
def clients(t):
    server = t.serve("echo")
    t.matches(rf"^listening on udp://127\.0\.0\.1:{server.port} \(echo\)$", server.out().decode())
    for program, *args in (("socat", "-t", "10", "-", f"UDP4:127.0.0.1:{server.port}"),
                           ("ncat", "-u", "127.0.0.1", str(server.port))):
        asking = t.start(need(program), *args, stdin=subprocess.PIPE)
        asking.popen.stdin.write(f"by {program}\n".encode())
        asking.popen.stdin.flush()
        asking.wait_for(rf"^by {program}\n")


@case("Python: datagrams of every size come whole, from one who listens and from one who asks")
def sizes(t):
    conn = python_socket(t)
    conn.bind(("127.0.0.1", 0))
    port = conn.getsockname()[1]
    script = t.write("s.lua", f"""
        local echolot = require "echolot"
        local peer <close> = echolot.udp("127.0.0.1", {port})
        peer:send "begin"
        repeat
            local datagram = peer:recv()
            peer:send(datagram)
        until datagram == "end" """)
    program = t.start(ECHOLOT, "run", script)
    data, peer = conn.recvfrom(100)
    t.equal(b"begin", data)
    for size in (0, 1, 511, 512, 1472, 1473, 8192, 65506, 65507):
        sent = os.urandom(size)
        conn.sendto(sent, peer)
        t.equal(sent, conn.recv(65536), f"{size} bytes")
    conn.sendto(b"end", peer)
    t.status(0, program.wait())


@case("Python: a refusal reaches the socket that it is for, among a hundred")
def refusals(t):
    conn = python_socket(t)
    conn.bind(("127.0.0.1", 0))
    port, nobody = conn.getsockname()[1], free_udp_port()
    script = t.write("s.lua", f"""
        local echolot = require "echolot"
        local counts = {{}}
        local function ask(i)
            local peer <close> = echolot.udp("127.0.0.1", i % 2 == 0 and {nobody} or {port})
            local ok, err = pcall(function() return (peer:send(tostring(i)):recv()) end)
            local what = ok and err == tostring(i) and "answered" or err.kind
            counts[what] = (counts[what] or 0) + 1
        end
        local asks = {{}}
        for i = 1, 100 do asks[i] = function() ask(i) end end
        echolot.parallel(table.unpack(asks))
        for what, count in pairs(counts) do print(what, count) end""")
    program = t.start(ECHOLOT, "run", script)
    for _ in range(50):
        data, peer = conn.recvfrom(100)
        conn.sendto(data, peer)
    t.equal(["answered\t50", "refused\t50"], sorted(t.status(0, program.wait()).text().split("\n")[:-1]))


@case("datagrams from the ports of services are not answered: nobody is set upon anybody")
def loops(t):
    if os.geteuid() != 0:
        raise Skip("only root has such a port")
    server = t.serve("echo")
    low = python_socket(t)
    for port in range(1023, 900, -1):
        try:
            low.bind(("127.0.0.1", port))
            break
        except OSError:
            continue
    low.sendto(b"from a service", ("127.0.0.1", server.port))
    other = python_socket(t)
    other.sendto(b"x", ("127.0.0.1", server.port)) # comes behind it
    t.equal(b"x", other.recv(100))
    low.setblocking(False)
    try:
        t.fail(f"it was answered: {low.recv(100)!r}")
    except BlockingIOError:
        pass


@case("a socket that nobody asks costs no calls: not when it is full, nor after a refusal")
def idle(t):
    if SANITIZED:
        raise Skip("the sanitizers make calls of their own")
    if t.run(need("strace"), "-c", "-o", t.dir / "try", "true").status != 0:
        raise Skip("ptrace is not permitted")
    script = t.write("s.lua", """
        local echolot = require "echolot"
        local full = echolot.udp_listen("127.0.0.1:0", { max_buffer = 1 })
        local ours = echolot.udp(full.address)
        for i = 1, 10 do ours:send("datagram " .. i) end
        local closing = echolot.udp_listen "127.0.0.1:0"
        local refused = echolot.udp(closing.address)
        closing:close()
        refused:send "into the void"
        echolot.sleep(0.3)
        print(pcall(refused.recv, refused))
        print((full:recv()))""")
    out = t.dir / "strace"
    result = t.status(0, t.run("strace", "-f", "-c", "-o", out, ECHOLOT, "run", script))
    t.matches("connection refused\ndatagram 1\n", result.text())
    calls = {}
    for line in out.read_text().splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[3].isdigit():
            calls[fields[-1]] = int(fields[3])
    print(f"# {calls}")
    t.true(sum(calls.get(name, 0) for name in ("epoll_wait", "epoll_pwait")) < 50, f"waits: {calls}")
    t.true(calls.get("recvfrom", 0) < 50, f"reads: {calls}")


@case("a flood of datagrams that nobody reads: memory stays where it was")
def flood(t):
    script = t.write("s.lua", """
        local echolot = require "echolot"
        io.stdout:setvbuf "no"
        local function rss()
            for line in io.lines "/proc/self/status" do
                local n = line:match "^VmRSS:%s*(%d+)"
                if n then return tonumber(n) end
            end
        end
        local socket = echolot.udp_listen "127.0.0.1:0"
        local go = echolot.udp_listen "127.0.0.1:0"
        print(socket.port, go.port)
        go:timeout(60):recv()
        local before = rss()
        go:recv()
        print(rss() - before, socket.dropped > 0)""")
    program = t.start(ECHOLOT, "run", script)
    ports = program.wait_for(r"^(\d+)\t(\d+)\n")
    flooded, go = (("127.0.0.1", int(port)) for port in ports.groups())
    conn = python_socket(t)
    for _ in range(2000):
        conn.sendto(b"x" * 1000, flooded)
    conn.sendto(b"now", go)
    for _ in range(20000):
        conn.sendto(b"x" * 1000, flooded)
    conn.sendto(b"now", go)
    grown, dropped = t.status(0, program.wait()).text().splitlines()[-1].split("\t")
    t.equal("true", dropped)
    t.true(int(grown) < (65536 if SANITIZED else 4096), f"{grown} KiB more")


if __name__ == "__main__":
    main()
