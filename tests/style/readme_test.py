"""Every folder has its map, and every map leads somewhere."""

import os
import re
from style import at, files, run, text

TOPS = ["src", "scripts", "tests"]
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
# A path from the top (or from src/, as in an #include) wherever it is named, code blocks too.
# In <angles>, {braces} and CAPITALS are placeholders: the path ends before them.
NAMED = re.compile(
    r"(?<![\w./-])(?:\./)?"
    r"((?:src|scripts|tests|base|net|bind|app|module)/[a-z0-9_./*-]*)"
)
PLACEHOLDER = re.compile(r"[A-Z<{]")


def maps(root):
    for top in TOPS:
        for folder, _, names in sorted(os.walk(root / top)):
            here = root / folder
            holds_sources = any(path.parent == here for path in files(root, folder))
            if (here == root / top or holds_sources) and "README.md" not in names:
                yield f"{here.relative_to(root)}: no README.md"


def documents(root):
    yield from sorted(root.glob("*.md"))
    yield from files(root, *TOPS, suffixes={".md"})


def links(root):
    for path in documents(root):
        source = text(path)
        for link in LINK.finditer(source):
            if not (path.parent / link[1]).exists():
                yield at(root, path, source, link.start(), f"the link {link[1]} leads nowhere")


def named_paths(root):
    for path in documents(root):
        source = text(path)
        for named in NAMED.finditer(source):
            name = named[1].rstrip(".-")
            if PLACEHOLDER.match(source, named.end()):
                name = name.rpartition("/")[0]
            if not any(any(base.glob(name)) for base in (root, root / "src", path.parent)):
                yield at(root, path, source, named.start(), f"there is no {name}")


run(
    (
        "every folder with sources has a README.md",
        maps,
        [
            {"src/README.md": "", "src/base/buf.c": ""},
            {"scripts/examples/a.lua": "", "scripts/examples/README.md": ""},
        ],
        [{"src/README.md": "", "src/base/README.md": "", "src/base/buf.c": "", "src/empty/a": ""}],
    ),
    (
        "links in Markdown lead to files",
        links,
        [
            {"README.md": "see [the map](src/README.md)\n"},
            {"src/README.md": "see [the top](../README.md#build)\n"},
        ],
        [
            {
                "README.md": "[a](src/README.md#a) [b](#b) [c](https://localhost/) [d](src/)\n",
                "src/README.md": "[top](../README.md)\n",
            }
        ],
    ),
    (
        "paths named in Markdown exist",
        named_paths,
        [
            {"README.md": "see `src/base/gone.c`\n"},
            {"src/README.md": "see `net/gone.h`.\n", "src/net/conn.h": ""},
            {"README.md": "```\n./tests/gone.sh\n```\n"},
            {"tests/README.md": "see tests/gone/*.lua\n"},
        ],
        [
            {
                "README.md": "src/net, `src/net/conn.c`, net/conn.*, build/src/gone, "
                "src/<layer>/x, src/net/{tcp,udp}.c, src/net/FILE.c\n",
                "src/net/conn.c": "",
                "src/README.md": "net/ and net/conn.c.\n",
            }
        ],
    ),
)
