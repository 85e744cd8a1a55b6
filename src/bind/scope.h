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
    struct el_wait *drained; /* who waits for the last task to end */
    struct el_transcript *transcripts[EL_SCOPE_TRANSCRIPTS];
    unsigned transcript_count; /* of all that there were; the newest are kept */
    bool recording;
    bool closed;
    int failure_ref; /* LUA_NOREF, or the first failed task that nobody joined */
};

/* [-0, +1, memory] Pushes a new scope. */
struct el_scope *el_scope_new(lua_State *L, struct el_sched *s, bool recording);

/* Hands `o` to the scope that is current; its end calls `close` once, unless disowned. */
void el_scope_own(struct el_sched *s, struct el_owned *o,
                  void (*close)(struct el_owned *));
void el_scope_own_task(struct el_scope *scope, struct el_task *t,
                       void (*close)(struct el_owned *));

/* Harmless when it belongs to none. */
void el_scope_disown(struct el_owned *o);

/* Keeps a reference to the transcript where the current scope records. */
void el_scope_record(struct el_sched *s, struct el_transcript *t);

/* [-0, +0, memory] The metatable. */
void el_scope_register(lua_State *L);

#endif
