/* host.h - what the embedded Lua needs of the machine: files, terminal, events, workers.
 * One thread: the Lua state's. */
#ifndef EL_APP_HOST_H
#define EL_APP_HOST_H

#include <lua.h>

/* [-0, +1, raises] require "echolot.host" */
int luaopen_echolot_host(lua_State *L);

#endif
