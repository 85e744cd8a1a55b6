"""Every Lua file compiles, and the embedded ones leave the globals to the scripts."""

import re
import shutil
import subprocess
from style import files, run

LUAC = shutil.which("luac5.4") or "luac"
# Standard names, which may be replaced on purpose by what keeps their meaning.
STANDARD = {"arg", "dofile", "load", "loadfile", "print", "require"}
# SETTABUP 0 0 1k ; _ENV "name" 1
SETS_GLOBAL = re.compile(r"\[(\d+)\]\s+SETTABUP\b.*;\s*_ENV\s+\"(\w+)\"")


def luac(*arguments):
    return subprocess.run([LUAC, *arguments], capture_output=True, text=True, errors="replace")


def compiles(root):
    for path in files(root, "src", "scripts", "tests", suffixes={".lua"}):
        result = luac("-p", path)
        if result.returncode:
            yield result.stderr.strip().replace(f"{root}/", "")


def globals_set(root):
    for path in files(root, "src/lua", suffixes={".lua"}):
        for line, name in SETS_GLOBAL.findall(luac("-l", "-p", path).stdout):
            if name not in STANDARD:
                yield f"{path.relative_to(root)}:{line}: sets the global {name}"


run(
    (
        "Lua files compile",
        compiles,
        [{"scripts/a.lua": "local x = = 1\n"}, {"src/lua/a.lua": "goto nowhere\n"}],
        [{"scripts/a.lua": "#!/usr/bin/env echolot\nx = 1\n"}],
    ),
    (
        "embedded Lua adds no globals",
        globals_set,
        [
            {"src/lua/a.lua": "x = 1\n"},
            {"src/lua/b/a.lua": "return function()\n  return function() y = 1 end\nend\n"},
            {"src/lua/a.lua": "function f() end\n"},
        ],
        [
            {
                "src/lua/a.lua": "local M = {}\nfunction M.f() load = print end\nreturn M\n",
                "scripts/a.lua": "x = 1\n",
            }
        ],
    ),
)
