"""echolot.so in a stock lua5.4, and what `meson install` puts where."""

import os
import re
import shutil
from pathlib import Path

from harness import BUILD, MODULE_DIR, SCRIPTS, Skip, case, main, need, sanitized_host

import peer


def lua(t, *args, path=MODULE_DIR, **more):
    """Runs lua5.4 where it finds echolot.so in `path`, and nothing else of ours."""
    env = {"LUA_CPATH": f"{path}/?.so"} if path else {}
    return t.run(need("lua5.4"), *args, env=env | sanitized_host(), **more)


@case("every call: outside a coroutine, in coroutine.wrap, in echolot.run, in spawned tasks")
def calls(t):
    result = t.status(0, lua(t, SCRIPTS / "stock.lua"))
    t.equal(("ok\n", ""), (result.text(), result.errors()))


@case("expectations outside of any task, while tasks expect on the same connection")
def expectations(t):
    result = t.status(0, lua(t, SCRIPTS / "stock_expect.lua"))
    t.equal(("ok\n", ""), (result.text(), result.errors()))


@case("the same program in echolot run")
def same(t):
    t.equal("ok\n", t.status(0, t.echolot("run", SCRIPTS / "stock.lua")).text())


@case("a wait in table.sort's comparator, within a task: usage, which says why")
def comparator(t):
    address = t.peer(peer.Silent()).address
    result = lua(t, "-", input=f"""
        local echolot = require "echolot"
        echolot.run(function()
            local conn = echolot.connect "{address}"
            local ok, err = pcall(table.sort, {{ 1, 2, 3 }}, function() return conn:recv() end)
            print(ok, err.kind, err.op)
            print(tostring(err))
        end)""")
    t.matches(r"^false\tusage\trecv\nrecv[^\n]*comparator[^\n]*\n\Z", t.status(0, result).text())


@case("an error that nobody catches: status 1, its one line, the traceback")
def uncaught(t):
    result = t.status(1, lua(t, "-e", "require 'echolot'.connect('127.0.0.1:65536')"))
    t.matches(r"^\S*lua5\.4: .*connect.*127\.0\.0\.1:65536.*port", result.errors())


@case("a refused connection, with Python's listener gone: the error object as the contract has it")
def error_object(t):
    address = t.peer(peer.Refuser()).address
    result = lua(t, "-e", f"""
        local e = select(2, pcall(require "echolot".connect, "{address}"))
        for _, k in ipairs {{ "kind", "op", "address", "errno", "message" }} do print(e[k]) end
        print(tostring(e)) print(getmetatable(e).__name)""")
    lines = t.status(0, result).text().splitlines()
    t.equal(["refused", "connect", address, "ECONNREFUSED"], lines[:4])
    t.equal(f"connect {address}: {lines[4]}", lines[5])
    t.equal("echolot.Error", lines[6])


@case("suite words are not there; no global is made")
def no_globals(t):
    result = lua(t, "-e", """
        local before = {} for k in pairs(_G) do before[k] = true end
        require "echolot"
        for k in pairs(_G) do if not before[k] then print(k) end end""")
    t.equal("", t.status(0, result).text())


@case("what is left open and undone at the end holds nobody up")
def left_open(t):
    address = t.peer(peer.Silent()).address
    result = lua(t, "-e", f"""
        local echolot = require "echolot"
        kept = echolot.connect "{address}"
        listener = echolot.listen "127.0.0.1:0"
        task = echolot.spawn(echolot.sleep, 1000)
        server = echolot.serve("127.0.0.1:0", print)
        print "done" """)
    t.equal("done\n", t.status(0, result).text())


@case("os.exit with and without closing the state, while tasks wait")
def exits(t):
    for arguments in ("3", "3, true"):
        code = f"""
            local echolot = require "echolot"
            local listener = echolot.listen "127.0.0.1:0"
            echolot.run(function()
                echolot.spawn(function() listener:accept() end)
                echolot.sleep(0.01)
                os.exit({arguments})
            end)"""
        result = t.status(3, lua(t, "-e", code))
        t.equal("", result.errors())


@case("required twice, under one name, in one process: the same module")
def twice(t):
    code = """
        local a = require "echolot"
        assert(a == require "echolot")
        local core = package.loaded["echolot.core"]
        assert(core == nil or type(core) == "table")
        print "ok" """
    t.equal("ok\n", t.status(0, lua(t, "-e", code)).text())


# --- installed ---


def install(t):
    """Installs into a folder of the case's; that folder."""
    root = t.dir / "root"
    t.status(0, t.run(need("meson"), "install", "-C", BUILD, "--no-rebuild", "--destdir", root))
    return root


def default_cpath(t):
    """Where lua5.4 itself looks for modules."""
    result = t.run(need("lua5.4"), "-e", "print(package.cpath)")
    return [p for p in t.status(0, result).text().strip().split(";") if p.startswith("/")]


@case("meson install: echolot.so stands where lua5.4 looks by itself, and loads from there")
def installed_module(t):
    root = install(t)
    modules = list(root.rglob("echolot.so"))
    t.equal(1, len(modules), "modules")
    where = "/" + str(modules[0].relative_to(root))
    templates = [p for p in default_cpath(t) if p.replace("?", "echolot") == where]
    if not templates and not re.match("/usr/(local/)?lib/", where):
        raise Skip(f"this build is to be installed into {where}, a prefix of one's own")
    t.true(templates, f"{where} is found by none of {default_cpath(t)}")
    moved = str(modules[0].parent)
    t.equal("ok\n", t.status(0, lua(t, SCRIPTS / "stock.lua", path=moved)).text())


@case("meson install: the program runs from there, moved, without its source")
def installed_program(t):
    root = install(t)
    programs = [p for p in root.rglob("echolot") if p.is_file() and os.access(p, os.X_OK)]
    t.equal(1, len(programs), "programs")
    moved = shutil.copy(programs[0], t.dir / "moved")
    script = shutil.copy(SCRIPTS / "calm.lua", t.dir)
    t.matches(r"^echolot \d", t.status(0, t.run(moved, "--version")).text())
    t.matches("^2 passed, 0 failed$", t.status(0, t.run(moved, "test", script, cwd="/")).text())


@case("meson install: nothing but the program and the module, none of it open to other writers")
def installed_files(t):
    root = install(t)
    files = [p for p in root.rglob("*") if p.is_file()]
    t.equal(["echolot", "echolot.so"], sorted(p.name for p in files))
    t.equal([], [str(p) for p in files if Path(p).stat().st_mode & 0o022], "writable by others")


if __name__ == "__main__":
    main()
