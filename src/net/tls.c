#include "net/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/timer.h"
#include "net/tls_engine.h"

/* Plaintext of one record (RFC 8446 section 5.1), and what is encrypted for one write. */
#define RECORD ((size_t)16384)
#define WRITE_AT_ONCE ((size_t)65536)

/* An empty buffer keeps no more than this. */
#define OUT_KEPT ((size_t)4096)

/* How long, and how much, who lingers takes in. */
#define LINGER_MS 1000
#define LINGER_BYTES ((size_t)262144)

static struct el_tls *tls_of(struct el_stream *s)
{
    return (struct el_tls *)s; /* the stream is the first member */
}

/* --- the stream below ------------------------------------------------------------------------ */

static void flush(struct el_tls *t)
{
    while (t->out.len > 0 && t->write_end == 0) {
        uv_buf_t buf = uv_buf_init(el_buf_data(&t->out), (unsigned)t->out.len);
        ssize_t n = t->below->ops->try_write(t->below, &buf, 1);
        if (n == -EAGAIN)
            return;
        if (n < 0)
            t->write_end = (int)n;
        else
            el_buf_consume(&t->out, (size_t)n);
    }
    if (t->write_end != 0 || t->out.cap > OUT_KEPT)
        el_buf_fini(&t->out);
    if (t->fin && !t->fin_sent && t->write_end == 0) {
        t->fin_sent = true;
        (void)t->below->ops->shutdown(t->below);
    }
}

static void on_idle(uv_idle_t *idle);

/* Watches the stream below for what is wanted now. */
static void settle(struct el_tls *t)
{
    if (t->closing)
        return;
    bool hungry = t->state == EL_TLS_HANDSHAKING || (t->lingering && t->done != NULL) ||
                  (t->state == EL_TLS_READY && t->reading && t->starved && !t->told);
    bool read = hungry && !t->blocked && t->below_end == 0 && t->in_len == 0;
    bool write = t->out.len > 0 || (t->writing && t->state != EL_TLS_HANDSHAKING);
    if (read != t->below_reading) {
        t->below_reading = read;
        if (!read)
            t->below->ops->read_stop(t->below);
        else if (t->below->ops->read_start(t->below) != 0)
            t->below_end = -EIO;
    }
    if (write != t->below_writing) {
        t->below_writing = write;
        (void)t->below->ops->want_write(t->below, write);
    }
    if (t->blocked && t->out.len < EL_TLS_OUT_MAX)
        (void)uv_idle_start(&t->idle, on_idle);
}

/* --- the handshake ----------------------------------------------------------------------------- */

static void fail(struct el_tls *t, int code)
{
    t->state = EL_TLS_FAILED;
    t->rx_end = t->tx_end = code;
}

static void step(struct el_tls *t)
{
    t->starved = t->blocked = false;
    ERR_clear_error();
    int r = SSL_do_handshake(t->ssl);
    if (r == 1) {
        t->state = EL_TLS_READY;
        return;
    }
    el_tls_engine_note(t, r);
    /* Not in the middle of what was said, but before; or what came first says enough. */
    if (t->rx_end == EL_ETLSCUT || (t->rx_end < 0 && el_tls_engine_is_plain(t))) {
        el_tls_engine_explain(t, 0);
        t->rx_end = EL_ETLS;
    }
    if (t->rx_end != 0)
        fail(t, t->rx_end);
}

/* Tells how the handshake ended, once. */
static void conclude(struct el_tls *t)
{
    el_tls_done_fn *done = t->done;
    t->done = NULL;
    el_timer_free(t->deadline);
    t->deadline = NULL;
    flush(t);
    settle(t);
    done(t->arg, t->state == EL_TLS_READY ? 0 : t->rx_end);
}

/* --- receiving ----------------------------------------------------------------------------------- */

static void tell_end(struct el_tls *t)
{
    t->told = true;
    t->stream.events->read(t->stream.owner, t->rx_end);
}

