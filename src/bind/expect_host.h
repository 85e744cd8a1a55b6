/* expect_host.h - matchers that Lua has to be asked about: functions, LPeg patterns, JSON.
 * Stateless. */
#ifndef EL_BIND_EXPECT_HOST_H
#define EL_BIND_EXPECT_HOST_H

#include <lua.h>

#include "bind/conn.h"
#include "match/match.h"

/* [-0, +n, raises] After EL_HOST: asks, and answers the attempt; what fits leaves its captures
 * on the stack. */
void el_expect_host_ask(lua_State *L, struct el_lconn *lc, struct el_match *m,
                        const char *op);

/* core.set_comparer(f): f(template, value) says whether a JSON value has what the template
 * names: true, or false and why */
int el_expect_host_set_comparer(lua_State *L);

#endif
