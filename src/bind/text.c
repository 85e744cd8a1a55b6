#include "bind/text.h"

#include <lauxlib.h>
#include <string.h>

#include "base/text.h"

static int text_is_plain(lua_State *L)
{
    size_t n;
    const char *s = luaL_checklstring(L, 1, &n);
    lua_pushboolean(L, el_text_is_plain(s, n));
    return 1;
}

enum encoder { TO_UTF8, FOR_TERMINAL, BASE64 };

static int encode(const char *s, size_t n, enum encoder e, bool multiline,
                  struct el_buf *out)
{
    switch (e) {
    case TO_UTF8:
        return el_text_to_utf8(out, s, n);
    case FOR_TERMINAL:
        return el_text_for_terminal(out, s, n, multiline);
    default:
        return el_text_base64(out, s, n);
    }
}

/* The copy into Lua cannot fail (this program's allocator never returns NULL; a host's
 * may, which leaks the buffer once). */
static int push_encoded(lua_State *L, enum encoder e)
{
    size_t n;
    struct el_buf out = {0};
    const char *s = luaL_checklstring(L, 1, &n);
    if (encode(s, n, e, lua_toboolean(L, 2), &out) != 0) {
        el_buf_fini(&out);
        return luaL_error(L, "out of memory");
    }
    lua_pushlstring(L, out.len > 0 ? el_buf_data(&out) : "", out.len);
    el_buf_fini(&out);
    return 1;
}

static int text_to_utf8(lua_State *L)
{
    return push_encoded(L, TO_UTF8);
}

static int text_for_terminal(lua_State *L)
{
    return push_encoded(L, FOR_TERMINAL);
}

static int text_base64(lua_State *L)
{
    return push_encoded(L, BASE64);
}

static const luaL_Reg functions[] = {
    {"is_plain", text_is_plain},
    {"to_utf8", text_to_utf8},
    {"for_terminal", text_for_terminal},
    {"base64", text_base64},
    {NULL, NULL},
};

void el_text_register(lua_State *L)
{
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    lua_setfield(L, -2, "text");
}
