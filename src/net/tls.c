#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/timer.h"
#include "net/tls_certificate.h"
#include "net/tls_why.h"

/* Plaintext of one record (RFC 8446 section 5.1), and what is encrypted for one write. */
#define RECORD ((size_t)16384)
#define WRITE_AT_ONCE ((size_t)65536)

/* Encrypted bytes that wait for the stream below. Where a peer has us answer (KeyUpdate) and
 * does not read, nothing more is read from it. */
#define OUT_MAX ((size_t)131072)

/* An empty buffer keeps no more than this. */
#define OUT_KEPT ((size_t)4096)

/* What is compared to notice a peer that echoes. */
#define SENT_HEAD ((size_t)16)

enum state { HANDSHAKE, READY, FAILED };

struct el_tls {
    struct el_stream stream; /* first */
    struct el_loop *loop;
    struct el_tls_context *context;
    SSL *ssl;
    char *name;
    struct el_stream *below;
    uv_idle_t idle; /* runs while something is to be told, and nothing below will wake us */
    struct el_timer *deadline;
    uint64_t deadline_ns;
    el_tls_done_fn *done;
    void *arg;
    unsigned handles; /* that have to say that they are closed */
    enum state state;
    char *chunk;        /* the loop's, within a read */
    const char *in;     /* encrypted bytes to be read next, in `chunk` or `rest` */
    size_t in_len;
    struct el_buf rest;
    struct el_buf out;
    int below_end; /* 0, or what ended the stream below */
    int write_end; /* 0, or why it takes nothing more */
    int rx_end, tx_end; /* our own halves: 0, or what the owner is told */
    bool reading, writing; /* the owner wants */
    bool below_reading, below_writing;
    bool starved; /* nothing is left to decrypt */
    bool blocked; /* OpenSSL has no room to write */
    bool told;    /* of the end */
    bool closing;
    bool fin, fin_sent;
    X509 *refused; /* the certificate that was not accepted */
    int refused_why;
    char head[EL_TLS_HEAD], sent[SENT_HEAD];
    size_t head_len, sent_len;
    char *why;
};

static struct el_tls *tls_of(struct el_stream *s)
{
    return (struct el_tls *)s; /* the stream is the first member */
}

/* --- OpenSSL's side ---------------------------------------------------------------------- */

static int bio_read(BIO *bio, char *data, int len)
{
    struct el_tls *t = BIO_get_data(bio);
    size_t n = (size_t)len < t->in_len ? (size_t)len : t->in_len;
    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(data, t->in, n);
    t->in += n;
    t->in_len -= n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct el_tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (t->write_end != 0)
        return len; /* nobody will read it; the next write of the owner's is told */
    if (t->out.len >= OUT_MAX) {
        BIO_set_retry_write(bio);
        return -1;
    }
    if (el_buf_append(&t->out, data, (size_t)len) != 0)
        return -1;
    for (int i = 0; i < len && t->sent_len < SENT_HEAD; i++)
        t->sent[t->sent_len++] = data[i];
    return len;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio;
    (void)num;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP;
}

struct bio_method_st *el_tls_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "echolot");
    if (m == NULL)
        return NULL;
    (void)BIO_meth_set_read(m, bio_read);
    (void)BIO_meth_set_write(m, bio_write);
    (void)BIO_meth_set_ctrl(m, bio_ctrl);
    return m;
}

/* Remembers the first certificate that OpenSSL does not accept. */
static int on_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct el_tls *t = SSL_get_app_data(ssl);
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    if (!ok && t->refused == NULL && cert != NULL) {
        (void)X509_up_ref(cert);
        t->refused = cert;
        t->refused_why = X509_STORE_CTX_get_error(store);
    }
    return ok;
}

