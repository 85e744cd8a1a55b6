#include "net/tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct out {
    uv_write_t request;
    struct el_tcp *tcp;
    char data[];
};

static struct el_tcp *tcp_of(struct el_stream *s)
{
    return (struct el_tcp *)s; /* the stream is the first member */
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct el_tcp *t = handle->data;
    (void)suggested;
    *buf = uv_buf_init(NULL, 0);
    t->stream.events->alloc(t->stream.owner, buf);
}

static void on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
    struct el_tcp *t = handle->data;
    (void)buf;
    if (n == 0 ||
        n == UV_ENOBUFS) /* nothing there; or alloc said that there is no room */
        return;
    t->stream.events->read(t->stream.owner, n == UV_EOF ? EL_EEOF : n);
}

static int tcp_read_start(struct el_stream *s)
{
    return uv_read_start((uv_stream_t *)&tcp_of(s)->handle, on_alloc, on_read);
}

static void tcp_read_stop(struct el_stream *s)
{
    (void)uv_read_stop((uv_stream_t *)&tcp_of(s)->handle);
}

static ssize_t tcp_try_write(struct el_stream *s, const uv_buf_t *bufs, unsigned n)
{
    return uv_try_write((uv_stream_t *)&tcp_of(s)->handle, bufs, n);
}

static void on_written(uv_write_t *request, int status)
{
    struct out *out = request->data;
    struct el_tcp *t = out->tcp;
    bool closing = uv_is_closing((uv_handle_t *)&t->handle);
    t->out = NULL;
    free(out);
    if (!closing)
        t->stream.events->written(t->stream.owner, status);
}

static int tcp_write(struct el_stream *s, const void *data, size_t len)
{
    struct el_tcp *t = tcp_of(s);
    struct out *out = malloc(sizeof(*out) + len);
    if (out == NULL)
        return -ENOMEM;
    memcpy(out->data, data, len);
    out->tcp = t;
    out->request.data = out;
    uv_buf_t buf = uv_buf_init(out->data, (unsigned)len);
    int err = uv_write(&out->request, (uv_stream_t *)&t->handle, &buf, 1, on_written);
    if (err != 0)
        free(out);
    else
        t->out = out;
    return err;
}

static int tcp_shutdown(struct el_stream *s)
{
    int fd;
    int err = uv_fileno((uv_handle_t *)&tcp_of(s)->handle, &fd);
    if (err != 0)
        return err;
    /* Directly, not by uv_shutdown: the FIN goes out now, not in a later turn of the loop,
     * so what a script does next cannot overtake it. */
    return shutdown(fd, SHUT_WR) == 0 ? 0 : -errno;
}

static void on_closed(uv_handle_t *handle)
{
    struct el_tcp *t = handle->data;
    if (t->stream.events != NULL)
        t->stream.events->closed(t->stream.owner);
    free(t);
}

static void tcp_close(struct el_stream *s, bool reset)
{
    struct el_tcp *t = tcp_of(s);
    int fd;
    if (reset && uv_fileno((uv_handle_t *)&t->handle, &fd) == 0) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
    uv_close((uv_handle_t *)&t->handle, on_closed);
}

static int tcp_local_address(struct el_stream *s, struct sockaddr_storage *out)
{
    int len = sizeof(*out);
    return uv_tcp_getsockname(&tcp_of(s)->handle, (struct sockaddr *)out, &len);
}

static int tcp_peer_address(struct el_stream *s, struct sockaddr_storage *out)
{
    int len = sizeof(*out);
    return uv_tcp_getpeername(&tcp_of(s)->handle, (struct sockaddr *)out, &len);
}

static const struct el_stream_ops tcp_ops = {
    .read_start = tcp_read_start,
    .read_stop = tcp_read_stop,
    .try_write = tcp_try_write,
    .write = tcp_write,
    .shutdown = tcp_shutdown,
    .close = tcp_close,
    .local_address = tcp_local_address,
    .peer_address = tcp_peer_address,
};

struct el_tcp *el_tcp_new(struct el_loop *loop, bool nodelay)
{
    struct el_tcp *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    if (uv_tcp_init(&loop->uv, &t->handle) != 0) {
        free(t);
        return NULL;
    }
    t->handle.data = t;
    t->stream.ops = &tcp_ops;
    /* Without a socket this only notes the wish, which libuv carries out on opening. */
    if (nodelay)
        (void)uv_tcp_nodelay(&t->handle, 1);
    return t;
}

int el_tcp_adopt(struct el_loop *loop, int fd, struct el_stream **out)
{
    struct el_tcp *t = el_tcp_new(loop, false);
    if (t == NULL)
        return -ENOMEM;
    int err = uv_tcp_open(&t->handle, fd);
    if (err != 0) {
        tcp_close(&t->stream, false);
        return err;
    }
    *out = &t->stream;
    return 0;
}
