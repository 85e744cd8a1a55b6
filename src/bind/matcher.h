/* matcher.h - matchers as scripts hold them: userdata "echolot.matcher" over an el_matcher.
 * A matcher keeps alive what stands in it. One thread: the Lua state's. */
#ifndef EL_BIND_MATCHER_H
#define EL_BIND_MATCHER_H

#include <lauxlib.h>
#include <lua.h>

#include "match/matcher.h"

#define EL_MATCHER_NAME "echolot.matcher"

/* Whether the value at `index` can be one: a string, a number, a matcher, an LPeg pattern or a
 * function. */
bool el_matcher_is(lua_State *L, int index);

/* [-0, +0, raises] Makes a matcher of the value at `arg`, in its place. */
const struct el_matcher *el_matcher_check(lua_State *L, int arg, const char *op);

/* [-(last-first+1), +1, raises] Puts `either` of the values from `first` to the top in the
 * place of the first one. */
const struct el_matcher *el_matcher_join(lua_State *L, int first, const char *op);

/* [-0, +1, memory] Pushes what the host is asked with: the function, the LPeg pattern, or the
 * value that JSON is compared with (nil: any). */
void el_matcher_push_host(lua_State *L, const struct el_matcher *m);

/* [-0, +1, memory] Pushes how a message names it: `a line matching pattern "^OK"`. */
void el_matcher_push_text(lua_State *L, const struct el_matcher *m);

/* [-0, +1, memory] Pushes bytes as a message shows them: quoted, escaped, not too long. */
void el_matcher_push_quoted(lua_State *L, const char *bytes, size_t len);

/* [-0, +0, memory] Adds `matchers`, the constructors, to the table on top. */
void el_matcher_register(lua_State *L);

#endif
