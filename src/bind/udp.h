/* udp.h - datagram sockets as scripts hold them: userdata "echolot.udp" over an el_udp.
 * Created closed; its __gc closes. One thread: the Lua state's. */
#ifndef EL_BIND_UDP_H
#define EL_BIND_UDP_H

#include <lua.h>

#include "bind/ctx.h"

/* udp(address [, options]), udp(host, port [, options]) -> a socket connected to one peer */
int el_udp_connect(lua_State *L);

/* [-0, +0, memory] The metatable; adds `udp` and `udp_listen` to the table on top. */
void el_udp_register(lua_State *L, struct el_ctx *ctx);

#endif
