/* The module for a stock lua5.4: require "echolot". */
#include <lauxlib.h>
#include <lua.h>

#include "bind/loader.h"

__attribute__((visibility("default"))) int luaopen_echolot(lua_State *L);

int luaopen_echolot(lua_State *L)
{
    luaL_checkversion(L);
    el_loader_install(L);
    el_loader_run(L, "echolot");
    return 1;
}
