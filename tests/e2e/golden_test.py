"""What the report for a person says of failures, compared with golden/*.txt byte for byte, but for ports and times.

UPDATE_GOLDEN=1 writes them anew; read the difference before you commit it.
"""

import fcntl
import os
import pty
import re
import struct
import termios
from pathlib import Path

from harness import ECHOLOT, SCRIPTS, case, main

GOLDEN = Path(__file__).resolve().parent / "golden"
ROOT = Path(__file__).resolve().parent.parent.parent

# A report is made from the top of the source, so that its paths are the same everywhere.
PLAIN = ["--color", "never"]
REPORTS = {
    "values": PLAIN + ["fails_values.lua"],
    "values_color": ["--color", "always", "--filter", "of one line", "--filter", "lists", "fails_values.lua"],
    "talks": PLAIN + ["fails_talks.lua"],
    "talks_color": ["--color", "always", "--filter", "several parties", "fails_talks.lua"],
    "talks_no_transcript": PLAIN + ["--transcript", "never", "fails_talks.lua"],
    "expect": PLAIN + ["--transcript", "never", "fails_expect.lua"],
    "expect_transcript": PLAIN + ["--filter", "in part", "--filter", "of text", "fails_expect.lua"],
    "expect_color": ["--color", "always", "--filter", "a line", "fails_expect.lua"],
    "code": PLAIN + ["fails_code.lua"],
    "passes": PLAIN + ["passes_noted.lua"],
    "passes_verbose": PLAIN + ["-v", "passes_noted.lua"],
    "passes_transcript": PLAIN + ["--transcript", "always", "passes_noted.lua"],
}
NARROW = {
    "values_narrow": PLAIN + ["fails_values.lua"],
    "expect_narrow": PLAIN + ["--transcript", "never", "fails_expect.lua"],
    "code_narrow": PLAIN + ["fails_code.lua"],
}


def normal(text):
    """The text without what changes from run to run."""
    text = re.sub(r"^ +\(\d+(\.\d)? m?s\)\n", "", text, flags=re.M)
    text = re.sub(r"(\x1b\[2m)? \(\d+(\.\d)? m?s\)(\x1b\[0m)?$", "", text, flags=re.M)
    text = re.sub(r"in \d+(\.\d)? m?s", "in TIME", text)
    text = re.sub(r"^( +[✓✗] .*?) +\d+\.\d ms$", r"\1  0.0 ms", text, flags=re.M)
    text = re.sub(r" *\b\d+\.\d ms", lambda found: "0.0 ms".rjust(len(found[0])), text)
    return re.sub(r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT", text)


def compare(t, name, text):
    path, text = GOLDEN / f"{name}.txt", normal(text)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text)
    wanted = path.read_text().splitlines()
    for number, (expected, actual) in enumerate(zip(wanted, text.splitlines()), 1):
        t.equal(expected, actual, f"{path.name}:{number}")
    t.equal(len(wanted), len(text.splitlines()), f"{path.name}: lines")


def command(options):
    return ["test", *options[:-1], f"tests/e2e/scripts/{options[-1]}"]


def report(name, options):
    @case(f"the report is as in golden/{name}.txt")
    def compares(t):
        result = t.echolot(*command(options), cwd=ROOT, env={"LC_ALL": "C.UTF-8"})
        t.equal(b"", result.err, "standard error")
        compare(t, name, result.text())


def read_terminal(terminal):
    out = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other end is closed
            part = b""
        if not part:
            return out.decode().replace("\r\n", "\n")
        out += part


def narrow(name, options):
    @case(f"the report on a terminal of 40 columns is as in golden/{name}.txt")
    def compares(t):
        ours, theirs = pty.openpty()  # two ends of one terminal
        try:
            fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
            process = t.start(ECHOLOT, *command(options), stdout=theirs, cwd=ROOT, env={"LC_ALL": "C.UTF-8"})
            os.close(theirs)
            theirs = None
            text = read_terminal(ours)
        finally:
            os.close(ours)
            if theirs is not None:
                os.close(theirs)
        process.wait()
        paths = r"^ +(  )?tests/e2e/scripts/"
        wide = [line for line in text.splitlines() if len(line) > 40 and not re.match(paths, line)]
        t.equal([], wide, "lines wider than the terminal")
        compare(t, name, text)


for each in REPORTS.items():
    report(*each)
for each in NARROW.items():
    narrow(*each)

main()
