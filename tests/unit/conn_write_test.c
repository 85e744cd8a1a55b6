/* The sending half of net/conn: flow control, the queue of writers, shutdown, reset. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "conn_fixture.h"

static size_t try_send(struct fixture *f, struct waiter *w, const char *bytes, size_t n)
{
    uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)n);
    size_t taken = 4711;
    assert_int_equal(
        el_conn_try_send(f->conn, w != NULL ? &w->await : NULL, &buf, 1, &taken), 0);
    return taken;
}

/* Stands in line behind the others. */
static void queue(struct fixture *f, struct waiter *w)
{
    w->await.done = note_done;
    assert_int_equal(el_conn_await_send(f->conn, &w->await), 0);
    assert_false(w->done);
}

static void until_turn(struct fixture *f, struct waiter *w)
{
    until_over(f, w);
    assert_int_equal(w->status, 0);
}

static char block[1 << 16];

/* Sends until the system takes no more. */
static size_t fill(struct fixture *f)
{
    size_t total = 0, taken;
    memset(block, 'f', sizeof(block));
    while ((taken = try_send(f, NULL, block, sizeof(block))) > 0)
        total += taken;
    return total;
}

static void test_several_pieces_leave_at_once(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    char one[] = "one ", two[] = "two ", three[] = "three", got[13];
    uv_buf_t bufs[] = {uv_buf_init(one, 4), uv_buf_init(two, 4), uv_buf_init(three, 5)};
    size_t taken;
    assert_int_equal(el_conn_try_send(f.conn, NULL, bufs, 3, &taken), 0);
    assert_int_equal(taken, 13);
    loopback_read(f.loop, f.peer, got, sizeof(got));
    assert_memory_equal(got, "one two three", 13);
    fixture_close(&f);
}

/* Reads and drops what fill() has sent: then there is room for more. */
static void empty(struct fixture *f, size_t n)
{
    char *got = malloc(n);
    loopback_read(f->loop, f->peer, got, n);
    free(got);
}

static void assert_received(struct fixture *f, const char *bytes)
{
    char got[100];
    loopback_read(f->loop, f->peer, got, strlen(bytes));
    assert_memory_equal(got, bytes, strlen(bytes));
}

static void test_flow_control_holds_us(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.done = false};
    size_t total = fill(&f);
    assert_int_equal(try_send(&f, NULL, "x", 1), 0);
    queue(&f, &w);
    for (int i = 0; i < 10; i++)
        loopback_turn(f.loop);
    assert_false(w.done);
    empty(&f, total);
    until_turn(&f, &w);
    assert_int_equal(try_send(&f, &w, "waiting", 7), 7);
    assert_received(&f, "waiting");
    el_conn_writer_leave(f.conn, &w.await);
    assert_int_equal(try_send(&f, NULL, "x", 1), 1);
    fixture_close(&f);
}

/* Whoever has left is not told of room any more, and the loop does not spin. */
static void test_nobody_is_called_when_nobody_waits(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.done = false};
    size_t total = fill(&f);
    queue(&f, &w);
    el_conn_writer_leave(f.conn, &w.await);
    el_conn_writer_leave(f.conn, &w.await); /* harmless */
    empty(&f, total);
    for (int i = 0; i < 10; i++)
        loopback_turn(f.loop);
    assert_false(w.done);
    fixture_close(&f);
}

static void test_writers_take_turns_in_order(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w[3] = {{.done = false}};
    size_t total = fill(&f);
    for (int i = 0; i < 3; i++)
        queue(&f, &w[i]);
    empty(&f, total);
    until_turn(&f, &w[0]);
    assert_int_equal(try_send(&f, &w[0], "first.", 6), 6);
    assert_false(w[1].done);
    /* The first has not left yet: nobody else gets in. */
    assert_int_equal(try_send(&f, &w[1], "second", 6), 0);
    assert_int_equal(try_send(&f, NULL, "outsider", 8), 0);
    w[0].done = false;
    queue(&f, &w[0]); /* once more, and it is still the first */
    assert_int_equal(try_send(&f, &w[0], "again.", 6), 6);
    el_conn_writer_leave(f.conn, &w[0].await);
    until_turn(&f, &w[1]);
    assert_false(w[2].done);
    assert_int_equal(try_send(&f, &w[1], "second", 6), 6);
    el_conn_writer_leave(f.conn, &w[1].await);
    until_turn(&f, &w[2]);
    assert_int_equal(try_send(&f, &w[2], "third.", 6), 6);
    el_conn_writer_leave(f.conn, &w[2].await);
    assert_received(&f, "first.again.secondthird.");
    fixture_close(&f);
}

static void test_one_in_the_middle_leaves(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w[3] = {{.done = false}};
    (void)fill(&f);
    for (int i = 0; i < 3; i++)
        queue(&f, &w[i]);
    el_conn_writer_leave(f.conn, &w[1].await);
    assert_false(w[2].done);
    el_conn_writer_leave(f.conn, &w[0].await);
    until_turn(&f, &w[2]);
    assert_false(w[0].done || w[1].done);
    el_conn_writer_leave(f.conn, &w[2].await);
    fixture_close(&f);
}

