/* resolve.h - names to socket addresses, by the system's resolver in libuv's threads, or by
 * c-ares where the loop uses that (net/dns.h).
 * The request frees itself after `done` or after cancel. One thread: the loop's. */
#ifndef EL_NET_RESOLVE_H
#define EL_NET_RESOLVE_H

#include <stddef.h>
#include <sys/socket.h>

#include "net/loop.h"

#define EL_RESOLVE_MAX 16

/* A look-up under way; the head of what its resolver keeps. */
struct el_resolve {
    void (*cancel)(struct el_resolve *r);
};

/* `status` is 0 with 1 to EL_RESOLVE_MAX addresses, families taking turns, the resolver's
 * first choice first (RFC 8305 section 4); or EL_ERESOLVE with `why` in words. The array
 * ends with the call. */
typedef void el_resolve_fn(void *arg, int status, const char *why,
                           const struct sockaddr_storage *addresses, size_t n);

/* Parses a numeric host. 0, or EL_ERESOLVE where it is a name or of another family. */
int el_resolve_numeric(const char *host, int port, int family,
                       struct sockaddr_storage *out) __attribute__((warn_unused_result));

/* Looks `host` up; `family` is AF_UNSPEC, AF_INET or AF_INET6. `done` is called later. 0,
 * EL_ERESOLVE for what cannot be a name, or -ENOMEM. */
int el_resolve_start(struct el_loop *loop, const char *host, int port, int family,
                     el_resolve_fn *done, void *arg, struct el_resolve **out)
    __attribute__((warn_unused_result));

/* `done` is not called any more. */
void el_resolve_cancel(struct el_resolve *r);

#endif
