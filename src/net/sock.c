#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/err.h"

/* Reads of one socket before the others have their turn. */
#define READS_AT_ONCE 32

/* How long a read that blocks may last: a signal that comes just before it waits as long. */
#define ALONE_MS 100

struct el_sock {
    struct el_stream stream;
    struct el_loop *loop;
    uv_poll_t poll;
    int fd;
    int interest; /* UV_READABLE, UV_WRITABLE */
    bool
        blocks; /* it is in blocking mode, for el_sock_read_alone: a call that does not want
                   * to wait says so */
    bool nodelay;
    el_sock_connect_fn *connected; /* while it connects */
    void *arg;
};

static struct el_sock *sock_of(struct el_stream *s)
{
    return (struct el_sock *)s; /* the stream is the first member */
}

/* --- events ------------------------------------------------------------------------------ */

/* One read. What recv gave. */
static ssize_t read_once(struct el_sock *s, int flags, size_t *asked)
{
    char probe;
    uv_buf_t buf = {0};
    s->stream.events->alloc(s->stream.owner, &buf);
    *asked = buf.len;
    ssize_t n = buf.len > 0 ? recv(s->fd, buf.base, buf.len, flags)
                            : recv(s->fd, &probe, 1, flags | MSG_PEEK);
    if (n > 0 && buf.len == 0) {
        s->stream.events->read(s->stream.owner, -ENOBUFS);
        return 0;
    }
    if (n >= 0) {
        s->stream.events->read(s->stream.owner, n > 0 ? n : EL_EEOF);
        return n;
    }
    int err = errno;
    if (err != EAGAIN && err != EINTR)
        s->stream.events->read(s->stream.owner, -err);
    else
        s->stream.events->read(s->stream.owner, 0);
    return -err;
}

static void on_readable(struct el_sock *s)
{
    for (int i = 0; i < READS_AT_ONCE && s->fd >= 0 && (s->interest & UV_READABLE); i++) {
        size_t asked = 0;
        ssize_t n = read_once(s, MSG_DONTWAIT, &asked);
        if (n < (ssize_t)asked || n <= 0)
            return; /* a read that leaves room has drained the socket */
    }
}

/* EPOLLERR: libuv says so by a status and polls no more. What came before the error is read,
 * then the error itself. */
static void on_failed(struct el_sock *s)
{
    bool wrote = s->interest & UV_WRITABLE;
    ssize_t n = 1;
    while (n > 0 && s->fd >= 0 && s->interest & UV_READABLE) {
        size_t asked = 0;
        n = read_once(s, MSG_DONTWAIT, &asked);
    }
    if (n == -EAGAIN)
        s->stream.events->read(s->stream.owner, -EIO);
    if (s->fd >= 0 && wrote)
        s->stream.events->writable(s->stream.owner);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct el_sock *s = poll->data;
    if (status < 0) {
        on_failed(s);
        return;
    }
    if (events & UV_READABLE)
        on_readable(s);
    if (events & UV_WRITABLE && s->fd >= 0)
        s->stream.events->writable(s->stream.owner);
}

static void on_connect(uv_poll_t *poll, int status, int events);

static int set_interest(struct el_sock *s, int interest)
{
    int err = 0;
    if (interest == s->interest)
        return 0;
    s->loop->socks_watched += (interest != 0) - (s->interest != 0);
    s->interest = interest;
    if (interest != 0)
        err = uv_poll_start(&s->poll, interest,
                            s->connected != NULL ? on_connect : on_poll);
    else
        (void)uv_poll_stop(&s->poll);
    s->loop->last_sock = s;
    return err;
}

/* --- the stream's operations ------------------------------------------------------------- */

static int sock_read_start(struct el_stream *stream)
{
    struct el_sock *s = sock_of(stream);
    return set_interest(s, s->interest | UV_READABLE);
}

static void sock_read_stop(struct el_stream *stream)
{
    struct el_sock *s = sock_of(stream);
    (void)set_interest(s, s->interest & ~UV_READABLE);
}

static int sock_want_write(struct el_stream *stream, bool wanted)
{
    struct el_sock *s = sock_of(stream);
    return set_interest(s,
                        wanted ? s->interest | UV_WRITABLE : s->interest & ~UV_WRITABLE);
}

