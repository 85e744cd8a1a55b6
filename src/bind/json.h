/* json.h - JSON for Lua: encode and decode, by jansson. Stateless. */
#ifndef EL_BIND_JSON_H
#define EL_BIND_JSON_H

#include <lua.h>

/* [-0, +0, memory] Adds the table `json` to the table on top: encode(value), decode(text),
 * array(t) and null. */
void el_json_register(lua_State *L);

/* [-0, +1 or +2, raises] Pushes the value of the JSON text at `index`, or nil and why it is none.
 * Returns how many it pushed. */
int el_json_decode(lua_State *L, int index);

#endif
