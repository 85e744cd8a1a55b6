/* The filter against OpenSSL itself at the other end: what a hostile peer may have it hold. */
#include "loopback.h"
#include "net/tls.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/sock.h"

/* What may come on top of a full buffer: what was being answered. */
#define SLACK ((size_t)4096)

/* Turns after the buffer has filled, each with another demand. */
#define FLOOD 5000

/* EL_TLS_OUT_MAX, which is no part of the interface. */
#define OUT_MAX ((size_t)131072)

/* What our end's owner has seen. */
struct sink {
    char bytes[4096];
    size_t len, room;
    int full, end; /* times without room; how it ended */
    bool done, closed;
    int status;
};

struct both {
    struct el_loop *loop;
    struct el_tls_cache cache;
    struct el_stream *ours;
    struct sink sink;
    SSL_CTX *ctx;
    SSL *peer;
    int fd;
};

static void on_alloc(void *owner, uv_buf_t *out)
{
    struct sink *s = owner;
    size_t left = sizeof(s->bytes) - s->len;
    *out = uv_buf_init(s->bytes + s->len, (unsigned)(left < s->room ? left : s->room));
}

static void on_read(void *owner, ssize_t n)
{
    struct sink *s = owner;
    if (n == -ENOBUFS)
        s->full++;
    else if (n < 0)
        s->end = (int)n;
    else
        s->len += (size_t)n;
}

static void on_writable(void *owner)
{
    (void)owner;
}

static void on_closed(void *owner)
{
    struct sink *s = owner;
    s->closed = true;
}

static const struct el_stream_events events = {on_alloc, on_read, on_writable, on_closed};

static void on_done(void *arg, int status)
{
    struct sink *s = arg;
    s->done = true;
    s->status = status;
}

/* A certificate with its key, as PEM text: made once. */
static const char *certificate(void)
{
    static char text[8192];
    if (text[0] == '\0') {
        FILE *f = popen("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
                        "-nodes -keyout - -out - -subj /CN=unit 2>/dev/null",
                        "r");
        assert_non_null(f);
        size_t n = fread(text, 1, sizeof(text) - 1, f);
        text[n] = '\0';
        assert_int_equal(pclose(f), 0);
    }
    return text;
}

static void use_certificate(SSL_CTX *ctx)
{
    char name[] = "/tmp/echolot-tls-XXXXXX";
    int fd = mkstemp(name);
    size_t n = strlen(certificate());
    assert_true(fd >= 0);
    assert_int_equal(write(fd, certificate(), n), n);
    assert_int_equal(SSL_CTX_use_certificate_file(ctx, name, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, name, SSL_FILETYPE_PEM), 1);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(name), 0);
}

/* Unix sockets: where TCP's window has closed it may hold up the other direction too. */
static void make_pair(int *ours, int *peer)
{
    int fds[2], size = 4096;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    *ours = fds[0];
    *peer = fds[1];
}

/* Our end is the client or the server; the peer is OpenSSL over a socket that does not block. */
static void open_both(struct both *b, struct el_loop *loop, bool server, int version)
{
    char why[EL_TLS_WHY_MAX];
    int fd;
    struct el_tls_context *context;
    struct el_stream *sock;
    struct el_tls *t;
    struct el_tls_options options = {.server = server,
                                     .certificate = server ? certificate() : NULL};
    memset(b, 0, sizeof(*b));
    b->loop = loop;
    b->sink.room = sizeof(b->sink.bytes);
    make_pair(&fd, &b->fd);
    loopback_nonblocking(b->fd);
    b->ctx = SSL_CTX_new(server ? TLS_client_method() : TLS_server_method());
    assert_non_null(b->ctx);
    assert_int_equal(SSL_CTX_set_max_proto_version(b->ctx, version), 1);
    if (!server)
        use_certificate(b->ctx);
    b->peer = SSL_new(b->ctx);
    assert_int_equal(SSL_set_fd(b->peer, b->fd), 1);
    assert_int_equal(el_tls_context_get(&b->cache, &options, why, &context), 0);
    assert_int_equal(el_tls_new(loop, context, NULL, NULL, &t), 0);
    el_tls_context_unref(context);
    assert_int_equal(el_sock_adopt(loop, fd, false, &sock), 0);
    b->ours = el_tls_start(t, sock, 0, on_done, &b->sink);
    el_stream_own(b->ours, &events, &b->sink);
    uint64_t end = el_clock_ns() + 20 * EL_NS_PER_S;
    int r = 0;
    while (r != 1 || !b->sink.done) {
        assert_true(el_clock_ns() < end);
        r = r == 1 ? 1 : server ? SSL_connect(b->peer) : SSL_accept(b->peer);
        loopback_turn(loop);
    }
    assert_int_equal(b->sink.status, 0);
    assert_int_equal(b->ours->ops->read_start(b->ours), 0);
}

static void close_both(struct both *b)
{
    SSL_free(b->peer);
    SSL_CTX_free(b->ctx);
    assert_int_equal(close(b->fd), 0);
    b->ours->ops->close(b->ours, false);
    loopback_until(b->loop, &b->sink.closed);
    el_tls_context_forget(&b->cache);
}