/* One round of decrypting into the owner's buffer; true when there may be more. */
static bool deliver(struct el_tls *t)
{
    char probe;
    uv_buf_t buf = {0};
    size_t got = 0;
    int r = 1;
    if (t->rx_end != 0) {
        tell_end(t);
        return false;
    }
    t->stream.events->alloc(t->stream.owner, &buf);
    t->starved = t->blocked = false;
    while (r > 0 && got < buf.len) {
        size_t room = buf.len - got;
        ERR_clear_error();
        r = SSL_read(t->ssl, buf.base + got, (int)(room < RECORD ? room : RECORD));
        got += r > 0 ? (size_t)r : 0;
    }
    if (buf.len == 0) {
        ERR_clear_error();
        r = SSL_peek(t->ssl, &probe, 1);
    }
    if (r <= 0)
        el_tls_engine_note(t, r);
    if (buf.len > 0)
        t->stream.events->read(t->stream.owner, (ssize_t)got);
    else if (r > 0)
        t->stream.events->read(t->stream.owner, -ENOBUFS);
    return (r > 0 && buf.len > 0) || t->rx_end != 0;
}

/* Takes OpenSSL as far as it goes. Called from the loop: the owner may close us within. */
static void pump(struct el_tls *t)
{
    if (t->state == EL_TLS_HANDSHAKING)
        step(t);
    bool waits = t->lingering && t->below_end == 0 && t->lingered < LINGER_BYTES;
    if (t->state != EL_TLS_HANDSHAKING && t->done != NULL && !waits)
        conclude(t);
    while (!t->closing && t->reading && !t->told && t->done == NULL) {
        if (!deliver(t))
            break;
    }
    if (t->closing)
        return;
    flush(t);
    settle(t);
}

static void on_alloc(void *owner, uv_buf_t *out)
{
    struct el_tls *t = owner;
    t->chunk = el_loop_chunk_take(t->loop);
    if (t->chunk != NULL)
        *out = uv_buf_init(t->chunk, (unsigned)EL_CHUNK_SIZE);
}

/* What OpenSSL has not taken of a chunk waits in storage of our own. */
static void keep_rest(struct el_tls *t)
{
    el_buf_fini(&t->rest);
    if (t->in_len == 0)
        return;
    if (el_buf_append(&t->rest, t->in, t->in_len) != 0) {
        t->below_end = -ENOMEM;
        t->in_len = 0;
    }
    t->in = el_buf_data(&t->rest);
}

static void note_head(struct el_tls *t, const char *data, size_t n)
{
    for (size_t i = 0; i < n && t->head_len < EL_TLS_HEAD; i++)
        t->head[t->head_len++] = data[i];
}

static void on_read(void *owner, ssize_t n)
{
    struct el_tls *t = owner;
    char *chunk = t->chunk;
    t->chunk = NULL;
    if (n > 0) {
        t->in = chunk;
        t->in_len = (size_t)n;
        note_head(t, chunk, (size_t)n);
        if (t->lingering) {
            t->in_len = 0;
            t->lingered += (size_t)n;
        }
    } else if (n < 0 && n != -ENOBUFS) {
        t->below_end = (int)n;
        t->starved = false;
    }
    if (n > 0 || t->below_end != 0)
        pump(t);
    if (n > 0)
        keep_rest(t);
    if (chunk != NULL)
        el_loop_chunk_give(t->loop, chunk);
}

static void on_idle(uv_idle_t *idle)
{
    struct el_tls *t = idle->data;
    (void)uv_idle_stop(idle);
    pump(t);
    if (t->in_len == 0)
        el_buf_fini(&t->rest);
}

static void on_writable(void *owner)
{
    struct el_tls *t = owner;
    flush(t);
    bool room = t->writing && t->state != EL_TLS_HANDSHAKING && t->out.len == 0;
    settle(t);
    if (room)
        t->stream.events->writable(t->stream.owner);
}

static void on_deadline(void *arg)
{
    struct el_tls *t = arg;
    if (el_clock_ns() < t->deadline_ns) {
        el_timer_start(t->deadline, t->deadline_ns);
        return;
    }
    if (t->state == EL_TLS_HANDSHAKING)
        fail(t, EL_ETIMEOUT);
    conclude(t);
}

/* --- the stream's operations ------------------------------------------------------------------ */

static int tls_read_start(struct el_stream *stream)
{
    struct el_tls *t = tls_of(stream);
    t->reading = true;
    if (t->state == EL_TLS_HANDSHAKING)
        return 0;
    if (t->in_len > 0 || SSL_has_pending(t->ssl) || t->rx_end != 0 || t->below_end != 0)
        return uv_idle_start(&t->idle, on_idle);
    t->starved = true;
    settle(t);
    return 0;
}

