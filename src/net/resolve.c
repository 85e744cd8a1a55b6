#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct el_resolve {
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

static void put_address(const struct addrinfo *ai, int port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out, ai->ai_addr, ai->ai_addrlen);
    if (ai->ai_family == AF_INET)
        ((struct sockaddr_in *)(void *)out)->sin_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in6 *)(void *)out)->sin6_port = htons((uint16_t)port);
}

static const struct addrinfo *next_of(const struct addrinfo *ai, bool v6)
{
    while (ai != NULL && ai->ai_family != (v6 ? AF_INET6 : AF_INET))
        ai = ai->ai_next;
    return ai;
}

/* The families take turns, beginning with the one that the resolver put first. */
static size_t interleave(const struct addrinfo *list, int port,
                         struct sockaddr_storage *out)
{
    size_t n = 0;
    bool v6 = list->ai_family == AF_INET6;
    const struct addrinfo *next[2] = {next_of(list, false), next_of(list, true)};
    while (n < EL_RESOLVE_MAX && (next[0] != NULL || next[1] != NULL)) {
        const struct addrinfo **from = next[v6] != NULL ? &next[v6] : &next[!v6];
        put_address(*from, port, &out[n++]);
        *from = next_of((*from)->ai_next, (*from)->ai_family == AF_INET6);
        v6 = !v6;
    }
    return n;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct el_resolve *r = request->data;
    struct sockaddr_storage found[EL_RESOLVE_MAX];
    size_t n = 0;
    if (r->done != NULL && status == 0 && list != NULL)
        n = interleave(list, r->port, found);
    uv_freeaddrinfo(list);
    if (r->done != NULL) {
        if (n > 0)
            r->done(r->arg, 0, NULL, found, n);
        else
            r->done(r->arg, EL_ERESOLVE,
                    status != 0 ? uv_strerror(status) : el_err_text(EL_ERESOLVE), NULL,
                    0);
    }
    free(r);
}

int el_resolve_start(struct el_loop *loop, const char *host, int port, int family,
                     el_resolve_fn *done, void *arg, struct el_resolve **out)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct el_resolve *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    r->request.data = r;
    r->port = port;
    r->done = done;
    r->arg = arg;
    int err = uv_getaddrinfo(&loop->uv, &r->request, on_resolved, host, NULL, &hints);
    if (err != 0) {
        free(r);
        return err == UV_ENOMEM ? err : EL_ERESOLVE;
    }
    *out = r;
    return 0;
}

void el_resolve_cancel(struct el_resolve *r)
{
    r->done = NULL;
    /* Where it has begun it cannot be taken back: on_resolved frees it in either case. */
    (void)uv_cancel((uv_req_t *)&r->request);
}
