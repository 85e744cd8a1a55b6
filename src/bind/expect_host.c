#include "bind/expect_host.h"

#include <lauxlib.h>
#include <math.h>

#include "base/clock.h"
#include "bind/fault.h"
#include "bind/json.h"
#include "bind/matcher.h"

static const char comparer; /* its key in the registry */

int el_expect_host_set_comparer(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &comparer);
    return 0;
}

/* [-0, +1] Pushes the bytes that are asked about. */
static size_t push_asked(lua_State *L, struct el_lconn *lc, const struct el_match *m)
{
    size_t start = m->asked.base + m->asked.start;
    size_t len = m->asked.len - m->asked.start;
    lua_pushlstring(L, len > 0 ? el_buf_data(&lc->conn->rx) + start : "", len);
    return len;
}

/* --- functions --------------------------------------------------------------------------- */

/* Outside of any task a wait would run the loop from within: refused, as it is in a task, where
 * Lua cannot yield across this call. */
static void call_matcher(lua_State *L, struct el_lconn *lc)
{
    struct el_sched *s = &lc->ctx->sched;
    bool outside = s->current == NULL;
    if (!outside) {
        lua_call(L, 1, LUA_MULTRET);
        return;
    }
    bool barred = s->barred; /* within another matcher's function */
    s->barred = true;
    int status = lua_pcall(L, 1, LUA_MULTRET, 0);
    s->barred = barred;
    if (status != LUA_OK)
        lua_error(L);
}

/* The count that the function returned, at `index`: within [0, len]. */
static size_t check_count(lua_State *L, int index, size_t len, const char *op)
{
    int is_integer;
    lua_Integer n = lua_tointegerx(L, index, &is_integer);
    if (lua_type(L, index) != LUA_TNUMBER)
        el_fault_usage(L, op,
                       "the matcher's function returned a %s (a count of bytes, nil or "
                       "false expected)",
                       luaL_typename(L, index));
    if (!is_integer)
        el_fault_usage(L, op,
                       "the matcher's function returned %f, which is no count of bytes",
                       lua_tonumber(L, index));
    if (n < 0 || (lua_Unsigned)n > len)
        el_fault_usage(L, op,
                       "the matcher's function returned %I, but there are %I bytes",
                       (LUAI_UACINT)n, (LUAI_UACINT)len);
    return (size_t)n;
}

/* f(buffer) -> count, captures; nil: more; false: cannot match */
static void ask_function(lua_State *L, struct el_lconn *lc, struct el_match *m,
                         const char *op)
{
    int base = lua_gettop(L);
    uint64_t consumed = lc->conn->consumed, serial = m->serial;
    el_matcher_push_host(L, m->leaf);
    size_t len = push_asked(L, lc, m);
    call_matcher(L, lc);
    if (!el_conn_is_open(lc->conn) || lc->conn->consumed != consumed ||
        m->serial != serial)
        el_fault_usage(L, op, "the matcher's function must leave the connection alone");
    int first = base + 1;
    if (lua_isnoneornil(L, first)) {
        lua_settop(L, base);
        el_match_answer(m, EL_MORE, 0, NULL);
    } else if (lua_type(L, first) == LUA_TBOOLEAN && !lua_toboolean(L, first)) {
        lua_settop(L, base);
        el_match_answer(m, EL_NO, 0, NULL);
    } else {
        size_t n = check_count(L, first, len, op);
        lua_remove(L, first);
        el_match_answer(m, EL_YES, n, NULL);
    }
}

/* --- LPeg -------------------------------------------------------------------------------- */

/* The pattern ends in a capture of its end's position: nothing else means no captures. */
static void ask_lpeg(lua_State *L, struct el_lconn *lc, struct el_match *m)
{
    int base = lua_gettop(L);
    el_matcher_push_host(L, m->leaf);
    lua_getfield(L, -1, "match");
    lua_insert(L, -2);
    size_t len = push_asked(L, lc, m);
    lua_call(L, 2, LUA_MULTRET);
    if (lua_isnil(L, base + 1)) {
        lua_settop(L, base);
        el_match_answer(m, EL_NO, 0, NULL);
        return;
    }
    lua_settop(L, -2); /* the position */
    el_match_answer(m, EL_YES, len, NULL);
}

/* --- JSON -------------------------------------------------------------------------------- */

static void ask_json(lua_State *L, struct el_lconn *lc, struct el_match *m)
{
    int base = lua_gettop(L);
    size_t len = push_asked(L, lc, m);
    if (el_json_decode(L, base + 1) > 1) {
        lua_pushfstring(L, "no JSON: %s", lua_tostring(L, -1));
        el_match_answer(m, EL_NO, 0, lua_tostring(L, -1));
        lua_settop(L, base);
        return;
    }
    lua_replace(L, base + 1);
    el_matcher_push_host(L, m->leaf);
    if (!lua_isnil(L, -1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &comparer);
        lua_insert(L, -2);
        lua_pushvalue(L, base + 1);
        lua_call(L, 2, 2);
        if (!lua_toboolean(L, -2)) {
            const char *why = lua_tostring(L, -1);
            el_match_answer(m, EL_NO, 0, why);
            lua_settop(L, base);
            return;
        }
    }
    lua_settop(L, base + 1);
    el_match_answer(m, EL_YES, len, NULL);
}

void el_expect_host_ask(lua_State *L, struct el_lconn *lc, struct el_match *m,
                        const char *op)
{
    luaL_checkstack(L, 12, NULL);
    m->asked_ns = el_clock_ns();
    switch (m->leaf->kind) {
    case EL_MATCHER_HOST_PART:
        ask_function(L, lc, m, op);
        return;
    case EL_MATCHER_HOST_WHOLE:
        ask_lpeg(L, lc, m);
        return;
    default:
        ask_json(L, lc, m);
    }
}
