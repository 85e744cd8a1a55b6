/* address.h - addresses as scripts hold them: {scheme=, host=, port=, path=}.
 * Pure values. One thread: the Lua state's. */
#ifndef EL_BIND_ADDRESS_H
#define EL_BIND_ADDRESS_H

#include <lua.h>
#include <stdbool.h>

#include "net/address.h"

/* [-0, +1, raises] Parses the address at index `arg` (a text, an address object, a target,
 * or a host with its port in the next argument), pushes its canonical text. *next is the
 * index of the argument behind it. *out is a view into values on the stack. */
void el_address_check(lua_State *L, int arg, const char *op, bool listening,
                      struct el_address *out, int *next);

/* [-0, +1, memory] Pushes an address object. */
void el_address_push(lua_State *L, const struct el_address *a);

/* [-0, +1, memory] Pushes an address object, of a socket address; `scheme` is that of one that
 * has a port. */
void el_address_push_socket(lua_State *L, enum el_scheme scheme,
                            const struct sockaddr *sa);

/* [-0, +0, memory] Adds `address` to the table on top. */
void el_address_register(lua_State *L);

#endif
