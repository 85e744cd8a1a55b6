#include "net/dial.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "loopback.h"

struct outcome {
    bool came;
    int status;
    char detail[EL_ADDRESS_TEXT_MAX];
    struct el_stream *stream;
};

static void on_dialled(void *arg, int status, const char *detail,
                       struct el_stream *stream)
{
    struct outcome *o = arg;
    assert_false(o->came); /* once */
    o->came = true;
    o->status = status;
    o->stream = stream;
    (void)snprintf(o->detail, sizeof(o->detail), "%s", detail);
}

static void ignore(void *owner)
{
    (void)owner;
}

/* All that is asked of an owner that only closes. */
static const struct el_stream_events events = {.closed = ignore};

static void hang_up(struct outcome *o)
{
    if (o->stream == NULL)
        return;
    el_stream_own(o->stream, &events, o);
    o->stream->ops->close(o->stream, false);
    o->stream = NULL;
}

static struct el_dial *start(struct el_loop *loop, const char *host, int port,
                             struct el_dial_options options, struct outcome *o)
{
    struct el_address a = {
        .scheme = EL_TCP, .host = host, .host_len = strlen(host), .port = port};
    struct el_dial *d = NULL;
    assert_int_equal(el_dial_start(loop, &a, &options, on_dialled, o, &d), 0);
    assert_non_null(d);
    assert_false(o->came); /* later, from the loop */
    return d;
}

static void test_a_numeric_host(void **state)
{
    struct sockaddr_in address;
    struct sockaddr_storage peer, local;
    struct outcome o = {0};
    int listener = loopback_listen(5, &address);
    (void)start(*state, "127.0.0.1", ntohs(address.sin_port),
                (struct el_dial_options){.nodelay = true}, &o);
    loopback_until(*state, &o.came);
    assert_int_equal(o.status, 0);
    assert_int_equal(o.stream->ops->peer_address(o.stream, &peer), 0);
    assert_int_equal(((struct sockaddr_in *)(void *)&peer)->sin_port, address.sin_port);
    assert_int_equal(o.stream->ops->local_address(o.stream, &local), 0);
    int accepted = accept(listener, NULL, NULL);
    assert_true(accepted >= 0);
    assert_int_equal(send(accepted, "x", 1, MSG_NOSIGNAL), 1);
    hang_up(&o);
    assert_int_equal(close(accepted), 0);
    assert_int_equal(close(listener), 0);
}

static void test_a_name(void **state)
{
    struct sockaddr_in address;
    struct outcome o = {0};
    int listener = loopback_listen(5, &address);
    (void)start(*state, "localhost", ntohs(address.sin_port),
                (struct el_dial_options){.nodelay = true}, &o);
    loopback_until(*state, &o.came);
    assert_int_equal(o.status, 0);
    hang_up(&o);
    assert_int_equal(close(listener), 0);
}

/* A socket that is bound and does not listen keeps its port from everybody. */
static int refusing(struct sockaddr_in *address)
{
    socklen_t len = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
    return fd;
}

static void test_refused(void **state)
{
    struct sockaddr_in address;
    struct outcome o = {0};
    char tried[EL_ADDRESS_TEXT_MAX];
    int fd = refusing(&address);
    (void)start(*state, "127.0.0.1", ntohs(address.sin_port), (struct el_dial_options){0},
                &o);
    loopback_until(*state, &o.came);
    assert_int_equal(o.status, -ECONNREFUSED);
    assert_null(o.stream);
    el_address_of_socket((struct sockaddr *)&address, tried, sizeof(tried));
    assert_string_equal(o.detail, tried);
    assert_int_equal(close(fd), 0);
}

static void test_a_name_without_addresses(void **state)
{
    struct outcome o = {0};
    (void)start(*state, "127.0.0.1", 7, (struct el_dial_options){.family = AF_INET6}, &o);
    loopback_until(*state, &o.came);
    assert_int_equal(o.status, EL_ERESOLVE);
    assert_true(strlen(o.detail) > 3);
}

static void test_all_addresses_of_a_name_are_tried(void **state)
{
    struct sockaddr_in address;
    struct outcome o = {0};
    char tried[EL_ADDRESS_TEXT_MAX];
    int fd = refusing(&address);
    (void)start(*state, "localhost", ntohs(address.sin_port), (struct el_dial_options){0},
                &o);
    loopback_until(*state, &o.came);
    assert_true(o.status < 0);
    el_address_of_socket((struct sockaddr *)&address, tried, sizeof(tried));
    assert_non_null(strstr(o.detail, tried));
    assert_int_equal(close(fd), 0);
}

/* A listener whose queue is full: who connects to it hears nothing. */
struct deaf {
    int listener, clients[3];
    struct sockaddr_in address;
};

static struct deaf go_deaf(void)
{
    struct deaf f;
    f.listener = loopback_listen(0, &f.address);
    for (size_t i = 0; i < COUNT_OF(f.clients); i++) {
        f.clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(f.clients[i], (struct sockaddr *)&f.address, sizeof(f.address));
    }
    return f;
}

