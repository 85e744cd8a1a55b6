/* The receiving half of net/conn: what is awaited, deadlines, limits, backpressure, closing. */
#include "net/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "conn_fixture.h"

static void test_some_bytes(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = el_conn_ready_some, .n = 100}};
    wait_for(&f, &w);
    loopback_turn(f.loop);
    assert_false(w.done);
    loopback_write(f.peer, "hello", 5);
    until_done(&f, &w, 0);
    assert_rx(&f, "hello");
    fixture_close(&f);
}

static void test_done_comes_once(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = el_conn_ready_some, .n = 100}};
    wait_for(&f, &w);
    loopback_write(f.peer, "a", 1);
    until_done(&f, &w, 0);
    loopback_write(f.peer, "b", 1);
    until_rx(&f, 2);
    assert_int_equal(w.calls, 1);
    fixture_close(&f);
}

static void test_a_count(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = el_conn_ready_count, .n = 5}};
    wait_for(&f, &w);
    loopback_write(f.peer, "1234", 4);
    until_rx(&f, 4);
    assert_false(w.done);
    loopback_write(f.peer, "567", 3);
    until_done(&f, &w, 0);
    assert_rx(&f, "1234567");
    fixture_close(&f);
}

static void test_a_line_in_pieces(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = el_conn_ready_line}};
    wait_for(&f, &w);
    for (const char *c = "piece"; *c != '\0'; c++) {
        loopback_write(f.peer, c, 1);
        until_rx(&f, f.conn->rx.len + 1);
        assert_false(w.done);
        assert_int_equal(w.await.seen, f.conn->rx.len); /* no byte is looked at twice */
    }
    loopback_write(f.peer, "\nnext\n", 6);
    until_done(&f, &w, 0);
    assert_int_equal(w.await.n, 6);
    el_conn_consume(f.conn, w.await.n);
    struct waiter next = {.await = {.ready = el_conn_ready_line}};
    until_rx(&f, 5);
    assert_int_equal(el_conn_ready_line(f.conn, &next.await), 1);
    assert_int_equal(next.await.n, 5);
    fixture_close(&f);
}

static void test_the_end(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = el_conn_ready_end}};
    wait_for(&f, &w);
    loopback_write(f.peer, "rest", 4);
    until_rx(&f, 4);
    assert_false(w.done);
    assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
    until_done(&f, &w, 0);
    assert_int_equal(f.conn->rx_end, EL_EEOF);
    assert_true(el_conn_ended(f.conn));
    assert_true(el_conn_is_open(f.conn));
    assert_rx(&f, "rest");
    fixture_close(&f);
}

/* Each of them is over at the end, even without what it waited for. */
static void test_the_end_ends_every_wait(void **state)
{
    el_ready_fn *const all[] = {el_conn_ready_some, el_conn_ready_count,
                                el_conn_ready_line};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct fixture f = fixture_open(*state, 1000);
        struct waiter w = {.await = {.ready = all[i], .n = 10}};
        wait_for(&f, &w);
        assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
        until_done(&f, &w, 0);
        assert_int_equal(f.conn->rx_end, EL_EEOF);
        fixture_close(&f);
    }
}

static void test_a_reset_is_told_from_the_end(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = el_conn_ready_line}};
    wait_for(&f, &w);
    loopback_write(f.peer, "half", 4);
    until_rx(&f, 4);
    fixture_reset_peer(&f);
    until_done(&f, &w, 0);
    assert_int_equal(f.conn->rx_end, -ECONNRESET);
    assert_rx(&f, "half"); /* what had come stays */
    fixture_close(&f);
}

static void test_a_predicates_error_is_the_waits(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = never_matches}};
    wait_for(&f, &w);
    loopback_write(f.peer, "x", 1);
    until_done(&f, &w, EL_EMISMATCH);
    assert_rx(&f, "x");
    fixture_close(&f);
}

/* --- asked again ----------------------------------------------------------------------------- */

/* Decides at its third look, and wants to be asked again soon until then. */
static int third_look(const struct el_conn *c, struct el_await *a)
{
    (void)c;
    a->n++;
    a->again_ns = a->n < 3 ? el_clock_ns() + 2 * EL_NS_PER_MS : 0;
    return a->n >= 3;
}

