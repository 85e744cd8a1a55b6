#include "net/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/resolve.h"
#include "net/sock.h"
#include "net/timer.h"

/* RFC 8305 section 5: "Connection Attempt Delay", the recommended value. */
#define ATTEMPT_DELAY_MS 250

/* Where a Unix listener's queue is full, connect says so instead of waiting: it is asked again. */
#define QUEUE_FULL_DELAY_MS 10

struct attempt {
    struct el_dial *dial;
    struct el_stream *stream; /* that connects */
    struct attempt *next;
};

struct el_dial {
    struct el_loop *loop;
    el_dial_fn *done;
    void *arg;
    bool nodelay;
    bool has_bind;
    uint64_t deadline_ns;
    struct el_resolve *resolve;
    struct el_timer *stagger;
    struct el_timer *deadline;
    struct attempt *attempts; /* under way */
    struct sockaddr_storage *addresses, numeric;
    size_t count, begun;
    int last_error;
    struct sockaddr_storage bind;
    char tried[EL_ADDRESS_TEXT_MAX];
};

static void dial_free(struct el_dial *d)
{
    for (struct attempt *a = d->attempts, *next; a != NULL; a = next) {
        next = a->next;
        a->stream->ops->close(a->stream, false);
        free(a);
    }
    if (d->resolve != NULL)
        el_resolve_cancel(d->resolve);
    el_timer_free(d->stagger);
    el_timer_free(d->deadline);
    if (d->addresses != &d->numeric)
        free(d->addresses);
    free(d);
}

