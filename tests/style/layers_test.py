"""base <- match, net <- bind <- app, module: a layer includes itself and what lies below, nothing else."""

import re
from style import at, files, run, text

HEIGHT = {"base": 0, "match": 1, "net": 1, "bind": 2, "app": 3, "module": 3}
LIBRARIES = {  # what a layer must not know, though the compiler would find it
    "base": r"uv\.h|uv/.*|lua.*\.h|lauxlib\.h",
    "match": r"uv\.h|uv/.*|lua.*\.h|lauxlib\.h",
    "net": r"lua.*\.h|lauxlib\.h",
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def wrong(layer, quote, header):
    """Why a file of `layer` may not include `header`, or None."""
    own = header.partition("/")[0]
    if quote == "<":
        forbidden = re.fullmatch(LIBRARIES.get(layer, "(?!)"), header)
        return f"src/{layer} must not know <{header}>" if forbidden else None
    if "/" not in header or own not in HEIGHT:
        return f'"{header}" is not written from src/, as "{layer}/{header.rpartition("/")[2]}"'
    if own != layer and HEIGHT[own] >= HEIGHT[layer]:
        return f'"{header}" is not below src/{layer}'
    return None


def layers(root):
    for layer in HEIGHT:
        for path in files(root, f"src/{layer}", suffixes={".c", ".h"}):
            source = text(path)
            for include in INCLUDE.finditer(source):
                if what := wrong(layer, *include.groups()):
                    yield at(root, path, source, include.start(), what)


run(
    (
        "a layer includes only itself and lower ones",
        layers,
        [
            {"src/base/a.c": "#include <uv.h>\n"},
            {"src/base/a.h": '#include "net/conn.h"\n'},
            {"src/net/a.c": "#include <lauxlib.h>\n"},
            {"src/net/a.c": '  #  include "bind/conn.h"\n'},
            {"src/match/a.c": '#include "net/conn.h"\n'},
            {"src/match/a.c": "#include <lua.h>\n"},
            {"src/net/sub/a.c": '#include "app/vm.h"\n'},
            {"src/bind/a.c": '#include "app/vm.h"\n'},
            {"src/module/a.c": '#include "app/vm.h"\n'},
            {"src/bind/a.c": '#include "../base/buf.h"\n'},
            {"src/app/main.c": '#include "vm.h"\n'},
        ],
        [
            {
                "src/base/a.c": '#include "base/a.h"\n\n#include <string.h>\n',
                "src/net/a.c": '#include <uv.h>\n\n#include "base/buf.h"\n',
                "src/app/a.c": '#include <lua.h>\n#include "bind/conn.h"\n',
            }
        ],
    )
)