static void end_deaf(struct deaf *f)
{
    for (size_t i = 0; i < COUNT_OF(f->clients); i++)
        assert_int_equal(close(f->clients[i]), 0);
    assert_int_equal(close(f->listener), 0);
}

static void test_the_deadline(void **state)
{
    struct deaf deaf = go_deaf();
    struct outcome o = {0};
    uint64_t due = el_clock_ns() + 30 * EL_NS_PER_MS;
    (void)start(*state, "127.0.0.1", ntohs(deaf.address.sin_port),
                (struct el_dial_options){.deadline_ns = due}, &o);
    loopback_until(*state, &o.came);
    assert_int_equal(o.status, EL_ETIMEOUT);
    assert_true(el_clock_ns() >= due);
    assert_null(o.stream);
    end_deaf(&deaf);
}

static void test_cancelled(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    struct sockaddr_in address;
    int listener = loopback_listen(5, &address);
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        struct outcome o = {0}, other = {0};
        uint64_t far = el_clock_ns() + 3600 * EL_NS_PER_S;
        el_dial_cancel(start(*state, hosts[i], ntohs(address.sin_port),
                             (struct el_dial_options){.deadline_ns = far}, &o));
        (void)start(*state, hosts[i], ntohs(address.sin_port),
                    (struct el_dial_options){0}, &other);
        loopback_until(*state, &other.came);
        loopback_turn(*state);
        assert_false(o.came);
        hang_up(&other);
    }
    assert_int_equal(close(listener), 0);
}

static void test_a_local_address(void **state)
{
    struct sockaddr_in address, bind_to, from;
    struct outcome o = {0};
    socklen_t len = sizeof(from);
    int listener = loopback_listen(5, &address);
    assert_int_equal(uv_ip4_addr("127.0.0.2", 0, &bind_to), 0);
    (void)start(*state, "127.0.0.1", ntohs(address.sin_port),
                (struct el_dial_options){.bind = (struct sockaddr *)&bind_to}, &o);
    memset(&bind_to, 0, sizeof(bind_to)); /* it was copied */
    loopback_until(*state, &o.came);
    assert_int_equal(o.status, 0);
    int accepted = accept(listener, (struct sockaddr *)&from, &len);
    assert_int_equal(from.sin_addr.s_addr, htonl(0x7f000002));
    hang_up(&o);
    assert_int_equal(close(accepted), 0);
    assert_int_equal(close(listener), 0);
}

/* 192.0.2.0/24 is for documentation (RFC 5737): no machine has such an address. */
static void test_a_local_address_that_is_not_ours(void **state)
{
    struct sockaddr_in bind_to;
    struct outcome o = {0};
    assert_int_equal(uv_ip4_addr("192.0.2.1", 0, &bind_to), 0);
    (void)start(*state, "127.0.0.1", 7,
                (struct el_dial_options){.bind = (struct sockaddr *)&bind_to}, &o);
    loopback_until(*state, &o.came);
    assert_int_equal(o.status, -EADDRNOTAVAIL);
}

/* --- several addresses -------------------------------------------------------------------- */

/* The lowest descriptor that is free: the same again where none was left open. */
static int lowest_free(void)
{
    int fd = dup(STDERR_FILENO);
    assert_int_equal(close(fd), 0);
    return fd;
}

static struct el_dial *start_all(struct el_loop *loop, const struct sockaddr_in *list,
                                 size_t n, struct el_dial_options options,
                                 struct outcome *o)
{
    struct sockaddr_storage addresses[4] = {0};
    struct el_dial *d = NULL;
    for (size_t i = 0; i < n; i++)
        memcpy(&addresses[i], &list[i], sizeof(list[i]));
    assert_int_equal(el_dial_addresses(loop, addresses, n, &options, on_dialled, o, &d),
                     0);
    assert_non_null(d);
    assert_false(o->came);
    return d;
}

/* The first is under way for ever: the second is not kept waiting, and the first is closed. */
static void test_an_address_that_hangs_holds_up_no_other(void **state)
{
    struct deaf deaf = go_deaf();
    struct sockaddr_in list[2] = {deaf.address};
    struct sockaddr_storage peer;
    struct outcome o = {0};
    int listener = loopback_listen(5, &list[1]);
    loopback_turn(*state); /* what the loop opens for itself is open */
    int before = lowest_free();
    (void)start_all(*state, list, 2, (struct el_dial_options){0}, &o);
    loopback_until(*state, &o.came);
    assert_int_equal(o.status, 0);
    assert_non_null(strchr(o.detail, ',')); /* both were tried */
    assert_int_equal(o.stream->ops->peer_address(o.stream, &peer), 0);
    assert_int_equal(((struct sockaddr_in *)(void *)&peer)->sin_port, list[1].sin_port);
    hang_up(&o);
    assert_int_equal(lowest_free(), before);
    end_deaf(&deaf);
    assert_int_equal(close(listener), 0);
}

