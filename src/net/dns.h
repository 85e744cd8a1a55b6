/* dns.h - names to addresses by c-ares: many look-ups at a time, none of which needs a thread.
 * One channel a loop, made by the first look-up, freed with the loop. One thread: the loop's. */
#ifndef EL_NET_DNS_H
#define EL_NET_DNS_H

#include "net/loop.h"
#include "net/resolve.h"

/* Has the loop's look-ups go through c-ares from now on. `servers` is a list such as
 * "127.0.0.1:5353,[::1]:53", or NULL: those of the system. 0, EL_EUSAGE where the list does
 * not parse, EL_EBUSY while look-ups are under way, or -ENOMEM. */
int el_dns_use(struct el_loop *loop, const char *servers)
    __attribute__((warn_unused_result));

/* As el_resolve_start. */
int el_dns_start(struct el_loop *loop, const char *host, int port, int family,
                 el_resolve_fn *done, void *arg, struct el_resolve **out)
    __attribute__((warn_unused_result));

/* Ends the channel; look-ups that are under way are told nothing. NULL is allowed. */
void el_dns_free(struct el_dns *dns);

#endif
