#include "bind/fault.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"

#define EMBEDDED_PREFIX "=echolot/"

void el_fault_where(lua_State *L)
{
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 &&
            strncmp(ar.source, EMBEDDED_PREFIX, sizeof(EMBEDDED_PREFIX) - 1) != 0) {
            lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushnil(L);
}

static void set_text(lua_State *L, const char *key, const char *value)
{
    if (value != NULL) {
        lua_pushstring(L, value);
        lua_setfield(L, -2, key);
    }
}

void el_fault_push(lua_State *L, const struct el_fault *f)
{
    luaL_checkstack(L, 4, NULL);
    lua_createtable(L, 0, 7);
    set_text(L, "kind", f->kind != NULL ? f->kind : el_err_kind(f->code));
    set_text(L, "op", f->op);
    set_text(L, "address", f->address);
    set_text(L, "message", f->message != NULL ? f->message : el_err_text(f->code));
    set_text(L, "errno", el_err_name(f->code));
    if (f->received != NULL) {
        lua_pushlstring(L, f->received, f->received_len);
        lua_setfield(L, -2, "received");
    }
    el_fault_where(L);
    lua_setfield(L, -2, "where");
    luaL_setmetatable(L, EL_ERROR_NAME);
}

int el_fault_raise(lua_State *L, const struct el_fault *f)
{
    el_fault_push(L, f);
    lua_error(L);
    __builtin_unreachable();
}

int el_fault_usage(lua_State *L, const char *op, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *message = lua_pushvfstring(L, fmt, args);
    va_end(args);
    el_fault_raise(L,
                   &(struct el_fault){.code = EL_EUSAGE, .op = op, .message = message});
}

int el_fault_argument(lua_State *L, const char *op, int arg, const char *expected)
{
    /* A method's receiver stands at index 1; scripts count from what follows it. */
    const char *got = luaL_typename(L, arg == 0 ? 1 : arg);
    if (arg == 0)
        el_fault_usage(L, op,
                       "bad receiver of '%s' (%s expected, got %s): call it with ':'", op,
                       expected, got);
    el_fault_usage(L, op, "bad argument to '%s' (%s expected, got %s)", op, expected,
                   got);
}

static int error_tostring(lua_State *L)
{
    luaL_Buffer b;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    static const char *const keys[] = {"op", "address", "message"};
    for (int i = 0; i < 3; i++) {
        lua_pushstring(L, keys[i]);
        lua_rawget(L, 1);
    }
    lua_pushliteral(L, "kind");
    lua_rawget(L, 1);
    const char *kind = lua_tostring(L, -1);
    /* An assertion's own words say enough. */
    bool bare = kind != NULL && strcmp(kind, "mismatch") == 0 && lua_isnil(L, 3);
    lua_pop(L, 1);
    luaL_buffinit(L, &b);
    for (int i = 2; i <= 4; i++) {
        if (lua_type(L, i) != LUA_TSTRING || (bare && i < 4))
            continue;
        /* "op address: message", without what there is none of */
        if (luaL_bufflen(&b) > 0)
            luaL_addstring(&b, i == 4 ? ": " : " ");
        lua_pushvalue(L, i);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    return 1;
}

/* Error.new{kind=, op=, message=, ...}: for the embedded Lua, which raises it itself. */
static int error_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getfield(L, 1, "where") == LUA_TNIL) {
        el_fault_where(L);
        lua_setfield(L, 1, "where");
    }
    lua_settop(L, 1);
    luaL_setmetatable(L, EL_ERROR_NAME);
    return 1;
}

static int error_is(lua_State *L)
{
    int same = 0;
    if (lua_type(L, 1) == LUA_TTABLE && lua_getmetatable(L, 1)) {
        luaL_getmetatable(L, EL_ERROR_NAME);
        same = lua_rawequal(L, -1, -2);
    }
    lua_pushboolean(L, same);
    return 1;
}

static const luaL_Reg error_metamethods[] = {
    {"__tostring", error_tostring},
    {NULL, NULL},
};

static const luaL_Reg error_functions[] = {
    {"new", error_new},
    {"is", error_is},
    {NULL, NULL},
};

int luaopen_echolot_error(lua_State *L)
{
    if (luaL_newmetatable(L, EL_ERROR_NAME))
        luaL_setfuncs(L, error_metamethods, 0);
    lua_pop(L, 1);
    luaL_newlib(L, error_functions);
    return 1;
}
