/* vm.h - a Lua state as this program runs scripts in: capped memory, text chunks only, the
 * embedded Lua. The caller owns the state. One thread. */
#ifndef EL_APP_VM_H
#define EL_APP_VM_H

#include <lua.h>
#include <stddef.h>

/* The exit status of a worker that has passed its memory cap. */
#define EL_EXIT_MEMORY 77

/* `limit` is the cap in bytes, 0 for none; past it the process writes an event to `report_fd`
 * and exits with EL_EXIT_MEMORY, or, where that is negative, a message to standard error and
 * exits with 1. NULL when memory is out. */
lua_State *el_vm_new(size_t limit, int report_fd);

/* Sets the cap of a state that was made without one. */
void el_vm_set_limit(lua_State *L, size_t limit);

/* Closes the state: everything it opened is closed. */
void el_vm_free(lua_State *L);

/* [-(nargs+1), +1, -] Calls the function below `nargs` arguments, for one result. 0, or -1
 * with a one-line message on top instead. */
int el_vm_call(lua_State *L, int nargs);

#endif