static void until_len(struct both *b, size_t n)
{
    uint64_t end = el_clock_ns() + 20 * EL_NS_PER_S;
    while (b->sink.len < n) {
        if (el_clock_ns() > end)
            fail_msg("%zu of %zu bytes came", b->sink.len, n);
        loopback_turn(b->loop);
    }
}

/* Each asks for an answer that the peer does not read. */
static void test_key_updates_are_bounded(void **state)
{
    struct both *b = malloc(sizeof(*b));
    uint64_t end = el_clock_ns() + 20 * EL_NS_PER_S;
    int after = 0;
    open_both(b, *state, false, TLS1_3_VERSION);
    while (after < FLOOD) {
        assert_true(el_clock_ns() < end);
        (void)SSL_key_update(b->peer,
                             SSL_KEY_UPDATE_REQUESTED); /* or one is on its way */
        (void)SSL_do_handshake(b->peer);
        loopback_turn(b->loop);
        size_t held = b->ours->ops->held(b->ours);
        assert_true(held <= OUT_MAX + SLACK);
        after += held >= OUT_MAX;
    }
    /* it goes on once they are read; the peer's OpenSSL no longer can: it waits to write */
    char bytes[4096];
    while (b->ours->ops->held(b->ours) > 0) {
        assert_true(el_clock_ns() < end);
        (void)recv(b->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        loopback_turn(b->loop);
    }
    assert_int_equal(b->sink.end, 0);
    close_both(b);
    free(b);
}

static void test_nothing_is_renegotiated(void **state)
{
    struct both *b = malloc(sizeof(*b));
    char finished[64], again[64];
    for (int server = 0; server <= 1; server++) {
        open_both(b, *state, server, TLS1_2_VERSION);
        size_t before = SSL_get_finished(b->peer, finished, sizeof(finished));
        assert_int_equal(SSL_renegotiate(b->peer), 1);
        for (int i = 0; i < 100; i++) {
            char byte;
            (void)SSL_do_handshake(b->peer);
            (void)SSL_read(b->peer, &byte, 1);
            loopback_turn(b->loop);
        }
        assert_int_equal(SSL_get_finished(b->peer, again, sizeof(again)), before);
        assert_memory_equal(again, finished, before);
        close_both(b);
    }
    free(b);
}

/* Without room nothing is decrypted but one record, nor read. */
static void test_what_there_is_no_room_for_stays_where_it_is(void **state)
{
    struct both *b = malloc(sizeof(*b));
    open_both(b, *state, false, TLS1_3_VERSION);
    b->sink.room = 0;
    assert_int_equal(SSL_write(b->peer, "one record", 10), 10);
    uint64_t end = el_clock_ns() + 20 * EL_NS_PER_S;
    while (b->sink.full == 0) {
        assert_true(el_clock_ns() < end);
        loopback_turn(b->loop);
    }
    b->ours->ops->read_stop(b->ours);
    assert_int_equal(b->sink.len, 0);
    b->sink.room = 3;
    assert_int_equal(b->ours->ops->read_start(b->ours), 0);
    until_len(b, 10); /* though nothing comes from below */
    assert_memory_equal(b->sink.bytes, "one record", 10);
    close_both(b);
    free(b);
}

static void test_contexts_are_shared(void **state)
{
    char why[EL_TLS_WHY_MAX];
    struct el_tls_cache cache = {0};
    struct el_tls_options options = {.alpn = "\2h2", .alpn_len = 3};
    struct el_tls_context *one, *other, *third;
    (void)state;
    assert_int_equal(el_tls_context_get(&cache, &options, why, &one), 0);
    assert_int_equal(el_tls_context_get(&cache, &options, why, &other), 0);
    assert_ptr_equal(one, other);
    options.alpn_len = 0;
    assert_int_equal(el_tls_context_get(&cache, &options, why, &third), 0);
    assert_ptr_not_equal(one, third);
    /* no more than so many are kept, and those in use stay */
    for (int i = 0; i < 3 * EL_TLS_CONTEXTS; i++) {
        char name[3] = {2, 'a', (char)('A' + i)};
        struct el_tls_context *c;
        options.alpn = name;
        options.alpn_len = 3;
        assert_int_equal(el_tls_context_get(&cache, &options, why, &c), 0);
        el_tls_context_unref(c);
    }
    assert_int_equal(cache.count, EL_TLS_CONTEXTS);
    assert_int_equal(one->refs, 2);
    el_tls_context_unref(one);
    el_tls_context_unref(other);
    el_tls_context_unref(third);
    el_tls_context_forget(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_key_updates_are_bounded, loopback_setup,
                                        loopback_teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_renegotiated, loopback_setup,
                                        loopback_teardown),
        cmocka_unit_test_setup_teardown(test_what_there_is_no_room_for_stays_where_it_is,
                                        loopback_setup, loopback_teardown),
        cmocka_unit_test(test_contexts_are_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
