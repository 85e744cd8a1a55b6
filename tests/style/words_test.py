"""Words that betray the author's machine, unfinished work, or a test that waits by the clock.

The patterns and samples are written so that they don't match themselves.
"""

import re
from style import SOURCES, at, files, run, text

TEXTS = SOURCES | {".md", ".build", ".txt", ".json", ".scd"}
MACHINE = re.compile(r"(?<![\w.*])/(?:ro[o]t|ho[m]e|wo[r]k)/")
UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X]|HAC[K])\b")
SLEEP = re.compile(
    r"\b(?:u[s]leep|nano[s]leep|time\.[s]leep)\b|(?:^|[;&|])[ \t]*[s]leep[ \t]+[\d.$]", re.M
)


def texts(root):
    for name in ("dev", ".ci/run", ".clang-format", ".clang-tidy", ".gitignore", ".editorconfig"):
        if (root / name).exists():
            yield root / name
    yield from (path for path in sorted(root.glob("*.*")) if path.suffix in TEXTS)
    yield from files(root, "src", "scripts", "tests", suffixes=TEXTS)


def search(root, paths, pattern, what):
    for path in paths:
        source = text(path)
        for match in pattern.finditer(source):
            yield at(root, path, source, match.start(), f"{match[0].strip()}: {what}")


def machine_paths(root):
    return search(root, texts(root), MACHINE, "a path of one machine")


def unfinished(root):
    return search(root, texts(root), UNFINISHED, "unfinished work belongs into an issue")


def sleeping(root):
    return search(root, files(root, "tests", suffixes=TEXTS), SLEEP, "a test waits for an event")


run(
    (
        "no absolute paths of a machine",
        machine_paths,
        [
            {"dev": "cd /ro" "ot/echolot\n"},
            {"src/base/a.c": '"/ho' 'me/me/x"\n'},
            {"README.md": "(/wo" "rk/x)\n"},
        ],
        [{"src/README.md": "/usr/bin, example.org/home/page, src/work/\n"}],
    ),
    (
        "no unfinished work",
        unfinished,
        [
            {"src/base/a.c": "/* TO" "DO: all */\n"},
            {"dev": "# FIX" "ME\n"},
            {"tests/a.lua": "-- XX" "X\n"},
            {"scripts/a.lua": "-- HA" "CK\n"},
        ],
        [{"tests/a.c": 'mkstemp("/tmp/echolot-XXXXXX");\n'}],
    ),
    (
        "no test sleeps",
        sleeping,
        [
            {"tests/a.py": "time" ".sleep(1)\n"},
            {"tests/unit/a.c": "    u" "sleep(10);\n"},
            {"tests/a.sh": "serve &\n  sle" "ep 1\n"},
            {"tests/a.sh": "serve & sle" "ep 0.1; connect\n"},
        ],
        [{"tests/a.lua": 'echolot.sleep(0.1)\nconnect "exec:sle' 'ep 60"\n'}],
    ),
)
