/* resolve_order.h - the order in which a name's addresses are tried.
 * Stateless; any thread may call. */
#ifndef EL_NET_RESOLVE_ORDER_H
#define EL_NET_RESOLVE_ORDER_H

#include <stddef.h>
#include <sys/socket.h>

/* Puts up to `most` of the `n` addresses, which a resolver gave in its order, into `out`: the
 * families take turns, beginning with the first one's (RFC 8305 section 4). How many. */
size_t el_resolve_order_interleave(const struct sockaddr *const *found, size_t n,
                                   int port, struct sockaddr_storage *out, size_t most);

#endif
