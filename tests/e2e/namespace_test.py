"""What takes a network of its own: an IPv6 address that swallows everything, in a namespace of this test's."""

from harness import ECHOLOT, SCRIPTS, Skip, case, main, need

HOSTS = """
2001:db8::1 both.test
127.0.0.1 both.test
2001:db8::1 six.test
"""

# A route into a cable whose other end nobody reads; the neighbour's address is known, so that it is not the
# kernel that says no. The names are those of a hosts file that only this shell and its children see.
SETUP = """
set -e
ip link set lo up
ip link add cable type veth peer name nowhere
ip -6 address add 2001:db8::2/64 dev cable nodad
ip link set cable up
ip link set nowhere up
ip -6 neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev cable
mount --bind "$1" /etc/hosts
shift
exec "$@"
"""


def isolated(t, *args):
    """Runs the program in such a network."""
    need("unshare"), need("ip")
    probe = t.run("unshare", "--net", "--mount", "sh", "-c", SETUP, "sh", t.write("hosts", HOSTS), "true")
    if probe.status != 0:
        raise Skip("no namespaces here: " + probe.errors().strip().replace("\n", "; "))
    return t.run("unshare", "--net", "--mount", "sh", "-c", SETUP, "sh", t.write("hosts", HOSTS), *args, seconds=60)


@case("a black hole for IPv6 does not keep a name from being reached by IPv4")
def black_hole(t):
    for resolver in ["system", "dns=127.0.0.1:9"]:
        result = t.status(0, isolated(t, ECHOLOT, "run", f"--resolver={resolver}", SCRIPTS / "black_hole.lua"))
        t.equal(["both.test: 127.0.0.1", "six.test: timeout, [2001:db8::1]"],
                result.text().splitlines())


main()
