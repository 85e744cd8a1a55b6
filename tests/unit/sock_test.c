#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "loopback.h"
#include "net/timer.h"

/* An owner that keeps what it hears. */
struct ear {
    struct el_stream *stream; /* NULL: closed */
    char bytes[64];
    size_t room, have;
    int end; /* a negative error, the first that came */
    int reads;
    bool heard, writable, closed, closes; /* closes: within the next read */
};

static void ear_alloc(void *owner, uv_buf_t *out)
{
    struct ear *e = owner;
    *out = uv_buf_init(e->bytes + e->have, (unsigned)(e->room - e->have));
}

static void ear_close(struct ear *e)
{
    e->stream->ops->close(e->stream, false);
    e->stream = NULL;
}

static void ear_read(void *owner, ssize_t n)
{
    struct ear *e = owner;
    e->reads++;
    if (n == 0)
        return;
    e->heard = true;
    if (n > 0)
        e->have += (size_t)n;
    else if (e->end == 0)
        e->end = (int)n;
    if (n < 0 && !e->closes)
        e->stream->ops->read_stop(e->stream);
    if (e->closes)
        ear_close(e);
}

static void ear_writable(void *owner)
{
    ((struct ear *)owner)->writable = true;
}

static void ear_closed(void *owner)
{
    ((struct ear *)owner)->closed = true;
}

static const struct el_stream_events events = {
    .alloc = ear_alloc, .read = ear_read, .writable = ear_writable, .closed = ear_closed};

/* The socket under test, and the plain one at its other end. */
static int ear_open(struct el_loop *loop, struct ear *e)
{
    int ours, theirs;
    *e = (struct ear){.room = sizeof(e->bytes)};
    loopback_pair(&ours, &theirs);
    loopback_nonblocking(ours);
    assert_int_equal(el_sock_adopt(loop, ours, true, &e->stream), 0);
    el_stream_own(e->stream, &events, e);
    assert_int_equal(e->stream->ops->read_start(e->stream), 0);
    loopback_turn(loop); /* which tells epoll */
    return theirs;
}

static void ear_end(struct el_loop *loop, struct ear *e, int theirs)
{
    if (e->stream != NULL)
        ear_close(e);
    loopback_until(loop, &e->closed);
    if (theirs >= 0)
        assert_int_equal(close(theirs), 0);
}

/* --- a socket alone -------------------------------------------------------------------------- */

static void test_alone_it_is_read_without_a_turn_of_the_loop(void **state)
{
    struct ear e;
    int theirs = ear_open(*state, &e);
    for (int i = 1; i <= 3; i++) {
        loopback_write(theirs, "x", 1);
        assert_true(el_sock_read_alone(*state));
        assert_int_equal(e.have, i);
    }
    assert_int_equal(close(theirs), 0);
    assert_true(el_sock_read_alone(*state));
    assert_int_equal(e.end, EL_EEOF);
    assert_false(el_sock_read_alone(*state)); /* nobody reads any more */
    ear_end(*state, &e, -1);
}

static void test_nothing_comes_to_one_that_is_alone(void **state)
{
    struct ear e;
    int theirs = ear_open(*state, &e);
    assert_false(el_sock_read_alone(*state)); /* after a while */
    assert_false(e.heard);
    assert_true(e.reads > 0); /* the owner's memory was given back */
    ear_end(*state, &e, theirs);
}

/* What had been read without waiting is read so again, and nothing waits for room. */
static void test_the_loop_goes_on_with_a_socket_that_was_alone(void **state)
{
    static char bulk[1 << 20];
    uv_buf_t buf = uv_buf_init(bulk, sizeof(bulk));
    struct ear e, other;
    int theirs = ear_open(*state, &e);
    loopback_write(theirs, "x", 1);
    assert_true(el_sock_read_alone(*state));
    int others = ear_open(*state, &other);
    assert_false(el_sock_read_alone(*state)); /* of two, neither is */
    e.heard = false;
    loopback_write(theirs, "y", 1);
    loopback_until(*state, &e.heard); /* and the turn ends although nothing follows */
    assert_memory_equal(e.bytes, "xy", 2);
    ssize_t sent;
    do
        sent = e.stream->ops->try_write(e.stream, &buf, 1);
    while (sent > 0);
    assert_int_equal(sent, -EAGAIN);
    ear_end(*state, &other, others);
    ear_end(*state, &e, theirs);
}

static void test_who_also_wants_to_write_is_not_alone(void **state)
{
    struct ear e;
    int theirs = ear_open(*state, &e);
    assert_int_equal(e.stream->ops->want_write(e.stream, true), 0);
    loopback_until(*state, &e.writable);
    loopback_turn(*state);
    loopback_write(theirs, "w", 1);
    assert_false(el_sock_read_alone(*state));
    loopback_until(*state, &e.heard);
    assert_int_equal(e.stream->ops->want_write(e.stream, false), 0);
    loopback_turn(*state);
    loopback_write(theirs, "x", 1);
    assert_true(el_sock_read_alone(*state));
    ear_end(*state, &e, theirs);
}

