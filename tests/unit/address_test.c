#include "net/address.h"

#include <netinet/in.h>
#include <sys/un.h>
#include <uv.h>

#include "base/err.h"
#include "unit.h"

#define H63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define H253                                                                             \
    H63 "." H63 "." H63 "."                                                              \
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define P107 "/" H63 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const struct {
    const char *text;
    enum el_scheme scheme;
    const char *host; /* or path */
    int port;         /* -1: a path */
    const char *canonical;
} good[] = {
    {"127.0.0.1:80", EL_TCP, "127.0.0.1", 80, "tcp://127.0.0.1:80"},
    {"tcp://127.0.0.1:80", EL_TCP, "127.0.0.1", 80, "tcp://127.0.0.1:80"},
    {"localhost:1", EL_TCP, "localhost", 1, "tcp://localhost:1"},
    {"example.org:65535", EL_TCP, "example.org", 65535, "tcp://example.org:65535"},
    {"h:00080", EL_TCP, "h", 80, "tcp://h:80"},
    {"[::1]:7", EL_TCP, "::1", 7, "tcp://[::1]:7"},
    {"tcp://[fe80::1%lo]:7", EL_TCP, "fe80::1%lo", 7, "tcp://[fe80::1%lo]:7"},
    {"[::ffff:127.0.0.1]:7", EL_TCP, "::ffff:127.0.0.1", 7, "tcp://[::ffff:127.0.0.1]:7"},
    {"tls://mail.example.org:993", EL_TLS, "mail.example.org", 993,
     "tls://mail.example.org:993"},
    {"udp://[::1]:53", EL_UDP, "::1", 53, "udp://[::1]:53"},
    {"under_score.example:7", EL_TCP, "under_score.example", 7,
     "tcp://under_score.example:7"},
    {H253 ":7", EL_TCP, H253, 7, "tcp://" H253 ":7"},
    {"unix:/run/x.sock", EL_UNIX, "/run/x.sock", -1, "unix:/run/x.sock"},
    {"unix:relative", EL_UNIX, "relative", -1, "unix:relative"},
    {"unix:@abstract", EL_UNIX, "@abstract", -1, "unix:@abstract"},
    {"unix:/with space:and:colons", EL_UNIX, "/with space:and:colons", -1,
     "unix:/with space:and:colons"},
    {"unix:" P107, EL_UNIX, P107, -1, "unix:" P107},
    {"exec:cat -u", EL_EXEC, "cat -u", -1, "exec:cat -u"},
    {"exec: tcp://x:1", EL_EXEC, " tcp://x:1", -1, "exec: tcp://x:1"},
    {"tcp:80", EL_TCP, "tcp", 80, "tcp://tcp:80"}, /* a host may be called so */
};

static void test_what_parses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct el_address a;
        const char *why = NULL;
        char text[EL_ADDRESS_TEXT_MAX];
        if (el_address_parse(good[i].text, strlen(good[i].text), false, &a, &why) != 0)
            fail_msg("%s: %s", good[i].text, why);
        assert_int_equal(a.scheme, good[i].scheme);
        const char *part = good[i].port < 0 ? a.path : a.host;
        size_t len = good[i].port < 0 ? a.path_len : a.host_len;
        assert_int_equal(len, strlen(good[i].host));
        assert_memory_equal(part, good[i].host, len);
        if (good[i].port >= 0) {
            assert_int_equal(a.port, good[i].port);
            assert_null(a.path);
        } else {
            assert_null(a.host);
        }
        assert_int_equal(el_address_format(&a, text, sizeof(text)),
                         strlen(good[i].canonical));
        assert_string_equal(text, good[i].canonical);
    }
}

static void test_canonical_text_parses_to_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct el_address a;
        const char *why;
        char text[EL_ADDRESS_TEXT_MAX];
        const char *canonical = good[i].canonical;
        assert_int_equal(el_address_parse(canonical, strlen(canonical), false, &a, &why),
                         0);
        el_address_format(&a, text, sizeof(text));
        assert_string_equal(text, canonical);
    }
}

