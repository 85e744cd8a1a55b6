#include "net/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "net/address.h"
#include "net/sock.h"

#define BACKLOG 511

/* The handle outlives the listener by the turn of the loop that closing takes. */
struct el_listener_handle {
    uv_poll_t poll;
    struct el_listener *listener;
    int fd;
    char *path; /* the file that a Unix socket has made, or NULL */
    dev_t device;
    ino_t inode;
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

/* --- files of Unix sockets ---------------------------------------------------------------- */

static const char *path_of(const struct sockaddr *address)
{
    const struct sockaddr_un *sun = (const struct sockaddr_un *)(const void *)address;
    return address->sa_family == AF_UNIX && sun->sun_path[0] != '\0' ? sun->sun_path
                                                                     : NULL;
}

/* Whether the file is a socket that nobody answers any more: its program was killed. */
static bool is_stale(const char *path, const struct sockaddr *address, socklen_t len)
{
    struct stat before, after;
    if (lstat(path, &before) != 0 || !S_ISSOCK(before.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool refused = connect(fd, address, len) != 0 && errno == ECONNREFUSED;
    (void)close(fd);
    return refused && lstat(path, &after) == 0 && before.st_dev == after.st_dev &&
           before.st_ino == after.st_ino;
}

static int bind_to(int fd, const struct sockaddr *address, socklen_t len)
{
    const char *path = path_of(address);
    int status = bind(fd, address, len);
    if (status == 0 || errno != EADDRINUSE || path == NULL)
        return status;
    if (!is_stale(path, address, len) || unlink(path) != 0) {
        errno = EADDRINUSE;
        return -1;
    }
    return bind(fd, address, len);
}

/* So that closing removes the file that bind has made, and no other that took its place. */
static int remember_file(struct el_listener_handle *h, const struct sockaddr *address)
{
    struct stat made;
    const char *path = path_of(address);
    if (path == NULL)
        return 0;
    if (lstat(path, &made) != 0)
        return -errno;
    h->path = strdup(path);
    h->device = made.st_dev;
    h->inode = made.st_ino;
    return h->path != NULL ? 0 : -ENOMEM;
}

/* While the socket is open: it holds its inode, so that no other file can have the number. */
static void remove_file(struct el_listener_handle *h)
{
    struct stat now;
    if (h->path != NULL && lstat(h->path, &now) == 0 && now.st_dev == h->device &&
        now.st_ino == h->inode)
        (void)unlink(h->path);
    free(h->path);
    h->path = NULL;
}

static int listening_socket(const struct sockaddr *address)
{
    int one = 1;
    socklen_t len = el_address_socket_length(address);
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
        bind_to(fd, address, len) == 0 && listen(fd, BACKLOG) == 0)
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
    int err = h->fd < 0 ? h->fd : remember_file(h, address);
    if (err == 0)
        err = uv_poll_init(&loop->uv, &h->poll, h->fd);
    if (err != 0) {
        remove_file(h);
        if (h->fd >= 0)
            (void)close(h->fd);
        free(h);
        return err;
    }
    h->poll.data = h;
    h->listener = l;
    l->loop = loop;
    l->handle = h;
    l->nodelay = nodelay && address->sa_family != AF_UNIX;
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
    remove_file(h);
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
