/* udp.h - a datagram socket: a bounded queue of what came, waits with deadlines, a transcript.
 * It lives on the heap; what awaits on it stays the waiter's. One thread: the loop's. */
#ifndef EL_NET_UDP_H
#define EL_NET_UDP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/conn.h"
#include "net/loop.h"
#include "net/transcript.h"

struct el_udp {
    unsigned refs; /* the owner's and the poll's */
    struct el_loop *loop;
    uv_poll_t poll;
    int fd;              /* -1: closed */
    bool connected;      /* to one peer: its address is not noted again and again */
    int interest;        /* UV_READABLE, UV_WRITABLE: what libuv watches */
    bool full;           /* reading waits until datagrams are taken */
    struct el_buf queue; /* of those that nobody has taken: each a head and its bytes */
    size_t max_buffer;
    int failed; /* 0; an error that nobody was told yet: what an earlier datagram met with */
    struct el_await *readers, *writers; /* who waits, the first one first */
    struct el_timer *timer;             /* for their deadlines */
    uint64_t timer_due_ns;              /* when it fires next; 0: it does not */
    uint64_t dropped;                   /* as the system said last */
    struct el_transcript *transcript;
};

struct el_datagram {
    const char *data;
    size_t len;
    struct sockaddr_in6 from; /* either family; zero where it has none */
};

/* A datagram socket, bound where `local` is given, connected where `peer` is, one of them at least:
 * its descriptor, or a negative errno. */
int el_udp_socket(const struct sockaddr *local, const struct sockaddr *peer)
    __attribute__((warn_unused_result));

/* Takes over the non-blocking socket `fd` and one reference to `transcript`, and begins to
 * receive: datagrams of `max_buffer` bytes in all, each counted with a head, are kept; then the
 * system keeps what its own buffer holds, and drops what comes later. On failure (a negative errno)
 * both are given back. */
int el_udp_new(struct el_loop *loop, int fd, size_t max_buffer,
               struct el_transcript *transcript, struct el_udp **out)
    __attribute__((warn_unused_result));

/* Closes: whoever waits gets EL_ECLOSED. Harmless when closed already. */
void el_udp_close(struct el_udp *u);

/* Closes and gives the owner's reference back. */
void el_udp_free(struct el_udp *u);

/* Receives what is there already, without waiting. */
void el_udp_fetch(struct el_udp *u);

/* The oldest datagram that came: a view that ends with the next call. False: there is none. */
bool el_udp_first(const struct el_udp *u, struct el_datagram *out);

/* Drops it; there is one. */
void el_udp_take(struct el_udp *u);

/* The error that nobody was told yet, once; 0 where there is none. */
int el_udp_take_error(struct el_udp *u);

/* Sends one datagram, to the socket's peer where `to` is NULL. 0, -EAGAIN where there is no room
 * now, EL_ECLOSED, or a negative errno, which may be what an earlier datagram met with. */
int el_udp_send(struct el_udp *u, const struct sockaddr *to, const char *data, size_t len)
    __attribute__((warn_unused_result));

/* Waits for a datagram, or for room to send one; several may. `a->done` is called once: 0 (others
 * may have been faster), EL_ETIMEOUT, EL_ECLOSED, or to a reader what an earlier datagram met with.
 * 0: `a` waits; EL_ECLOSED or a negative errno. */
int el_udp_await(struct el_udp *u, struct el_await *a)
    __attribute__((warn_unused_result));
int el_udp_await_room(struct el_udp *u, struct el_await *a)
    __attribute__((warn_unused_result));

/* Withdraws it; done is not called. Harmless when it does not wait. */
void el_udp_leave(struct el_udp *u, struct el_await *a);

/* How many datagrams the system has dropped because nobody took those before them. */
uint64_t el_udp_dropped(struct el_udp *u);

#endif
