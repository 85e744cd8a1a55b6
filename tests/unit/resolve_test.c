#include "net/resolve.h"

#include "base/err.h"
#include "loopback.h"

static const struct {
    const char *host;
    int family;
    int found; /* the family of the result; 0: none */
} hosts[] = {
    {"127.0.0.1", AF_UNSPEC, AF_INET},
    {"127.0.0.1", AF_INET, AF_INET},
    {"127.0.0.1", AF_INET6, 0},
    {"0.0.0.0", AF_UNSPEC, AF_INET},
    {"255.255.255.255", AF_UNSPEC, AF_INET},
    {"::1", AF_UNSPEC, AF_INET6},
    {"::1", AF_INET6, AF_INET6},
    {"::1", AF_INET, 0},
    {"::", AF_UNSPEC, AF_INET6},
    {"::ffff:127.0.0.1", AF_UNSPEC, AF_INET6},
    {"localhost", AF_UNSPEC, 0},
    {"", AF_UNSPEC, 0},
    {"256.0.0.1", AF_UNSPEC, 0},
    {"1.2.3", AF_UNSPEC, 0},
    {"1.2.3.4.5", AF_UNSPEC, 0},
    {"127.0.0.1 ", AF_UNSPEC, 0},
    {":::1", AF_UNSPEC, 0},
    {"g::1", AF_UNSPEC, 0},
};

static void test_numeric(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        struct sockaddr_storage sa = {.ss_family = 4711};
        int err = el_resolve_numeric(hosts[i].host, 8080, hosts[i].family, &sa);
        if (err != (hosts[i].found ? 0 : EL_ERESOLVE))
            fail_msg("row %zu, %s: %d", i, hosts[i].host, err);
        assert_int_equal(sa.ss_family, hosts[i].found ? hosts[i].found : 4711);
        if (hosts[i].found == AF_INET)
            assert_int_equal(((struct sockaddr_in *)(void *)&sa)->sin_port, htons(8080));
        else if (hosts[i].found == AF_INET6)
            assert_int_equal(((struct sockaddr_in6 *)(void *)&sa)->sin6_port,
                             htons(8080));
    }
}

struct answer {
    bool came;
    int status;
    char why[200];
    struct sockaddr_storage addresses[EL_RESOLVE_MAX];
    size_t n;
};

static void on_resolved(void *arg, int status, const char *why,
                        const struct sockaddr_storage *addresses, size_t n)
{
    struct answer *a = arg;
    assert_false(a->came); /* once */
    a->came = true;
    a->status = status;
    a->n = n;
    if (why != NULL)
        (void)snprintf(a->why, sizeof(a->why), "%s", why);
    if (n > 0)
        memcpy(a->addresses, addresses, n * sizeof(*addresses));
}

static void test_a_name_of_this_machine(void **state)
{
    struct answer a = {0};
    struct el_resolve *r;
    assert_int_equal(
        el_resolve_start(*state, "localhost", 7, AF_UNSPEC, on_resolved, &a, &r), 0);
    assert_false(a.came); /* later, from the loop */
    loopback_until(*state, &a.came);
    assert_int_equal(a.status, 0);
    assert_true(a.n >= 1 && a.n <= EL_RESOLVE_MAX);
    for (size_t i = 0; i < a.n; i++) {
        const struct sockaddr_in *in =
            (const struct sockaddr_in *)(void *)&a.addresses[i];
        assert_int_equal(in->sin_port, htons(7)); /* at the same place in both families */
    }
}

static void test_a_family_is_kept_to(void **state)
{
    struct answer a = {0};
    struct el_resolve *r;
    assert_int_equal(
        el_resolve_start(*state, "localhost", 7, AF_INET, on_resolved, &a, &r), 0);
    loopback_until(*state, &a.came);
    assert_int_equal(a.status, 0);
    for (size_t i = 0; i < a.n; i++)
        assert_int_equal(a.addresses[i].ss_family, AF_INET);
}

static void test_what_has_no_address_says_why(void **state)
{
    struct answer a = {0};
    struct el_resolve *r;
    assert_int_equal(
        el_resolve_start(*state, "127.0.0.1", 7, AF_INET6, on_resolved, &a, &r), 0);
    loopback_until(*state, &a.came);
    assert_int_equal(a.status, EL_ERESOLVE);
    assert_int_equal(a.n, 0);
    assert_true(strlen(a.why) > 3);
}

static void test_what_cannot_be_a_name_is_refused_at_once(void **state)
{
    struct answer a = {0};
    struct el_resolve *r;
    assert_int_equal(
        el_resolve_start(*state, "\xff\xfe.example", 7, AF_UNSPEC, on_resolved, &a, &r),
        EL_ERESOLVE);
    loopback_turn(*state);
    assert_false(a.came);
}

static void test_a_cancelled_one_does_not_answer(void **state)
{
    struct answer cancelled = {0}, other = {0};
    struct el_resolve *r;
    assert_int_equal(
        el_resolve_start(*state, "localhost", 7, AF_UNSPEC, on_resolved, &cancelled, &r),
        0);
    el_resolve_cancel(r);
    assert_int_equal(
        el_resolve_start(*state, "localhost", 7, AF_UNSPEC, on_resolved, &other, &r), 0);
    loopback_until(*state, &other.came);
    loopback_turn(*state);
    assert_false(cancelled.came);
}

#define WITH_LOOP(f) cmocka_unit_test_setup_teardown(f, loopback_setup, loopback_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numeric),
        WITH_LOOP(test_a_name_of_this_machine),
        WITH_LOOP(test_a_family_is_kept_to),
        WITH_LOOP(test_what_has_no_address_says_why),
        WITH_LOOP(test_what_cannot_be_a_name_is_refused_at_once),
        WITH_LOOP(test_a_cancelled_one_does_not_answer),
    };
    return cmocka_run_group_tests_name("resolve", tests, NULL, NULL);
}
