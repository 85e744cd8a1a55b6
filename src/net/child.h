/* child.h - a program that we started: how it ends, and that it does.
 * Counted references: its owner holds one, its stream another. One thread: the loop's. */
#ifndef EL_NET_CHILD_H
#define EL_NET_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "net/loop.h"
#include "net/spawn.h"
#include "net/timer.h"

struct el_child_events {
    /* It has ended: code, signal and error are set. */
    void (*exited)(void *owner);
    /* And so has its group, as far as can be known. The last word. */
    void (*gone)(void *owner);
};

struct el_child {
    uv_poll_t poll; /* of the pidfd; first, for el_loop_fini */
    struct el_loop *loop;
    struct el_child *next, **link; /* the loop's list of those that are not gone */
    const struct el_child_events *events;
    void *owner;
    struct el_timer *timer;
    pid_t pid;
    pid_t group; /* 0: it has no member any more */
    int pidfd;
    unsigned refs;
    uint64_t deadline_ns; /* while it is ending: of its patience, then of ours */
    int pause_ms;
    int code;   /* its exit status, */
    int signal; /* or what ended it, */
    int error;  /* or a negative errno: somebody else took its status */
    bool exited, ending, killed, gone;
};

/* Starts a program. The streams are made of what *out has besides the child, which gets the
 * first reference. Results as el_spawn_start's. */
int el_child_start(struct el_loop *loop, const struct el_spawn_options *options,
                   struct el_child **child, struct el_spawned *out,
                   enum el_spawn_step *step) __attribute__((warn_unused_result));

struct el_child *el_child_ref(struct el_child *c);

/* The last reference does not end it. NULL is allowed. */
void el_child_unref(struct el_child *c);

/* Sends a signal to its group. 0 (where that is gone, too) or a negative errno. */
int el_child_kill(struct el_child *c, int number) __attribute__((warn_unused_result));

/* Ends it with its group: SIGTERM, and SIGKILL after half a second; at once where `hard`.
 * Returns at once. Harmless when done already. */
void el_child_end(struct el_child *c, bool hard);

/* Ends all that the loop has, and waits for that, for two seconds at most. */
void el_child_end_all(struct el_loop *loop);

#endif