static void tls_read_stop(struct el_stream *stream)
{
    struct el_tls *t = tls_of(stream);
    t->reading = false;
    if (t->state == EL_TLS_HANDSHAKING)
        return;
    (void)uv_idle_stop(&t->idle);
    settle(t);
}

/* Encrypts up to a record's plaintext: of one buffer as it lies, of small ones together. What
 * was taken, or -1. */
static ssize_t encrypt(struct el_tls *t, const uv_buf_t *bufs, unsigned n, size_t offset)
{
    const char *data = bufs[0].base + offset;
    size_t len = bufs[0].len - offset;
    char *chunk = NULL;
    if (len < RECORD && n > 1) {
        chunk = el_loop_chunk_take(t->loop);
        if (chunk == NULL)
            return -1;
        memcpy(chunk, data, len);
        data = chunk;
        for (unsigned i = 1; i < n && len < RECORD; i++) {
            size_t part = bufs[i].len < RECORD - len ? bufs[i].len : RECORD - len;
            memcpy(chunk + len, bufs[i].base, part);
            len += part;
        }
    }
    if (len > RECORD)
        len = RECORD;
    ERR_clear_error();
    int r = len > 0 ? SSL_write(t->ssl, data, (int)len) : 0;
    if (chunk != NULL)
        el_loop_chunk_give(t->loop, chunk);
    return len > 0 && r <= 0 ? -1 : r;
}

static ssize_t tls_try_write(struct el_stream *stream, const uv_buf_t *bufs, unsigned n)
{
    struct el_tls *t = tls_of(stream);
    size_t total = 0, offset = 0;
    if (t->state == EL_TLS_HANDSHAKING)
        return -EAGAIN;
    if (t->tx_end != 0)
        return t->tx_end;
    flush(t);
    while (n > 0 && t->out.len < WRITE_AT_ONCE && total < WRITE_AT_ONCE &&
           t->write_end == 0 && (total > 0 || t->out.len == 0)) {
        ssize_t taken = encrypt(t, bufs, n, offset);
        if (taken < 0) {
            el_tls_engine_explain(t, ERR_peek_error());
            ERR_clear_error();
            t->tx_end = EL_ETLS;
            return total > 0 ? (ssize_t)total : EL_ETLS;
        }
        total += (size_t)taken;
        for (offset += (size_t)taken; n > 0 && offset >= bufs[0].len; n--, bufs++)
            offset -= bufs[0].len;
    }
    flush(t);
    settle(t);
    if (t->write_end != 0)
        return t->write_end;
    return total == 0 && t->out.len > 0 ? -EAGAIN : (ssize_t)total;
}

static int tls_want_write(struct el_stream *stream, bool wanted)
{
    struct el_tls *t = tls_of(stream);
    t->writing = wanted;
    settle(t);
    return 0;
}

static size_t tls_held(struct el_stream *stream)
{
    return tls_of(stream)->out.len;
}

/* close_notify, then the end of the stream below. */
static int tls_shutdown(struct el_stream *stream)
{
    struct el_tls *t = tls_of(stream);
    if (t->state == EL_TLS_HANDSHAKING)
        return EL_EBUSY;
    if (t->tx_end != 0 || t->write_end != 0)
        return t->tx_end != 0 ? t->tx_end : t->write_end;
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
    t->fin = true;
    flush(t);
    settle(t);
    return 0;
}

static void destroy(struct el_tls *t)
{
    SSL_free(t->ssl);
    X509_free(t->refused);
    el_tls_context_unref(t->context);
    el_buf_fini(&t->rest);
    el_buf_fini(&t->out);
    free(t->name);
    free(t->why);
    free(t);
}

static void release(struct el_tls *t)
{
    if (--t->handles > 0)
        return;
    if (t->stream.events != NULL)
        t->stream.events->closed(t->stream.owner);
    destroy(t);
}

static void on_below_closed(void *owner)
{
    release(owner);
}

