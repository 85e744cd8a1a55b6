"""What the style tests share: walking the tree, and checks that prove that they can fail.

A check is a function that takes a root folder and yields complaints ("path:line: what"). Before it
sees the real tree, run() builds each of its bad samples in a temporary folder and demands a
complaint, and each of its good ones and demands none.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {".c", ".h", ".lua", ".py", ".sh"}


def files(root, *tops, suffixes=SOURCES):
    """Files below the given folders of root with one of the suffixes, sorted."""
    for top in tops:
        for path in sorted(Path(root, top).rglob("*")):
            if path.suffix in suffixes and "__pycache__" not in path.parts and path.is_file():
                yield path


def text(path):
    return path.read_text(encoding="utf-8")


def at(root, path, source, offset, what):
    """The complaint `what` about the place `offset` in the file's text."""
    return f"{path.relative_to(root)}:{source.count(chr(10), 0, offset) + 1}: {what}"


def blank(match):
    """For re.sub: spaces in place of a match, so that offsets and lines stay true."""
    return "".join("\n" if c == "\n" else " " for c in match[0])


def complaints_about(check, sample):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in sample.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return list(check(Path(folder)))


def run(*checks):
    """Runs checks, each (name, function, bad samples, good samples), printing TAP.

    A sample maps file names to their text.
    """
    cases = []
    for name, check, bad, good in checks:
        for n, sample in enumerate(bad, 1):
            missed = not complaints_about(check, sample)
            cases.append((f"{name}: notices bad sample {n}", ["no complaint"] if missed else []))
        for n, sample in enumerate(good, 1):
            cases.append((f"{name}: accepts good sample {n}", complaints_about(check, sample)))
        cases.append((name, list(check(ROOT))))

    print("TAP version 13")
    print(f"1..{len(cases)}")
    for n, (name, complaints) in enumerate(cases, 1):
        print(f"{'not ok' if complaints else 'ok'} {n} - {name}")
        for complaint in complaints:
            print(f"# {complaint}")
    sys.exit(any(complaints for _, complaints in cases))
