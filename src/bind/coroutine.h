/* coroutine.h - Lua's coroutine library, made to carry waits. Stateless. */
#ifndef EL_BIND_COROUTINE_H
#define EL_BIND_COROUTINE_H

#include "bind/sched.h"

/* [-0, +0, memory] Replaces coroutine.resume, wrap and yield by ones that carry waits,
 * and close by one that lets those that wait alone. */
void el_coroutine_install(lua_State *L, struct el_sched *s);

#endif
