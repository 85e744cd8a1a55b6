/* dial.h - connects to a host: looks it up and tries its addresses (RFC 8305); or to a Unix socket.
 * A dial frees itself after `done` or cancel. One thread: the loop's. */
#ifndef EL_NET_DIAL_H
#define EL_NET_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "net/address.h"
#include "net/loop.h"
#include "net/stream.h"

struct el_dial;

struct el_dial_options {
    int family;           /* AF_UNSPEC, AF_INET, AF_INET6 */
    uint64_t deadline_ns; /* monotonic, of look-up and all attempts together; 0: none */
    bool nodelay;
    const struct sockaddr *bind; /* local address, or NULL; copied */
};

/* `status` is 0 with a connected stream that now belongs to the callee, or what the last
 * address failed with (EL_ERESOLVE, EL_ETIMEOUT, negative errno). `detail` is the resolver's
 * reason or the addresses tried, "127.0.0.1:7, [::1]:7"; it ends with the call. */
typedef void el_dial_fn(void *arg, int status, const char *detail,
                        struct el_stream *stream);

/* Starts; `done` is called later from the loop. 0 or a negative errno. */
int el_dial_start(struct el_loop *loop, const struct el_address *address,
                  const struct el_dial_options *options, el_dial_fn *done, void *arg,
                  struct el_dial **out) __attribute__((warn_unused_result));

/* The same with addresses (at least one; copied) that need no look-up, in their order. */
int el_dial_addresses(struct el_loop *loop, const struct sockaddr_storage *addresses,
                      size_t n, const struct el_dial_options *options, el_dial_fn *done,
                      void *arg, struct el_dial **out)
    __attribute__((warn_unused_result));

/* `done` is not called any more. */
void el_dial_cancel(struct el_dial *d);

#endif
