#include "net/words.h"

#include <stdlib.h>

#include "base/err.h"
#include "unit.h"

/* Splits in exactly the room that is promised, which a sanitizer watches. */
static char **split(const char *text, void **room)
{
    char **argv = NULL;
    const char *why = NULL;
    *room = malloc(el_words_room(strlen(text)));
    assert_non_null(*room);
    assert_int_equal(el_words_split(text, strlen(text), NULL, NULL, &why), 0);
    assert_int_equal(el_words_split(text, strlen(text), *room, &argv, &why), 0);
    assert_null(why);
    return argv;
}

static const struct {
    const char *text;
    const char *words[5];
} good[] = {
    {"a", {"a"}},
    {"a b c", {"a", "b", "c"}},
    {" \t\na\n\tb ", {"a", "b"}},
    {"'a b' \"c d\" e\\ f", {"a b", "c d", "e f"}},
    {"'' \"\" x", {"", "", "x"}},
    {"a''b\"\"c", {"abc"}},
    {"'\\'", {"\\"}},
    {"\"\\\\ \\\" \\$ \\` \\a\"", {"\\ \" $ ` \\a"}},
    {"\\'\\\"\\\\", {"'\"\\"}},
    {"'a\nb' \\\n", {"a\nb", "\n"}},
    {"$x *? ~ a;b", {"$x", "*?", "~", "a;b"}},
};

static void test_words_are_a_shells(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        void *room;
        char **argv = split(good[i].text, &room);
        size_t n = 0;
        for (; good[i].words[n] != NULL; n++) {
            assert_non_null(argv[n]);
            assert_string_equal(argv[n], good[i].words[n]);
        }
        assert_null(argv[n]);
        free(room);
    }
}

static const struct {
    const char *text;
    const char *why;
} bad[] = {
    {"", "is empty"},       {" \t\n", "is empty"},     {"'", "not closed"},
    {"a 'b", "not closed"}, {"\"a", "not closed"},     {"\"a\\\"", "not closed"},
    {"\"\\", "not closed"}, {"a\\", "last backslash"}, {"\\", "last backslash"},
};

static void test_what_is_not_whole_says_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *why = NULL;
        char **argv;
        void *room = malloc(el_words_room(strlen(bad[i].text)));
        assert_int_equal(
            el_words_split(bad[i].text, strlen(bad[i].text), room, &argv, &why),
            EL_EUSAGE);
        assert_non_null(strstr(why, bad[i].why));
        why = NULL;
        assert_int_equal(
            el_words_split(bad[i].text, strlen(bad[i].text), NULL, NULL, &why),
            EL_EUSAGE);
        assert_non_null(strstr(why, bad[i].why));
        free(room);
    }
    const char *why = NULL;
    assert_int_equal(el_words_split("a\0b", 3, NULL, NULL, &why), EL_EUSAGE);
    assert_non_null(strstr(why, "NUL"));
}

static void test_the_room_is_enough_for_the_most_words(void **state)
{
    (void)state;
    for (size_t n = 1; n < 40; n++) {
        char text[64] = {0};
        for (size_t i = 0; i < n; i++)
            text[i] = i % 2 == 0 ? 'x' : ' ';
        void *room;
        char **argv = split(text, &room);
        size_t count = 0;
        while (argv[count] != NULL)
            assert_string_equal(argv[count++], "x");
        assert_int_equal(count, (n + 1) / 2);
        free(room);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_a_shells),
        cmocka_unit_test(test_what_is_not_whole_says_why),
        cmocka_unit_test(test_the_room_is_enough_for_the_most_words),
    };
    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
