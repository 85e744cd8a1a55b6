#include "conn_fixture.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/sock.h"

struct fixture fixture_open(struct el_loop *loop, size_t max_buffer)
{
    struct fixture f = {.loop = loop};
    struct el_stream *stream;
    int ours;
    loopback_pair(&ours, &f.peer);
    loopback_nonblocking(f.peer);
    assert_int_equal(el_sock_adopt(loop, ours, true, &stream), 0);
    struct el_transcript *t = el_transcript_new("fixture", EL_TRANSCRIPT_BYTES);
    assert_non_null(t);
    assert_int_equal(el_conn_new(loop, stream, max_buffer, t, &f.conn), 0);
    return f;
}

void fixture_close(struct fixture *f)
{
    if (f->peer >= 0)
        assert_int_equal(close(f->peer), 0);
    if (f->conn != NULL)
        el_conn_free(f->conn);
}

void fixture_reset_peer(struct fixture *f)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(f->peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)),
                     0);
    assert_int_equal(close(f->peer), 0);
    f->peer = -1;
}

void note_done(struct el_await *a, int status)
{
    struct waiter *w = (struct waiter *)a;
    w->done = true;
    w->status = status;
    w->calls++;
}

int never_matches(const struct el_conn *c, struct el_await *a)
{
    (void)a;
    return c->rx.len > 0 ? EL_EMISMATCH : 0;
}

void wait_for(struct fixture *f, struct waiter *w)
{
    w->await.done = note_done;
    assert_int_equal(w->await.ready(f->conn, &w->await), 0);
    assert_int_equal(el_conn_await(f->conn, &w->await), 0);
    assert_false(w->done);
}

void until_over(struct fixture *f, struct waiter *w)
{
    loopback_until(f->loop, &w->done);
}

void until_done(struct fixture *f, struct waiter *w, int status)
{
    until_over(f, w);
    assert_int_equal(w->status, status);
    assert_int_equal(w->calls, 1);
}

void until_rx(struct fixture *f, size_t n)
{
    uint64_t end = el_clock_ns() + 20 * EL_NS_PER_S;
    while (f->conn->rx.len < n) {
        if (el_clock_ns() > end)
            fail_msg("%zu of %zu bytes came", f->conn->rx.len, n);
        loopback_turn(f->loop);
    }
}

void assert_rx(struct fixture *f, const char *bytes)
{
    size_t n = strlen(bytes);
    until_rx(f, n);
    assert_int_equal(f->conn->rx.len, n);
    assert_memory_equal(el_buf_data(&f->conn->rx), bytes, n);
}
