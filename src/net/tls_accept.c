#include "net/tls_accept.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/tls.h"

struct el_tls_client {
    struct el_tls_accept *accept;
    struct el_stream *stream;
    struct el_tls_client *next;
    struct sockaddr_storage address; /* one that has gone cannot be asked */
};

static void on_client(void *arg);

static void take_out(struct el_tls_client **list, const struct el_tls_client *c)
{
    while (*list != c)
        list = &(*list)->next;
    *list = c->next;
}

/* Ends all clients of a list. */
static void drop_all(struct el_tls_client **list)
{
    for (struct el_tls_client *c = *list, *next; c != NULL; c = next) {
        next = c->next;
        c->stream->ops->close(c->stream, false);
        free(c);
    }
    *list = NULL;
}

static void wake(struct el_tls_accept *a)
{
    void (*ready)(void *) = a->ready;
    a->ready = NULL;
    if (ready != NULL)
        ready(a->arg);
}

/* Whoever waits hears of it when nobody else gets through. */
static void note_failure(struct el_tls_accept *a, struct el_tls_client *c, int status)
{
    const char *why = c->stream->ops->why(c->stream);
    if (status == EL_ETIMEOUT)
        why = "the handshake did not end in time";
    a->failures++;
    (void)snprintf(a->failed_why, sizeof(a->failed_why), "%s",
                   why != NULL ? why : el_err_text(status));
    el_address_of_socket((struct sockaddr *)&c->address, a->failed_address,
                         sizeof(a->failed_address));
}

static void drop(struct el_tls_client *c)
{
    struct el_tls_accept *a = c->accept;
    take_out(&a->underway, c);
    a->underway_count--;
    c->stream->ops->close(c->stream, false);
    free(c);
}

static void on_lingered(void *arg, int status)
{
    (void)status;
    drop(arg);
}

static void on_done(void *arg, int status)
{
    struct el_tls_client *c = arg;
    struct el_tls_accept *a = c->accept;
    if (status != 0) {
        note_failure(a, c, status);
        if (!el_tls_linger(el_tls_of(c->stream), on_lingered, c))
            drop(c);
        return;
    }
    take_out(&a->underway, c);
    a->underway_count--;
    struct el_tls_client **last = &a->through;
    while (*last != NULL)
        last = &(*last)->next;
    c->next = NULL;
    *last = c;
    a->through_count++;
    wake(a);
}

static void begin(struct el_tls_accept *a, struct el_stream *below)
{
    struct el_tls *t = NULL;
    struct el_tls_client *c = calloc(1, sizeof(*c));
    if (c == NULL || el_tls_new(a->listener->loop, a->context, NULL, NULL, &t) != 0) {
        below->ops->close(below, false);
        free(c);
        return;
    }
    if (a->underway_count == EL_TLS_HANDSHAKES) {
        struct el_tls_client *oldest = a->underway;
        while (oldest->next != NULL)
            oldest = oldest->next;
        drop(oldest);
    }
    c->accept = a;
    (void)below->ops->peer_address(below, &c->address);
    c->next = a->underway;
    a->underway = c;
    a->underway_count++;
    c->stream = el_tls_start(t, below, el_clock_deadline(a->limit_s), on_done, c);
}

/* Begins the handshake of each client that the listener has. */
static void take_clients(struct el_tls_accept *a)
{
    struct el_stream *below;
    int err = 0;
    while (a->through_count < EL_TLS_AHEAD) {
        err = el_listener_accept(a->listener, &below);
        if (err != 0)
            break;
        begin(a, below);
    }
    if (err == -EAGAIN || err == 0) {
        if (a->through_count < EL_TLS_AHEAD) {
            a->listener->arg = a;
            a->listener->ready = on_client;
        }
        return;
    }
    a->failed = err;
    wake(a);
}

static void on_client(void *arg)
{
    take_clients(arg);
}

void el_tls_accept_init(struct el_tls_accept *a, struct el_listener *listener,
                        struct el_tls_context *context, double limit_s)
{
    memset(a, 0, sizeof(*a));
    a->listener = listener;
    a->context = context;
    a->limit_s = limit_s;
    take_clients(a);
}

void el_tls_accept_close(struct el_tls_accept *a)
{
    if (a->context == NULL)
        return;
    if (a->listener->arg == a)
        a->listener->ready = NULL;
    drop_all(&a->underway);
    drop_all(&a->through);
    a->underway_count = a->through_count = 0;
    el_tls_context_unref(a->context);
    a->context = NULL;
    wake(a);
}

int el_tls_accept_next(struct el_tls_accept *a, struct el_stream **out)
{
    struct el_tls_client *c = a->through;
    if (a->context == NULL)
        return EL_ECLOSED;
    if (c != NULL) {
        a->through = c->next;
        a->through_count--;
        a->failures = 0;
        *out = c->stream;
        free(c);
        if (a->listener->ready == NULL && a->failed == 0)
            take_clients(a);
        return 0;
    }
    if (a->failed != 0) {
        int err = a->failed;
        a->failed = 0;
        take_clients(a);
        return err;
    }
    return -EAGAIN;
}
