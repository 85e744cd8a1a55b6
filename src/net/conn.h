/* conn.h - a connection: a stream with a capped receive buffer, waits with deadlines,
 * backpressure and a transcript. It lives on the heap, its callbacks outlast a close by a
 * turn of the loop; what awaits on it stays the waiter's. One thread: the loop's. */
#ifndef EL_NET_CONN_H
#define EL_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/transcript.h"

struct el_conn;
struct el_await;

/* What a reader waits for. Asked when bytes have come, and when nothing more will: 1 it
 * holds, 0 it needs more, negative error. `a->seen` is its own, to go on where it stopped. */
typedef int el_ready_fn(const struct el_conn *c, struct el_await *a);

struct el_await {
    el_ready_fn *ready;   /* readers only */
    size_t n;             /* bytes wanted, for those that count */
    size_t seen;          /* bytes that need no second look */
    size_t mark;          /* where that holds from, for those who need it */
    const void *extra;    /* what else `ready` needs */
    uint64_t deadline_ns; /* monotonic; 0: none */
    uint64_t consumed;    /* the connection's, when the wait began */
    uint64_t again_ns; /* `ready` wants to be asked again then, whatever comes; 0: no */
    const void *hint;  /* memory that `done` will need: fetched while the system reads */
    /* Called once: 0, EL_ETIMEOUT, EL_ELIMIT, EL_ECLOSED or what `ready` or the stream
     * gave. The await is no longer the connection's then. */
    void (*done)(struct el_await *a, int status);
    struct el_await *next; /* the connection's: the queue of writers */
};

struct el_conn {
    unsigned refs; /* the owner's and the stream's */
    struct el_loop *loop;
    struct el_stream *stream; /* NULL: closed */
    struct el_buf rx;         /* received, not yet consumed */
    size_t max_buffer;
    uint64_t
        consumed; /* bytes in all: who remembers offsets sees whether they still hold */
    struct el_await *reader;
    struct el_await *writers; /* the first one's turn it is */
    struct el_timer *timer;   /* for the deadlines of those that wait */
    uint64_t timer_due_ns;    /* when it fires next; 0: it does not */
    struct el_transcript *transcript;
    int rx_end; /* 0; EL_EEOF or the error that ended the receiving half */
    int tx_end; /* 0; the error that ended the sending half */
    bool reading;
    bool in_read; /* within the stream's callback: trimming waits for its end */
    bool bulk;    /* the last read was large: read into whole chunks */
    bool chunk;   /* rx's storage is a chunk of the loop's */
    bool sent_fin;
    bool overhears;   /* see el_conn_overhear */
    uint64_t dropped; /* bytes that nobody read in time */
};

/* Takes over a connected stream (its owner from now on) and begins to read. Takes over one
 * reference to `transcript`. On failure (a negative errno) both are given back. */
int el_conn_new(struct el_loop *loop, struct el_stream *stream, size_t max_buffer,
                struct el_transcript *transcript, struct el_conn **out)
    __attribute__((warn_unused_result));

/* Closes (with RST where `reset`): whoever waits gets EL_ECLOSED; unread bytes are gone.
 * The transcript stays until el_conn_free. Harmless when closed already. */
void el_conn_close(struct el_conn *c, bool reset);

/* Closes and gives the owner's reference back. */
void el_conn_free(struct el_conn *c);

static inline bool el_conn_is_open(const struct el_conn *c)
{
    return c->stream != NULL;
}

/* True when no more bytes will come than those in rx. */
static inline bool el_conn_ended(const struct el_conn *c)
{
    return c->rx_end != 0;
}

/* Drops `n` received bytes; where the cap had stopped the reading, it goes on once half of the
 * buffer is free, or somebody waits. */
void el_conn_consume(struct el_conn *c, size_t n);

/* The usual things to wait for: some byte or the end; a->n bytes or the end; a line (an LF)
 * or the end; the end. */
el_ready_fn el_conn_ready_some, el_conn_ready_count, el_conn_ready_line,
    el_conn_ready_end;

/* Waits for a->ready, which the caller has just asked in vain. 0: `a` waits, and done will be
 * called; EL_EBUSY (another reader waits), EL_ECLOSED or a negative errno. */
int el_conn_await(struct el_conn *c, struct el_await *a)
    __attribute__((warn_unused_result));

/* Whether what `ready` found for `a`, which has waited with success, is still so: it is unless
 * somebody else has consumed bytes since. What came meanwhile lies behind it. */
static inline bool el_conn_still_holds(const struct el_conn *c, const struct el_await *a)
{
    return a->consumed == c->consumed;
}

/* Sends what the carrier takes now; *taken tells how much of `bufs` that was. Nothing is
 * taken while other writers have their turn (unless `a` is the first of them; NULL else).
 * 0 or a negative error. */
int el_conn_try_send(struct el_conn *c, struct el_await *a, const uv_buf_t *bufs,
                     unsigned n, size_t *taken) __attribute__((warn_unused_result));

/* Queues `a` as a writer, where it is not one yet. done comes when it is its turn and there is
 * room; it stays queued until el_conn_writer_leave. 0, EL_ECLOSED or a negative errno. */
int el_conn_await_send(struct el_conn *c, struct el_await *a)
    __attribute__((warn_unused_result));

/* Takes `a` out of the writers; the next one's turn comes. Harmless when it is not one. */
void el_conn_writer_leave(struct el_conn *c, struct el_await *a);

/* Withdraws a reader; done is not called. Harmless when it is not waiting. */
void el_conn_reader_leave(struct el_conn *c, struct el_await *a);

/* Ends our sending half (FIN). 0, EL_ECLOSED, EL_EBUSY while writers wait, or a negative
 * errno. Harmless when done already. */
int el_conn_shutdown(struct el_conn *c) __attribute__((warn_unused_result));

/* From now on nothing is sent, and where the buffer is full and nobody waits, its older half
 * gives way (`dropped` counts) instead of the peer's being held: for what may go unread. */
void el_conn_overhear(struct el_conn *c);

#endif
