#include "net/loop.h"

#include "base/clock.h"
#include "loopback.h"
#include "net/timer.h"

/* --- chunks ----------------------------------------------------------------------------------- */

static void test_the_chunk_given_last_is_taken_first(void **state)
{
    struct el_loop *loop = *state;
    char *a = el_loop_chunk_take(loop), *b = el_loop_chunk_take(loop);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    memset(a, 1, EL_CHUNK_SIZE);
    memset(b, 2, EL_CHUNK_SIZE);
    el_loop_chunk_give(loop, a);
    el_loop_chunk_give(loop, b);
    assert_ptr_equal(el_loop_chunk_take(loop), b);
    assert_ptr_equal(el_loop_chunk_take(loop), a);
    el_loop_chunk_give(loop, a);
    el_loop_chunk_give(loop, b);
}

static void test_no_more_chunks_are_kept_than_fit(void **state)
{
    struct el_loop *loop = *state;
    char *chunks[EL_CHUNKS_KEPT + 3];
    for (size_t i = 0; i < COUNT_OF(chunks); i++)
        assert_non_null(chunks[i] = el_loop_chunk_take(loop));
    for (size_t i = 0; i < COUNT_OF(chunks); i++)
        el_loop_chunk_give(loop, chunks[i]);
    assert_int_equal(loop->chunk_count, EL_CHUNKS_KEPT);
}

/* --- timers ----------------------------------------------------------------------------------- */

struct shot {
    bool fired;
    int count;
    uint64_t at_ns;
    int *turn;
    int place;
};

static void on_fire(void *arg)
{
    struct shot *s = arg;
    s->fired = true;
    s->count++;
    s->at_ns = el_clock_ns();
    if (s->turn != NULL)
        s->place = ++*s->turn;
}

static void test_fires_once_and_not_early(void **state)
{
    struct el_loop *loop = *state;
    struct shot shot = {0}, later = {0};
    struct el_timer *t = el_timer_new(loop, on_fire, &shot);
    struct el_timer *u = el_timer_new(loop, on_fire, &later);
    uint64_t due = el_clock_ns() + 20 * EL_NS_PER_MS;
    el_timer_start(t, due);
    el_timer_start(u, due + 20 * EL_NS_PER_MS);
    assert_false(shot.fired); /* never from start */
    loopback_until(loop, &shot.fired);
    assert_true(shot.at_ns >= due);
    loopback_until(loop, &later.fired);
    assert_int_equal(shot.count, 1);
    el_timer_free(t);
    el_timer_free(u);
}

static void test_a_moment_that_has_passed_fires_in_the_next_turns(void **state)
{
    struct shot shot = {0};
    struct el_timer *t = el_timer_new(*state, on_fire, &shot);
    el_timer_start(t, 1);
    assert_false(shot.fired);
    loopback_until(*state, &shot.fired);
    el_timer_free(t);
}

static void test_fire_in_the_order_of_their_moments(void **state)
{
    struct shot shots[3] = {{0}};
    struct el_timer *timers[3];
    uint64_t now = el_clock_ns();
    int turn = 0;
    for (int i = 0; i < 3; i++) {
        shots[i].turn = &turn;
        timers[i] = el_timer_new(*state, on_fire, &shots[i]);
        el_timer_start(timers[i], now + (uint64_t)(30 - 10 * i) * EL_NS_PER_MS);
    }
    loopback_until(*state, &shots[0].fired);
    assert_int_equal(shots[2].place, 1);
    assert_int_equal(shots[1].place, 2);
    assert_int_equal(shots[0].place, 3);
    for (int i = 0; i < 3; i++)
        el_timer_free(timers[i]);
}

static void test_a_restart_moves_it(void **state)
{
    struct shot shot = {0}, mark = {0};
    struct el_timer *t = el_timer_new(*state, on_fire, &shot);
    struct el_timer *u = el_timer_new(*state, on_fire, &mark);
    uint64_t now = el_clock_ns();
    el_timer_start(t, now + 5 * EL_NS_PER_MS);
    el_timer_start(t, now + 60 * EL_NS_PER_MS);
    el_timer_start(u, now + 15 * EL_NS_PER_MS);
    loopback_until(*state, &mark.fired);
    if (mark.at_ns < now + 50 * EL_NS_PER_MS) /* unless the machine stood still */
        assert_false(shot.fired);
    loopback_until(*state, &shot.fired);
    assert_true(shot.at_ns >= now + 60 * EL_NS_PER_MS);
    assert_int_equal(shot.count, 1);
    el_timer_free(t);
    el_timer_free(u);
}

static void test_stopped_and_freed_ones_do_not_fire(void **state)
{
    struct shot stopped = {0}, freed = {0}, mark = {0};
    struct el_timer *t = el_timer_new(*state, on_fire, &stopped);
    struct el_timer *u = el_timer_new(*state, on_fire, &freed);
    struct el_timer *v = el_timer_new(*state, on_fire, &mark);
    uint64_t now = el_clock_ns();
    el_timer_start(t, now + EL_NS_PER_MS);
    el_timer_start(u, now + EL_NS_PER_MS);
    el_timer_start(v, now + 10 * EL_NS_PER_MS);
    el_timer_stop(t);
    el_timer_stop(t); /* harmless */
    el_timer_free(u);
    loopback_until(*state, &mark.fired);
    assert_false(stopped.fired);
    assert_false(freed.fired);
    el_timer_free(t);
    el_timer_free(v);
    el_timer_free(NULL);
}

static void test_far_moments_do_not_wrap(void **state)
{
    struct shot far = {0}, mark = {0};
    struct el_timer *t = el_timer_new(*state, on_fire, &far);
    struct el_timer *u = el_timer_new(*state, on_fire, &mark);
    el_timer_start(t, UINT64_MAX);
    el_timer_start(u, el_clock_ns() + 10 * EL_NS_PER_MS);
    loopback_until(*state, &mark.fired);
    assert_false(far.fired);
    el_timer_free(t);
    el_timer_free(u);
}

/* What is left running is freed by the loop's end: the leak checker would tell. */
static void test_fini_ends_what_is_left(void **state)
{
    struct el_loop loop;
    struct shot shot = {0};
    (void)state;
    assert_int_equal(el_loop_init(&loop), 0);
    struct el_timer *t = el_timer_new(&loop, on_fire, &shot);
    assert_non_null(t);
    el_timer_start(t, el_clock_ns() + 3600 * EL_NS_PER_S);
    el_loop_chunk_give(&loop, el_loop_chunk_take(&loop));
    el_loop_fini(&loop);
    assert_false(shot.fired);
}

#define WITH_LOOP(f) cmocka_unit_test_setup_teardown(f, loopback_setup, loopback_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(test_the_chunk_given_last_is_taken_first),
        WITH_LOOP(test_no_more_chunks_are_kept_than_fit),
        WITH_LOOP(test_fires_once_and_not_early),
        WITH_LOOP(test_a_moment_that_has_passed_fires_in_the_next_turns),
        WITH_LOOP(test_fire_in_the_order_of_their_moments),
        WITH_LOOP(test_a_restart_moves_it),
        WITH_LOOP(test_stopped_and_freed_ones_do_not_fire),
        WITH_LOOP(test_far_moments_do_not_wrap),
        cmocka_unit_test(test_fini_ends_what_is_left),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
