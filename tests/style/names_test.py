"""A public function says where it lives: el_<file>_<verb>, or luaopen_* for Lua to find."""

import re
from style import at, blank, files, run, text

LAYERS = ["src/base", "src/match", "src/net", "src/bind", "src/app", "src/module"]
# What is no declaration: comments, strings, directives, attributes and macros like them; bodies.
NOISE = [
    re.compile(r"/\*.*?\*/|//[^\n]*", re.S),
    re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''),
    re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.M),
    re.compile(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)|\b[A-Z][A-Z0-9_]+\([^()]*\)"),
]
BODY = re.compile(r"\{[^{}]*\}")


def functions(source):
    """(offset, name) of each function that is declared or defined without `static`."""
    for noise in NOISE:
        source = noise.sub(blank, source)
    while BODY.search(source):
        source = BODY.sub(lambda body: blank(body)[:-1] + ";", source)
    offset = 0
    for declaration in source.split(";"):
        head = re.match(r"\s*([A-Za-z_][\w\s*]*?)\b(\w+)\s*\((?!\s*\*)", declaration)
        if head and not re.search(r"\b(static|typedef)\b", head[1]):
            yield offset + head.start(2), head[2]
        offset += len(declaration) + 1


def public_names(root):
    for path in files(root, *LAYERS, suffixes={".h"}):
        source = text(path)
        for offset, name in functions(source):
            prefix = f"el_{path.stem}_"
            if not name.startswith((prefix, "luaopen_")):
                yield at(root, path, source, offset, f"{name} is not named {prefix}*")


def definitions(root):
    for path in files(root, *LAYERS, suffixes={".c"}):
        source = text(path)
        for offset, name in functions(source):
            if not name.startswith(("el_", "luaopen_")) and name != "main":
                yield at(root, path, source, offset, f"{name} is neither static nor el_*")


run(
    (
        "functions in headers are named after their file",
        public_names,
        [
            {"src/base/buf.h": "int buf_append(struct el_buf *b);\n"},
            {"src/base/buf.h": "struct el_buf {\n    int n;\n};\n\nchar *el_text_of(void);\n"},
            {"src/net/conn.h": "/* el_conn_x(); */\n__attribute__((cold)) void\nend_it(int);\n"},
            {"src/app/vm.h": "static inline int one(void)\n{\n    return 1;\n}\nint two(void);\n"},
        ],
        [
            {
                "src/base/buf.h": "#define EL_BUF(x) \\\n    frob(x)\n"
                "struct el_buf {\n    int (*grow)(int n);\n};\n"
                "typedef void (*el_fn)(int);\ntypedef void el_timer_fn(void *arg);\n"
                "static inline int two(void)\n{\n    if (one()) { return 1; }\n    return 2;\n}\n"
                "int el_buf_printf(struct el_buf *b, const char *format, ...)\n"
                "    __attribute__((format(printf, 2, 3)));\n",
                "src/bind/conn.h": "int luaopen_echolot_conn(lua_State *L);\n",
            }
        ],
    ),
    (
        "functions in sources are static or public by name",
        definitions,
        [
            {"src/base/a.c": "int helper(void)\n{\n    return 1;\n}\n"},
            {"src/base/a.c": "static int x = 1;\nvoid helper(int (*f)(int))\n{\n}\n"},
        ],
        [
            {
                "src/app/main.c": "static const int t[] = {sizeof(int), 2};\n"
                "static int helper(void)\n{\n    return '{';\n}\n"
                "int main(int argc, char **argv)\n{\n    return helper();\n}\n"
            }
        ],
    ),
)
