"""TLS with programs that nobody here wrote: the openssl command, ncat, Python's ssl, a stock lua5.4."""

import os
import re
import socket
import ssl
import sys
from pathlib import Path

from harness import ECHOLOT, MODULE_DIR, SANITIZED, SCRIPTS, Skip, case, main, need

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import certificates


def made(t, *names):
    """Certificates in the case's folder."""
    need("openssl")
    certificates.make(t.dir, *(names or ["server"]))


def s_server(t, *options):
    """`openssl s_server` that sends lines back reversed; its address."""
    server = t.start(need("openssl"), "s_server", "-accept", "127.0.0.1:0", "-rev", "-cert",
                     t.dir / "server.pem", "-key", t.dir / "key.pem", *options)
    return f"tls://localhost:{server.wait_ports()[0]}"


def asks(t, address, **env):
    """The facts of a conversation with such a server."""
    result = t.echolot("test", "-o", "jsonl", "--target", address, SCRIPTS / "tls_asks.lua", env=env)
    ends = t.status(0, result).ends()
    t.equal(2, len(ends))
    return ends["each line comes back reversed"]["facts"]


@case("openssl s_server: verified, in the newest version")
def newest(t):
    made(t)
    facts = asks(t, s_server(t))
    t.equal(("TLSv1.3", "CN=server,O=Echolot"), (facts["version"], facts["subject"]))


@case("openssl s_server: TLS 1.2, a cipher, a certificate that it wants of us")
def older(t):
    made(t, "server", "client")
    t.equal("TLSv1.2", asks(t, s_server(t, "-tls1_2"))["version"])
    cipher = "ECDHE-ECDSA-AES256-GCM-SHA384"
    t.equal(cipher, asks(t, s_server(t), TLS_CIPHERS=cipher)["cipher"])
    wants = s_server(t, "-Verify", "2", "-verify_return_error", "-CAfile", t.dir / "ca.pem",
                     "-tls1_2")
    program = t.write("own.lua", f"""
        local echolot = require "echolot"
        local own = {{ ca = "ca.pem", certificate = "client.pem", key = "key.pem" }}
        local conn = echolot.connect("{wants}", {{ tls = own }})
        print(conn:send("ab\\n"):expect_line())
        conn:close() -- it serves one at a time
        print(select(2, pcall(echolot.connect, "{wants}", {{ tls = {{ ca = "ca.pem" }} }})).kind)""")
    t.equal("ba\ntls\n", t.status(0, t.echolot("run", program)).text())


def serves(t, *args, **env):
    """A server of ours; its port."""
    server = t.start(ECHOLOT, "run", SCRIPTS / "tls_serves.lua", *args, env=env)
    return int(server.wait_for(r"^(\d+)\n\Z")[1])


def s_client(t, port, *options, said="one\ntwo\n"):
    """What `openssl s_client` is told, line by line; it sends `said`."""
    ready = ["-connect", f"127.0.0.1:{port}", "-CAfile", t.dir / "ca.pem", "-quiet", "-no_ign_eof",
             "-servername", "localhost", "-verify_hostname", "localhost", "-verify_return_error"]
    client = t.start(need("openssl"), "s_client", *ready, *options, stdin=-1)
    client.popen.stdin.write(said.encode())
    client.popen.stdin.flush()
    client.wait_for(said.split()[-1].upper() + "\r\n")
    client.popen.stdin.close()
    return client.wait().text()


@case("openssl s_client: it verifies us, and talks")
def client(t):
    made(t)
    port = serves(t)
    t.matches(r"TLSv1\.3 nobody\r\nONE\r\nTWO\r\n\Z", s_client(t, port))
    t.matches(r"TLSv1\.2 nobody\r\nONE\r\nTWO\r\n\Z", s_client(t, port, "-tls1_2"))


@case("openssl s_client -starttls smtp: TLS in the middle of a conversation")
def smtp(t):
    made(t)
    t.matches(r"TLSv1\.3 nobody\r\nONE\r\nTWO\r\n\Z", s_client(t, serves(t, "smtp"), "-starttls", "smtp"))


@case("openssl s_client with a certificate, where we want one")
def client_certificate(t):
    made(t, "server", "client")
    own = ["-cert", t.dir / "client.pem", "-key", t.dir / "key.pem"]
    t.matches(r"CN=client,O=Echolot\r\nONE\r\nTWO\r\n\Z", s_client(t, serves(t, TLS_CA="ca.pem"), *own))


@case("ncat --ssl: as a client, and as a server that echoes")
def ncat(t):
    made(t)
    port = serves(t)
    result = t.run(need("ncat"), "--ssl-verify", "--ssl-trustfile", t.dir / "ca.pem", "localhost", str(port),
                   input="one\ntwo\n")
    t.matches(r"^TLSv1\.3 nobody\r\nONE\r\nTWO\r\n\Z", t.status(0, result).text())
    server = t.start("ncat", "--ssl", "--ssl-cert", t.dir / "server.pem", "--ssl-key", t.dir / "key.pem",
                     "-l", "-k", "-e", need("cat"), "127.0.0.1", "0")
    program = t.write("ask.lua", f"""
        local echolot = require "echolot"
        local address = "tls://127.0.0.1:{server.wait_ports()[0]}"
        print(echolot.connect(address, {{ tls = {{ ca = "ca.pem" }} }}):send("one\\n"):expect_line())""")
    t.equal("one\n", t.status(0, t.echolot("run", program)).text())


