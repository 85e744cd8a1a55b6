#include "net/transcript.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/clock.h"
#include "unit.h"

#define DAY_NS (86400 * EL_NS_PER_S)
#define TIME_UNIT_NS 1100 /* what a time is kept to: about a microsecond */

/* What is read back, as copies. */
struct seen {
    enum el_direction dir;
    uint64_t t_ns;
    size_t head_len, omitted, tail_len;
    char *bytes; /* head and tail */
    bool datagram;
    in_port_t port; /* of an IPv4 peer */
};

struct log {
    struct seen *list;
    size_t n, room;
};

static void note(const struct el_transcript_event *e, void *arg)
{
    struct log *log = arg;
    if (log->n == log->room) {
        log->room = log->room > 0 ? 2 * log->room : 16;
        log->list = realloc(log->list, log->room * sizeof(*log->list));
    }
    struct seen *s = &log->list[log->n++];
    *s = (struct seen){e->dir, e->t_ns, e->head_len, e->omitted, e->tail_len, NULL};
    s->datagram = e->datagram;
    if (e->with.ss_family == AF_INET)
        s->port = ntohs(((const struct sockaddr_in *)(const void *)&e->with)->sin_port);
    s->bytes = malloc(e->head_len + e->tail_len + 1);
    memcpy(s->bytes, e->head, e->head_len);
    memcpy(s->bytes + e->head_len, e->tail, e->tail_len);
    s->bytes[e->head_len + e->tail_len] = '\0';
}

static struct log read_back(const struct el_transcript *t)
{
    struct log log = {0};
    assert_int_equal(el_transcript_each(t, note, &log), 0);
    return log;
}

static void drop(struct log *log)
{
    for (size_t i = 0; i < log->n; i++)
        free(log->list[i].bytes);
    free(log->list);
}

static void test_empty(void **state)
{
    struct el_transcript *t = el_transcript_new(NULL, EL_TRANSCRIPT_BYTES);
    (void)state;
    struct log log = read_back(t);
    assert_int_equal(log.n, 0);
    assert_int_equal(el_transcript_dropped(t), 0);
    assert_null(el_transcript_name(t));
    assert_null(el_transcript_address(t));
    el_transcript_prefetch(t);
    drop(&log);
    el_transcript_unref(t);
}

static void test_names_are_copied(void **state)
{
    char name[] = "client", address[] = "tcp://a:1";
    struct el_transcript *t = el_transcript_new(name, EL_TRANSCRIPT_BYTES);
    (void)state;
    el_transcript_set_address(t, address);
    name[0] = address[0] = '!';
    assert_string_equal(el_transcript_name(t), "client");
    assert_string_equal(el_transcript_address(t), "tcp://a:1");
    el_transcript_set_address(t, "tcp://b:2");
    assert_string_equal(el_transcript_address(t), "tcp://b:2");
    el_transcript_unref(t);
}

static void test_references_are_counted(void **state)
{
    struct el_transcript *t = el_transcript_new("x", EL_TRANSCRIPT_BYTES);
    (void)state;
    assert_ptr_equal(el_transcript_ref(t), t);
    el_transcript_unref(t);
    assert_string_equal(el_transcript_name(t), "x"); /* still there */
    el_transcript_unref(t);
    el_transcript_unref(NULL);
}

static void test_events_come_back_in_order(void **state)
{
    static const enum el_direction dirs[] = {
        EL_DIR_OPEN, EL_DIR_SEND,  EL_DIR_RECV,  EL_DIR_SHUTDOWN,
        EL_DIR_EOF,  EL_DIR_RESET, EL_DIR_CLOSE,
    };
    struct el_transcript *t = el_transcript_new(NULL, EL_TRANSCRIPT_BYTES);
    uint64_t began = el_clock_ns();
    (void)state;
    for (size_t i = 0; i < COUNT_OF(dirs); i++)
        el_transcript_add(t, dirs[i], began + i * 5000, "abcdefg", i);
    struct log log = read_back(t);
    assert_int_equal(log.n, COUNT_OF(dirs));
    for (size_t i = 0; i < log.n; i++) {
        assert_int_equal(log.list[i].dir, dirs[i]);
        assert_int_equal(log.list[i].head_len, i);
        assert_int_equal(log.list[i].omitted, 0);
        assert_memory_equal(log.list[i].bytes, "abcdefg", i);
        uint64_t t_ns = began + i * 5000;
        assert_true(log.list[i].t_ns <= t_ns && t_ns - log.list[i].t_ns < TIME_UNIT_NS);
    }
    drop(&log);
    el_transcript_unref(t);
}

