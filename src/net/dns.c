#include "net/dns.h"

#include <ares.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/resolve_order.h"
#include "net/timer.h"

/* Of one question: what a server has for its answer at first (c-ares doubles it), and how often
 * all are asked. What the whole may take is the dial's business. */
#define ANSWER_MS 500
#define TRIES 4

/* Names that are asked for at once, each by two questions: as many as the socket of an ordinary
 * server has room for. The others wait for their turn. */
#define ASKED_MAX 64

#define FOUND_MAX 64 /* addresses of a name that are looked at */

struct el_dns {
    struct el_loop *loop;
    ares_channel channel;
    struct el_timer *timer;
    struct watch *watches; /* c-ares's sockets */
    struct lookup *all;
    struct lookup *first, *last; /* that wait for their turn */
    unsigned asked;
};

struct watch {
    uv_poll_t poll;
    struct el_dns *dns;
    ares_socket_t fd;
    struct watch *next;
};

struct lookup {
    struct el_resolve resolve;
    struct el_dns *dns;
    struct el_timer *later;       /* when whoever asked is told */
    struct lookup *next;          /* in the line */
    struct lookup *after, **link; /* of all */
    char *host;
    int port, family;
    el_resolve_fn *done; /* NULL once cancelled */
    void *arg;
    int status;
    size_t count;
    struct sockaddr_storage addresses[EL_RESOLVE_MAX];
};

/* --- c-ares's sockets and clock in the loop ------------------------------------------------ */

static void rearm(struct el_dns *dns)
{
    struct timeval tv;
    if (ares_timeout(dns->channel, NULL, &tv) != NULL)
        el_timer_start(dns->timer, el_clock_ns() + (uint64_t)tv.tv_sec * EL_NS_PER_S +
                                       (uint64_t)tv.tv_usec * 1000u);
    else
        el_timer_stop(dns->timer);
}