static void test_asked_again_though_nothing_comes(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = third_look,
                                 .deadline_ns = el_clock_ns() + 3600 * EL_NS_PER_S}};
    wait_for(&f, &w);
    until_done(&f, &w, 0);
    assert_int_equal(w.await.n, 3);
    fixture_close(&f);
}

/* Wants nothing before bytes have come, and then two looks more. */
static int third_look_at_bytes(const struct el_conn *c, struct el_await *a)
{
    return c->rx.len > 0 ? third_look(c, a) : 0;
}

static void test_asked_again_once_bytes_have_come(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = third_look_at_bytes}};
    wait_for(&f, &w);
    loopback_write(f.peer, "x", 1);
    until_done(&f, &w, 0);
    assert_int_equal(w.await.n, 3);
    fixture_close(&f);
}

static int never_decides(const struct el_conn *c, struct el_await *a)
{
    (void)c;
    a->n++;
    a->again_ns = el_clock_ns() + EL_NS_PER_MS;
    return 0;
}

static void test_who_is_asked_again_and_again_times_out(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    uint64_t due = el_clock_ns() + 40 * EL_NS_PER_MS;
    struct waiter w = {.await = {.ready = never_decides, .deadline_ns = due}};
    wait_for(&f, &w);
    until_done(&f, &w, EL_ETIMEOUT);
    assert_true(el_clock_ns() >= due);
    assert_true(w.await.n > 1);
    fixture_close(&f);
}

static void test_closed_before_it_is_asked_again(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = never_decides}};
    wait_for(&f, &w);
    el_conn_close(f.conn, false);
    assert_int_equal(w.status, EL_ECLOSED);
    size_t looks = w.await.n;
    struct fixture other = fixture_open(*state, 1000);
    struct waiter later = {.await = {.ready = el_conn_ready_some,
                                     .deadline_ns = el_clock_ns() + 10 * EL_NS_PER_MS}};
    wait_for(&other, &later);
    until_done(&other, &later, EL_ETIMEOUT); /* the other's moment has passed */
    assert_int_equal(w.await.n, looks);
    fixture_close(&other);
    fixture_close(&f);
}

/* What a wait has found holds until somebody takes bytes, or closes. */
static void test_what_was_found_holds_until_bytes_are_taken(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    for (int closes = 0; closes < 2; closes++) {
        struct waiter w = {.await = {.ready = el_conn_ready_line}};
        wait_for(&f, &w);
        loopback_write(f.peer, "a\nb\n", 4);
        until_done(&f, &w, 0);
        until_rx(&f, 4);
        assert_true(el_conn_still_holds(f.conn, &w.await));
        if (closes)
            el_conn_close(f.conn, false);
        else
            el_conn_consume(f.conn, 4);
        assert_false(el_conn_still_holds(f.conn, &w.await));
    }
    fixture_close(&f);
}

/* --- deadlines ------------------------------------------------------------------------------- */

static void test_a_deadline(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    uint64_t due = el_clock_ns() + 20 * EL_NS_PER_MS;
    struct waiter w = {.await = {.ready = el_conn_ready_some, .deadline_ns = due}};
    wait_for(&f, &w);
    until_done(&f, &w, EL_ETIMEOUT);
    assert_true(el_clock_ns() >= due);
    loopback_write(f.peer, "late", 4); /* and the connection goes on */
    until_rx(&f, 4);
    assert_int_equal(w.calls, 1);
    fixture_close(&f);
}

/* The timer of an earlier wait is still set when the later one begins. */
static void test_a_later_deadline_behind_an_earlier_one(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    uint64_t now = el_clock_ns();
    struct waiter first = {
        .await = {.ready = el_conn_ready_some, .deadline_ns = now + 10 * EL_NS_PER_MS}};
    wait_for(&f, &first);
    loopback_write(f.peer, "x", 1);
    until_over(&f, &first);
    if (f.conn->rx.len > 0)
        el_conn_consume(f.conn, f.conn->rx.len);
    uint64_t due = now + 40 * EL_NS_PER_MS;
    struct waiter second = {.await = {.ready = el_conn_ready_line, .deadline_ns = due}};
    wait_for(&f, &second);
    until_done(&f, &second, EL_ETIMEOUT);
    assert_true(el_clock_ns() >= due);
    fixture_close(&f);
}

