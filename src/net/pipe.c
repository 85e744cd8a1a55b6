#include "net/pipe.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"

/* Reads of one pipe before the others have their turn. */
#define READS_AT_ONCE 32

/* One of the two descriptors, -1 where there is none (any more). */
struct side {
    uv_poll_t poll;
    int fd;
    bool watched;
};

struct el_pipe {
    struct el_stream stream;
    struct el_child *child;
    struct side from, to;
    unsigned handles; /* that libuv has not let go */
    bool closed;
};

static struct el_pipe *pipe_of(struct el_stream *s)
{
    return (struct el_pipe *)s; /* the stream is the first member */
}

/* --- events ------------------------------------------------------------------------------ */

/* Whether there is something although there is no room for it: a pipe cannot be peeked into. */
static int look(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, 0) <= 0)
        return 0;
    if (p.revents & POLLIN)
        return -ENOBUFS;
    return p.revents & POLLHUP ? EL_EEOF : -EIO;
}

/* One read. True when there may be more. */
static bool read_once(struct el_pipe *p)
{
    uv_buf_t buf = {0};
    p->stream.events->alloc(p->stream.owner, &buf);
    ssize_t n = buf.len > 0 ? read(p->from.fd, buf.base, buf.len) : look(p->from.fd);
    if (n < 0 && buf.len > 0)
        n = errno == EAGAIN || errno == EINTR ? 0 : -errno;
    else if (n == 0 && buf.len > 0)
        n = EL_EEOF;
    p->stream.events->read(p->stream.owner, n);
    return n > 0 && (size_t)n == buf.len;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct el_pipe *p = poll->data;
    (void)events;
    for (int i = 0; i < READS_AT_ONCE && p->from.watched; i++) {
        if (!read_once(p))
            break;
    }
    if (status < 0 && p->from.watched) /* libuv polls no more */
        p->stream.events->read(p->stream.owner, status);
}

/* An error, too (nobody reads any more): the next write will tell. */
static void on_writable(uv_poll_t *poll, int status, int events)
{
    struct el_pipe *p = poll->data;
    (void)status;
    (void)events;
    p->stream.events->writable(p->stream.owner);
}

/* --- the stream's operations ------------------------------------------------------------- */

static int watch(struct side *side, int interest, uv_poll_cb on_event)
{
    if (side->fd < 0 || side->watched == (interest != 0))
        return 0;
    side->watched = interest != 0;
    if (!side->watched)
        return uv_poll_stop(&side->poll);
    return uv_poll_start(&side->poll, interest, on_event);
}

static int pipe_read_start(struct el_stream *stream)
{
    return watch(&pipe_of(stream)->from, UV_READABLE, on_readable);
}

static void pipe_read_stop(struct el_stream *stream)
{
    (void)watch(&pipe_of(stream)->from, 0, NULL);
}

static int pipe_want_write(struct el_stream *stream, bool wanted)
{
    return watch(&pipe_of(stream)->to, wanted ? UV_WRITABLE : 0, on_writable);
}

static ssize_t pipe_try_write(struct el_stream *stream, const uv_buf_t *bufs, unsigned n)
{
    ssize_t sent;
    do /* libuv lays its buffers out as the system does its vectors, on purpose */
        sent = writev(pipe_of(stream)->to.fd, (const struct iovec *)bufs, (int)n);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static void on_closed(uv_handle_t *handle)
{
    struct el_pipe *p = handle->data;
    if (--p->handles > 0 || !p->closed)
        return;
    if (p->stream.events != NULL)
        p->stream.events->closed(p->stream.owner);
    free(p);
}

static void side_close(struct side *side)
{
    if (side->fd < 0)
        return;
    uv_close((uv_handle_t *)&side->poll, on_closed);
    (void)close(side->fd); /* libuv no longer watches it */
    side->fd = -1;
    side->watched = false;
}

static int pipe_shutdown(struct el_stream *stream)
{
    side_close(&pipe_of(stream)->to);
    return 0;
}

static void pipe_close(struct el_stream *stream, bool reset)
{
    struct el_pipe *p = pipe_of(stream);
    p->closed = true;
    if (p->child != NULL)
        el_child_end(p->child, reset);
    el_child_unref(p->child);
    p->child = NULL;
    side_close(&p->to);
    side_close(&p->from); /* it is open until now: on_closed has its turn */
}

static int pipe_address(struct el_stream *stream, struct sockaddr_storage *out)
{
    (void)stream;
    (void)out;
    return -ENOTSOCK;
}

static const struct el_stream_ops pipe_ops = {
    .read_start = pipe_read_start,
    .read_stop = pipe_read_stop,
    .try_write = pipe_try_write,
    .want_write = pipe_want_write,
    .shutdown = pipe_shutdown,
    .close = pipe_close,
    .local_address = pipe_address,
    .peer_address = pipe_address,
};

static int side_init(struct el_loop *loop, struct el_pipe *p, struct side *side, int fd)
{
    if (fd < 0)
        return 0;
    int err = uv_poll_init(&loop->uv, &side->poll, fd);
    if (err != 0) {
        (void)close(fd);
        return err;
    }
    side->poll.data = p;
    side->fd = fd;
    p->handles++;
    return 0;
}

int el_pipe_adopt(struct el_loop *loop, int from, int to, struct el_child *child,
                  struct el_stream **out)
{
    struct el_pipe *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        (void)close(from);
        if (to >= 0)
            (void)close(to);
        return -ENOMEM;
    }
    p->stream.ops = &pipe_ops;
    p->from.fd = p->to.fd = -1;
    int err = side_init(loop, p, &p->from, from);
    if (err != 0) {
        if (to >= 0)
            (void)close(to);
        free(p);
        return err;
    }
    err = side_init(loop, p, &p->to, to);
    if (err != 0) {
        pipe_close(&p->stream, false);
        return err;
    }
    if (child != NULL)
        p->child = el_child_ref(child);
    *out = &p->stream;
    return 0;
}
