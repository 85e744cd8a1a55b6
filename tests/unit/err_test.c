#include "base/err.h"

#include <errno.h>

#include "unit.h"

static const struct {
    int code;
    const char *kind;
} kinds[] = {
    {EL_EUSAGE, "usage"},
    {EL_ECLOSED, "usage"},
    {EL_EBUSY, "usage"},
    {EL_ERESOLVE, "resolve"},
    {EL_ETIMEOUT, "timeout"},
    {EL_EEOF, "eof"},
    {EL_ELIMIT, "limit"},
    {EL_EMISMATCH, "mismatch"},
    {EL_ECANCELLED, "cancelled"},
    {-ECONNREFUSED, "refused"},
    {-ECONNRESET, "reset"},
    {-EPIPE, "reset"},
    {-ETIMEDOUT, "timeout"},
    {-EHOSTUNREACH, "unreachable"},
    {-ENETUNREACH, "unreachable"},
    {-EADDRNOTAVAIL, "unreachable"},
    {-EACCES, "denied"},
    {-EPERM, "denied"},
    {-EADDRINUSE, "denied"},
    {-EMFILE, "limit"},
    {-ENFILE, "limit"},
    {-ENOBUFS, "limit"},
    {-ENOMEM, "limit"},
    {-ENOENT, "usage"},
    {-EINVAL, "usage"},
};

static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        assert_string_equal(el_err_kind(kinds[i].code), kinds[i].kind);
}

static void test_an_unlisted_errno_is_denied(void **state)
{
    (void)state;
    assert_string_equal(el_err_kind(-EXDEV), "denied");
    assert_null(el_err_name(-EXDEV));
    assert_string_equal(el_err_text(-EXDEV), strerror(EXDEV));
}

static void test_names_are_those_of_errnos_only(void **state)
{
    (void)state;
    assert_string_equal(el_err_name(-ECONNREFUSED), "ECONNREFUSED");
    assert_string_equal(el_err_name(-ENOTCONN), "ENOTCONN");
    assert_null(el_err_name(EL_ETIMEOUT));
    assert_null(el_err_name(0));
}

static void test_texts_are_sentences_without_a_stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        const char *text = el_err_text(kinds[i].code);
        assert_true(strlen(text) > 3);
        assert_true(text[0] >= 'a' && text[0] <= 'z');
        assert_int_not_equal(text[strlen(text) - 1], '.');
        assert_null(strchr(text, '\n'));
    }
}

static void test_what_is_no_code_has_a_text_too(void **state)
{
    (void)state;
    assert_string_equal(el_err_text(EL_ERR_BASE - 5), "unknown error");
    assert_string_equal(el_err_kind(EL_ERR_BASE - 5), "denied");
}

static void test_own_codes_lie_below_every_errno(void **state)
{
    (void)state;
    assert_true(EL_EUSAGE < -4096);
    assert_true(EL_ECANCELLED < -4096);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(kinds[i].code, kinds[j].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_an_unlisted_errno_is_denied),
        cmocka_unit_test(test_names_are_those_of_errnos_only),
        cmocka_unit_test(test_texts_are_sentences_without_a_stop),
        cmocka_unit_test(test_what_is_no_code_has_a_text_too),
        cmocka_unit_test(test_own_codes_lie_below_every_errno),
    };
    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