static const struct {
    const char *text;
    const char *why; /* a part of it */
} bad[] = {
    {"", "port is missing"},
    {"localhost", "port is missing"},
    {"localhost:", "port is missing"},
    {"tcp://", "port is missing"},
    {"tcp://localhost", "port is missing"},
    {":80", "host is empty"},
    {"tcp://:80", "host is empty"},
    {"localhost:0", "port 0"},
    {"localhost:65536", "between 1 and 65535"},
    {"localhost:99999999999999999999", "between 1 and 65535"},
    {"localhost:-1", "whole number"},
    {"localhost:+1", "whole number"},
    {"localhost: 1", "whole number"},
    {"localhost:1 ", "whole number"},
    {"localhost:1.5", "whole number"},
    {"localhost:0x10", "whole number"},
    {"localhost:http", "whole number"},
    {"::1:80", "brackets"},
    {"::1", "brackets"},
    {"a:b:80", "brackets"},
    {"[::1", "not closed"},
    {"[::1]", "port is missing"},
    {"[::1]80", "':' and the port"},
    {"[::1]:", "port is missing"},
    {"[127.0.0.1]:80", "only IPv6"},
    {"[localhost]:80", "only IPv6"},
    {"[]:80", "only IPv6"},
    {"a b:80", "white space"},
    {"a\nb:80", "white space or a control"},
    {"\x7f:80", "control"},
    {"a/b:80", "no host name has"},
    {"user@host:80", "no host name has"},
    {"host?q:80", "no host name has"},
    {"host#f:80", "no host name has"},
    {"a\\b:80", "no host name has"},
    {"http://localhost:80", "scheme is none of"},
    {"TCP://localhost:80", "scheme is none of"},
    {"tcp://tcp://localhost:80", "brackets"},
    {H253 "a:7", "longer than 253"},
    {"unix:", "path is empty"},
    {"unix:@", "path is empty"},
    {"unix:" P107 "b", "longer than 107"},
    {"exec:", "command is empty"},
    {"exec: \t ", "command is empty"},
};

static void test_what_does_not_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct el_address a = {.port = 4711};
        const char *why = "";
        int err = el_address_parse(bad[i].text, strlen(bad[i].text), false, &a, &why);
        if (err != EL_EUSAGE || strstr(why, bad[i].why) == NULL)
            fail_msg("\"%s\" gave %d: %s", bad[i].text, err, why);
        assert_int_equal(a.port, 4711); /* untouched */
    }
}

static void test_nul_bytes_are_no_part_of_anything(void **state)
{
    struct el_address a;
    const char *why = "";
    (void)state;
    assert_int_equal(el_address_parse("a\0b:80", 6, false, &a, &why), EL_EUSAGE);
    assert_int_equal(el_address_parse("a:8\0", 4, false, &a, &why), EL_EUSAGE);
    assert_int_equal(el_address_parse("unix:/a\0b", 9, false, &a, &why), EL_EUSAGE);
    assert_int_equal(el_address_parse("exec:a\0b", 8, false, &a, &why), EL_EUSAGE);
}

static void test_only_the_given_bytes_count(void **state)
{
    struct el_address a;
    const char *why;
    (void)state;
    assert_int_equal(el_address_parse("host:8080", 7, false, &a, &why), 0);
    assert_int_equal(a.port, 80);
}

static void test_port_0_is_for_listening(void **state)
{
    struct el_address a;
    const char *why;
    (void)state;
    assert_int_equal(el_address_parse("h:0", 3, true, &a, &why), 0);
    assert_int_equal(a.port, 0);
    assert_int_equal(el_address_parse("h:65536", 7, true, &a, &why), EL_EUSAGE);
    assert_int_equal(el_address_from_parts("h", 1, 0, true, &a, &why), 0);
    assert_int_equal(el_address_from_parts("h", 1, 0, false, &a, &why), EL_EUSAGE);
}

static void test_from_parts(void **state)
{
    struct el_address a;
    const char *why;
    (void)state;
    assert_int_equal(el_address_from_parts("::1", 3, 80, false, &a, &why), 0);
    assert_int_equal(a.host_len, 3);
    assert_int_equal(el_address_from_parts("[::1]", 5, 80, false, &a, &why), 0);
    assert_int_equal(a.host_len, 3);
    assert_memory_equal(a.host, "::1", 3);
    assert_int_equal(el_address_from_parts("", 0, 80, false, &a, &why), EL_EUSAGE);
    assert_int_equal(el_address_from_parts("h", 1, -1, false, &a, &why), EL_EUSAGE);
    assert_int_equal(el_address_from_parts("h", 1, 65536, false, &a, &why), EL_EUSAGE);
    assert_int_equal(el_address_from_parts("h", 1, INT64_MAX, false, &a, &why),
                     EL_EUSAGE);
    assert_int_equal(el_address_from_parts("tcp://h", 7, 80, false, &a, &why), EL_EUSAGE);
}

static void test_format_is_cut_to_its_place(void **state)
{
    struct el_address a;
    const char *why;
    char text[8];
    (void)state;
    assert_int_equal(el_address_parse("host:80", 7, false, &a, &why), 0);
    assert_int_equal(el_address_format(&a, text, sizeof(text)), 7);
    assert_string_equal(text, "tcp://h");
}

