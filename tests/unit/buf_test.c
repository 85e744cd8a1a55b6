#include "base/buf.h"

#include <errno.h>

#include "unit.h"

static void test_zeroed_is_empty(void **state)
{
    struct el_buf b = {0};
    (void)state;
    assert_int_equal(el_buf_tail(&b), 0);
    assert_int_equal(el_buf_append(&b, NULL, 0), 0);
    assert_int_equal(el_buf_reserve(&b, 0), 0);
    assert_null(b.base);
    el_buf_consume(&b, 0);
    el_buf_fini(&b);
}

static void test_append_grows_and_keeps(void **state)
{
    struct el_buf b = {0};
    (void)state;
    for (int i = 0; i < 10000; i++) {
        char c = (char)i;
        assert_int_equal(el_buf_append(&b, &c, 1), 0);
    }
    assert_int_equal(b.len, 10000);
    assert_true(b.cap >= 10000 && b.cap < 4 * 10000);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(el_buf_data(&b)[i], (char)i);
    el_buf_fini(&b);
    assert_null(b.base);
    assert_int_equal(b.len + b.cap + b.off, 0);
}

static void test_reserve_gives_the_room_it_was_asked_for(void **state)
{
    static const size_t sizes[] = {1, 63, 64, 65, 4096, 65537, 1 << 20};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct el_buf b = {0};
        assert_int_equal(el_buf_append(&b, "abc", 3), 0);
        assert_int_equal(el_buf_reserve(&b, sizes[i]), 0);
        assert_true(el_buf_tail(&b) >= sizes[i]);
        assert_memory_equal(el_buf_data(&b), "abc", 3);
        memset(el_buf_data(&b) + b.len, 'x', el_buf_tail(&b));
        el_buf_fini(&b);
    }
}

static void test_reserve_without_need_moves_nothing(void **state)
{
    struct el_buf b = {0};
    (void)state;
    assert_int_equal(el_buf_append(&b, "abcdef", 6), 0);
    const char *base = b.base;
    el_buf_consume(&b, 2);
    assert_int_equal(el_buf_reserve(&b, el_buf_tail(&b)), 0);
    assert_ptr_equal(b.base, base);
    assert_int_equal(b.off, 2);
    el_buf_fini(&b);
}

static void test_reserve_moves_to_the_front_where_that_is_enough(void **state)
{
    struct el_buf b = {0};
    (void)state;
    assert_int_equal(el_buf_reserve(&b, 64), 0);
    size_t cap = b.cap;
    const char *base = b.base;
    char filler[4096];
    memset(filler, 'f', sizeof(filler));
    assert_true(cap <= sizeof(filler));
    assert_int_equal(el_buf_append(&b, filler, cap), 0);
    el_buf_consume(&b, cap - 8);
    assert_int_equal(el_buf_reserve(&b, 16), 0);
    assert_ptr_equal(b.base, base);
    assert_int_equal(b.cap, cap);
    assert_int_equal(b.off, 0);
    assert_memory_equal(el_buf_data(&b), "ffffffff", 8);
    el_buf_fini(&b);
}

static void test_consume_to_the_end_goes_back_to_the_front(void **state)
{
    struct el_buf b = {0};
    (void)state;
    assert_int_equal(el_buf_append(&b, "abc", 3), 0);
    el_buf_consume(&b, 1);
    assert_int_equal(b.off, 1);
    assert_memory_equal(el_buf_data(&b), "bc", 2);
    el_buf_consume(&b, 2);
    assert_int_equal(b.off, 0);
    assert_int_equal(b.len, 0);
    el_buf_fini(&b);
}

static void test_a_size_that_no_memory_has_is_refused(void **state)
{
    struct el_buf b = {0};
    (void)state;
    assert_int_equal(el_buf_append(&b, "abc", 3), 0);
    assert_int_equal(el_buf_reserve(&b, SIZE_MAX), -ENOMEM);
    assert_int_equal(el_buf_reserve(&b, SIZE_MAX / 2), -ENOMEM);
    assert_int_equal(b.len, 3);
    assert_memory_equal(el_buf_data(&b), "abc", 3);
    el_buf_fini(&b);
}

/* A queue of bytes: whatever is put in comes out, in order. */
static void test_as_a_queue(void **state)
{
    struct el_buf b = {0};
    unsigned in = 0, out = 0, seed = 7;
    (void)state;
    for (int turn = 0; turn < 20000; turn++) {
        seed = seed * 1103515245u + 12345u;
        unsigned n = (seed >> 16) % 97;
        for (unsigned i = 0; i < n; i++, in++) {
            unsigned char c = (unsigned char)(in % 251);
            assert_int_equal(el_buf_append(&b, &c, 1), 0);
        }
        seed = seed * 1103515245u + 12345u;
        n = (seed >> 16) % 97;
        if (n > b.len)
            n = (unsigned)b.len;
        for (unsigned i = 0; i < n; i++, out++)
            assert_int_equal((unsigned char)el_buf_data(&b)[i], out % 251);
        el_buf_consume(&b, n);
        assert_int_equal(b.len, in - out);
        assert_true(b.off + b.len <= b.cap);
    }
    el_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeroed_is_empty),
        cmocka_unit_test(test_append_grows_and_keeps),
        cmocka_unit_test(test_reserve_gives_the_room_it_was_asked_for),
        cmocka_unit_test(test_reserve_without_need_moves_nothing),
        cmocka_unit_test(test_reserve_moves_to_the_front_where_that_is_enough),
        cmocka_unit_test(test_consume_to_the_end_goes_back_to_the_front),
        cmocka_unit_test(test_a_size_that_no_memory_has_is_refused),
        cmocka_unit_test(test_as_a_queue),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