static void test_one_that_refuses_is_passed_over(void **state)
{
    struct sockaddr_in list[2];
    struct outcome o = {0};
    int refuses = refusing(&list[0]), listener = loopback_listen(5, &list[1]);
    (void)start_all(*state, list, 2, (struct el_dial_options){0}, &o);
    loopback_until(*state, &o.came);
    assert_int_equal(o.status, 0);
    hang_up(&o);
    assert_int_equal(close(refuses), 0);
    assert_int_equal(close(listener), 0);
}

/* The last one's refusal is not the end while another is under way. */
static void test_a_refusal_waits_for_who_is_under_way(void **state)
{
    struct deaf deaf = go_deaf();
    struct sockaddr_in list[2] = {deaf.address};
    struct outcome o = {0};
    int refuses = refusing(&list[1]);
    loopback_turn(*state);
    int before = lowest_free();
    uint64_t due = el_clock_ns() + 600 * EL_NS_PER_MS;
    (void)start_all(*state, list, 2, (struct el_dial_options){.deadline_ns = due}, &o);
    loopback_until(*state, &o.came);
    assert_int_equal(o.status, EL_ETIMEOUT);
    assert_true(el_clock_ns() >= due);
    assert_non_null(strchr(o.detail, ','));
    assert_int_equal(lowest_free(), before);
    end_deaf(&deaf);
    assert_int_equal(close(refuses), 0);
}

static void test_all_refuse(void **state)
{
    struct sockaddr_in list[3];
    struct outcome o = {0};
    int fds[3];
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = refusing(&list[i]);
    (void)start_all(*state, list, 3, (struct el_dial_options){0}, &o);
    loopback_until(*state, &o.came);
    assert_int_equal(o.status, -ECONNREFUSED);
    assert_null(o.stream);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        assert_int_equal(close(fds[i]), 0);
}

/* A local address of IPv4 serves no socket of IPv6, which the system says at once. */
static void test_one_that_fails_at_once_is_passed_over(void **state)
{
    struct sockaddr_storage addresses[2] = {0};
    struct sockaddr_in bind_to, address;
    struct el_dial_options options = {.bind = (struct sockaddr *)&bind_to};
    struct outcome o = {0};
    struct el_dial *d = NULL;
    int listener = loopback_listen(5, &address);
    assert_int_equal(uv_ip4_addr("127.0.0.2", 0, &bind_to), 0);
    assert_int_equal(uv_ip6_addr("::1", 7, (struct sockaddr_in6 *)&addresses[0]), 0);
    memcpy(&addresses[1], &address, sizeof(address));
    assert_int_equal(
        el_dial_addresses(*state, addresses, 2, &options, on_dialled, &o, &d), 0);
    assert_false(o.came);
    loopback_until(*state, &o.came);
    assert_int_equal(o.status, 0);
    hang_up(&o);
    assert_int_equal(close(listener), 0);
}

static void test_cancelled_while_two_are_under_way(void **state)
{
    struct deaf one = go_deaf(), other = go_deaf();
    struct sockaddr_in list[3] = {one.address, other.address};
    struct outcome o = {0}, last = {0};
    int listener = loopback_listen(5, &list[2]);
    loopback_turn(*state);
    int before = lowest_free();
    struct el_dial *d = start_all(*state, list, 2, (struct el_dial_options){0}, &o);
    /* A dial that begins later, and whose second attempt does: both of ours are begun. */
    struct sockaddr_in late[2] = {one.address, list[2]};
    (void)start_all(*state, late, 2, (struct el_dial_options){0}, &last);
    loopback_until(*state, &last.came);
    hang_up(&last);
    el_dial_cancel(d);
    assert_int_equal(lowest_free(), before);
    loopback_turn(*state);
    assert_false(o.came);
    end_deaf(&one);
    end_deaf(&other);
    assert_int_equal(close(listener), 0);
}

#define WITH_LOOP(f) cmocka_unit_test_setup_teardown(f, loopback_setup, loopback_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(test_a_numeric_host),
        WITH_LOOP(test_a_name),
        WITH_LOOP(test_refused),
        WITH_LOOP(test_a_name_without_addresses),
        WITH_LOOP(test_all_addresses_of_a_name_are_tried),
        WITH_LOOP(test_the_deadline),
        WITH_LOOP(test_cancelled),
        WITH_LOOP(test_a_local_address),
        WITH_LOOP(test_a_local_address_that_is_not_ours),
        WITH_LOOP(test_an_address_that_hangs_holds_up_no_other),
        WITH_LOOP(test_one_that_refuses_is_passed_over),
        WITH_LOOP(test_a_refusal_waits_for_who_is_under_way),
        WITH_LOOP(test_all_refuse),
        WITH_LOOP(test_one_that_fails_at_once_is_passed_over),
        WITH_LOOP(test_cancelled_while_two_are_under_way),
    };
    return cmocka_run_group_tests_name("dial", tests, NULL, NULL);
}