/* The n-th of many events of differing sizes. */
static size_t nth(size_t n, char *bytes)
{
    size_t len = n * 37 % 301;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(n + i);
    return len;
}

static void test_grows_without_dropping(void **state)
{
    struct el_transcript *t = el_transcript_new(NULL, EL_TRANSCRIPT_BYTES);
    char bytes[512];
    (void)state;
    for (size_t n = 0; n < 300; n++) /* 300 * (8 + 150): below the cap */
        el_transcript_add(t, EL_DIR_RECV, el_clock_ns(), bytes, nth(n, bytes));
    struct log log = read_back(t);
    assert_int_equal(log.n, 300);
    assert_int_equal(el_transcript_dropped(t), 0);
    for (size_t n = 0; n < log.n; n++) {
        size_t len = nth(n, bytes);
        assert_int_equal(log.list[n].head_len, len);
        assert_memory_equal(log.list[n].bytes, bytes, len);
    }
    drop(&log);
    el_transcript_unref(t);
}

static void test_wraps_and_counts_what_it_drops(void **state)
{
    struct el_transcript *t = el_transcript_new(NULL, EL_TRANSCRIPT_BYTES);
    char bytes[512];
    (void)state;
    for (size_t n = 0; n < 5000; n++) {
        el_transcript_add(t, EL_DIR_SEND, el_clock_ns(), bytes, nth(n, bytes));
        if (n % 501 != 0 && n != 4999)
            continue;
        struct log log = read_back(t);
        size_t first = n + 1 - log.n, size = 0;
        assert_int_equal(el_transcript_dropped(t), first);
        for (size_t i = 0; i < log.n; i++) {
            size_t len = nth(first + i, bytes);
            assert_int_equal(log.list[i].head_len, len);
            assert_memory_equal(log.list[i].bytes, bytes, len);
            size += len;
        }
        assert_true(size <= EL_TRANSCRIPT_BYTES);
        if (first > 0) /* full, but for a record and the words before the bytes */
            assert_true(size + log.n * 8 + 400 > EL_TRANSCRIPT_BYTES);
        drop(&log);
    }
    el_transcript_unref(t);
}

static void test_of_a_large_event_both_ends_are_kept(void **state)
{
    static const size_t sizes[] = {
        EL_TRANSCRIPT_PART,         2 * EL_TRANSCRIPT_PART - 1, 2 * EL_TRANSCRIPT_PART,
        2 * EL_TRANSCRIPT_PART + 1, EL_TRANSCRIPT_BYTES,        (size_t)1 << 20,
    };
    char *bytes = malloc((size_t)1 << 20);
    (void)state;
    for (size_t i = 0; i < (size_t)1 << 20; i++)
        bytes[i] = (char)(i * 7 + i / 256);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        size_t n = sizes[i];
        struct el_transcript *t = el_transcript_new(NULL, EL_TRANSCRIPT_BYTES);
        el_transcript_add(t, EL_DIR_SEND, el_clock_ns(), bytes, n);
        struct log log = read_back(t);
        assert_int_equal(log.n, 1);
        const struct seen *s = &log.list[0];
        assert_int_equal(s->head_len + s->omitted + s->tail_len, n);
        if (n <= 2 * EL_TRANSCRIPT_PART) {
            assert_int_equal(s->omitted, 0);
        } else {
            assert_int_equal(s->head_len, EL_TRANSCRIPT_PART);
            assert_int_equal(s->tail_len, EL_TRANSCRIPT_PART);
        }
        assert_memory_equal(s->bytes, bytes, s->head_len);
        assert_memory_equal(s->bytes + s->head_len, bytes + n - s->tail_len, s->tail_len);
        drop(&log);
        el_transcript_unref(t);
    }
    free(bytes);
}

static void test_of_some_events_the_head_alone_is_kept(void **state)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 2 * EL_TRANSCRIPT_PART + 1};
    struct el_transcript *t = el_transcript_new(NULL, EL_TRANSCRIPT_BYTES);
    char bytes[2 * EL_TRANSCRIPT_PART + 1];
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7 + i / 256);
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        el_transcript_add_head(t, EL_DIR_CLOSE, el_clock_ns(), bytes, sizes[i], 64);
    el_transcript_add(t, EL_DIR_SEND, el_clock_ns(), "x", 1);
    struct log log = read_back(t);
    assert_int_equal(log.n, COUNT_OF(sizes) + 1);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        const struct seen *s = &log.list[i];
        assert_int_equal(s->head_len, sizes[i] < 64 ? sizes[i] : 64);
        assert_int_equal(s->omitted, sizes[i] - s->head_len);
        assert_int_equal(s->tail_len, 0);
        assert_memory_equal(s->bytes, bytes, s->head_len);
    }
    assert_string_equal(log.list[COUNT_OF(sizes)].bytes, "x");
    drop(&log);
    el_transcript_unref(t);
}

