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
    struct sockaddr_storage *addresses, single;
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
    if (d->addresses != &d->single)
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
        status = connect(fd, sa, el_address_socket_length(sa));
        /* After EINTR it goes on as well; to call it again would give EALREADY. */
        if (status != 0 && (errno == EINPROGRESS || errno == EINTR))
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

/* The next one's turn has come; or the first one failed at once, which its caller, not having
 * the dial yet, hears of from the loop. */
static void on_stagger(void *arg)
{
    try_next(arg);
}

static void on_deadline(void *arg)
{
    struct el_dial *d = arg;
    if (el_clock_ns() < d->deadline_ns)
        el_timer_start(d->deadline, d->deadline_ns);
    else
        finish(d, EL_ETIMEOUT, d->tried, NULL);
}

/* One, as most are, takes no memory of its own. */
static int keep_addresses(struct el_dial *d, const struct sockaddr_storage *addresses,
                          size_t n)
{
    d->addresses = n == 1 ? &d->single : malloc(n * sizeof(*addresses));
    if (d->addresses == NULL)
        return -ENOMEM;
    memcpy(d->addresses, addresses, n * sizeof(*addresses));
    d->count = n;
    return 0;
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
    status = keep_addresses(d, addresses, n);
    if (status != 0)
        finish(d, status, "", NULL);
    else
        try_next(d);
}

static struct el_dial *new_dial(struct el_loop *loop,
                                const struct el_dial_options *options, el_dial_fn *done,
                                void *arg)
{
    struct el_dial *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return NULL;
    d->loop = loop;
    d->done = done;
    d->arg = arg;
    d->nodelay = options->nodelay;
    d->deadline_ns = options->deadline_ns;
    if (options->bind != NULL) {
        d->has_bind = true;
        memcpy(&d->bind, options->bind, el_address_socket_length(options->bind));
    }
    if (d->deadline_ns != 0) {
        d->deadline = el_timer_new(loop, on_deadline, d);
        if (d->deadline == NULL) {
            free(d);
            return NULL;
        }
        el_timer_start(d->deadline, d->deadline_ns);
    }
    return d;
}

static int need_stagger(struct el_dial *d)
{
    d->stagger = el_timer_new(d->loop, on_stagger, d);
    return d->stagger != NULL ? 0 : -ENOMEM;
}

/* Connects to the first address at once, without a turn of the loop. */
static int begin(struct el_dial *d)
{
    const struct sockaddr *sa = (const struct sockaddr *)d->addresses;
    note_tried(d, sa);
    d->last_error = begin_attempt(d, sa);
    d->begun = !is_queue_full(sa, d->last_error);
    if (d->last_error == 0 && d->count == 1)
        return 0;
    int err = need_stagger(d);
    if (err == 0)
        el_timer_start(d->stagger,
                       el_clock_ns() +
                           (d->last_error == 0 ? ATTEMPT_DELAY_MS * EL_NS_PER_MS : 0));
    return err;
}

static int settle_start(struct el_dial *d, int err, struct el_dial **out)
{
    if (err != 0)
        dial_free(d);
    else
        *out = d;
    return err;
}

int el_dial_addresses(struct el_loop *loop, const struct sockaddr_storage *addresses,
                      size_t n, const struct el_dial_options *options, el_dial_fn *done,
                      void *arg, struct el_dial **out)
{
    struct el_dial *d = new_dial(loop, options, done, arg);
    if (d == NULL)
        return -ENOMEM;
    int err = keep_addresses(d, addresses, n);
    return settle_start(d, err == 0 ? begin(d) : err, out);
}

int el_dial_start(struct el_loop *loop, const struct el_address *address,
                  const struct el_dial_options *options, el_dial_fn *done, void *arg,
                  struct el_dial **out)
{
    char host[256];
    struct sockaddr_storage numeric;
    if (address->scheme == EL_UNIX) {
        el_address_to_unix(address, &numeric);
        return el_dial_addresses(loop, &numeric, 1, options, done, arg, out);
    }
    memcpy(host, address->host, address->host_len);
    host[address->host_len] = '\0';
    if (el_resolve_numeric(host, address->port, options->family, &numeric) == 0)
        return el_dial_addresses(loop, &numeric, 1, options, done, arg, out);
    struct el_dial *d = new_dial(loop, options, done, arg);
    if (d == NULL)
        return -ENOMEM;
    int err = need_stagger(d);
    if (err == 0)
        err = el_resolve_start(loop, host, address->port, options->family, on_resolved, d,
                               &d->resolve);
    return settle_start(d, err, out);
}

void el_dial_cancel(struct el_dial *d)
{
    dial_free(d);
}
