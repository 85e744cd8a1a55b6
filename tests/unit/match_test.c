/* Matching on a stream: what each matcher costs when its bytes come one at a time, and what it
 * keeps from one attempt to the next. What it decides is held by tests/lua/expect_sweep_test.lua. */
#include "match/match.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "unit.h"

#define LARGE ((size_t)1 << 20)

/* Asks with 1, 2, ... bytes until it is decided; every byte costs one ask. */
static int drip(struct el_match *m, const char *data, size_t len)
{
    int verdict = EL_MORE;
    for (size_t n = 1; n <= len && verdict == EL_MORE; n++)
        verdict = el_match_ask(m, data, n, n == len);
    return verdict;
}

static char *x_and(const char *end)
{
    size_t n = strlen(end);
    char *data = malloc(LARGE);
    memset(data, 'x', LARGE);
    memcpy(data + LARGE - n, end, n);
    return data;
}

/* Were any of these quadratic, it would look at 2^39 bytes: minutes, not milliseconds, and the
 * time limit of this test ends it. */
static void a_mebibyte_one_byte_at_a_time(void **state)
{
    struct el_matcher line, delimited, counted, pattern = {.kind = EL_MATCHER_PATTERN},
                                                regex = {.kind = EL_MATCHER_REGEX};
    struct el_match m = {0};
    const char *why;
    char text[EL_REGEX_WHY_MAX];
    size_t where;
    (void)state;
    assert_int_equal(el_matcher_frame(&line, EL_MATCHER_LINE, NULL), 0);
    assert_int_equal(el_matcher_frame(&delimited, EL_MATCHER_DELIMITED, NULL), 0);
    assert_int_equal(el_matcher_set_bytes(&delimited, "xxy", 3), 0);
    assert_int_equal(el_matcher_frame(&counted, EL_MATCHER_COUNTED, NULL), 0);
    assert_int_equal(el_matcher_parse_prefix(">I4", 3, &counted.prefix), 0);
    assert_int_equal(el_pattern_compile("(x*)y\n", 6, &pattern.pattern, &why, &where), 0);
    assert_int_equal(el_regex_compile("(x*)y\\n", 7, "", &regex.regex, text, &where), 0);

    const struct el_matcher *const matchers[] = {&line, &delimited, &pattern, &regex};
    char *data = x_and("y\n");
    for (size_t i = 0; i < sizeof(matchers) / sizeof(matchers[0]); i++) {
        assert_int_equal(el_match_begin(&m, matchers[i], false, LARGE), 0);
        assert_int_equal(drip(&m, data, LARGE), EL_YES);
        assert_int_equal(m.taken, i == 1 ? LARGE - 1 : LARGE);
    }
    memcpy(data, "\0\x0f\xff\xfc", 4); /* as many as follow */
    assert_int_equal(el_match_begin(&m, &counted, false, LARGE), 0);
    assert_int_equal(drip(&m, data, LARGE), EL_YES);
    assert_int_equal(m.text_len, LARGE - 4);
    free(data);
    el_match_fini(&m);
    el_matcher_fini(&delimited);
    el_matcher_fini(&pattern);
    el_matcher_fini(&regex);
}

static void a_search_looks_at_each_byte_once(void **state)
{
    struct el_matcher literal;
    struct el_match m = {0};
    char *data = x_and("xy"), *needle = malloc(LARGE / 2);
    (void)state;
    memset(needle, 'x', LARGE / 2);
    needle[LARGE / 2 - 1] = 'y';
    el_matcher_literal(&literal, needle, LARGE / 2);
    assert_int_equal(el_match_begin(&m, &literal, true, LARGE), 0);
    assert_int_equal(drip(&m, data, LARGE), EL_YES);
    assert_int_equal(m.start, LARGE / 2);
    el_match_fini(&m);
    free(needle);
    free(data);
}

static void what_asks_again_rests_and_says_until_when(void **state)
{
    struct el_matcher regex = {.kind = EL_MATCHER_REGEX};
    struct el_match m = {0};
    char why[EL_REGEX_WHY_MAX];
    char *data = x_and("y\n");
    size_t where;
    (void)state;
    assert_int_equal(el_regex_compile("(x*)y\\n", 7, "", &regex.regex, why, &where), 0);
    assert_int_equal(el_match_begin(&m, &regex, false, LARGE), 0);
    /* The first large attempt is followed by a rest, within which no other is made. */
    assert_int_equal(el_match_ask(&m, data, LARGE - 3, false), EL_MORE);
    assert_int_equal(el_match_ask(&m, data, LARGE - 2, false), EL_MORE);
    uint64_t work = m.work;
    m.rest_until_ns = UINT64_MAX;
    assert_int_equal(el_match_ask(&m, data, LARGE - 1, false), EL_MORE);
    assert_int_equal(m.work, work);
    assert_true(m.again_ns == UINT64_MAX);
    /* The end is looked at in any case. */
    assert_int_equal(el_match_ask(&m, data, LARGE, true), EL_YES);
    el_match_fini(&m);
    el_matcher_fini(&regex);
    free(data);
}

