#include "net/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "net/tcp.h"

#define BACKLOG 511

/* The handle outlives the listener by the turn of the loop that closing takes. */
struct el_listener_handle {
    uv_tcp_t tcp;
    struct el_listener *listener;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void wake(struct el_listener *l)
{
    void (*ready)(void *) = l->ready;
    l->ready = NULL;
    if (ready != NULL)
        ready(l->arg);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct el_listener_handle *h = server->data;
    struct el_listener *l = h->listener;
    if (l == NULL)
        return;
    /* libuv holds one accepted client and asks for no more until it is taken: the others
     * wait in the kernel's backlog, which is the backpressure that clients understand. */
    if (status == 0)
        l->pending = true;
    else
        l->failed = status;
    wake(l);
}

int el_listener_init(struct el_listener *l, struct el_loop *loop,
                     const struct sockaddr *address, bool nodelay)
{
    memset(l, 0, sizeof(*l));
    struct el_listener_handle *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return -ENOMEM;
    int err = uv_tcp_init(&loop->uv, &h->tcp);
    if (err != 0) {
        free(h);
        return err;
    }
    h->tcp.data = h;
    err = uv_tcp_bind(&h->tcp, address, 0);
    if (err == 0)
        err = uv_listen((uv_stream_t *)&h->tcp, BACKLOG, on_connection);
    if (err != 0) {
        uv_close((uv_handle_t *)&h->tcp, on_closed);
        return err;
    }
    h->listener = l;
    l->loop = loop;
    l->handle = h;
    l->nodelay = nodelay;
    return 0;
}

void el_listener_close(struct el_listener *l)
{
    if (l->handle == NULL)
        return;
    l->handle->listener = NULL;
    uv_close((uv_handle_t *)&l->handle->tcp, on_closed);
    l->handle = NULL;
    l->pending = false;
    wake(l);
}

int el_listener_accept(struct el_listener *l, struct el_stream **out)
{
    if (l->handle == NULL)
        return EL_ECLOSED;
    if (l->failed != 0) {
        int err = l->failed;
        l->failed = 0;
        return err;
    }
    if (!l->pending)
        return -EAGAIN;
    struct el_tcp *t = el_tcp_new(l->loop, l->nodelay);
    if (t == NULL)
        return -ENOMEM;
    l->pending = false;
    int err = uv_accept((uv_stream_t *)&l->handle->tcp, (uv_stream_t *)&t->handle);
    if (err != 0) {
        t->stream.ops->close(&t->stream, false);
        return err;
    }
    *out = &t->stream;
    return 0;
}

int el_listener_address(const struct el_listener *l, struct sockaddr_storage *out)
{
    if (l->handle == NULL)
        return EL_ECLOSED;
    int len = sizeof(*out);
    return uv_tcp_getsockname(&l->handle->tcp, (struct sockaddr *)out, &len);
}