static ssize_t sock_try_write(struct el_stream *stream, const uv_buf_t *bufs, unsigned n)
{
    struct el_sock *s = sock_of(stream);
    ssize_t sent;
    do {
        if (n == 1) {
            sent = send(s->fd, bufs[0].base, bufs[0].len, MSG_DONTWAIT | MSG_NOSIGNAL);
        } else {
            /* libuv lays its buffers out as the system does its vectors, on purpose */
            struct msghdr msg = {.msg_iov = (struct iovec *)bufs, .msg_iovlen = n};
            sent = sendmsg(s->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
        }
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static int sock_shutdown(struct el_stream *stream)
{
    return shutdown(sock_of(stream)->fd, SHUT_WR) == 0 ? 0 : -errno;
}

static void on_closed(uv_handle_t *handle)
{
    struct el_sock *s = handle->data;
    if (s->stream.events != NULL)
        s->stream.events->closed(s->stream.owner);
    free(s);
}

static void sock_close(struct el_stream *stream, bool reset)
{
    struct el_sock *s = sock_of(stream);
    if (reset) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
    (void)set_interest(s, 0);
    if (s->loop->last_sock == s)
        s->loop->last_sock = NULL;
    uv_close((uv_handle_t *)&s->poll, on_closed);
    (void)close(s->fd); /* libuv no longer watches it */
    s->fd = -1;
}

static int sock_local_address(struct el_stream *stream, struct sockaddr_storage *out)
{
    socklen_t len = sizeof(*out);
    memset(out, 0, sizeof(*out));
    return getsockname(sock_of(stream)->fd, (struct sockaddr *)out, &len) == 0 ? 0
                                                                               : -errno;
}

static int sock_peer_address(struct el_stream *stream, struct sockaddr_storage *out)
{
    socklen_t len = sizeof(*out);
    memset(out, 0, sizeof(*out));
    return getpeername(sock_of(stream)->fd, (struct sockaddr *)out, &len) == 0 ? 0
                                                                               : -errno;
}

static const struct el_stream_ops sock_ops = {
    .read_start = sock_read_start,
    .read_stop = sock_read_stop,
    .try_write = sock_try_write,
    .want_write = sock_want_write,
    .shutdown = sock_shutdown,
    .close = sock_close,
    .local_address = sock_local_address,
    .peer_address = sock_peer_address,
};

/* Takes over `fd`; polls nothing yet. */
static int create(struct el_loop *loop, int fd, bool nodelay, struct el_sock **out)
{
    struct el_sock *s = calloc(1, sizeof(*s));
    int err = s != NULL ? uv_poll_init(&loop->uv, &s->poll, fd) : -ENOMEM;
    if (err != 0) {
        (void)close(fd);
        free(s);
        return err;
    }
    s->stream.ops = &sock_ops;
    s->loop = loop;
    s->poll.data = s;
    s->fd = fd;
    s->nodelay = nodelay;
    *out = s;
    return 0;
}

static void set_nodelay(const struct el_sock *s)
{
    int one = 1;
    if (s->nodelay)
        (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

int el_sock_adopt(struct el_loop *loop, int fd, bool nodelay, struct el_stream **out)
{
    struct el_sock *s;
    int err = create(loop, fd, nodelay, &s);
    if (err != 0)
        return err;
    set_nodelay(s);
    *out = &s->stream;
    return 0;
}

/* --- connecting ---------------------------------------------------------------------------- */

static int socket_error(int fd)
{
    int err = 0;
    socklen_t len = sizeof(err);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
        err = errno;
    return -err;
}

/* The poll goes on to serve the connection: a handle of its own for this would cost eight
 * system calls more. */
static void on_connect(uv_poll_t *poll, int status, int events)
{
    struct el_sock *s = poll->data;
    el_sock_connect_fn *connected = s->connected;
    (void)events;
    int err = socket_error(s->fd);
    if (err == 0 && status < 0)
        err = status;
    (void)set_interest(s, 0);
    s->connected = NULL;
    if (err == 0)
        set_nodelay(s);
    connected(s->arg, err);
}

int el_sock_connect(struct el_loop *loop, int fd, bool nodelay, el_sock_connect_fn *done,
                    void *arg, struct el_stream **out)
{
    struct el_sock *s;
    int err = create(loop, fd, nodelay, &s);
    if (err != 0)
        return err;
    s->connected = done;
    s->arg = arg;
    err = set_interest(s, UV_WRITABLE);
    if (err != 0) {
        sock_close(&s->stream, false);
        return err;
    }
    *out = &s->stream;
    return 0;
}

/* --- a socket alone ---------------------------------------------------------------------- */

static bool is_alone(const struct el_loop *loop)
{
    const struct el_sock *s = loop->last_sock;
    if (s == NULL || loop->socks_watched != 1 || s->interest != UV_READABLE)
        return false;
    /* Nothing else that could wake the loop: no other handle, no request in a thread, no
     * callback that is due, no timer that is due soon. */
    if (loop->uv.active_handles != 1 + loop->timers_active ||
        loop->uv.active_reqs.count != 0)
        return false;
    int timeout_ms = uv_backend_timeout(&loop->uv);
    return timeout_ms < 0 || timeout_ms > ALONE_MS;
}

static bool make_blocking(struct el_sock *s)
{
    struct timeval limit = {.tv_usec = ALONE_MS * 1000L};
    int flags = fcntl(s->fd, F_GETFL);
    s->blocks = flags >= 0 &&
                setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
                fcntl(s->fd, F_SETFL, flags & ~O_NONBLOCK) == 0;
    return s->blocks;
}

bool el_sock_read_alone(struct el_loop *loop)
{
    if (!is_alone(loop))
        return false;
    struct el_sock *s = loop->last_sock;
    if (!s->blocks && !make_blocking(s))
        return false;
    size_t asked = 0;
    ssize_t n = read_once(s, 0, &asked);
    uv_update_time(&loop->uv);
    return n >= 0;
}
