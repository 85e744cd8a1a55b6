/* tls_accept.h - clients of a listener on their way through the TLS handshake.
 * Each has a handshake of its own, begun when it connects, whether or not somebody waits: one
 * that stalls or fails keeps nobody else. The caller owns the struct. One thread: the loop's. */
#ifndef EL_NET_TLS_ACCEPT_H
#define EL_NET_TLS_ACCEPT_H

#include <stdint.h>

#include "net/address.h"
#include "net/listener.h"
#include "net/tls_context.h"

/* Handshakes under way; where there are more, the oldest is given up. Clients that are through
 * it and have not been asked for. */
#define EL_TLS_HANDSHAKES 256
#define EL_TLS_AHEAD 32

struct el_tls_client;

struct el_tls_accept {
    struct el_listener *listener; /* the caller's; outlives this */
    struct el_tls_context *context;
    double limit_s;                 /* of one handshake */
    struct el_tls_client *underway; /* the newest first */
    struct el_tls_client *through;  /* the oldest first */
    unsigned underway_count, through_count;
    int failed;        /* the listener's last error that nobody has been told */
    unsigned failures; /* of clients, since the last that was accepted */
    char failed_address[EL_ADDRESS_TEXT_MAX];
    char failed_why[EL_TLS_WHY_MAX];
    /* As el_listener's: called once. */
    void (*ready)(void *arg);
    void *arg;
};

/* Takes over one reference to `context`; begins at once. */
void el_tls_accept_init(struct el_tls_accept *a, struct el_listener *listener,
                        struct el_tls_context *context, double limit_s);

/* Gives up all clients. Harmless on a zeroed struct, and when done already. */
void el_tls_accept_close(struct el_tls_accept *a);

/* As el_listener_accept, for clients that are through the handshake. */
int el_tls_accept_next(struct el_tls_accept *a, struct el_stream **out)
    __attribute__((warn_unused_result));

#endif