static void test_of_socket(void **state)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr other = {.sa_family = AF_UNIX};
    char text[EL_ADDRESS_TEXT_MAX], host[INET6_ADDRSTRLEN];
    (void)state;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 80, &in), 0);
    assert_int_equal(uv_ip6_addr("::1", 81, &in6), 0);
    assert_int_equal(el_address_of_socket((struct sockaddr *)&in, text, sizeof(text)),
                     12);
    assert_string_equal(text, "127.0.0.1:80");
    el_address_of_socket((struct sockaddr *)&in6, text, sizeof(text));
    assert_string_equal(text, "[::1]:81");
    assert_int_equal(el_address_socket_parts((struct sockaddr *)&in6, host, sizeof(host)),
                     81);
    assert_string_equal(host, "::1");
    assert_int_equal(el_address_socket_parts(&other, host, sizeof(host)), -1);
    assert_string_equal(host, "");
}

static void check_unix(const char *address, socklen_t length)
{
    struct el_address a;
    struct sockaddr_storage sa;
    char text[EL_ADDRESS_TEXT_MAX];
    const char *why;
    assert_int_equal(el_address_parse(address, strlen(address), true, &a, &why), 0);
    memset(&sa, 0xff, sizeof(sa));
    el_address_to_unix(&a, &sa);
    const struct sockaddr *as = (struct sockaddr *)&sa;
    assert_int_equal(as->sa_family, AF_UNIX);
    assert_int_equal(el_address_socket_length(as),
                     offsetof(struct sockaddr_un, sun_path) + length);
    size_t n = el_address_text_of_socket(EL_TCP, as, text, sizeof(text));
    assert_string_equal(text, address);
    assert_int_equal(n, strlen(address));
}

/* The NUL behind a path counts (unix(7)), an abstract name ends where it ends. */
static void test_unix_sockets(void **state)
{
    struct sockaddr_storage unnamed = {.ss_family = AF_UNIX};
    char text[EL_ADDRESS_TEXT_MAX], longest[6 + 107];
    (void)state;
    check_unix("unix:/a", 3);
    check_unix("unix:a", 2);
    check_unix("unix:@a", 2);
    (void)snprintf(longest, sizeof(longest), "unix:@%0106d", 0);
    check_unix(longest, 107);
    longest[5] = '/';
    check_unix(longest, 108);
    assert_int_equal(
        el_address_of_socket((struct sockaddr *)&unnamed, text, sizeof(text)), 0);
    assert_int_equal(el_address_text_of_socket(EL_TCP, (struct sockaddr *)&unnamed, text,
                                               sizeof(text)),
                     5);
    assert_string_equal(text, "unix:");
}

static void test_text_of_a_socket(void **state)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    char text[EL_ADDRESS_TEXT_MAX];
    (void)state;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 80, &in), 0);
    assert_int_equal(uv_ip6_addr("::1", 81, &in6), 0);
    assert_int_equal(el_address_socket_length((struct sockaddr *)&in), sizeof(in));
    assert_int_equal(el_address_socket_length((struct sockaddr *)&in6), sizeof(in6));
    el_address_text_of_socket(EL_TCP, (struct sockaddr *)&in, text, sizeof(text));
    assert_string_equal(text, "tcp://127.0.0.1:80");
    el_address_text_of_socket(EL_UDP, (struct sockaddr *)&in6, text, sizeof(text));
    assert_string_equal(text, "udp://[::1]:81");
    assert_int_equal(el_address_text_of_socket(EL_UDP, (struct sockaddr *)&in6, text, 10),
                     9);
    assert_string_equal(text, "udp://[::");
}

static void test_scheme_names(void **state)
{
    (void)state;
    assert_string_equal(el_address_scheme_name(EL_TCP), "tcp");
    assert_string_equal(el_address_scheme_name(EL_TLS), "tls");
    assert_string_equal(el_address_scheme_name(EL_UDP), "udp");
    assert_string_equal(el_address_scheme_name(EL_UNIX), "unix");
    assert_string_equal(el_address_scheme_name(EL_EXEC), "exec");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_parses),
        cmocka_unit_test(test_canonical_text_parses_to_itself),
        cmocka_unit_test(test_what_does_not_parse),
        cmocka_unit_test(test_nul_bytes_are_no_part_of_anything),
        cmocka_unit_test(test_only_the_given_bytes_count),
        cmocka_unit_test(test_port_0_is_for_listening),
        cmocka_unit_test(test_from_parts),
        cmocka_unit_test(test_format_is_cut_to_its_place),
        cmocka_unit_test(test_of_socket),
        cmocka_unit_test(test_unix_sockets),
        cmocka_unit_test(test_text_of_a_socket),
        cmocka_unit_test(test_scheme_names),
    };
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
