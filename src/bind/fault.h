/* fault.h - raising echolot.Error, the one form in which a failure reaches a script.
 * Nothing is kept in C across these calls: they raise. One thread: the Lua state's. */
#ifndef EL_BIND_FAULT_H
#define EL_BIND_FAULT_H

#include <lua.h>
#include <stddef.h>

#define EL_ERROR_NAME "echolot.Error"

struct el_fault {
    int code;            /* EL_E* or a negative errno */
    const char *kind;    /* NULL: the code's own */
    const char *op;      /* what was called: "recv" */
    const char *address; /* with whom, or NULL */
    const char *message; /* NULL: the code's own text */
    const char *received;
    size_t received_len;
};

/* [-0, +1, memory] Pushes the error object. Its `where` is the script's file and line. */
void el_fault_push(lua_State *L, const struct el_fault *f);

/* [-0, +0, raises] */
int el_fault_raise(lua_State *L, const struct el_fault *f) __attribute__((noreturn));

/* [-0, +0, raises] A `usage` error of `op`, with a message as for lua_pushfstring. */
int el_fault_usage(lua_State *L, const char *op, const char *fmt, ...)
    __attribute__((noreturn));

/* [-0, +0, raises] A `usage` error that names what was expected and the type of argument
 * `arg`. A method's receiver is argument 0. */
int el_fault_argument(lua_State *L, const char *op, int arg, const char *expected)
    __attribute__((noreturn));

/* [-0, +1, memory] Pushes "file:line" of the innermost function that is the script's own,
 * or nil. */
void el_fault_where(lua_State *L);

/* [-0, +1, memory] The class table with its constructor: `Error.new(fields)`. */
int luaopen_echolot_error(lua_State *L);

#endif
