/* scope.h - scopes: what a test (or a file, or a program) opened and spawned.
 * A scope is userdata; what it owns unlinks itself. One thread: the Lua state's. */
#ifndef EL_BIND_SCOPE_H
#define EL_BIND_SCOPE_H

#include <lua.h>
#include <stdbool.h>

#include "net/transcript.h"

#define EL_SCOPE_NAME "echolot.scope"

/* Transcripts that a recording scope keeps: the newest ones. */
#define EL_SCOPE_TRANSCRIPTS 64

/* Failed tasks that a scope keeps for whoever joins them, or for its end: the first ones. */
#define EL_SCOPE_FAILURES 64

struct el_sched;
struct el_task;
struct el_wait;

/* What a scope closes when it ends. Embedded in a connection, listener or task. */
struct el_owned {
    struct el_owned *next, **link;
    void (*close)(struct el_owned *o);
};

struct el_scope {
    struct el_sched *sched;
    struct el_owned *tasks;
    struct el_owned *resources;
    struct el_owned
        *failures; /* tasks that failed and that nobody has joined, anchored */
    unsigned failure_count;
    struct el_owned *ending; /* what is closed already, or will be, and takes its time */
    struct el_wait *drained; /* who waits for the last task to end */
    struct el_transcript *transcripts[EL_SCOPE_TRANSCRIPTS];
    unsigned transcript_count; /* of all that there were; the newest are kept */
    bool recording;
    bool closed;
    bool abandoned; /* closed by a task that could not wait for its tasks' ends */
};

/* [-0, +1, memory] Pushes a new scope. */
struct el_scope *el_scope_new(lua_State *L, struct el_sched *s, bool recording);

/* Hands `o` to the scope that is current; its end calls `close` once, unless disowned. */
void el_scope_own(struct el_sched *s, struct el_owned *o,
                  void (*close)(struct el_owned *));
void el_scope_own_task(struct el_scope *scope, struct el_task *t,
                       void (*close)(struct el_owned *));

/* Called when a task has ended. `keep`: it failed, and nobody has seen that; true when the scope
 * keeps it. */
bool el_scope_task_ended(lua_State *L, struct el_scope *scope, struct el_task *t,
                         bool keep);

/* [-0, +0] A failed task that its scope keeps has been joined. */
void el_scope_failure_seen(lua_State *L, struct el_task *t);

/* Has the end of the current scope wait for `o`, until el_scope_ended. `forget` is called where the
 * scope goes before. Returns the scope. */
struct el_scope *el_scope_await(struct el_sched *s, struct el_owned *o,
                                void (*forget)(struct el_owned *));
void el_scope_ended(struct el_scope *scope, struct el_owned *o);

/* Harmless when it belongs to none. */
void el_scope_disown(struct el_owned *o);

/* Keeps a reference to the transcript where the current scope records. */
void el_scope_record(struct el_sched *s, struct el_transcript *t);

/* [-0, +1, memory] Pushes the list of a transcript's events {t, dir, peer, address, conn = id,
 * data, omitted}. */
void el_scope_push_events(lua_State *L, const struct el_transcript *t, int id);

/* [-0, +0, memory] The metatable. */
void el_scope_register(lua_State *L);

#endif