/* In small rings, too, nothing is kept that is longer than a part, and all else is as above. */
static void test_small_rings(void **state)
{
    static const size_t mosts[] = {512, 1024, EL_TRANSCRIPT_BYTES_FEW};
    char bytes[EL_TRANSCRIPT_BYTES_FEW];
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7 + i / 256);
    for (size_t m = 0; m < COUNT_OF(mosts); m++) {
        size_t part = mosts[m] / EL_TRANSCRIPT_PARTS;
        struct el_transcript *t = el_transcript_new(NULL, mosts[m]);
        for (int i = 0; i < 100; i++)
            el_transcript_add(t, EL_DIR_RECV, el_clock_ns(), bytes, sizeof(bytes));
        el_transcript_add_head(t, EL_DIR_CLOSE, el_clock_ns(), bytes, sizeof(bytes), 64);
        struct log log = read_back(t);
        assert_true(log.n >= 4);
        assert_int_equal(log.n + el_transcript_dropped(t), 101);
        for (size_t i = 0; i < log.n; i++) {
            const struct seen *s = &log.list[i];
            bool last = i == log.n - 1;
            assert_int_equal(s->head_len, last && part > 64 ? 64 : part);
            assert_int_equal(s->tail_len, last ? 0 : part);
            assert_int_equal(s->omitted, sizeof(bytes) - s->head_len - s->tail_len);
            assert_memory_equal(s->bytes, bytes, s->head_len);
            assert_memory_equal(s->bytes + s->head_len,
                                bytes + sizeof(bytes) - s->tail_len, s->tail_len);
        }
        drop(&log);
        el_transcript_unref(t);
    }
}

static void test_large_events_wrap_too(void **state)
{
    struct el_transcript *t = el_transcript_new(NULL, EL_TRANSCRIPT_BYTES);
    static char bytes[100000];
    (void)state;
    for (int n = 0; n < 100; n++) {
        memset(bytes, 'a' + n % 26, sizeof(bytes));
        el_transcript_add(t, EL_DIR_RECV, el_clock_ns(), bytes,
                          sizeof(bytes) - (size_t)n);
        el_transcript_add(t, EL_DIR_SEND, el_clock_ns(), "x", 1);
    }
    struct log log = read_back(t);
    assert_int_equal(log.n + el_transcript_dropped(t), 200);
    assert_true(log.n >= 14 && log.n <= 16); /* 64 KiB hold seven of 8 KiB and a bit */
    for (size_t i = 0; i < log.n; i++) {
        size_t n = (200 - log.n + i) / 2;
        const struct seen *s = &log.list[i];
        if (s->dir == EL_DIR_SEND) {
            assert_string_equal(s->bytes, "x");
            continue;
        }
        assert_int_equal(s->omitted, sizeof(bytes) - n - 2 * EL_TRANSCRIPT_PART);
        for (size_t k = 0; k < s->head_len + s->tail_len; k++)
            assert_int_equal(s->bytes[k], 'a' + (int)n % 26);
    }
    drop(&log);
    el_transcript_unref(t);
}

/* Times have 40 bits, for 13 days. Past that they stand still. */
static void test_times_end_after_thirteen_days(void **state)
{
    static const unsigned days[] = {0, 1, 12, 14, 100};
    static const size_t sizes[] = {3, 0, 1, 2, 200};
    struct el_transcript *t = el_transcript_new(NULL, EL_TRANSCRIPT_BYTES);
    uint64_t began = el_clock_ns();
    char bytes[200] = {0};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(days); i++)
        el_transcript_add(t, EL_DIR_RECV, began + days[i] * DAY_NS, bytes, sizes[i]);
    struct log log = read_back(t);
    assert_int_equal(log.n, COUNT_OF(days));
    for (size_t i = 0; i < 3; i++) {
        uint64_t t_ns = began + days[i] * DAY_NS;
        assert_true(log.list[i].t_ns <= t_ns && t_ns - log.list[i].t_ns < TIME_UNIT_NS);
    }
    assert_true(log.list[3].t_ns > log.list[2].t_ns);
    assert_true(log.list[4].t_ns == log.list[3].t_ns);
    for (size_t i = 0; i < log.n; i++) { /* no time ran over into what stands beside it */
        assert_int_equal(log.list[i].head_len, sizes[i]);
        assert_int_equal(log.list[i].dir, EL_DIR_RECV);
    }
    drop(&log);
    el_transcript_unref(t);
}

