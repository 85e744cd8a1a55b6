/* ctx.h - what one Lua state has of Echolot: its loop, its scheduler, its defaults.
 * A userdata of the state, made first and so finalized last; every C function has a pointer
 * to it as its first upvalue. One thread: the state's. */
#ifndef EL_BIND_CTX_H
#define EL_BIND_CTX_H

#include <lua.h>
#include <stdint.h>

#include "bind/sched.h"
#include "net/loop.h"
#include "net/tls_context.h"

#define EL_DEFAULT_TIMEOUT_S 5.0
#define EL_DEFAULT_MAX_BUFFER ((size_t)1 << 20)

struct el_ctx {
    struct el_sched sched; /* first: a pointer to one is a pointer to the other */
    struct el_loop loop;
    struct el_tls_cache tls;
    double timeout_s; /* of a wait on a connection, unless the script says otherwise */
};

static inline struct el_ctx *el_ctx_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* [-0, +1, raises] require "echolot.core": the context's functions, for the embedded Lua. */
int luaopen_echolot_core(lua_State *L);

/* [-0, +0] The context of a state that has opened the core; NULL before that. */
struct el_ctx *el_ctx_get(lua_State *L);

#endif
