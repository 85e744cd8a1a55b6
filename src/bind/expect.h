/* expect.h - expectations about what a connection receives: expect and its family.
 * A connection keeps one attempt, for the one task that may wait on it. One thread. */
#ifndef EL_BIND_EXPECT_H
#define EL_BIND_EXPECT_H

#include <lauxlib.h>
#include <lua.h>

struct el_expectation;

/* Methods of connections. */
extern const luaL_Reg el_expect_methods[];

/* NULL is allowed. */
void el_expect_free(struct el_expectation *x);

#endif
