"""xinetd's internal services, as an ordinary process on ports of the test's choice."""

from harness import need

SERVICES = ["echo", "discard", "chargen", "daytime", "time"]

SERVICE = """
service {name}
{{
    id = {name}-{socket_type}
    type = INTERNAL UNLISTED
    socket_type = {socket_type}
    protocol = {protocol}
    user = {user}
    wait = {wait}
    bind = 127.0.0.1
    port = {port}
    instances = UNLIMITED
}}
"""
KINDS = {
    "tcp": {"protocol": "tcp", "socket_type": "stream", "wait": "no"},
    "udp": {"protocol": "udp", "socket_type": "dgram", "wait": "yes"},
}


def start_xinetd(t, protocol, ports):
    """Starts it with {service: port}; the process, which may not listen yet. Its log is t.dir / "log"."""
    program, user = need("xinetd"), t.run("id", "-un").text().strip()
    config = "defaults\n{\n    log_type = FILE %s\n    cps = 10000 1\n}\n" % (t.dir / "log")
    for name, port in ports.items():
        config += SERVICE.format(name=name, port=port, user=user, **KINDS[protocol])
    path = t.write("xinetd.conf", config)
    # not -d, for which it wants a terminal; few descriptors, which it all closes one by one
    args = ["-dontfork", "-f", path, "-filelog", t.dir / "log", "-pidfile", t.dir / "pid"]
    return t.start("sh", "-c", 'ulimit -n 256; exec "$@"', "sh", program, *args)