static void on_fire(void *arg)
{
    *(bool *)arg = true;
}

static void test_a_timer_that_is_due_soon_is_not_kept_waiting(void **state)
{
    struct ear e;
    bool fired = false;
    int theirs = ear_open(*state, &e);
    struct el_timer *timer = el_timer_new(*state, on_fire, &fired);
    el_timer_start(timer, el_clock_ns() + 20 * EL_NS_PER_MS);
    loopback_write(theirs, "x", 1);
    assert_false(el_sock_read_alone(*state));
    loopback_until(*state, &fired);
    el_timer_start(timer,
                   el_clock_ns() + 3600 * EL_NS_PER_S); /* one in an hour is no matter */
    loopback_turn(*state);
    loopback_write(theirs, "y", 1);
    assert_true(el_sock_read_alone(*state));
    el_timer_free(timer);
    ear_end(*state, &e, theirs);
}

static void on_signal(int number)
{
    (void)number;
}

static void test_a_signal_ends_the_wait(void **state)
{
    struct sigaction action = {.sa_handler = on_signal}, before; /* without SA_RESTART */
    struct itimerval often = {.it_interval.tv_usec = 5000, .it_value.tv_usec = 5000};
    struct itimerval never = {0};
    struct ear e;
    int theirs = ear_open(*state, &e);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    bool delivered = el_sock_read_alone(*state);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    assert_false(delivered);
    assert_int_equal(e.end, 0); /* no failure of the connection's */
    loopback_write(theirs, "x", 1);
    loopback_until(*state, &e.heard);
    ear_end(*state, &e, theirs);
}

/* --- reading and its ends -------------------------------------------------------------------- */

static void reset(int fd)
{
    struct linger linger = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    assert_int_equal(close(fd), 0);
}

static void test_a_reset_is_told_behind_an_owner_that_writes(void **state)
{
    struct ear e;
    int theirs = ear_open(*state, &e);
    reset(theirs);
    assert_int_equal(e.stream->ops->want_write(e.stream, true), 0);
    loopback_until(*state, &e.heard);
    assert_int_equal(e.end, -ECONNRESET);
    assert_true(e.writable); /* who waits to write hears of it, too */
    ear_end(*state, &e, -1);
}

static void test_a_reset_while_nobody_reads(void **state)
{
    struct ear e;
    int theirs = ear_open(*state, &e);
    e.stream->ops->read_stop(e.stream);
    reset(theirs);
    assert_int_equal(e.stream->ops->want_write(e.stream, true), 0);
    loopback_until(*state, &e.writable);
    assert_false(e.heard);
    assert_int_equal(e.stream->ops->want_write(e.stream, false), 0);
    assert_int_equal(e.stream->ops->read_start(e.stream), 0);
    loopback_until(*state, &e.heard);
    assert_true(e.end < 0);
    ear_end(*state, &e, -1);
}

static void test_no_room_is_told_and_nothing_is_lost(void **state)
{
    struct ear e;
    int theirs = ear_open(*state, &e);
    e.room = 0;
    loopback_write(theirs, "ab", 2);
    loopback_until(*state, &e.heard);
    assert_int_equal(e.end, -ENOBUFS);
    e.room = sizeof(e.bytes);
    e.heard = false;
    assert_int_equal(e.stream->ops->read_start(e.stream), 0);
    loopback_until(*state, &e.heard);
    assert_int_equal(e.have, 2);
    ear_end(*state, &e, theirs);
}

static void test_closed_within_a_read(void **state)
{
    for (int alone = 0; alone < 2; alone++) {
        struct ear e;
        int theirs = ear_open(*state, &e);
        e.closes = true;
        e.room = 1; /* the first read fills it: another would follow */
        loopback_write(theirs, "ab", 2);
        if (alone)
            assert_true(el_sock_read_alone(*state));
        loopback_until(*state, &e.closed);
        assert_int_equal(e.have, 1);
        ear_end(*state, &e, theirs);
    }
}

#define WITH_LOOP(f) cmocka_unit_test_setup_teardown(f, loopback_setup, loopback_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(test_alone_it_is_read_without_a_turn_of_the_loop),
        WITH_LOOP(test_nothing_comes_to_one_that_is_alone),
        WITH_LOOP(test_the_loop_goes_on_with_a_socket_that_was_alone),
        WITH_LOOP(test_who_also_wants_to_write_is_not_alone),
        WITH_LOOP(test_a_timer_that_is_due_soon_is_not_kept_waiting),
        WITH_LOOP(test_a_signal_ends_the_wait),
        WITH_LOOP(test_a_reset_is_told_behind_an_owner_that_writes),
        WITH_LOOP(test_a_reset_while_nobody_reads),
        WITH_LOOP(test_no_room_is_told_and_nothing_is_lost),
        WITH_LOOP(test_closed_within_a_read),
    };
    return cmocka_run_group_tests_name("sock", tests, NULL, NULL);
}
