/* listener.h - a listening socket that accepts when somebody asks for a connection.
 * The caller owns the struct; one at a time may wait. One thread: the loop's. */
#ifndef EL_NET_LISTENER_H
#define EL_NET_LISTENER_H

#include <stdbool.h>
#include <sys/socket.h>

#include "net/loop.h"
#include "net/stream.h"

/* Clients accepted ahead of being asked for; the others wait in the kernel's backlog, which is
 * the backpressure that clients understand. */
#define EL_LISTENER_AHEAD 32

struct el_listener_handle;

struct el_listener {
    struct el_loop *loop;
    struct el_listener_handle *handle; /* NULL: closed */
    int waiting[EL_LISTENER_AHEAD];    /* descriptors of accepted clients, a ring */
    unsigned first, count;
    bool nodelay;
    bool polling;
    int failed; /* 0 or the negative errno of the last accept */
    /* Set by who waits; called once: a client is there, or `failed` tells, or it is closed. */
    void (*ready)(void *arg);
    void *arg;
};

/* Binds and listens. 0 or a negative errno. The file of a Unix socket is removed by the close;
 * one that nobody answers any more makes way, every other file is left alone (-EADDRINUSE). */
int el_listener_init(struct el_listener *l, struct el_loop *loop,
                     const struct sockaddr *address, bool nodelay)
    __attribute__((warn_unused_result));

/* Closes; whoever waits is called. Harmless when closed already. */
void el_listener_close(struct el_listener *l);

/* Hands over a client that waits: its stream is the caller's. -EAGAIN where there is none (set
 * `ready` to hear of the next), EL_ECLOSED, or a negative errno. */
int el_listener_accept(struct el_listener *l, struct el_stream **out)
    __attribute__((warn_unused_result));

/* The address that it listens on. 0 or a negative errno. */
int el_listener_address(const struct el_listener *l, struct sockaddr_storage *out)
    __attribute__((warn_unused_result));

#endif
