#include "bind/loader.h"

#include <assert.h>
#include <lauxlib.h>
#include <string.h>

#include "bind/ctx.h"

static const struct el_embedded *find(const char *name)
{
    for (const struct el_embedded *m = el_embedded_modules; m->module != NULL; m++) {
        if (strcmp(m->module, name) == 0)
            return m;
    }
    return NULL;
}

/* [-0, +1, raises] */
static void load(lua_State *L, const struct el_embedded *m)
{
    if (luaL_loadbufferx(L, (const char *)m->text, m->len, m->chunk, "t") != LUA_OK)
        lua_error(L);
}

static int searcher(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const struct el_embedded *m = find(name);
    if (m == NULL) {
        lua_pushfstring(L, "no embedded module '%s'", name);
        return 1;
    }
    load(L, m);
    lua_pushstring(L, m->chunk);
    return 2;
}

void el_loader_install(lua_State *L)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_echolot_core);
    lua_setfield(L, -2, "echolot.core");
    lua_pop(L, 1);
    /* Before the searchers that look into the file system: a file of the same name there
     * does not stand in for a part of the program. */
    lua_getfield(L, -1, "searchers");
    for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i >= 2; i--) {
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushcfunction(L, searcher);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 2);
}

void el_loader_run(lua_State *L, const char *name)
{
    const struct el_embedded *m = find(name);
    assert(m != NULL);
    load(L, m);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
}
