/* task.h - tasks: what scripts spawn, join and cancel.
 * A task is userdata, anchored while it runs. One thread: the Lua state's. */
#ifndef EL_BIND_TASK_H
#define EL_BIND_TASK_H

#include "bind/sched.h"
#include "bind/scope.h"

struct el_task {
    struct el_sched *sched;
    lua_State *co; /* NULL once it has ended */
    struct el_wait wait;
    struct el_wait *joiners; /* a list through wait.await.extra */
    struct el_scope *scope;
    struct el_owned owned;
    struct el_task *next, **link; /* the scheduler's list of all */
    struct el_task *next_ready;
    struct el_timer *timer; /* made by its first sleep */
    int result_count; /* kept as a user value: true and results, or false and an error */
    bool started, queued, cancelled, ended, failed, observed;
};

/* Called by the scheduler when its coroutine has returned, raised or broken the rules. */
void el_task_ended(struct el_task *t, int status, int count);

/* [-(n+1), +1, raises] Makes a task of the function at index 1 and the arguments above it,
 * in `scope`; pushes it. Returns 1. */
int el_task_spawn(lua_State *L, struct el_sched *s, struct el_scope *scope);

/* [-0, +2, memory] Pushes the error and the traceback (or nil) of the failed task on top.
 * Returns 2. */
int el_task_push_failure(lua_State *L);

/* [-0, +0, memory] Adds spawn, sleep, waiter, scope, run to the table on top. */
void el_task_register(lua_State *L, struct el_sched *s);

#endif
