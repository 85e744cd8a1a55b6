#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "net/dns.h"
#include "net/resolve_order.h"

#define FOUND_MAX 64 /* addresses of a name that are looked at */

struct lookup {
    struct el_resolve resolve;
    uv_getaddrinfo_t request;
    int port;
    el_resolve_fn *done; /* NULL once cancelled */
    void *arg;
};

int el_resolve_numeric(const char *host, int port, int family,
                       struct sockaddr_storage *out)
{
    struct sockaddr_storage sa = {0};
    if (family != AF_INET6 &&
        uv_ip4_addr(host, port, (struct sockaddr_in *)(void *)&sa) == 0) {
        *out = sa;
        return 0;
    }
    if (family != AF_INET &&
        uv_ip6_addr(host, port, (struct sockaddr_in6 *)(void *)&sa) == 0) {
        *out = sa;
        return 0;
    }
    return EL_ERESOLVE;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct lookup *r = request->data;
    const struct sockaddr *found[FOUND_MAX];
    struct sockaddr_storage addresses[EL_RESOLVE_MAX];
    size_t n = 0;
    for (const struct addrinfo *ai = status == 0 ? list : NULL;
         ai != NULL && n < FOUND_MAX; ai = ai->ai_next)
        found[n++] = ai->ai_addr;
    n = el_resolve_order_interleave(found, n, r->port, addresses, EL_RESOLVE_MAX);
    uv_freeaddrinfo(list);
    if (r->done != NULL) {
        if (n > 0)
            r->done(r->arg, 0, NULL, addresses, n);
        else
            r->done(r->arg, EL_ERESOLVE,
                    status != 0 ? uv_strerror(status) : el_err_text(EL_ERESOLVE), NULL,
                    0);
    }
    free(r);
}

static void cancel(struct el_resolve *resolve)
{
    struct lookup *r = (struct lookup *)resolve;
    r->done = NULL;
    /* Where it has begun it cannot be taken back: on_resolved frees it in either case. */
    (void)uv_cancel((uv_req_t *)&r->request);
}

int el_resolve_start(struct el_loop *loop, const char *host, int port, int family,
                     el_resolve_fn *done, void *arg, struct el_resolve **out)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    if (loop->dns != NULL)
        return el_dns_start(loop, host, port, family, done, arg, out);
    struct lookup *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    r->resolve.cancel = cancel;
    r->request.data = r;
    r->port = port;
    r->done = done;
    r->arg = arg;
    int err = uv_getaddrinfo(&loop->uv, &r->request, on_resolved, host, NULL, &hints);
    if (err != 0) {
        free(r);
        return err == UV_ENOMEM ? err : EL_ERESOLVE;
    }
    *out = &r->resolve;
    return 0;
}

void el_resolve_cancel(struct el_resolve *r)
{
    r->cancel(r);
}
