#include "app/host.h"

#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "app/workers.h"
#include "app/signals.h"
#include "bind/ctx.h"

/* [-0, +2] */
static int push_errno(lua_State *L)
{
    int err = errno;
    luaL_pushfail(L);
    lua_pushstring(L, strerror(err));
    return 2;
}

/* kind(path) -> "file", "directory" or "other", and what tells it from every other one, by
 * whatever name; nil and why */
static int host_kind(lua_State *L)
{
    struct stat st;
    if (stat(luaL_checkstring(L, 1), &st) != 0)
        return push_errno(L);
    lua_pushstring(L, S_ISREG(st.st_mode)   ? "file"
                      : S_ISDIR(st.st_mode) ? "directory"
                                            : "other");
    lua_pushfstring(L, "%I:%I", (LUAI_UACINT)st.st_dev, (LUAI_UACINT)st.st_ino);
    return 2;
}

/* A userdata that owns the open directory while names are pushed, which may raise. */
static int dir_gc(lua_State *L)
{
    DIR **d = lua_touserdata(L, 1);
    if (*d != NULL)
        (void)closedir(*d);
    *d = NULL;
    return 0;
}

/* list(path) -> names without "." and "..", in no order; nil and why */
static int host_list(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    DIR **d = lua_newuserdatauv(L, sizeof(*d), 0);
    *d = NULL;
    if (luaL_newmetatable(L, "echolot.directory")) {
        lua_pushcfunction(L, dir_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    *d = opendir(path);
    if (*d == NULL)
        return push_errno(L);
    lua_newtable(L);
    lua_Integer n = 0;
    for (struct dirent *e = readdir(*d); e != NULL; e = readdir(*d)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        lua_pushstring(L, e->d_name);
        lua_rawseti(L, -2, ++n);
    }
    (void)closedir(*d);
    *d = NULL;
    return 1;
}

/* is_terminal(fd) -> boolean */
static int host_is_terminal(lua_State *L)
{
    lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
    return 1;
}

/* terminal_width(fd) -> columns, nil where it is no terminal or does not tell */
static int host_terminal_width(lua_State *L)
{
    struct winsize size = {0};
    if (ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        lua_pushinteger(L, size.ws_col);
    else
        luaL_pushfail(L);
    return 1;
}

/* processors() -> how many this process may use */
static int host_processors(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)uv_available_parallelism());
    return 1;
}

/* emit(text): writes an event's line to the supervisor, waiting as long as that takes: what
 * was said before a crash has been said. */
static int host_emit(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    while (n > 0) {
        ssize_t sent = write(EL_WORKER_FD, text, n);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            _exit(1); /* the supervisor is gone */
        text += sent;
        n -= (size_t)sent;
    }
    return 0;
}

/* exit_now(code): ends the process without closing the Lua state */
static int host_exit_now(lua_State *L)
{
    _exit((int)luaL_checkinteger(L, 1));
}

/* interrupted() -> whether a signal has come that ends the program */
static int host_interrupted(lua_State *L)
{
    lua_pushboolean(L, el_signals_caught() != 0);
    return 1;
}

/* version() -> the program's version */
static int host_version(lua_State *L)
{
    lua_pushliteral(L, EL_VERSION);
    return 1;
}

static const luaL_Reg functions[] = {
    {"kind", host_kind},
    {"list", host_list},
    {"is_terminal", host_is_terminal},
    {"terminal_width", host_terminal_width},
    {"processors", host_processors},
    {"emit", host_emit},
    {"exit_now", host_exit_now},
    {"interrupted", host_interrupted},
    {"version", host_version},
    {NULL, NULL},
};

int luaopen_echolot_host(lua_State *L)
{
    luaL_newlib(L, functions);
    el_workers_register(L);
    return 1;
}
