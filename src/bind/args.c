#include "bind/args.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "bind/fault.h"

double el_args_seconds(lua_State *L, int arg, const char *op)
{
    if (lua_type(L, arg) != LUA_TNUMBER)
        el_fault_argument(L, op, arg, "number of seconds");
    double seconds = lua_tonumber(L, arg);
    if (isnan(seconds) || seconds < 0)
        el_fault_usage(L, op, "bad argument to '%s' (seconds cannot be %s)", op,
                       isnan(seconds) ? "NaN" : "negative");
    return seconds;
}

lua_Integer el_args_integer(lua_State *L, int arg, const char *op, const char *what,
                            lua_Integer least)
{
    int is_integer;
    lua_Integer n = lua_tointegerx(L, arg, &is_integer);
    if (!is_integer) {
        if (lua_type(L, arg) == LUA_TNUMBER)
            el_fault_usage(L, op, "bad argument to '%s' (%s expected, got %f)", op, what,
                           lua_tonumber(L, arg));
        el_fault_argument(L, op, arg, what);
    }
    if (n < least)
        el_fault_usage(L, op, "bad argument to '%s' (%s of at least %I expected, got %I)",
                       op, what, (LUAI_UACINT)least, (LUAI_UACINT)n);
    return n;
}

static int is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(name, *names) == 0)
            return 1;
    }
    return 0;
}

static void refuse_option(lua_State *L, const char *op, const char *key,
                          const char *const *names)
{
    lua_pushliteral(L, "");
    for (const char *const *name = names; *name != NULL; name++) {
        lua_pushfstring(L, "%s%s", name == names ? "" : ", ", *name);
        lua_concat(L, 2);
    }
    el_fault_usage(L, op, "'%s' has no option '%s'; there %s %s", op, key,
                   names[0] != NULL && names[1] == NULL ? "is" : "are",
                   lua_tostring(L, -1));
}

void el_args_options(lua_State *L, int arg, const char *op, const char *const *names)
{
    if (lua_isnoneornil(L, arg))
        return;
    if (lua_type(L, arg) != LUA_TTABLE)
        el_fault_argument(L, op, arg, "table of options");
    luaL_checkstack(L, 8, NULL);
    lua_pushnil(L);
    while (lua_next(L, arg) != 0) {
        lua_pop(L, 1);
        const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        if (key == NULL)
            el_fault_usage(L, op, "options of '%s' are named, not numbered", op);
        if (!is_one_of(key, names))
            refuse_option(L, op, key, names);
    }
}

int el_args_option(lua_State *L, int arg, const char *name)
{
    if (lua_type(L, arg) != LUA_TTABLE) {
        lua_pushnil(L);
        return LUA_TNIL;
    }
    lua_pushstring(L, name);
    return lua_rawget(L, arg);
}
