#include "base/clock.h"

#include <math.h>
#include <time.h>

#include "unit.h"

static void test_never_goes_back_and_is_never_zero(void **state)
{
    uint64_t last = 0;
    (void)state;
    for (int i = 0; i < 10000; i++) {
        uint64_t now = el_clock_ns();
        assert_true(now > 0);
        assert_true(now >= last);
        last = now;
    }
}

static void test_unix_time_is_the_systems(void **state)
{
    (void)state;
    double before = (double)time(NULL);
    double now = el_clock_unix();
    double after = (double)time(NULL) + 1;
    assert_true(now >= before - 1 && now <= after);
}

static void test_a_deadline_is_not_early(void **state)
{
    static const double seconds[] = {0, 1e-9, 0.001, 0.5, 1, 3600, 3.1e9};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(seconds); i++) {
        uint64_t before = el_clock_ns();
        uint64_t due = el_clock_deadline(seconds[i]);
        /* a float of nanoseconds is exact to 512 at this size */
        assert_true((double)due >= (double)before + seconds[i] * 1e9 - 512);
        assert_true((double)due <= (double)el_clock_ns() + seconds[i] * 1e9 + 11e6);
    }
}

static void test_for_ever_is_zero(void **state)
{
    (void)state;
    assert_int_equal(el_clock_deadline(INFINITY), 0);
    assert_int_equal(el_clock_deadline(1e300), 0);
    assert_int_equal(el_clock_deadline(3.3e9), 0);
    assert_int_not_equal(el_clock_deadline(3.1e9), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_goes_back_and_is_never_zero),
        cmocka_unit_test(test_unix_time_is_the_systems),
        cmocka_unit_test(test_a_deadline_is_not_early),
        cmocka_unit_test(test_for_ever_is_zero),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