static void finish(struct el_dial *d, int status, const char *detail,
                   struct el_stream *stream)
{
    el_dial_fn *done = d->done;
    void *arg = d->arg;
    char text[EL_ADDRESS_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%s", detail);
    dial_free(d);
    done(arg, status, text, stream);
}

static void note_tried(struct el_dial *d, const struct sockaddr *sa)
{
    char text[EL_ADDRESS_TEXT_MAX];
    size_t used = strlen(d->tried);
    if (sa->sa_family == AF_UNIX) /* there is one, and the error names it */
        return;
    el_address_of_socket(sa, text, sizeof(text));
    if (used + strlen(text) + 3 > sizeof(d->tried))
        return;
    (void)snprintf(d->tried + used, sizeof(d->tried) - used, "%s%s", used > 0 ? ", " : "",
                   text);
}

static void try_next(struct el_dial *d);

static void unlink_attempt(struct el_dial *d, struct attempt *a)
{
    struct attempt **p = &d->attempts;
    while (*p != a)
        p = &(*p)->next;
    *p = a->next;
}

static void on_connect(void *arg, int status)
{
    struct attempt *a = arg;
    struct el_dial *d = a->dial;
    struct el_stream *stream = a->stream;
    unlink_attempt(d, a);
    free(a);
    if (status == 0) {
        finish(d, 0, d->tried, stream);
        return;
    }
    stream->ops->close(stream, false);
    d->last_error = status;
    if (d->begun < d->count)
        try_next(d);
    else if (d->attempts == NULL)
        finish(d, d->last_error, d->tried, NULL);
}

/* A socket that connects, or a negative errno. */
static int connecting_socket(const struct el_dial *d, const struct sockaddr *sa)
{
    const struct sockaddr *from = (const struct sockaddr *)&d->bind;
    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int one = 1;
    int status = 0;
    if (d->has_bind) {
        /* so that a port that was in use a moment ago can be named */
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        status = bind(fd, from, el_address_socket_length(from));
    }
    if (status == 0) {
        do
            status = connect(fd, sa, el_address_socket_length(sa));
        while (status != 0 && errno == EINTR);
        if (status != 0 && errno == EINPROGRESS)
            status = 0;
    }
    if (status == 0)
        return fd;
    int err = -errno;
    (void)close(fd);
    return err;
}

static int begin_attempt(struct el_dial *d, const struct sockaddr *sa)
{
    struct attempt *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return -ENOMEM;
    a->dial = d;
    int fd = connecting_socket(d, sa);
    int err = fd < 0
                  ? fd
                  : el_sock_connect(d->loop, fd, d->nodelay, on_connect, a, &a->stream);
    if (err != 0) {
        free(a);
        return err;
    }
    a->next = d->attempts;
    d->attempts = a;
    return 0;
}

static bool is_queue_full(const struct sockaddr *sa, int err)
{
    return err == -EAGAIN && sa->sa_family == AF_UNIX;
}

/* Begins attempts until one is under way; arms the stagger where there is another. */
static void try_next(struct el_dial *d)
{
    while (d->begun < d->count) {
        const struct sockaddr *sa = (struct sockaddr *)&d->addresses[d->begun++];
        note_tried(d, sa);
        int err = begin_attempt(d, sa);
        if (err == 0) {
            if (d->begun < d->count)
                el_timer_start(d->stagger,
                               el_clock_ns() + ATTEMPT_DELAY_MS * EL_NS_PER_MS);
            return;
        }
        d->last_error = err;
        if (is_queue_full(sa, err)) {
            d->begun--;
            el_timer_start(d->stagger,
                           el_clock_ns() + QUEUE_FULL_DELAY_MS * EL_NS_PER_MS);
            return;
        }
    }
    if (d->attempts == NULL) {
        /* Not within el_dial_start: the caller has no dial yet to hear of. */
        finish(d, d->last_error, d->tried, NULL);
    }
}

static void on_stagger(void *arg)
{
    struct el_dial *d = arg;
    if (d->begun < d->count)
        try_next(d);
}

static void on_deadline(void *arg)
{
    struct el_dial *d = arg;
    if (el_clock_ns() < d->deadline_ns)
        el_timer_start(d->deadline, d->deadline_ns);
    else
        finish(d, EL_ETIMEOUT, d->tried, NULL);
}

static void on_resolved(void *arg, int status, const char *why,
                        const struct sockaddr_storage *addresses, size_t n)
{
    struct el_dial *d = arg;
    d->resolve = NULL;
    if (status != 0) {
        finish(d, status, why, NULL);
        return;
    }
    d->addresses = malloc(n * sizeof(*addresses));
    if (d->addresses == NULL) {
        finish(d, -ENOMEM, "", NULL);
        return;
    }
    memcpy(d->addresses, addresses, n * sizeof(*addresses));
    d->count = n;
    try_next(d);
}

static void on_start(void *arg)
{
    struct el_dial *d = arg;
    try_next(d);
}

/* Where no look-up is needed; else `host` has the name. */
static bool to_socket_address(const struct el_address *address, int family, char *host,
                              struct sockaddr_storage *out)
{
    if (address->scheme == EL_UNIX) {
        el_address_to_unix(address, out);
        return true;
    }
    memcpy(host, address->host, address->host_len);
    host[address->host_len] = '\0';
    return el_resolve_numeric(host, address->port, family, out) == 0;
}

int el_dial_start(struct el_loop *loop, const struct el_address *address,
                  const struct el_dial_options *options, el_dial_fn *done, void *arg,
                  struct el_dial **out)
{
    char host[256];
    int err = -ENOMEM;
    struct el_dial *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return err;
    d->loop = loop;
    d->done = done;
    d->arg = arg;
    d->nodelay = options->nodelay;
    d->deadline_ns = options->deadline_ns;
    if (options->bind != NULL) {
        d->has_bind = true;
        memcpy(&d->bind, options->bind, el_address_socket_length(options->bind));
    }
    if (to_socket_address(address, options->family, host, &d->numeric)) {
        d->addresses = &d->numeric;
        d->count = 1;
        /* The connect itself is begun here; only a failure waits for the loop. */
        const struct sockaddr *sa = (struct sockaddr *)d->addresses;
        note_tried(d, sa);
        d->last_error = begin_attempt(d, sa);
        d->begun = !is_queue_full(sa, d->last_error);
        if (d->last_error != 0) {
            d->stagger = el_timer_new(loop, on_start, d);
            if (d->stagger == NULL)
                goto out;
            el_timer_start(d->stagger, el_clock_ns());
        }
    } else {
        err = el_resolve_start(loop, host, address->port, options->family, on_resolved, d,
                               &d->resolve);
        if (err != 0)
            goto out;
        err = -ENOMEM;
        d->stagger = el_timer_new(loop, on_stagger, d);
        if (d->stagger == NULL)
            goto out;
    }
    if (d->deadline_ns != 0) {
        d->deadline = el_timer_new(loop, on_deadline, d);
        if (d->deadline == NULL)
            goto out;
        el_timer_start(d->deadline, d->deadline_ns);
    }
    *out = d;
    return 0;
out:
    dial_free(d);
    return err;
}

void el_dial_cancel(struct el_dial *d)
{
    dial_free(d);
}