static void test_the_second_writer_times_out_alone(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter first = {.done = false}, second = {.done = false};
    size_t total = fill(&f);
    uint64_t due = el_clock_ns() + 20 * EL_NS_PER_MS;
    second.await.deadline_ns = due;
    queue(&f, &first);
    queue(&f, &second);
    until_done(&f, &second, EL_ETIMEOUT);
    assert_true(el_clock_ns() >= due);
    assert_false(first.done);
    empty(&f, total);
    until_turn(&f, &first);
    el_conn_writer_leave(f.conn, &first.await);
    assert_int_equal(second.calls, 1);
    fixture_close(&f);
}

static void test_the_first_writer_times_out(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter first = {.done = false}, second = {.done = false};
    first.await.deadline_ns = el_clock_ns() + 10 * EL_NS_PER_MS;
    (void)fill(&f);
    queue(&f, &first);
    queue(&f, &second);
    until_done(&f, &first, EL_ETIMEOUT);
    until_turn(&f, &second); /* its turn, though there is no room */
    assert_int_equal(try_send(&f, &second, "second", 6), 0);
    el_conn_writer_leave(f.conn, &second.await);
    assert_int_equal(first.calls, 1);
    fixture_close(&f);
}

/* The three deadlines of one connection share a timer. */
static void test_a_reader_and_two_writers_time_out(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w[2] = {{.done = false}};
    struct waiter reader = {.await = {.ready = el_conn_ready_some}};
    uint64_t now = el_clock_ns();
    (void)fill(&f);
    w[0].await.deadline_ns = now + 30 * EL_NS_PER_MS;
    w[1].await.deadline_ns = now + 10 * EL_NS_PER_MS;
    reader.await.deadline_ns = now + 20 * EL_NS_PER_MS;
    queue(&f, &w[0]);
    wait_for(&f, &reader);
    queue(&f, &w[1]);
    until_done(&f, &w[1], EL_ETIMEOUT);
    until_done(&f, &reader, EL_ETIMEOUT);
    until_done(&f, &w[0], EL_ETIMEOUT);
    assert_true(el_clock_ns() >= w[0].await.deadline_ns);
    fixture_close(&f);
}

static void test_close_while_writers_wait(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter writers[2] = {{.done = false}};
    struct waiter reader = {.await = {.ready = el_conn_ready_some}};
    size_t taken;
    uv_buf_t buf = uv_buf_init(block, 1);
    (void)fill(&f);
    queue(&f, &writers[0]);
    queue(&f, &writers[1]);
    wait_for(&f, &reader);
    el_conn_close(f.conn, false);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(writers[i].calls, 1);
        assert_int_equal(writers[i].status, EL_ECLOSED);
    }
    assert_int_equal(reader.status, EL_ECLOSED);
    assert_int_equal(el_conn_try_send(f.conn, NULL, &buf, 1, &taken), EL_ECLOSED);
    assert_int_equal(el_conn_shutdown(f.conn), EL_ECLOSED);
    assert_int_equal(el_conn_await_send(f.conn, &writers[0].await), EL_ECLOSED);
    el_conn_writer_leave(f.conn, &writers[0].await);
    loopback_turn(f.loop);
    assert_int_equal(writers[0].calls, 1);
    fixture_close(&f);
}

static void test_half_close(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = el_conn_ready_some}};
    uv_buf_t buf = uv_buf_init(block, 1);
    size_t taken;
    assert_int_equal(try_send(&f, NULL, "last", 4), 4);
    assert_int_equal(el_conn_shutdown(f.conn), 0);
    assert_int_equal(el_conn_shutdown(f.conn), 0); /* harmless */
    assert_int_equal(loopback_drain(f.loop, f.peer), 4);
    assert_int_equal(el_conn_try_send(f.conn, NULL, &buf, 1, &taken), EL_EHALF);
    assert_int_equal(taken, 0);
    loopback_write(f.peer, "still heard", 11);
    wait_for(&f, &w);
    until_done(&f, &w, 0);
    assert_rx(&f, "still heard");
    fixture_close(&f);
}

static void test_no_half_close_while_writers_wait(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.done = false};
    size_t total = fill(&f);
    queue(&f, &w);
    assert_int_equal(el_conn_shutdown(f.conn), EL_EBUSY);
    empty(&f, total);
    until_turn(&f, &w);
    el_conn_writer_leave(f.conn, &w.await);
    assert_int_equal(el_conn_shutdown(f.conn), 0);
    assert_int_equal(loopback_drain(f.loop, f.peer), 0);
    fixture_close(&f);
}

