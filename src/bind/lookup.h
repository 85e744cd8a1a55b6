/* lookup.h - a name's addresses, for calls that wait for them.
 * A lookup is userdata on the stack of the call that waits. One thread: the Lua state's. */
#ifndef EL_BIND_LOOKUP_H
#define EL_BIND_LOOKUP_H

#include <lua.h>
#include <netinet/in.h>

#include "bind/ctx.h"
#include "net/address.h"
#include "net/resolve.h"

struct el_lookup {
    struct el_resolve *resolve; /* while it is under way */
    struct el_timer *timer;
    uint64_t deadline_ns;
    struct el_wait *wait;
    struct sockaddr_in6 found[EL_RESOLVE_MAX]; /* either family */
    size_t count;
    char why[128]; /* it failed */
};

/* [-0, +1, raises] Pushes a lookup of the address' host for the call `op`. A number is found at
 * once: NULL. Else the wait that ends with 0 (found) or what went wrong, at the latest at
 * `deadline_ns` (0: none); el_sched_yield comes next. *out is the lookup. */
struct el_wait *el_lookup_begin(lua_State *L, struct el_ctx *ctx, const char *op,
                                const struct el_address *address, int family,
                                uint64_t deadline_ns, struct el_lookup **out);

/* [-0, +0, memory] The metatable. */
void el_lookup_register(lua_State *L);

#endif