static void test_an_earlier_deadline_behind_a_later_one(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    uint64_t now = el_clock_ns();
    struct waiter first = {
        .await = {.ready = el_conn_ready_some, .deadline_ns = now + 3600 * EL_NS_PER_S}};
    wait_for(&f, &first);
    loopback_write(f.peer, "x", 1);
    until_done(&f, &first, 0);
    el_conn_consume(f.conn, 1);
    struct waiter second = {
        .await = {.ready = el_conn_ready_some, .deadline_ns = now + 10 * EL_NS_PER_MS}};
    wait_for(&f, &second);
    until_done(&f, &second, EL_ETIMEOUT); /* long before an hour: the test would fail */
    fixture_close(&f);
}

static void test_a_wait_without_a_deadline_outlasts_others(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = el_conn_ready_some,
                                 .deadline_ns = el_clock_ns() + 5 * EL_NS_PER_MS}};
    wait_for(&f, &w);
    until_done(&f, &w, EL_ETIMEOUT);
    struct waiter forever = {.await = {.ready = el_conn_ready_some}};
    wait_for(&f, &forever);
    loopback_turn(f.loop);
    assert_false(forever.done);
    loopback_write(f.peer, "x", 1);
    until_done(&f, &forever, 0);
    fixture_close(&f);
}

/* --- the cap ---------------------------------------------------------------------------------- */

static void test_the_limit_ends_a_wait(void **state)
{
    char bytes[300];
    struct fixture f = fixture_open(*state, 100);
    struct waiter w = {.await = {.ready = el_conn_ready_line}};
    memset(bytes, 'x', sizeof(bytes));
    wait_for(&f, &w);
    loopback_write(f.peer, bytes, sizeof(bytes));
    until_done(&f, &w, EL_ELIMIT);
    assert_int_equal(f.conn->rx.len, 100);
    struct waiter again = {.await = {.ready = el_conn_ready_line}};
    wait_for(&f, &again); /* the end might be next; more bytes are */
    until_done(&f, &again, EL_ELIMIT);
    assert_int_equal(f.conn->rx.len, 100);
    el_conn_consume(f.conn, 50);
    until_rx(&f, 100);
    fixture_close(&f);
}

static void test_what_fits_exactly_is_no_limit(void **state)
{
    char bytes[100];
    struct fixture f = fixture_open(*state, sizeof(bytes));
    struct waiter count = {.await = {.ready = el_conn_ready_count, .n = sizeof(bytes)}};
    memset(bytes, 'x', sizeof(bytes));
    wait_for(&f, &count);
    loopback_write(f.peer, bytes, sizeof(bytes));
    until_done(&f, &count, 0);
    el_conn_consume(f.conn, sizeof(bytes));
    struct waiter line = {.await = {.ready = el_conn_ready_line}};
    bytes[sizeof(bytes) - 1] = '\n';
    wait_for(&f, &line);
    loopback_write(f.peer, bytes, sizeof(bytes));
    until_done(&f, &line, 0);
    assert_int_equal(line.await.n, sizeof(bytes));
    fixture_close(&f);
}

static void test_the_end_behind_a_full_buffer_is_noticed(void **state)
{
    char bytes[100];
    struct fixture f = fixture_open(*state, sizeof(bytes));
    struct waiter end = {.await = {.ready = el_conn_ready_end}};
    memset(bytes, 'x', sizeof(bytes));
    wait_for(&f, &end);
    loopback_write(f.peer, bytes, sizeof(bytes));
    (void)shutdown(f.peer, SHUT_WR);
    until_done(&f, &end, 0);
    assert_int_equal(f.conn->rx_end, EL_EEOF);
    assert_int_equal(f.conn->rx.len, sizeof(bytes));
    fixture_close(&f);
}