static void on_time(void *arg)
{
    struct el_dns *dns = arg;
    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    rearm(dns);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    struct el_dns *dns = w->dns;
    ares_socket_t fd = w->fd;
    /* An error is for c-ares to find: reading and writing tell it. */
    bool readable = status < 0 || (events & UV_READABLE);
    bool writable = status < 0 || (events & UV_WRITABLE);
    ares_process_fd(dns->channel, readable ? fd : ARES_SOCKET_BAD,
                    writable ? fd : ARES_SOCKET_BAD);
    rearm(dns);
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static struct watch *find_watch(struct el_dns *dns, ares_socket_t fd)
{
    struct watch *w = dns->watches;
    while (w != NULL && w->fd != fd)
        w = w->next;
    return w;
}

static struct watch *add_watch(struct el_dns *dns, ares_socket_t fd)
{
    struct watch *w = calloc(1, sizeof(*w));
    if (w == NULL || uv_poll_init(&dns->loop->uv, &w->poll, fd) != 0) {
        free(w);
        return NULL;
    }
    w->poll.data = w;
    w->dns = dns;
    w->fd = fd;
    w->next = dns->watches;
    dns->watches = w;
    return w;
}

static void remove_watch(struct el_dns *dns, struct watch *w)
{
    struct watch **p = &dns->watches;
    while (*p != w)
        p = &(*p)->next;
    *p = w->next;
    uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

/* c-ares opens a socket, wants other events of it, or (neither) is about to close it. */
static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct el_dns *dns = arg;
    struct watch *w = find_watch(dns, fd);
    int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    if (events == 0) {
        if (w != NULL)
            remove_watch(dns, w);
        return;
    }
    if (w == NULL)
        w = add_watch(dns, fd);
    if (w != NULL) /* else the question times out */
        (void)uv_poll_start(&w->poll, events, on_poll);
}

/* --- the channel --------------------------------------------------------------------------- */

int el_dns_use(struct el_loop *loop, const char *servers)
{
    if (loop->dns != NULL && loop->dns->all != NULL)
        return EL_EBUSY;
    struct ares_options options = {.timeout = ANSWER_MS, .tries = TRIES};
    struct el_dns *dns = calloc(1, sizeof(*dns));
    if (dns == NULL || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
        free(dns);
        return -ENOMEM;
    }
    options.sock_state_cb = on_socket;
    options.sock_state_cb_data = dns;
    dns->loop = loop;
    if (ares_init_options(&dns->channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) !=
        ARES_SUCCESS) {
        ares_library_cleanup();
        free(dns);
        return -ENOMEM;
    }
    int err = 0;
    dns->timer = el_timer_new(loop, on_time, dns);
    if (dns->timer == NULL)
        err = -ENOMEM;
    else if (servers != NULL &&
             ares_set_servers_ports_csv(dns->channel, servers) != ARES_SUCCESS)
        err = EL_EUSAGE;
    if (err != 0) {
        el_dns_free(dns);
        return err;
    }
    el_dns_free(loop->dns);
    loop->dns = dns;
    return 0;
}

static void free_lookup(struct lookup *l);

void el_dns_free(struct el_dns *dns)
{
    if (dns == NULL)
        return;
    for (struct lookup *l = dns->all; l != NULL; l = l->after)
        l->dns = NULL;
    ares_destroy(dns->channel); /* calls back for each look-up, closes its sockets */
    for (struct lookup *l = dns->all, *after; l != NULL; l = after) {
        after = l->after;
        l->link = NULL; /* the list ends as a whole */
        free_lookup(l);
    }
    el_timer_free(dns->timer);
    ares_library_cleanup();
    free(dns);
}

/* --- look-ups ------------------------------------------------------------------------------ */

static void free_lookup(struct lookup *l)
{
    if (l == NULL)
        return;
    if (l->link != NULL) {
        *l->link = l->after;
        if (l->after != NULL)
            l->after->link = l->link;
    }
    el_timer_free(l->later);
    free(l->host);
    free(l);
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *result);

static void ask(struct el_dns *dns, struct lookup *l)
{
    struct ares_addrinfo_hints hints = {.ai_family = l->family,
                                        .ai_socktype = SOCK_STREAM};
    dns->asked++;
    ares_getaddrinfo(dns->channel, l->host, NULL, &hints, on_answer, l);
    rearm(dns);
}

static void ask_next(struct el_dns *dns)
{
    while (dns->asked < ASKED_MAX && dns->first != NULL) {
        struct lookup *l = dns->first;
        dns->first = l->next;
        if (l->done != NULL)
            ask(dns, l);
        else
            free_lookup(l); /* cancelled meanwhile */
    }
}

static void finish(struct lookup *l)
{
    struct el_dns *dns = l->dns;
    dns->asked--;
    if (l->done != NULL && l->count > 0)
        l->done(l->arg, 0, NULL, l->addresses, l->count);
    else if (l->done != NULL)
        l->done(l->arg, EL_ERESOLVE,
                l->status != ARES_SUCCESS ? ares_strerror(l->status)
                                          : el_err_text(EL_ERESOLVE),
                NULL, 0);
    free_lookup(l);
    ask_next(dns);
}

static void on_later(void *arg)
{
    finish(arg);
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
    struct lookup *l = arg;
    const struct sockaddr *found[FOUND_MAX];
    size_t n = 0;
    (void)timeouts;
    l->status = status;
    if (l->dns == NULL) { /* the channel ends */
        if (result != NULL)
            ares_freeaddrinfo(result);
        return;
    }
    if (result != NULL) {
        for (const struct ares_addrinfo_node *node = result->nodes;
             node != NULL && n < FOUND_MAX; node = node->ai_next)
            found[n++] = node->ai_addr;
        l->count = el_resolve_order_interleave(found, n, l->port, l->addresses,
                                               EL_RESOLVE_MAX);
        ares_freeaddrinfo(result);
    }
    /* Whoever asked is told from the loop itself: neither within the question nor within
     * c-ares, which must not be ended there. */
    el_timer_start(l->later, el_clock_ns());
}

static void cancel(struct el_resolve *r)
{
    struct lookup *l = (struct lookup *)r;
    l->done = NULL; /* c-ares takes no single question back */
}

int el_dns_start(struct el_loop *loop, const char *host, int port, int family,
                 el_resolve_fn *done, void *arg, struct el_resolve **out)
{
    struct el_dns *dns = loop->dns;
    struct lookup *l = calloc(1, sizeof(*l));
    if (l != NULL) {
        l->later = el_timer_new(loop, on_later, l);
        l->host = strdup(host);
    }
    if (l == NULL || l->later == NULL || l->host == NULL) {
        free_lookup(l);
        return -ENOMEM;
    }
    l->resolve.cancel = cancel;
    l->dns = dns;
    l->port = port;
    l->family = family;
    l->done = done;
    l->arg = arg;
    l->after = dns->all;
    l->link = &dns->all;
    if (l->after != NULL)
        l->after->link = &l->after;
    dns->all = l;
    *out = &l->resolve;
    if (dns->first == NULL)
        dns->first = l;
    else
        dns->last->next = l;
    dns->last = l;
    ask_next(dns);
    return 0;
}
