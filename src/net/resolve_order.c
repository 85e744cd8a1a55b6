#include "net/resolve_order.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

static void put(const struct sockaddr *sa, int port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (sa->sa_family == AF_INET6) {
        memcpy(out, sa, sizeof(struct sockaddr_in6));
        ((struct sockaddr_in6 *)(void *)out)->sin6_port = htons((uint16_t)port);
    } else {
        memcpy(out, sa, sizeof(struct sockaddr_in));
        ((struct sockaddr_in *)(void *)out)->sin_port = htons((uint16_t)port);
    }
}

/* The next address of the family from `at` on; `n` where there is none. */
static size_t next_of(const struct sockaddr *const *found, size_t n, size_t at, bool v6)
{
    while (at < n && found[at]->sa_family != (v6 ? AF_INET6 : AF_INET))
        at++;
    return at;
}

size_t el_resolve_order_interleave(const struct sockaddr *const *found, size_t n,
                                   int port, struct sockaddr_storage *out, size_t most)
{
    size_t count = 0;
    bool v6 = n > 0 && found[0]->sa_family == AF_INET6;
    size_t next[2] = {next_of(found, n, 0, false), next_of(found, n, 0, true)};
    while (count < most && (next[0] < n || next[1] < n)) {
        bool family = next[v6] < n ? v6 : !v6;
        put(found[next[family]], port, &out[count++]);
        next[family] = next_of(found, n, next[family] + 1, family);
        v6 = !v6;
    }
    return count;
}
