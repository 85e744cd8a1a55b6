/* launch.h - starts a program and makes the connections to it, for connect "exec:..." and
 * echolot.process. One thread: the Lua state's. */
#ifndef EL_BIND_LAUNCH_H
#define EL_BIND_LAUNCH_H

#include <lua.h>

#include "net/address.h"

/* [-0, +1, raises] Starts the command of connect()'s address, a view of the text at index 1;
 * `options` is the index of connect's. Pushes the connection to it; returns 1. */
int el_launch_connect(lua_State *L, const struct el_address *address, int options);

/* [-0, +1, raises] start_process(address, words, {env=, cwd=, stdin=}, connect options) ->
 * connection. The embedded Lua has checked the words and the names. */
int el_launch_process(lua_State *L);

#endif