class PythonServer:
    """Accepts one client and has `talk` talk with it."""

    def __init__(self, t, talk):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(t.dir / "server.pem", t.dir / "key.pem")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.context, self.talk = context, talk

    def serve(self):
        raw, _ = self.listener.accept()
        self.listener.close()
        with self.context.wrap_socket(raw, server_side=True) as conn:
            self.talk(conn)


PROGRAM = """
local echolot = require "echolot"
local conn = echolot.connect("tls://127.0.0.1:%d", { tls = { ca = "ca.pem" }%s })
%s"""


def with_python(t, talk, script, options=""):
    """What our program prints that talks with Python's ssl."""
    made(t)
    server = PythonServer(t, talk)
    program = t.start(ECHOLOT, "run", t.write("program.lua", PROGRAM % (server.port, options, script)))
    server.serve()
    return t.status(0, program.wait()).text()


@case("Python's ssl: an end is told from a cut")
def ends(t):
    script = """
        print(conn:read "l")
        local ok, some = pcall(conn.recv, conn)
        print(ok, ok and #some or some.kind)"""

    def proper(conn):
        conn.sendall(b"line\n")
        conn.unwrap().close()

    def cut(conn):
        conn.sendall(b"line\n")
        conn.shutdown(socket.SHUT_RDWR)

    t.equal("line\ntrue\t0\n", with_python(t, proper, script + "\nconn:close()"))
    t.equal("line\nfalse\ttls\n", with_python(t, cut, script))


@case("Python's ssl: 20 MB each way at once")
def bulk(t):
    size = 20_000_000

    def echo(conn):
        got = 0
        while data := conn.recv(65536):
            got += len(data)
            conn.sendall(data)
        t.equal(size, got)

    printed = with_python(t, echo, f"""
        local sender = echolot.spawn(function() conn:send(("x"):rep({size})):shutdown() end)
        local n = 0
        repeat
            local some = conn:recv(65536)
            n = n + #some
        until n == {size}
        sender:join()
        print(n)""")
    t.equal(f"{size}\n", printed)


@case("a record larger than max_buffer, on the only connection there is: nothing waits for what has come")
def held(t):
    def one_record(conn):
        conn.sendall(b"0123456789" * 1000)
        t.equal(b"all of it", conn.recv(100))

    script = """
        local text = {}
        for _ = 1, 100 do
            text[#text + 1] = conn:read(100)
        end
        assert(table.concat(text) == ("0123456789"):rep(1000))
        conn:send "all of it\""""
    t.equal("", with_python(t, one_record, script, ", max_buffer = 150"))


@case("SSLKEYLOGFILE: the secrets of each connection, for who may read them only")
def key_log(t):
    made(t)
    log = t.dir / "keys"
    asks(t, s_server(t), SSLKEYLOGFILE=str(log))
    lines = log.read_text().splitlines()
    t.true(any(re.match("CLIENT_TRAFFIC_SECRET_0 [0-9a-f]{64} ", line) for line in lines), lines)
    t.equal(0o600, os.stat(log).st_mode & 0o777)


@case("the events of a run have what was said in plain text, and the handshake")
def transcript(t):
    made(t)
    result = t.echolot("test", "-o", "jsonl", "--transcript", "always", "--target", s_server(t),
                       SCRIPTS / "tls_asks.lua")
    events = t.status(0, result).ends()["each line comes back reversed"]["transcript"]
    t.equal(["open", "tls", "send", "recv"], [e["dir"] for e in events[:4]])
    t.matches(r"^TLSv1\.3 TLS_", events[1]["data"])
    t.equal(("hello\n", "olleh\n"), (events[2]["data"], events[3]["data"]))
    shown = t.status(0, t.echolot("test", "--transcript", "always", "--target", s_server(t),
                                  SCRIPTS / "tls_asks.lua")).text()
    t.matches(r"TLS: TLSv1\.3 TLS_\w+\n", shown)


@case("a stock lua5.4, outside of any coroutine")
def stock(t):
    if SANITIZED:
        raise Skip("stock_test covers the module under the sanitizers")
    made(t)
    address = s_server(t)
    result = t.run(need("lua5.4"), "-e", f"""
        local echolot = require "echolot"
        local conn = echolot.connect("{address}", {{ tls = {{ ca = "ca.pem" }} }})
        print(conn:send("hello\\n"):expect_line(), conn.tls.version)
        local server = echolot.listen("tls://127.0.0.1:0", {{ tls = {{ certificate = "server.pem", key = "key.pem" }} }})
        local ours = echolot.connect(server.address, {{ tls = {{ ca = "ca.pem" }} }})
        print(server:accept():send("x\\n") and ours:read())
        print(select(2, pcall(echolot.connect, server.address)).kind)""",
        env={"LUA_CPATH": f"{MODULE_DIR}/?.so"})  # fmt: skip
    t.equal("olleh\tTLSv1.3\nx\ntls\n", t.status(0, result).text())


main()