/* Of every size around the limits: the bytes of both ends, whom with, and nothing of others. */
static void test_datagrams(void **state)
{
    static char data[65507];
    static const size_t part = EL_TRANSCRIPT_PART;
    const size_t sizes[] = {0,
                            1,
                            part - 18,
                            part - 17,
                            part,
                            2 * part - 18,
                            2 * part - 17,
                            2 * part - 16,
                            2 * part,
                            sizeof(data)};
    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)('a' + i % 23);
    for (int known = 0; known <= 1; known++) {
        struct el_transcript *t = el_transcript_new(NULL, EL_TRANSCRIPT_BYTES);
        uint64_t now = el_clock_ns();
        el_transcript_add_datagram(t, EL_DIR_OPEN, now, NULL, 0, NULL, 0);
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            struct sockaddr_in with = {.sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)(1000 + i))};
            el_transcript_add_datagram(t, EL_DIR_RECV, now, (struct sockaddr *)&with,
                                       known ? sizeof(with) : 0, data, sizes[i]);
        }
        el_transcript_add(t, EL_DIR_SEND, now, "x", 1);
        struct log log = read_back(t);
        assert_int_equal(log.n, COUNT_OF(sizes) + 2);
        assert_true(log.list[0].datagram);
        assert_int_equal(log.list[0].dir, EL_DIR_OPEN);
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            const struct seen *s = &log.list[i + 1];
            assert_true(s->datagram);
            assert_int_equal(s->dir, EL_DIR_RECV);
            assert_int_equal(s->port, known ? 1000 + i : 0);
            assert_int_equal(s->head_len + s->omitted + s->tail_len, sizes[i]);
            assert_true(s->omitted == 0 || s->tail_len == part);
            assert_memory_equal(s->bytes, data, s->head_len);
            assert_memory_equal(s->bytes + s->head_len, data + sizes[i] - s->tail_len,
                                s->tail_len);
        }
        assert_false(log.list[log.n - 1].datagram);
        assert_int_equal(log.list[log.n - 1].dir, EL_DIR_SEND);
        drop(&log);
        el_transcript_unref(t);
    }
}

/* A small ring, which wraps within fronts and bytes. */
static void test_datagrams_wrap(void **state)
{
    struct el_transcript *t = el_transcript_new(NULL, 512);
    (void)state;
    for (uint16_t i = 0; i < 1000; i++) {
        struct sockaddr_in with = {.sin_family = AF_INET, .sin_port = htons(i)};
        el_transcript_add_datagram(t, EL_DIR_SEND, el_clock_ns(),
                                   (struct sockaddr *)&with, sizeof(with), "0123456789",
                                   i % 11);
    }
    struct log log = read_back(t);
    assert_true(log.n > 3);
    for (size_t i = 0; i < log.n; i++) {
        size_t n = 1000 - log.n + i;
        assert_int_equal(log.list[i].port, n);
        assert_int_equal(log.list[i].head_len, n % 11);
        assert_memory_equal(log.list[i].bytes, "0123456789", n % 11);
    }
    assert_int_equal(el_transcript_dropped(t) + log.n, 1000);
    drop(&log);
    el_transcript_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_names_are_copied),
        cmocka_unit_test(test_references_are_counted),
        cmocka_unit_test(test_events_come_back_in_order),
        cmocka_unit_test(test_grows_without_dropping),
        cmocka_unit_test(test_wraps_and_counts_what_it_drops),
        cmocka_unit_test(test_of_a_large_event_both_ends_are_kept),
        cmocka_unit_test(test_of_some_events_the_head_alone_is_kept),
        cmocka_unit_test(test_small_rings),
        cmocka_unit_test(test_large_events_wrap_too),
        cmocka_unit_test(test_times_end_after_thirteen_days),
        cmocka_unit_test(test_datagrams),
        cmocka_unit_test(test_datagrams_wrap),
    };
    return cmocka_run_group_tests_name("transcript", tests, NULL, NULL);
}
