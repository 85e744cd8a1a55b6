#include "net/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "net/sock.h"

#define BACKLOG 511

/* The handle outlives the listener by the turn of the loop that closing takes. */
struct el_listener_handle {
    uv_poll_t poll;
    struct el_listener *listener;
    int fd;
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

static void polling_stop(struct el_listener *l)
{
    if (l->polling)
        (void)uv_poll_stop(&l->handle->poll);
    l->polling = false;
}

/* Errors that are the client's (it has gone again), not ours: accept(2). */
static bool is_clients_error(int err)
{
    return err == ECONNABORTED || err == EINTR || err == ENETDOWN || err == EPROTO ||
           err == EHOSTDOWN || err == EHOSTUNREACH || err == ENETUNREACH;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct el_listener_handle *h = poll->data;
    struct el_listener *l = h->listener;
    (void)events;
    if (status < 0)
        l->failed = status;
    while (status == 0 && l->count < EL_LISTENER_AHEAD) {
        int fd = accept4(h->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 && is_clients_error(errno))
            continue;
        if (fd < 0) {
            if (errno != EAGAIN)
                l->failed = -errno;
            break;
        }
        l->waiting[(l->first + l->count++) % EL_LISTENER_AHEAD] = fd;
    }
    if (l->failed != 0 || l->count == EL_LISTENER_AHEAD)
        polling_stop(l);
    if (l->failed != 0 || l->count > 0)
        wake(l);
}

static int polling_start(struct el_listener *l)
{
    if (l->polling)
        return 0;
    int err = uv_poll_start(&l->handle->poll, UV_READABLE, on_poll);
    l->polling = err == 0;
    return err;
}

static int listening_socket(const struct sockaddr *address)
{
    int one = 1;
    socklen_t len = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                   : sizeof(struct sockaddr_in);
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
        bind(fd, address, len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int err = -errno;
    (void)close(fd);
    return err;
}

int el_listener_init(struct el_listener *l, struct el_loop *loop,
                     const struct sockaddr *address, bool nodelay)
{
    memset(l, 0, sizeof(*l));
    struct el_listener_handle *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return -ENOMEM;
    h->fd = listening_socket(address);
    int err = h->fd < 0 ? h->fd : uv_poll_init(&loop->uv, &h->poll, h->fd);
    if (err != 0) {
        if (h->fd >= 0)
            (void)close(h->fd);
        free(h);
        return err;
    }
    h->poll.data = h;
    h->listener = l;
    l->loop = loop;
    l->handle = h;
    l->nodelay = nodelay;
    err = polling_start(l);
    if (err != 0)
        el_listener_close(l);
    return err;
}

void el_listener_close(struct el_listener *l)
{
    struct el_listener_handle *h = l->handle;
    if (h == NULL)
        return;
    for (; l->count > 0; l->count--)
        (void)close(l->waiting[l->first++ % EL_LISTENER_AHEAD]);
    l->handle = NULL;
    l->polling = false;
    h->listener = NULL;
    uv_close((uv_handle_t *)&h->poll, on_closed);
    (void)close(h->fd); /* libuv no longer watches it */
    wake(l);
}

int el_listener_accept(struct el_listener *l, struct el_stream **out)
{
    if (l->handle == NULL)
        return EL_ECLOSED;
    if (l->count == 0 && l->failed != 0) {
        int err = l->failed;
        l->failed = 0;
        return err;
    }
    int err = polling_start(l);
    if (err != 0 || l->count == 0)
        return err != 0 ? err : -EAGAIN;
    int fd = l->waiting[l->first];
    l->first = (l->first + 1) % EL_LISTENER_AHEAD;
    l->count--;
    return el_sock_adopt(l->loop, fd, l->nodelay, out);
}

int el_listener_address(const struct el_listener *l, struct sockaddr_storage *out)
{
    socklen_t len = sizeof(*out);
    if (l->handle == NULL)
        return EL_ECLOSED;
    memset(out, 0, sizeof(*out));
    return getsockname(l->handle->fd, (struct sockaddr *)out, &len) == 0 ? 0 : -errno;
}