static void prefixes_are_one_integer(void **state)
{
    static const struct {
        const char *fmt;
        size_t size;
        bool little, is_signed;
    } good[] = {
        {">I4", 4, false, false}, {"<i2", 2, true, true},     {"> B", 1, false, false},
        {"<b", 1, true, true},    {">I16", 16, false, false}, {"<J ", 8, true, false},
    };
    static const char *const bad[] = {"",   ">", "I17", "I0",  "I4I4",
                                      "s4", "z", "x",   "!4I4"};
    struct el_matcher_prefix p;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(el_matcher_parse_prefix(good[i].fmt, strlen(good[i].fmt), &p),
                         0);
        assert_int_equal(p.size, good[i].size);
        assert_int_equal(p.little, good[i].little);
        assert_int_equal(p.is_signed, good[i].is_signed);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(el_matcher_parse_prefix(bad[i], strlen(bad[i]), &p), EL_EUSAGE);
}

static void nesting_ends_somewhere(void **state)
{
    struct el_matcher frames[EL_MATCHER_DEPTH + 1];
    (void)state;
    for (unsigned i = 0; i < EL_MATCHER_DEPTH; i++)
        assert_int_equal(
            el_matcher_frame(&frames[i], EL_MATCHER_LINE, i > 0 ? &frames[i - 1] : NULL),
            0);
    assert_int_equal(el_matcher_frame(&frames[EL_MATCHER_DEPTH], EL_MATCHER_LINE,
                                      &frames[EL_MATCHER_DEPTH - 1]),
                     EL_EUSAGE);
}

/* What PCRE2 needs to go back in 64 KiB it would keep as long as the expression lives. */
static void an_expression_gives_back_its_memory(void **state)
{
    struct el_matcher regex = {.kind = EL_MATCHER_REGEX, .depth = 1};
    struct el_match m = {0};
    char why[EL_REGEX_WHY_MAX];
    size_t where;
    (void)state;
    assert_int_equal(el_regex_compile("(?:(x)|y)*;", 11, "", &regex.regex, why, &where),
                     0);
    char *data = x_and("\n");
    struct mallinfo2 before = mallinfo2();
    assert_int_equal(el_match_begin(&m, &regex, false, LARGE), 0);
    assert_int_not_equal(el_match_ask(&m, data, LARGE / 16, true), EL_YES);
    struct mallinfo2 after = mallinfo2();
    assert_true(after.uordblks + after.hblkhd < before.uordblks + before.hblkhd + LARGE);
    el_match_fini(&m);
    el_matcher_fini(&regex);
    free(data);
}

/* Two attempts with one expression, of which the second is made before the first's captures are
 * asked for. */
static void captures_are_an_attempt_s_own(void **state)
{
    struct el_matcher regex = {.kind = EL_MATCHER_REGEX, .depth = 1};
    struct el_match first = {0}, second = {0};
    char why[EL_REGEX_WHY_MAX];
    size_t where, start, len;
    (void)state;
    assert_int_equal(el_regex_compile("(a+)(b)?;", 9, "", &regex.regex, why, &where), 0);
    assert_int_equal(el_match_begin(&first, &regex, false, LARGE), 0);
    assert_int_equal(el_match_begin(&second, &regex, false, LARGE), 0);
    assert_int_equal(el_match_ask(&first, "a;", 2, false), EL_YES);
    assert_int_equal(el_match_ask(&second, "aaab;", 5, false), EL_YES);
    el_match_capture(&first, 0, &start, &len);
    assert_int_equal(len, 1);
    el_match_capture(&first, 1, &start, &len);
    assert_true(len == EL_REGEX_UNSET);
    el_match_capture(&second, 1, &start, &len);
    assert_int_equal(start, 3);
    el_match_fini(&first);
    el_match_fini(&second);
    el_matcher_fini(&regex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_expression_gives_back_its_memory),
        cmocka_unit_test(captures_are_an_attempt_s_own),
        cmocka_unit_test(a_mebibyte_one_byte_at_a_time),
        cmocka_unit_test(a_search_looks_at_each_byte_once),
        cmocka_unit_test(what_asks_again_rests_and_says_until_when),
        cmocka_unit_test(prefixes_are_one_integer),
        cmocka_unit_test(nesting_ends_somewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