static void on_idle_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void tls_close(struct el_stream *stream, bool reset)
{
    struct el_tls *t = tls_of(stream);
    if (!reset && t->state == EL_TLS_READY && t->tx_end == 0 && !t->fin) {
        ERR_clear_error();
        (void)SSL_shutdown(t->ssl);
        ERR_clear_error();
        flush(t);
    }
    t->closing = true;
    t->done = NULL;
    el_timer_free(t->deadline);
    t->deadline = NULL;
    uv_close((uv_handle_t *)&t->idle, on_idle_closed);
    t->below->ops->close(t->below, reset);
}

static int tls_local_address(struct el_stream *stream, struct sockaddr_storage *out)
{
    struct el_stream *below = tls_of(stream)->below;
    return below->ops->local_address(below, out);
}

static int tls_peer_address(struct el_stream *stream, struct sockaddr_storage *out)
{
    struct el_stream *below = tls_of(stream)->below;
    return below->ops->peer_address(below, out);
}

static const char *tls_why(struct el_stream *stream)
{
    return tls_of(stream)->why;
}

static const struct el_stream_ops tls_ops = {
    .read_start = tls_read_start,
    .read_stop = tls_read_stop,
    .try_write = tls_try_write,
    .want_write = tls_want_write,
    .held = tls_held,
    .shutdown = tls_shutdown,
    .close = tls_close,
    .local_address = tls_local_address,
    .peer_address = tls_peer_address,
    .why = tls_why,
};

static const struct el_stream_events below_events = {
    .alloc = on_alloc,
    .read = on_read,
    .writable = on_writable,
    .closed = on_below_closed,
};

/* --- life -------------------------------------------------------------------------------------- */

int el_tls_new(struct el_loop *loop, struct el_tls_context *context, const char *name,
               const char *sni, struct el_tls **out)
{
    struct el_tls *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return -ENOMEM;
    t->stream.ops = &tls_ops;
    t->loop = loop;
    t->context = el_tls_context_ref(context);
    ERR_clear_error();
    int err = el_tls_engine_init(t, name, sni);
    ERR_clear_error();
    if (err != 0) {
        destroy(t);
        return err;
    }
    *out = t;
    return 0;
}

void el_tls_free(struct el_tls *t)
{
    if (t != NULL)
        destroy(t);
}

int el_tls_feed(struct el_tls *t, const char *data, size_t n)
{
    if (el_buf_append(&t->rest, data, n) != 0)
        return -ENOMEM;
    t->in = el_buf_data(&t->rest);
    t->in_len = t->rest.len;
    note_head(t, data, n);
    return 0;
}

struct el_stream *el_tls_start(struct el_tls *t, struct el_stream *below,
                               uint64_t deadline_ns, el_tls_done_fn *done, void *arg)
{
    t->below = below;
    t->done = done;
    t->arg = arg;
    t->handles = 2;
    el_stream_own(below, &below_events, t);
    (void)uv_idle_init(&t->loop->uv, &t->idle); /* cannot fail */
    t->idle.data = t;
    t->deadline_ns = deadline_ns;
    if (deadline_ns != 0) {
        t->deadline = el_timer_new(t->loop, on_deadline, t);
        if (t->deadline == NULL)
            fail(t, -ENOMEM);
        else
            el_timer_start(t->deadline, deadline_ns);
    }
    if (t->state == EL_TLS_HANDSHAKING)
        step(t);
    flush(t);
    settle(t);
    if (t->state != EL_TLS_HANDSHAKING || t->below_end != 0)
        (void)uv_idle_start(&t->idle, on_idle); /* done is called from the loop */
    return &t->stream;
}

bool el_tls_linger(struct el_tls *t, el_tls_done_fn *done, void *arg)
{
    if (!t->context->server || t->rx_end != EL_ETLS || t->below_end != 0)
        return false;
    t->deadline = el_timer_new(t->loop, on_deadline, t);
    if (t->deadline == NULL)
        return false;
    t->deadline_ns = el_clock_ns() + LINGER_MS * EL_NS_PER_MS;
    el_timer_start(t->deadline, t->deadline_ns);
    t->done = done;
    t->arg = arg;
    t->in_len = 0;
    t->lingering = t->fin = true;
    flush(t);
    settle(t);
    return true;
}

struct el_tls *el_tls_of(struct el_stream *s)
{
    return s->ops == &tls_ops ? tls_of(s) : NULL;
}
