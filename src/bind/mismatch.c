#include "bind/mismatch.h"

#include <lauxlib.h>
#include <string.h>

#include "base/err.h"
#include "bind/fault.h"
#include "bind/matcher.h"
#include "bind/scope.h"

static const char explainer; /* its key in the registry */

int el_mismatch_set_explainer(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &explainer);
    return 0;
}

static void set_text(lua_State *L, const char *key, const char *value)
{
    if (value != NULL && *value != '\0') {
        lua_pushstring(L, value);
        lua_setfield(L, -2, key);
    }
}

/* The literal that was awaited, where it was one: alone, or as a line's text. */
static void set_expected(lua_State *L, const struct el_matcher *m)
{
    bool is_line = m->kind == EL_MATCHER_LINE;
    if (is_line && m->inner != NULL)
        m = m->inner;
    if (m->kind != EL_MATCHER_LITERAL)
        return;
    lua_pushlstring(L, m->bytes != NULL ? m->bytes : "", m->len);
    lua_setfield(L, -2, "expected");
    if (is_line)
        set_text(L, "frame", "line");
}

static void set_offset(lua_State *L, size_t at)
{
    if (at != EL_MATCH_NOWHERE) {
        lua_pushinteger(L, (lua_Integer)at);
        lua_setfield(L, -2, "at");
    }
}

static void set_alternatives(lua_State *L, const struct el_match *attempt)
{
    const struct el_matcher *top = attempt->top;
    unsigned shown = top->count < EL_MATCH_ALTERNATIVES ? top->count
                                                        : EL_MATCH_ALTERNATIVES;
    lua_createtable(L, (int)shown, 0);
    for (unsigned i = 0; i < shown; i++) {
        lua_createtable(L, 0, 3);
        el_matcher_push_text(L, top->alternatives[i]);
        lua_setfield(L, -2, "awaited");
        if (attempt->failures != NULL) {
            set_text(L, "why", attempt->failures[i].why);
            set_offset(L, attempt->failures[i].at);
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "alternatives");
}

static void set_attempt(lua_State *L, const struct el_match *attempt)
{
    if (attempt->searches)
        return; /* it failed at every byte: none says more than another */
    set_expected(L, attempt->top);
    set_offset(L, attempt->failure.at);
    if (attempt->top->kind == EL_MATCHER_EITHER)
        set_alternatives(L, attempt);
}

static void set_connection(lua_State *L, struct el_lconn *lc)
{
    const struct el_conn *c = lc->conn;
    el_conn_push_address(L, lc);
    lua_setfield(L, -2, "address");
    set_text(L, "peer", el_transcript_name(c->transcript));
    lua_pushlstring(L, c->rx.len > 0 ? el_buf_data(&c->rx) : "", c->rx.len);
    lua_setfield(L, -2, "came");
    lua_pushboolean(L, !el_conn_ended(c));
    lua_setfield(L, -2, "more");
    if (el_conn_ended(c))
        set_text(L, "ended", c->rx_end == EL_EEOF ? "eof" : "reset");
    el_scope_push_events(L, c->transcript, 1);
    lua_setfield(L, -2, "transcript");
}

int el_mismatch_raise(lua_State *L, struct el_lconn *lc, const struct el_mismatch *m)
{
    luaL_checkstack(L, 16, NULL);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &explainer);
    lua_createtable(L, 0, 14);
    set_text(L, "op", m->op);
    set_text(L, "kind", m->kind);
    set_text(L, "awaited", m->awaited);
    set_connection(L, lc);
    if (m->at != NULL)
        set_attempt(L, m->at);
    set_text(L, "why", m->why != NULL || m->at == NULL ? m->why : m->at->failure.why);
    lua_call(L, 1, 1);
    lua_error(L);
    __builtin_unreachable();
}
