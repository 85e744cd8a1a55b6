/* process.h - the program behind a connection: how it ends, and what its connection can do
 * besides. Lives until both are gone. One thread: the Lua state's. */
#ifndef EL_BIND_PROCESS_H
#define EL_BIND_PROCESS_H

#include <lauxlib.h>
#include <lua.h>

#include "bind/conn.h"
#include "net/child.h"

/* One without a program yet; the reference is the caller's. NULL when memory is out. */
struct el_process *el_process_new(struct el_ctx *ctx);

/* Gives it the program that has been started, with the child's first reference. The end of the
 * current scope waits for it. */
void el_process_adopt(struct el_process *p, struct el_child *child);

/* Gives the reference back. NULL is allowed. */
void el_process_release(struct el_process *p);

/* [-0, +1, memory] Pushes the address of the program that the connection at index 1 is to. */
int el_process_push_peer(lua_State *L);

/* Fields and methods of connections to programs; nil and `usage` for others. */
extern const struct el_conn_field el_process_fields[];
extern const luaL_Reg el_process_methods[];

/* [-0, +0, memory] Adds what the embedded Lua needs to the table on top: start_process,
 * process_state. */
void el_process_register(lua_State *L, struct el_ctx *ctx);

#endif