static void explain(struct el_tls *t, unsigned long reason)
{
    struct el_tls_trouble trouble = {
        .server = t->context->server,
        .handshake = t->state == HANDSHAKE,
        .ended = t->below_end == EL_EEOF,
        .name = t->name,
        .certificate = t->refused,
        .verify_error = t->refused_why,
        .reason = reason,
        .head = t->head,
        .head_len = t->head_len,
        .echoed = t->head_len >= SENT_HEAD && t->sent_len == SENT_HEAD &&
                  memcmp(t->head, t->sent, SENT_HEAD) == 0,
    };
    if (t->why == NULL)
        t->why = el_tls_why_text(&trouble);
}

/* What the owner is told when the stream below has ended, and OpenSSL wants more. */
static int end_of_below(const struct el_tls *t)
{
    if (t->below_end != EL_EEOF)
        return t->below_end;
    /* the system tells a reset once, and that was to a write */
    return t->write_end == -ECONNRESET ? -ECONNRESET : EL_ETLSCUT;
}

/* After a call of OpenSSL's that gave `r` <= 0: notes what it wants, or what has ended. */
static void note_result(struct el_tls *t, int r)
{
    switch (SSL_get_error(t->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        t->starved = true;
        if (t->below_end != 0)
            t->rx_end = end_of_below(t);
        break;
    case SSL_ERROR_WANT_WRITE:
        t->blocked = true;
        break;
    case SSL_ERROR_ZERO_RETURN:
        t->rx_end = EL_EEOF;
        break;
    default:
        explain(t, ERR_peek_error());
        t->rx_end = EL_ETLS;
        if (t->tx_end == 0)
            t->tx_end = EL_ETLS;
    }
    ERR_clear_error();
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
    bool hungry = t->state == HANDSHAKE ||
                  (t->state == READY && t->reading && t->starved && !t->told);
    bool read = hungry && !t->blocked && t->below_end == 0 && t->in_len == 0;
    bool write = t->out.len > 0 || (t->writing && t->state != HANDSHAKE);
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
    if (t->blocked && t->out.len < OUT_MAX)
        (void)uv_idle_start(&t->idle, on_idle);
}

/* --- the handshake ----------------------------------------------------------------------------- */

static void fail(struct el_tls *t, int code)
{
    t->state = FAILED;
    t->rx_end = t->tx_end = code;
}

static void step(struct el_tls *t)
{
    t->starved = t->blocked = false;
    ERR_clear_error();
    int r = SSL_do_handshake(t->ssl);
    if (r == 1) {
        t->state = READY;
        return;
    }
    note_result(t, r);
    if (t->rx_end == EL_ETLSCUT) { /* not in the middle of what was said, but before */
        explain(t, 0);
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
    done(t->arg, t->state == READY ? 0 : t->rx_end);
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
        note_result(t, r);
    if (buf.len > 0)
        t->stream.events->read(t->stream.owner, (ssize_t)got);
    else if (r > 0)
        t->stream.events->read(t->stream.owner, -ENOBUFS);
    return (r > 0 && buf.len > 0) || t->rx_end != 0;
}

/* Takes OpenSSL as far as it goes. Called from the loop: the owner may close us within. */
static void pump(struct el_tls *t)
{
    if (t->state == HANDSHAKE)
        step(t);
    if (t->state != HANDSHAKE && t->done != NULL)
        conclude(t);
    while (!t->closing && t->reading && !t->told && t->state != HANDSHAKE) {
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

static void on_read(void *owner, ssize_t n)
{
    struct el_tls *t = owner;
    char *chunk = t->chunk;
    t->chunk = NULL;
    if (n > 0) {
        t->in = chunk;
        t->in_len = (size_t)n;
        for (ssize_t i = 0; i < n && t->head_len < EL_TLS_HEAD; i++)
            t->head[t->head_len++] = chunk[i];
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
    bool room = t->writing && t->state != HANDSHAKE && t->out.len == 0;
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
    fail(t, EL_ETIMEOUT);
    conclude(t);
}

/* --- the stream's operations ------------------------------------------------------------------ */

static int tls_read_start(struct el_stream *stream)
{
    struct el_tls *t = tls_of(stream);
    t->reading = true;
    if (t->state == HANDSHAKE)
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
    if (t->state == HANDSHAKE)
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
    if (t->state == HANDSHAKE)
        return -EAGAIN;
    if (t->tx_end != 0)
        return t->tx_end;
    flush(t);
    while (n > 0 && t->out.len < WRITE_AT_ONCE && total < WRITE_AT_ONCE &&
           t->write_end == 0 && (total > 0 || t->out.len == 0)) {
        ssize_t taken = encrypt(t, bufs, n, offset);
        if (taken < 0) {
            explain(t, ERR_peek_error());
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
    if (t->state == HANDSHAKE)
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
    if (!reset && t->state == READY && t->tx_end == 0 && !t->fin) {
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

/* Whom the peer's certificate has to be for. */
static int set_name(struct el_tls *t)
{
    struct in6_addr ip;
    char *zone = strchr(t->name, '%');
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    if (zone != NULL)
        *zone = '\0'; /* of an IPv6 address: "fe80::1%eth0" */
    if (inet_pton(AF_INET, t->name, &ip) == 1 || inet_pton(AF_INET6, t->name, &ip) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(param, t->name);
    size_t n = strlen(t->name);
    if (n > 1 && t->name[n - 1] == '.')
        t->name[n - 1] = '\0';
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(t->ssl, t->name);
}

static int set_up(struct el_tls *t, const char *name, const char *sni)
{
    t->ssl = SSL_new(t->context->ssl);
    BIO *bio = BIO_new(t->context->bio);
    if (t->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        return -ENOMEM;
    }
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_app_data(t->ssl, t);
    if (t->context->server)
        SSL_set_accept_state(t->ssl);
    else
        SSL_set_connect_state(t->ssl);
    int mode = !t->context->verify ? SSL_VERIFY_NONE
               : t->context->server
                   ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                   : SSL_VERIFY_PEER;
    SSL_set_verify(t->ssl, mode, t->context->verify ? on_verify : NULL);
    if (name != NULL) {
        t->name = strdup(name);
        if (t->name == NULL || (t->context->verify && set_name(t) != 1))
            return -ENOMEM;
    }
    if (sni != NULL && SSL_set_tlsext_host_name(t->ssl, sni) != 1)
        return -ENOMEM;
    return 0;
}

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
    int err = set_up(t, name, sni);
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
    if (t->state == HANDSHAKE)
        step(t);
    flush(t);
    settle(t);
    if (t->state != HANDSHAKE || t->below_end != 0)
        (void)uv_idle_start(&t->idle, on_idle); /* done is called from the loop */
    return &t->stream;
}

struct el_tls *el_tls_of(struct el_stream *s)
{
    return s->ops == &tls_ops ? tls_of(s) : NULL;
}

struct el_tls_session *el_tls_session_of(const struct el_tls *t)
{
    const unsigned char *alpn = NULL;
    unsigned alpn_len = 0;
    struct el_tls_session *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    const char *version = SSL_get_version(t->ssl), *cipher = SSL_get_cipher_name(t->ssl);
    memcpy(s->version, version, strnlen(version, sizeof(s->version) - 1));
    memcpy(s->cipher, cipher, strnlen(cipher, sizeof(s->cipher) - 1));
    SSL_get0_alpn_selected(t->ssl, &alpn, &alpn_len);
    if (alpn_len > 0)
        memcpy(s->alpn, alpn, alpn_len);
    s->alpn_len = alpn_len;
    s->certificate = SSL_get1_peer_certificate(t->ssl);
    return s;
}

const struct el_tls_certificate *el_tls_session_certificate(struct el_tls_session *s)
{
    if (s->details != NULL || s->certificate == NULL)
        return s->details;
    struct el_tls_certificate *c = calloc(1, sizeof(*c));
    if (c != NULL && el_tls_certificate_read(s->certificate, c) != 0) {
        free(c);
        c = NULL;
    }
    s->details = c;
    return c;
}

void el_tls_session_free(struct el_tls_session *s)
{
    if (s == NULL)
        return;
    if (s->details != NULL)
        el_tls_certificate_fini(s->details);
    free(s->details);
    X509_free(s->certificate);
    free(s);
}
