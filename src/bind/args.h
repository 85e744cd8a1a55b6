/* args.h - checks of what scripts pass, each failing with a `usage` error that names the
 * call. Stateless. */
#ifndef EL_BIND_ARGS_H
#define EL_BIND_ARGS_H

#include <lua.h>
#include <stddef.h>

/* [-0, +0, raises] A number of seconds, not negative; infinity is allowed ("for ever"). */
double el_args_seconds(lua_State *L, int arg, const char *op);

/* [-0, +0, raises] A whole number from `least` up; `what` names it ("count of bytes"). */
lua_Integer el_args_integer(lua_State *L, int arg, const char *op, const char *what,
                            lua_Integer least);

/* [-0, +0, raises] Raises unless every key of the table at `arg` is in the NULL-ended
 * list. Nil or none is allowed. Tables are read raw: an option's metamethod never runs. */
void el_args_options(lua_State *L, int arg, const char *op, const char *const *names);

/* [-0, +1] Pushes option `name` of the table at `arg` (raw), or nil. Its type. */
int el_args_option(lua_State *L, int arg, const char *name);

#endif