/* Sends what the system takes, until it takes no more though the loop has had its turns. */
static size_t send_until_held(struct fixture *f, size_t sent)
{
    unsigned char block[4096];
    size_t from = sent;
    for (int refusals = 0; refusals < 50;) {
        for (size_t i = 0; i < sizeof(block); i++)
            block[i] = (unsigned char)((sent + i) % 251);
        ssize_t n = send(f->peer, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            sent += (size_t)n;
        else
            refusals++;
        loopback_turn(f->loop);
        assert_true(f->conn->rx.len <= f->conn->max_buffer);
        assert_true(sent - from < (size_t)64 << 20); /* or nothing holds it at all */
    }
    return sent;
}

static void test_reading_stops_at_the_cap_and_goes_on(void **state)
{
    static const size_t caps[] = {1, 1000, 65536, 200000};
    for (size_t i = 0; i < COUNT_OF(caps); i++) {
        struct fixture f = fixture_open(*state, caps[i]);
        size_t sent = send_until_held(&f, 0), got = 0;
        assert_int_equal(f.conn->rx.len, caps[i]);
        assert_true(sent > caps[i]);
        assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
        /* The first million bytes are looked at; with a cap of 1 that takes long enough. */
        size_t enough = caps[i] < 1000 ? 20000 : sent;
        while (got < enough) {
            until_rx(&f, 1);
            size_t n = f.conn->rx.len;
            for (size_t k = 0; k < n; k++)
                assert_int_equal((unsigned char)el_buf_data(&f.conn->rx)[k],
                                 (got + k) % 251);
            got += n;
            el_conn_consume(f.conn, n);
        }
        fixture_close(&f);
    }
}

static void test_half_consumed_at_the_cap_goes_on_too(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    (void)send_until_held(&f, 0);
    el_conn_consume(f.conn, 999);
    assert_int_equal((unsigned char)el_buf_data(&f.conn->rx)[0], 999 % 251);
    until_rx(&f, 1000);
    assert_int_equal((unsigned char)el_buf_data(&f.conn->rx)[999], 1998 % 251);
    fixture_close(&f);
}

/* --- storage ---------------------------------------------------------------------------------- */

static void test_at_rest_it_holds_no_memory(void **state)
{
    struct fixture f = fixture_open(*state, 1 << 20);
    struct waiter w = {.await = {.ready = el_conn_ready_some}};
    assert_null(f.conn->rx.base);
    wait_for(&f, &w);
    loopback_write(f.peer, "hello", 5);
    until_done(&f, &w, 0);
    assert_true(f.conn->rx.cap < EL_CHUNK_SIZE); /* a few bytes keep no whole chunk */
    el_conn_consume(f.conn, 5);
    assert_null(f.conn->rx.base);
    assert_true(f.loop->chunk_count > 0);
    fixture_close(&f);
}

static void test_more_than_a_chunk_is_kept_whole(void **state)
{
    const size_t n = 700000;
    struct fixture f = fixture_open(*state, 1 << 20);
    unsigned char *bytes = malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 65536);
    size_t sent = 0;
    while (sent < n) {
        ssize_t now = send(f.peer, bytes + sent, n - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += now > 0 ? (size_t)now : 0;
        loopback_turn(f.loop);
    }
    until_rx(&f, n);
    assert_memory_equal(el_buf_data(&f.conn->rx), bytes, n);
    el_conn_consume(f.conn, 123456);
    assert_memory_equal(el_buf_data(&f.conn->rx), bytes + 123456, n - 123456);
    free(bytes);
    fixture_close(&f);
}

/* --- who waits -------------------------------------------------------------------------------- */

static void test_only_one_reader_waits(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter one = {.await = {.ready = el_conn_ready_some}};
    struct waiter other = {.await = {.ready = el_conn_ready_some, .done = note_done}};
    wait_for(&f, &one);
    assert_int_equal(el_conn_await(f.conn, &other.await), EL_EBUSY);
    el_conn_reader_leave(f.conn, &other.await); /* harmless: it does not wait */
    loopback_write(f.peer, "x", 1);
    until_done(&f, &one, 0);
    assert_false(other.done);
    fixture_close(&f);
}

static void test_who_has_left_is_not_called(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = el_conn_ready_some,
                                 .deadline_ns = el_clock_ns() + 5 * EL_NS_PER_MS}};
    wait_for(&f, &w);
    el_conn_reader_leave(f.conn, &w.await);
    loopback_write(f.peer, "x", 1);
    until_rx(&f, 1);
    assert_false(w.done);
    struct waiter next = {.await = {.ready = el_conn_ready_line,
                                    .deadline_ns = el_clock_ns() + 15 * EL_NS_PER_MS}};
    wait_for(&f, &next);
    until_done(&f, &next, EL_ETIMEOUT);
    assert_false(w.done);
    fixture_close(&f);
}

