#include "bind/address.h"

#include <lauxlib.h>
#include <netinet/in.h>
#include <string.h>

#include "bind/args.h"
#include "bind/fault.h"

#define ADDRESS_NAME "echolot.address"

static void push_text(lua_State *L, const struct el_address *a)
{
    char text[EL_ADDRESS_TEXT_MAX];
    if (a->scheme == EL_EXEC) { /* of any length */
        lua_pushliteral(L, "exec:");
        lua_pushlstring(L, a->path, a->path_len);
        lua_concat(L, 2);
        return;
    }
    lua_pushlstring(L, text, el_address_format(a, text, sizeof(text)));
}

void el_address_push(lua_State *L, const struct el_address *a)
{
    luaL_checkstack(L, 4, NULL);
    lua_createtable(L, 0, 4);
    lua_pushstring(L, el_address_scheme_name(a->scheme));
    lua_setfield(L, -2, "scheme");
    if (a->host != NULL) {
        lua_pushlstring(L, a->host, a->host_len);
        lua_setfield(L, -2, "host");
        lua_pushinteger(L, a->port);
        lua_setfield(L, -2, "port");
    } else {
        lua_pushlstring(L, a->path, a->path_len);
        lua_setfield(L, -2, "path");
    }
    luaL_setmetatable(L, ADDRESS_NAME);
}

void el_address_push_socket(lua_State *L, enum el_scheme scheme,
                            const struct sockaddr *sa)
{
    char text[EL_ADDRESS_TEXT_MAX];
    struct el_address a = {.scheme = scheme};
    if (sa->sa_family == AF_UNIX) {
        a.scheme = EL_UNIX;
        a.path_len = el_address_of_socket(sa, text, sizeof(text));
        a.path = text;
    } else {
        a.port = el_address_socket_parts(sa, text, sizeof(text));
        a.host_len = strlen(text);
        a.host = text;
    }
    el_address_push(L, &a);
}

/* [-0, +1] The text in the value at `arg`, or nil: a string, an address object, or
 * something with an `address`, such as a target. */
static bool push_given_text(lua_State *L, int arg)
{
    if (lua_type(L, arg) == LUA_TSTRING) {
        lua_pushvalue(L, arg);
        return true;
    }
    if (lua_type(L, arg) == LUA_TUSERDATA && luaL_getmetafield(L, arg, "__index")) {
        lua_pop(L, 1);
        lua_getfield(L, arg, "address"); /* a listener's */
    } else if (lua_type(L, arg) == LUA_TTABLE) {
        lua_pushvalue(L, arg);
        if (el_args_option(L, lua_gettop(L), "address") == LUA_TNIL)
            lua_pop(L, 1);
        else
            lua_remove(L, -2);
    } else {
        return false;
    }
    if (lua_type(L, -1) == LUA_TTABLE && luaL_getmetafield(L, -1, "__name")) {
        bool known = lua_type(L, -1) == LUA_TSTRING &&
                     strcmp(lua_tostring(L, -1), ADDRESS_NAME) == 0;
        lua_pop(L, 1);
        if (known) {
            luaL_tolstring(L, -1, NULL);
            lua_remove(L, -2);
        }
    }
    return lua_type(L, -1) == LUA_TSTRING;
}

/* Shows at most this much of a text that does not parse. */
#define SHOWN_MAX 100

static void fail(lua_State *L, const char *op, const char *text, size_t n,
                 const char *why)
{
    lua_pushlstring(L, text, n < SHOWN_MAX ? n : SHOWN_MAX);
    luaL_gsub(L, lua_tostring(L, -1), "\n", "\\n");
    el_fault_usage(L, op, "bad address '%s%s': %s", lua_tostring(L, -1),
                   n > SHOWN_MAX ? "..." : "", why);
}

void el_address_check(lua_State *L, int arg, const char *op, bool listening,
                      struct el_address *out, int *next)
{
    const char *why = NULL;
    size_t n;
    luaL_checkstack(L, 6, NULL);
    if (!push_given_text(L, arg))
        el_fault_argument(L, op, arg, "address");
    const char *text = lua_tolstring(L, -1, &n);
    /* Anchors the text at `arg`, so that views into it last as long as the call. */
    lua_replace(L, arg);
    int type = lua_type(L, arg + 1);
    if (type == LUA_TNUMBER || type == LUA_TSTRING) {
        lua_Integer port = el_args_integer(L, arg + 1, op, "whole number as port", 0);
        if (el_address_from_parts(text, n, port, listening, out, &why) != 0) {
            lua_pushfstring(L, "%s:%I", text, (LUAI_UACINT)port);
            fail(L, op, lua_tostring(L, -1), strlen(lua_tostring(L, -1)), why);
        }
        *next = arg + 2;
    } else {
        if (el_address_parse(text, n, listening, out, &why) != 0)
            fail(L, op, text, n, why);
        *next = arg + 1;
    }
    push_text(L, out);
}

/* echolot.address(text) -> {scheme=, host=, port=, path=} */
static int address_new(lua_State *L)
{
    struct el_address a;
    int next;
    lua_settop(L, 2);
    el_address_check(L, 1, "address", true, &a, &next);
    el_address_push(L, &a);
    return 1;
}

/* [-0, +0] Reads the fields raw, so a script may have changed them to anything. */
static int address_tostring(lua_State *L)
{
    struct el_address a = {.scheme = EL_TCP};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    el_args_option(L, 1, "scheme");
    el_args_option(L, 1, "host");
    el_args_option(L, 1, "port");
    el_args_option(L, 1, "path");
    const char *scheme = lua_tostring(L, 2);
    for (int i = EL_TCP; scheme != NULL && i <= EL_EXEC; i++) {
        if (strcmp(scheme, el_address_scheme_name((enum el_scheme)i)) == 0)
            a.scheme = (enum el_scheme)i;
    }
    if (lua_type(L, 5) == LUA_TSTRING) {
        a.path = lua_tolstring(L, 5, &a.path_len);
    } else {
        a.host = luaL_optlstring(L, 3, "", &a.host_len);
        a.port = (int)lua_tointeger(L, 4);
    }
    push_text(L, &a);
    return 1;
}

static int address_eq(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    luaL_tolstring(L, 2, NULL);
    lua_pushboolean(L, lua_rawequal(L, -1, -2));
    return 1;
}

static const luaL_Reg metamethods[] = {
    {"__tostring", address_tostring},
    {"__eq", address_eq},
    {NULL, NULL},
};

void el_address_register(lua_State *L)
{
    if (luaL_newmetatable(L, ADDRESS_NAME))
        luaL_setfuncs(L, metamethods, 0);
    lua_pop(L, 1);
    lua_pushcfunction(L, address_new);
    lua_setfield(L, -2, "address");
}
