/* workers.h - worker processes for the supervisor's Lua: started, listened to, killed.
 * A process is userdata; its __gc kills. One thread: the loop's. */
#ifndef EL_APP_WORKERS_H
#define EL_APP_WORKERS_H

#include <lua.h>

/* The worker's end of the channel to its supervisor. */
#define EL_WORKER_FD 3

/* [-0, +0, memory] Adds `start_worker` to the table on top, which has the context as its
 * closures' upvalue. */
void el_workers_register(lua_State *L);

#endif