static void test_close_while_somebody_waits(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = el_conn_ready_line}};
    wait_for(&f, &w);
    loopback_write(f.peer, "half", 4);
    until_rx(&f, 4);
    el_conn_close(f.conn, false);
    assert_true(w.done);
    assert_int_equal(w.status, EL_ECLOSED);
    assert_false(el_conn_is_open(f.conn));
    assert_int_equal(f.conn->rx.len, 0);
    el_conn_close(f.conn, false); /* harmless */
    el_conn_close(f.conn, true);
    assert_int_equal(w.calls, 1);
    assert_int_equal(el_conn_await(f.conn, &w.await), EL_ECLOSED);
    fixture_close(&f);
}

static void close_in_done(struct el_await *a, int status)
{
    struct waiter *w = (struct waiter *)a;
    note_done(a, status);
    el_conn_free(w->conn);
}

/* Within the stream's own callback, as a script's close after a recv is. */
static void test_freed_by_the_one_that_waited(void **state)
{
    static const char *const how[] = {"data", "end", "deadline"};
    for (size_t i = 0; i < COUNT_OF(how); i++) {
        struct fixture f = fixture_open(*state, 1000);
        struct waiter w = {.conn = f.conn, .await = {.ready = el_conn_ready_some}};
        if (i == 2)
            w.await.deadline_ns = el_clock_ns() + 5 * EL_NS_PER_MS;
        w.await.done = close_in_done;
        assert_int_equal(el_conn_await(f.conn, &w.await), 0);
        if (i == 0)
            loopback_write(f.peer, "x", 1);
        else if (i == 1)
            assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
        loopback_until(f.loop, &w.done);
        f.conn = NULL;
        assert_true(loopback_drain(f.loop, f.peer) <= 0);
        fixture_close(&f);
    }
}

#define WITH_LOOP(f) cmocka_unit_test_setup_teardown(f, loopback_setup, loopback_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(test_some_bytes),
        WITH_LOOP(test_done_comes_once),
        WITH_LOOP(test_a_count),
        WITH_LOOP(test_a_line_in_pieces),
        WITH_LOOP(test_the_end),
        WITH_LOOP(test_the_end_ends_every_wait),
        WITH_LOOP(test_a_reset_is_told_from_the_end),
        WITH_LOOP(test_a_predicates_error_is_the_waits),
        WITH_LOOP(test_asked_again_though_nothing_comes),
        WITH_LOOP(test_asked_again_once_bytes_have_come),
        WITH_LOOP(test_who_is_asked_again_and_again_times_out),
        WITH_LOOP(test_closed_before_it_is_asked_again),
        WITH_LOOP(test_what_was_found_holds_until_bytes_are_taken),
        WITH_LOOP(test_a_deadline),
        WITH_LOOP(test_a_later_deadline_behind_an_earlier_one),
        WITH_LOOP(test_an_earlier_deadline_behind_a_later_one),
        WITH_LOOP(test_a_wait_without_a_deadline_outlasts_others),
        WITH_LOOP(test_the_limit_ends_a_wait),
        WITH_LOOP(test_what_fits_exactly_is_no_limit),
        WITH_LOOP(test_the_end_behind_a_full_buffer_is_noticed),
        WITH_LOOP(test_reading_stops_at_the_cap_and_goes_on),
        WITH_LOOP(test_half_consumed_at_the_cap_goes_on_too),
        WITH_LOOP(test_at_rest_it_holds_no_memory),
        WITH_LOOP(test_more_than_a_chunk_is_kept_whole),
        WITH_LOOP(test_only_one_reader_waits),
        WITH_LOOP(test_who_has_left_is_not_called),
        WITH_LOOP(test_close_while_somebody_waits),
        WITH_LOOP(test_freed_by_the_one_that_waited),
    };
    return cmocka_run_group_tests_name("conn_read", tests, NULL, NULL);
}