static void test_close_ends_properly(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    assert_int_equal(try_send(&f, NULL, "bye", 3), 3);
    el_conn_close(f.conn, false);
    assert_int_equal(loopback_drain(f.loop, f.peer), 3);
    fixture_close(&f);
}

static void test_reset(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    el_conn_close(f.conn, true);
    assert_int_equal(loopback_drain(f.loop, f.peer), -ECONNRESET);
    fixture_close(&f);
}

static void test_sending_to_one_that_has_reset(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = el_conn_ready_end}};
    uv_buf_t buf = uv_buf_init(block, 1);
    size_t taken;
    wait_for(&f, &w);
    fixture_reset_peer(&f);
    until_done(&f, &w, 0);
    int err = el_conn_try_send(f.conn, NULL, &buf, 1, &taken);
    assert_true(err == -EPIPE || err == -ECONNRESET);
    assert_int_equal(el_conn_try_send(f.conn, NULL, &buf, 1, &taken),
                     err); /* it stays so */
    fixture_close(&f);
}

/* One that waits for room is woken, and the next try tells it why. */
static void test_a_writer_hears_of_the_reset(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter first = {.done = false}, second = {.done = false};
    uv_buf_t buf = uv_buf_init(block, 1);
    size_t taken;
    (void)fill(&f);
    queue(&f, &first);
    queue(&f, &second);
    fixture_reset_peer(&f);
    until_over(&f, &first);
    int err = el_conn_try_send(f.conn, &first.await, &buf, 1, &taken);
    assert_true(err == -EPIPE || err == -ECONNRESET);
    el_conn_writer_leave(f.conn, &first.await);
    until_over(&f, &second);
    assert_int_equal(el_conn_try_send(f.conn, &second.await, &buf, 1, &taken), err);
    el_conn_writer_leave(f.conn, &second.await);
    fixture_close(&f);
}

/* A send hears of the reset first; the receiving half has not ended properly all the same. */
static void test_a_reset_that_a_send_noticed_is_no_end(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = el_conn_ready_end}};
    uv_buf_t buf = uv_buf_init(block, 1);
    size_t taken;
    fixture_reset_peer(&f);
    int err = el_conn_try_send(f.conn, NULL, &buf, 1, &taken);
    assert_true(err == -EPIPE || err == -ECONNRESET);
    wait_for(&f, &w);
    until_done(&f, &w, 0);
    assert_int_equal(f.conn->rx_end, -ECONNRESET);
    fixture_close(&f);
}

/* --- the transcript ---------------------------------------------------------------------------- */

static void note_event(const struct el_transcript_event *e, void *arg)
{
    static const char names[] = "SROECX-"; /* in the order of enum el_direction */
    char *text = arg;
    size_t n = strlen(text);
    text[n] = names[e->dir];
    memcpy(text + n + 1, e->head, e->head_len);
    text[n + 1 + e->head_len] = '\0';
}

static void test_the_transcript_tells_all(void **state)
{
    struct fixture f = fixture_open(*state, 1000);
    struct waiter w = {.await = {.ready = el_conn_ready_some}};
    struct waiter end = {.await = {.ready = el_conn_ready_end}};
    char text[200] = "";
    assert_int_equal(try_send(&f, NULL, "ping", 4), 4);
    wait_for(&f, &w);
    loopback_write(f.peer, "pong", 4);
    until_done(&f, &w, 0);
    assert_int_equal(el_conn_shutdown(f.conn), 0);
    wait_for(&f, &end);
    assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
    until_done(&f, &end, 0);
    el_conn_close(f.conn, false);
    assert_int_equal(el_transcript_each(f.conn->transcript, note_event, text), 0);
    assert_string_equal(text, "OSpingRpong-ECpong"); /* nobody has taken it */
    fixture_close(&f);
}

#define WITH_LOOP(f) cmocka_unit_test_setup_teardown(f, loopback_setup, loopback_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(test_several_pieces_leave_at_once),
        WITH_LOOP(test_flow_control_holds_us),
        WITH_LOOP(test_nobody_is_called_when_nobody_waits),
        WITH_LOOP(test_writers_take_turns_in_order),
        WITH_LOOP(test_one_in_the_middle_leaves),
        WITH_LOOP(test_the_second_writer_times_out_alone),
        WITH_LOOP(test_the_first_writer_times_out),
        WITH_LOOP(test_a_reader_and_two_writers_time_out),
        WITH_LOOP(test_close_while_writers_wait),
        WITH_LOOP(test_half_close),
        WITH_LOOP(test_no_half_close_while_writers_wait),
        WITH_LOOP(test_close_ends_properly),
        WITH_LOOP(test_reset),
        WITH_LOOP(test_sending_to_one_that_has_reset),
        WITH_LOOP(test_a_writer_hears_of_the_reset),
        WITH_LOOP(test_a_reset_that_a_send_noticed_is_no_end),
        WITH_LOOP(test_the_transcript_tells_all),
    };
    return cmocka_run_group_tests_name("conn_write", tests, NULL, NULL);
}
