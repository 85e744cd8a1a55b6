/* sched.h - tasks (coroutines that wait) and how a wait suspends and resumes them.
 * One scheduler a Lua state, in its context. Tasks are userdata, kept alive while they run.
 * One thread: the one that runs the Lua state and its loop. */
#ifndef EL_BIND_SCHED_H
#define EL_BIND_SCHED_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/conn.h"
#include "net/loop.h"

#define EL_TASK_NAME "echolot.task"

struct el_sched;
struct el_task;
struct el_scope;

/* One wait of a task (it has at most one), or of a script that runs outside of any task.
 * `await` is for waits on a connection; `arg`, `last`, `offset` and `limit_s` are for a call to note how
 * far it has come; a call that needs more keeps it in a userdata on its stack. */
struct el_wait {
    struct el_sched *sched;
    struct el_task *task; /* NULL: outside of any task */
    int status;           /* > 0 while waiting, then 0 or what went wrong */
    bool suspended;
    bool follows;                        /* ends when another task does */
    void (*withdraw)(struct el_wait *w); /* takes it back from `source` */
    void *source;
    int arg, last;
    size_t offset;
    double limit_s; /* of a call that waits more than once */
    struct el_await await;
};

struct el_sched {
    struct el_loop *loop;
    lua_State *L; /* the main thread */
    struct el_task *current;
    lua_State *running; /* the innermost coroutine of the current task */
    bool carried;       /* and all coroutines between hand a wait outward */
    bool driving;
    bool closing;
    bool interrupted;
    bool barred; /* a call into the script that must not wait, outside of any task */
    struct el_task *tasks; /* all that have not ended */
    struct el_task *ready_first, *ready_last;
    struct el_wait outside;
    struct el_scope *root;
    struct el_scope *outside_scope; /* of what is opened outside of any task */
};

/* The value that a suspended wait yields: how a yield of ours is told from a script's. */
void *el_sched_mark(void);

/* Whether the coroutine waits: it then holds the mark on top of its stack. */
bool el_sched_is_waiting(lua_State *co);

void el_sched_init(struct el_sched *s, lua_State *L, struct el_loop *loop);

/* [-0, +0, raises] The wait of the caller, reset; raises `usage` where Lua cannot yield and
 * `cancelled` in a cancelled task. Fill it, hand it to its source, then el_sched_yield. */
struct el_wait *el_sched_begin_wait(lua_State *L, struct el_sched *s, const char *op);

/* Whether begin_wait would not raise. */
bool el_sched_may_wait(lua_State *L, const struct el_sched *s);

/* Ends a wait; the first call counts. Its task goes on at once where no other runs, else
 * when that one waits. */
void el_sched_wake(struct el_wait *w, int status);

/* [-0, +k, raises] Suspends until the wait is over, then returns what `k` does, called
 * with the wait as its context. Outside of any task it runs the loop meanwhile. */
int el_sched_yield(lua_State *L, struct el_wait *w, lua_KFunction k);

/* Runs tasks and the loop until `w` is over; EL_EUSAGE when nothing can ever end it. A deadlock
 * of tasks is told to them first: each wait that hangs on no other task's end gets EL_EUSAGE. */
int el_sched_drive(lua_State *L, struct el_sched *s, struct el_wait *w);

/* Puts a task at the end of those that may run. */
void el_sched_ready(struct el_sched *s, struct el_task *t);

/* The scope in which what is opened now belongs. */
struct el_scope *el_sched_scope(const struct el_sched *s);

#endif
