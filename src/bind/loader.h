/* loader.h - the Lua that is compiled into the program, found by require "echolot...".
 * Stateless. */
#ifndef EL_BIND_LOADER_H
#define EL_BIND_LOADER_H

#include <lua.h>
#include <stddef.h>

/* Made from src/lua by the build; ends with a NULL name. */
struct el_embedded {
    const char *module; /* "echolot.suite" */
    const char *chunk;  /* "=echolot/suite.lua" */
    const unsigned char *text;
    size_t len;
};

extern const struct el_embedded el_embedded_modules[];

/* [-0, +0, memory] Makes require find the embedded modules and "echolot.core". */
void el_loader_install(lua_State *L);

/* [-0, +1, raises] Runs the embedded module `name` and pushes what it returns. */
void el_loader_run(lua_State *L, const char *name);

#endif
