/* mismatch.h - the errors of expectations that did not hold, made by the embedded Lua that
 * explains them (echolot.explain). Stateless. */
#ifndef EL_BIND_MISMATCH_H
#define EL_BIND_MISMATCH_H

#include <lua.h>

#include "bind/conn.h"
#include "match/match.h"

/* What is known of an expectation that did not hold. */
struct el_mismatch {
    const char *op;
    const char *kind;          /* "mismatch", or what the peer's end makes of it */
    const char *awaited;       /* in words */
    const struct el_match *at; /* the attempt that failed, or NULL */
    const char *why;           /* or NULL */
};

/* [-0, +0, raises] Raises it, for the connection at index 1. */
int el_mismatch_raise(lua_State *L, struct el_lconn *lc, const struct el_mismatch *m)
    __attribute__((noreturn));

/* core.set_explainer(f): f(fields) makes the error of an expectation that did not hold */
int el_mismatch_set_explainer(lua_State *L);

#endif
