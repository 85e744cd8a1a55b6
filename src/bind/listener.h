/* listener.h - listeners as scripts hold them: userdata "echolot.listener".
 * Created closed; its __gc closes. One thread: the Lua state's. */
#ifndef EL_BIND_LISTENER_H
#define EL_BIND_LISTENER_H

#include <lua.h>

#include "bind/ctx.h"

/* [-0, +0, memory] The metatable; adds `listen` to the table on top. */
void el_listener_register(lua_State *L, struct el_ctx *ctx);

#endif
