"""Unix sockets with socat, ncat and Python's sockets on the other side."""

import os
import signal
import socket
import stat
import struct

from harness import DEADLINE_S, ECHOLOT, SCRIPTS, case, main, need, until


def is_socket(path):
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return False


def serve(t, path, *args):
    server = t.start(ECHOLOT, "serve", "echo", "--listen", f"unix:{path}", *args)
    server.wait_for(rf"^listening on unix:{path} \(echo\)\n")
    return server


def client(t, path):
    conn = socket.socket(socket.AF_UNIX)
    t.conns.append(conn)
    conn.settimeout(DEADLINE_S)
    conn.connect(os.fspath(path))
    return conn


def talk(t, address):
    args = ["-o", "jsonl", "--target", address, SCRIPTS / "talks.lua"]
    t.equal(3, len(t.status(0, t.echolot("test", *args)).ends()))


@case("socat's UNIX-LISTEN, with a program behind it: an echo server")
def socat_listen(t):
    path = t.dir / "socket"
    socat = t.start(need("socat"), "-t", "10", f"UNIX-LISTEN:{path},fork,backlog=50", "EXEC:cat")
    until(lambda: is_socket(path), "socat listens", process=socat)
    talk(t, f"unix:{path}")


@case("socat's ABSTRACT-LISTEN: an echo server")
def socat_abstract(t):
    name = f"echolot-e2e-{t.mark}"
    socat = t.start(need("socat"), "-t", "10", f"ABSTRACT-LISTEN:{name},fork,backlog=50", "PIPE")
    until(lambda: f"@{name}\n" in open("/proc/net/unix").read(), "socat listens", process=socat)
    talk(t, f"unix:@{name}")


@case("a listener's abstract name is no longer than it is: socat finds it")
def abstract_name(t):
    name = f"echolot-e2e-{t.mark}"
    server = t.start(ECHOLOT, "serve", "echo", "--listen", f"unix:@{name}")
    server.wait_for(rf"^listening on unix:@{name} \(echo\)\n")
    result = t.run(need("socat"), "-t", "10", "-", f"ABSTRACT-CONNECT:{name}", input="hello\n")
    t.equal(b"hello\n", t.status(0, result).out)


@case("echolot serve at a path, and socat, ncat and Python as clients")
def served(t):
    path = t.dir / "socket"
    serve(t, path)
    result = t.run(need("socat"), "-t", "10", "-", f"UNIX-CONNECT:{path}", input="one\ntwo")
    t.equal(b"one\ntwo", t.status(0, result).out)
    result = t.run(need("ncat"), "-U", path, input="three\n")
    t.equal(b"three\n", t.status(0, result).out)
    conn = client(t, path)
    conn.sendall(b"four\n")
    conn.shutdown(socket.SHUT_WR)
    t.equal(b"four\n", conn.recv(100, socket.MSG_WAITALL))


@case("a signal that ends the server removes its file; SIGKILL leaves one, which the next server takes over")
def file_of_a_server(t):
    path = t.dir / "socket"
    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        server = serve(t, path)
        server.kill(number)
        t.status(status, server.wait())
        t.true(not path.exists(), "the file is gone")
    server = serve(t, path)
    server.kill()
    server.wait()
    t.true(is_socket(path), "the file is there")
    script = t.write("s.lua", f"""require "echolot".connect "unix:{path}" """)
    refused = t.status(1, t.echolot("run", script))
    t.matches("connection refused", refused.err.decode())
    serve(t, path)
    result = t.run(need("ncat"), "-U", path, input="again\n")
    t.equal(b"again\n", t.status(0, result).out)


@case("a path where somebody listens is not taken over")
def taken(t):
    path = t.dir / "socket"
    serve(t, path)
    second = t.echolot("serve", "echo", "--listen", f"unix:{path}")
    t.status(1, second)
    t.equal(f"echolot: listen unix:{path}: the address is already in use\n", second.err.decode())
    client(t, path)


@case("a datagram socket's file: refused, and left alone")
def of_another_kind(t):
    path = t.dir / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(os.fspath(path))
        script = t.write("s.lua", f"""
            local echolot = require "echolot"
            for _, call in ipairs {{ "connect", "listen" }} do
                local ok, err = pcall(echolot[call], "unix:{path}")
                print(ok, err.kind, err.errno)
            end""")
        text = t.status(0, t.echolot("run", script)).text()
        t.equal("false\trefused\tEPROTOTYPE\nfalse\tdenied\tEADDRINUSE\n", text)
    t.true(is_socket(path), "the file is there")


@case("what the system forbids is denied")
def denied(t):
    folder = t.dir / "closed"
    folder.mkdir()
    path = folder / "socket"
    serve(t, path)
    script = t.write("s.lua", f"""
        local echolot = require "echolot"
        for call, address in pairs {{ connect = "unix:{path}", listen = "unix:{path}2" }} do
            local ok, err = pcall(echolot[call], address)
            print(ok, err.kind, err.errno)
        end""")
    folder.chmod(0o400)
    t.dir.chmod(0o755)
    program = [ECHOLOT, "run", script]
    if os.geteuid() == 0:
        program = [need("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", *program]
    text = t.status(0, t.run(*program)).text()
    folder.chmod(0o700)
    t.equal("false\tdenied\tEACCES\n" * 2, text)


@case("a peer of Python's that closes with bytes unread resets")
def reset(t):
    path = t.dir / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()
        listener.settimeout(DEADLINE_S)
        script = t.write("s.lua", f"""
            local peer = require "echolot".connect "unix:{path}"
            peer:send "unread"
            local ok, err = pcall(peer.recv, peer)
            print(err.kind, err.errno)""")
        program = t.start(ECHOLOT, "run", script)
        conn, _ = listener.accept()
        conn.settimeout(DEADLINE_S)
        conn.recv(1, socket.MSG_PEEK)
        _, uid, _ = struct.unpack("3i", conn.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        t.equal(os.getuid(), uid)
        conn.close()
        t.equal("reset\tECONNRESET\n", t.status(0, program.wait()).text())


if __name__ == "__main__":
    main()
