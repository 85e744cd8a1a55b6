/* text.h - base/text for the embedded Lua. Stateless. */
#ifndef EL_BIND_TEXT_H
#define EL_BIND_TEXT_H

#include <lua.h>

/* [-0, +0, memory] Adds is_plain, to_utf8, for_terminal, base64 to the table on top. */
void el_text_register(lua_State *L);

#endif
