"""Names: the system's resolver and DNS servers, one that nobody here wrote and one of tests/peer."""

from harness import SCRIPTS, Failed, Skip, case, free_port, main, need

from peer.names import Names


def dnsmasq(t, *options):
    """Starts it with these names; its address."""
    program = need("dnsmasq")
    for _ in range(5):
        port = free_port()
        server = t.start(program, "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                         "--user=", "--group=", f"--port={port}", "--listen-address=127.0.0.1",
                         "--bind-interfaces", *options)
        try:
            server.wait_for(r"read|started")
            return f"127.0.0.1:{port}"
        except Failed:
            if "in use" not in server.err().decode():
                raise
    raise Skip("no free port for dnsmasq")


def results(t, resolver, port, *names):
    result = t.status(0, t.echolot("run", f"--resolver={resolver}", SCRIPTS / "names.lua", str(port), *names))
    return dict(line.split("\t") for line in result.text().splitlines())


@case("names of a DNS server: either family, both, many addresses, none")
def a_real_server(t):
    port = t.serve("echo").port
    many = [f"--host-record=many.test,127.0.1.{n}" for n in range(1, 60)]
    server = dnsmasq(t, "--local=/test/", "--address=/four.test/127.0.0.1", "--host-record=both.test,127.0.0.1,::1",
                     "--host-record=six.test,::1", *many)
    got = results(t, f"dns={server}", port, "four.test", "both.test", "six.test", "many.test", "no.test")
    t.equal(f"tcp://127.0.0.1:{port}", got["four.test"])
    t.equal(f"tcp://127.0.0.1:{port}", got["both.test"], "the family that answers")
    t.matches("refused|connection refused", got["six.test"])
    t.matches(r"\[::1\]", got["six.test"], "the addresses that were tried")
    t.matches(r"refused", got["many.test"])
    t.true(got["many.test"].count("127.0.1.") > 5, "many addresses were tried, too many for a datagram of old")
    t.matches("connect tcp://no.test:[0-9]+: Domain name not found", got["no.test"])


@case("look-ups do not wait for each other: the server answers none before it knows 64")
def many_names(t):
    port = t.serve("echo").port
    names = [f"n{number}.test" for number in range(200)]
    server = t.peer(Names(at_once=64))
    got = results(t, f"dns={server.address}", port, *names, "none.test")
    t.equal({f"tcp://127.0.0.1:{port}"}, {got[name] for name in names})
    t.matches("none.test.*not found", got["none.test"])
    t.equal(201, len(server.names))


@case("a script that ends in the middle of its look-ups ends")
def abandoned(t):
    server = t.peer(Names(at_once=1000))
    script = t.write("gives_up.lua", """
        local echolot = require "echolot"
        for number = 1, 100 do
            echolot.spawn(pcall, echolot.connect, "n" .. number .. ".test", 7)
        end
        print(pcall(echolot.timeout, 0.1, echolot.connect, "last.test", 7))
        os.exit(0, true)
    """)
    result = t.status(0, t.echolot("run", f"--resolver=dns={server.address}", script))
    t.matches("timeout", result.text())


@case("DNS servers that nobody runs, and lists that are none")
def bad_servers(t):
    script = t.write("asks.lua", 'require("echolot").connect("a.test", 7)')
    result = t.status(1, t.echolot("run", "--resolver=dns=127.0.0.1:1", script))
    t.matches(r"connect tcp://a\.test:7: .*DNS", result.errors())
    for resolver in ["dns=", "dns=x,y", "nobody", "dns=1.2.3.4:99999999", "system=1"]:
        for command in ["run", "test"]:
            result = t.status(2, t.echolot(command, f"--resolver={resolver}", script))
            t.equal(1, len(result.errors().splitlines()), result.errors())


@case("the tests of a suite ask the servers that --resolver names")
def in_suites(t):
    server = dnsmasq(t, "--address=/echo.test/127.0.0.1")
    port = t.serve("echo").port
    suite = t.write("names_test.lua", """
        target "echo.test:%d"
        conversation("by name", function(peer)
            peer:send "x\\n":expect "x\\n"
            assert.equal("127.0.0.1", peer.peer.host)
        end)
    """ % port)
    t.status(0, t.echolot("test", f"--resolver=dns={server}", suite))


main()
