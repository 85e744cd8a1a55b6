"""Files and functions stay short enough to be read in one go."""

import re
from style import at, files, run, text

FILE_LINES = 600
FUNCTION_LINES = 80
FUNCTIONS = {
    # a head without `=` or `;` up to a brace, to the next brace in the first column
    ".c": re.compile(r"^[A-Za-z_][^;{}#=]*\([^;{}=]*\)\s*\{.*?^\}", re.M | re.S),
    # not all on one line; to the first `end` as far to the left
    ".lua": re.compile(
        r"^([ \t]*)(?:local )?function\b(?![^\n]*\bend\W*$).*?^\1end\b", re.M | re.S
    ),
}
FUNCTIONS[".h"] = FUNCTIONS[".c"]


def file_length(root):
    for path in files(root, "src", "scripts", "tests"):
        lines = len(text(path).splitlines())
        if lines > FILE_LINES:
            yield f"{path.relative_to(root)}: {lines} lines, more than {FILE_LINES}"


def function_length(root):
    for path in files(root, "src", "scripts", "tests", suffixes=set(FUNCTIONS)):
        source = text(path)
        for function in FUNCTIONS[path.suffix].finditer(source):
            lines = function[0].count("\n") + 1
            if lines > FUNCTION_LINES:
                what = f"a function of {lines} lines, more than {FUNCTION_LINES}"
                yield at(root, path, source, function.start(), what)


def c(lines):
    return "static int f(int a,\n             int b)\n{\n" + "    a++;\n" * (lines - 4) + "}\n"


def lua(lines):
    return "do\n  local function f()\n" + "    g()\n" * (lines - 2) + "  end\nend\n"


run(
    (
        f"no file has more than {FILE_LINES} lines",
        file_length,
        [{name: "\n" * 601} for name in ("src/base/a.c", "scripts/a.lua", "tests/a.py")],
        [{"src/base/a.c": "\n" * 600}],
    ),
    (
        f"no function has more than {FUNCTION_LINES} lines",
        function_length,
        [
            {"src/base/a.c": "int x[] = {\n    1,\n};\n" + c(81)},
            {"src/base/a.h": c(20) + c(81)},
            {"src/lua/echolot/a.lua": lua(81)},
        ],
        [
            {"src/base/a.c": c(80) + c(80), "scripts/a.lua": lua(80) + lua(80)},
            {"scripts/a.lua": "function f() return 1 end\n" + "f()\n" * 80 + "do\nend\n"},
        ],
    ),
)
