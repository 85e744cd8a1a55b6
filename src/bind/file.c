/* Connections as files: read, lines, write, after Lua's io library (manual section 6.8). */
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "bind/args.h"
#include "bind/conn.h"
#include "bind/fault.h"

enum format { LINE, LINE_WITH_END, ALL, COUNT };

/* The format at index `arg`; *n is the count of COUNT. Raises `usage`. */
static enum format check_format(lua_State *L, struct el_lconn *lc, int arg, size_t *n)
{
    int type = lua_type(L, arg);
    if (type == LUA_TNUMBER) {
        lua_Integer count = el_args_integer(L, arg, "read", "whole number of bytes", 0);
        *n = (size_t)count;
        if (*n > lc->max_buffer)
            el_conn_raise(L, lc, "read", EL_ELIMIT);
        return COUNT;
    }
    if (type != LUA_TSTRING)
        el_fault_argument(L, "read", arg, "format");
    const char *format = lua_tostring(L, arg);
    if (*format == '*')
        format++; /* as Lua 5.2 and before spelt them */
    switch (*format) {
    case 'l':
        return LINE;
    case 'L':
        return LINE_WITH_END;
    case 'a':
        return ALL;
    default:
        el_fault_usage(L, "read", "bad format '%s' ('l', 'L', 'a' or a count expected)",
                       lua_tostring(L, arg));
    }
}

static el_ready_fn *const awaited[] = {
    [LINE] = el_conn_ready_line,
    [LINE_WITH_END] = el_conn_ready_line,
    [ALL] = el_conn_ready_end,
    [COUNT] = el_conn_ready_count,
};

/* [-0, +1] Pushes what `format` makes of the bytes that came, nil at the end, and consumes
 * them; `what` has held. A connection that did not end properly raises instead of giving
 * less. */
static void take(lua_State *L, struct el_lconn *lc, enum format format,
                 const struct el_await *what, size_t count)
{
    struct el_conn *c = lc->conn;
    size_t have = c->rx.len;
    size_t whole = format == ALL ? have : format == COUNT ? count : what->n;
    bool complete = format == COUNT ? have >= what->n
                                    : format != ALL && whole > 0 &&
                                          el_buf_data(&c->rx)[whole - 1] == '\n';
    if (!complete && c->rx_end != EL_EEOF)
        el_conn_raise(L, lc, "read", c->rx_end);
    if (whole > have)
        whole = have;
    if (have == 0 && format != ALL) {
        lua_pushnil(L);
        return;
    }
    size_t keep = whole;
    if (format == LINE && complete) {
        keep--;
        if (keep > 0 && el_buf_data(&c->rx)[keep - 1] == '\r')
            keep--;
    }
    lua_pushlstring(L, have > 0 ? el_buf_data(&c->rx) : "", keep);
    if (whole > 0)
        el_conn_consume(c, whole);
}

static int read_rest(lua_State *L, int status, lua_KContext ctx);

/* Reads formats `arg` to `last` (indices), pushing a result for each, up to a nil. Their
 * count is the number of values above `last`. `found` has held for the first of them, which
 * is not looked for again; NULL: nothing has. */
static int read_from(lua_State *L, struct el_lconn *lc, int arg, int last,
                     const struct el_await *found)
{
    for (; arg <= last; arg++) {
        size_t n = 0;
        enum format format = check_format(L, lc, arg, &n);
        if (found != NULL) {
            take(L, lc, format, found, n);
            found = NULL;
        } else {
            /* A count of 0 asks whether there is more, as io's does: it waits for a byte. */
            struct el_await what = {.ready = awaited[format], .n = n > 0 ? n : 1};
            int verdict = what.ready(lc->conn, &what);
            if (verdict == 0)
                return el_conn_read_wait(L, lc, "read", &what, arg, last, read_rest);
            take(L, lc, format, &what, n);
        }
        if (lua_isnil(L, -1))
            break;
    }
    return lua_gettop(L) - last;
}

static int read_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    struct el_lconn *lc = lua_touserdata(L, 1);
    (void)status;
    el_conn_read_result(L, lc, "read", w);
    bool holds = el_conn_still_holds(lc->conn, &w->await);
    return read_from(L, lc, w->arg, w->last, holds ? &w->await : NULL);
}

/* conn:read([format, ...]) -> a value for each, nil at the end */
static int conn_read(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "read");
    if (lua_gettop(L) == 1)
        lua_pushliteral(L, "l");
    int last = lua_gettop(L);
    if (last > 2) { /* all are checked before anything is read */
        size_t n;
        luaL_checkstack(L, last + 8, "too many formats");
        for (int i = 2; i <= last; i++)
            (void)check_format(L, lc, i, &n);
    }
    el_conn_open(L, lc, "read");
    return read_from(L, lc, 2, last, NULL);
}

/* The iterator's stack is a method call's: connection, formats. */
static int lines_next(lua_State *L)
{
    int formats = (int)lua_tointeger(L, lua_upvalueindex(2));
    lua_settop(L, 0);
    luaL_checkstack(L, 2 * formats + 8, NULL);
    lua_pushvalue(L, lua_upvalueindex(1));
    for (int i = 0; i < formats; i++)
        lua_pushvalue(L, lua_upvalueindex(3 + i));
    struct el_lconn *lc = lua_touserdata(L, 1);
    el_conn_open(L, lc, "lines");
    return read_from(L, lc, 2, lua_gettop(L), NULL);
}

#define LINES_FORMATS_MAX 200

/* for line in conn:lines([format, ...]) do ... end */
static int conn_lines(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "lines");
    size_t n;
    if (lua_gettop(L) == 1)
        lua_pushliteral(L, "l");
    int last = lua_gettop(L);
    if (last - 1 > LINES_FORMATS_MAX)
        el_fault_usage(L, "lines", "too many formats");
    for (int i = 2; i <= last; i++)
        (void)check_format(L, lc, i, &n);
    el_conn_open(L, lc, "lines");
    luaL_checkstack(L, last + 4, NULL);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, last - 1);
    for (int i = 2; i <= last; i++)
        lua_pushvalue(L, i);
    lua_pushcclosure(L, lines_next, 2 + last - 1);
    return 1;
}

/* conn:unread() -> the received bytes that were not consumed */
static int conn_unread(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "unread");
    if (lc->conn != NULL && lc->conn->rx.len > 0)
        lua_pushlstring(L, el_buf_data(&lc->conn->rx), lc->conn->rx.len);
    else
        lua_pushliteral(L, "");
    return 1;
}

const luaL_Reg el_conn_file_methods[] = {
    {"unread", conn_unread}, {"read", conn_read}, {"lines", conn_lines},
    {"write", el_conn_send}, {NULL, NULL},
};
