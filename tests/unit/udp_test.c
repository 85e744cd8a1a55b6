#include "net/udp.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "loopback.h"

struct waiter {
    struct el_await await;
    struct el_udp *udp;
    bool came;
    bool closes; /* the socket, when it is woken */
    int calls, status;
};

static void on_done(struct el_await *a, int status)
{
    struct waiter *w = (struct waiter *)a;
    w->came = true;
    w->calls++;
    w->status = status;
    if (w->closes)
        el_udp_close(w->udp);
}

static void wait_for(struct el_udp *u, struct waiter *w, uint64_t deadline_ns)
{
    *w = (struct waiter){.await = {.done = on_done, .deadline_ns = deadline_ns},
                         .udp = u};
    assert_int_equal(el_udp_await(u, &w->await), 0);
}

static struct el_udp *take_over(struct el_loop *loop, int fd, size_t max_buffer)
{
    struct el_udp *u = NULL;
    assert_true(fd >= 0);
    struct el_transcript *t = el_transcript_new(NULL, EL_TRANSCRIPT_BYTES_FEW);
    assert_int_equal(el_udp_new(loop, fd, max_buffer, t, &u), 0);
    return u;
}

static struct el_udp *listening(struct el_loop *loop, size_t max_buffer)
{
    struct sockaddr_in in;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &in), 0);
    return take_over(loop, el_udp_socket((struct sockaddr *)&in, NULL), max_buffer);
}

static struct sockaddr_in address_of(const struct el_udp *u)
{
    struct sockaddr_in in;
    socklen_t len = sizeof(in);
    assert_int_equal(getsockname(u->fd, (struct sockaddr *)&in, &len), 0);
    return in;
}

static struct el_udp *connected_to(struct el_udp *server)
{
    struct sockaddr_in in = address_of(server);
    return take_over(server->loop, el_udp_socket(NULL, (struct sockaddr *)&in), 65536);
}

static void check_first(struct el_udp *u, const char *expected)
{
    struct el_datagram d;
    assert_true(el_udp_first(u, &d));
    assert_int_equal(d.len, strlen(expected));
    assert_memory_equal(d.data, expected, d.len);
    el_udp_take(u);
}

static void test_boundaries_and_addresses(void **state)
{
    struct el_udp *server = listening(*state, 65536), *client = connected_to(server);
    struct el_datagram d;
    struct waiter w;
    wait_for(server, &w, 0);
    assert_int_equal(el_udp_send(client, NULL, "one", 3), 0);
    assert_int_equal(el_udp_send(client, NULL, NULL, 0), 0);
    assert_int_equal(el_udp_send(client, NULL, "three", 5), 0);
    loopback_until(*state, &w.came);
    assert_int_equal(w.status, 0);
    el_udp_fetch(server);
    el_udp_fetch(server);
    assert_true(el_udp_first(server, &d));
    struct sockaddr_in from, own = address_of(client);
    memcpy(&from, &d.from, sizeof(from));
    assert_int_equal(from.sin_port, own.sin_port);
    check_first(server, "one");
    check_first(server, "");
    check_first(server, "three");
    assert_false(el_udp_first(server, &d));
    assert_int_equal(el_udp_send(server, (struct sockaddr *)&from, "back", 4), 0);
    el_udp_fetch(client);
    check_first(client, "back");
    el_udp_free(client);
    el_udp_free(server);
}

static void test_each_datagram_wakes_one(void **state)
{
    struct el_udp *server = listening(*state, 65536), *client = connected_to(server);
    struct waiter one, other, third;
    wait_for(server, &one, 0);
    wait_for(server, &other, 0);
    wait_for(server, &third, 0);
    assert_int_equal(el_udp_send(client, NULL, "a", 1), 0);
    assert_int_equal(el_udp_send(client, NULL, "b", 1), 0);
    loopback_until(*state, &other.came);
    assert_true(one.came);
    assert_false(third.came);
    el_udp_leave(server, &third.await);
    el_udp_leave(server, &third.await); /* harmless */
    assert_int_equal(el_udp_send(client, NULL, "c", 1), 0);
    loopback_turn(*state);
    assert_false(third.came);
    el_udp_free(client);
    el_udp_free(server);
}

static void test_deadlines(void **state)
{
    struct el_udp *server = listening(*state, 65536);
    struct waiter late, soon, never;
    uint64_t now = el_clock_ns();
    wait_for(server, &never, 0);
    wait_for(server, &late, now + 40 * EL_NS_PER_MS);
    wait_for(server, &soon, now + 10 * EL_NS_PER_MS);
    loopback_until(*state, &soon.came);
    assert_int_equal(soon.status, EL_ETIMEOUT);
    assert_true(el_clock_ns() >= now + 10 * EL_NS_PER_MS);
    loopback_until(*state, &late.came);
    assert_int_equal(late.status, EL_ETIMEOUT);
    assert_true(el_clock_ns() >= now + 40 * EL_NS_PER_MS);
    assert_false(never.came);
    el_udp_free(server);
    assert_int_equal(never.status, EL_ECLOSED);
    assert_int_equal(never.calls, 1);
}

static void test_a_full_queue_stops_reading(void **state)
{
    struct el_udp *server = listening(*state, 300), *client = connected_to(server);
    char data[100] = {0};
    for (int i = 0; i < 10; i++) {
        data[0] = (char)('0' + i);
        assert_int_equal(el_udp_send(client, NULL, data, sizeof(data)), 0);
    }
    for (int i = 0; i < 20; i++)
        loopback_turn(*state);
    assert_true(server->full);
    assert_true(server->queue.len < 600);
    assert_int_equal(server->interest, 0); /* nothing that could wake the loop */
    for (int i = 0; i < 10; i++) {
        struct el_datagram d;
        struct waiter w;
        if (!el_udp_first(server, &d)) {
            wait_for(server, &w, 0);
            loopback_until(*state, &w.came);
            assert_true(el_udp_first(server, &d));
        }
        assert_int_equal(d.data[0], '0' + i);
        el_udp_take(server);
    }
    assert_int_equal(el_udp_dropped(server), 0);
    el_udp_free(client);
    el_udp_free(server);
}

static void test_what_the_system_drops_is_counted(void **state)
{
    struct el_udp *server = listening(*state, 1), *client = connected_to(server);
    char data[1000] = {0};
    uint64_t sent = 5000, got = 0;
    for (uint64_t i = 0; i < sent; i++)
        assert_int_equal(el_udp_send(client, NULL, data, sizeof(data)), 0);
    uint64_t dropped = el_udp_dropped(server);
    assert_true(dropped > 0 && dropped < sent);
    for (struct el_datagram d; el_udp_fetch(server), el_udp_first(server, &d); got++)
        el_udp_take(server);
    assert_int_equal(got + dropped, sent);
    el_udp_close(server);
    assert_int_equal(el_udp_dropped(server), dropped);
    el_udp_free(client);
    el_udp_free(server);
}

/* Told once: to whoever waits, or to the next one that asks. */
static void test_a_refusal(void **state)
{
    struct el_udp *server = listening(*state, 65536), *client = connected_to(server);
    struct waiter w;
    el_udp_free(server);
    wait_for(client, &w, 0);
    assert_int_equal(el_udp_send(client, NULL, "x", 1), 0);
    loopback_until(*state, &w.came);
    assert_int_equal(w.status, -ECONNREFUSED);
    assert_int_equal(el_udp_take_error(client), 0);
    assert_int_equal(el_udp_send(client, NULL, "x", 1), 0);
    for (int i = 0; i < 20; i++)
        loopback_turn(*state);
    assert_int_equal(client->interest, UV_READABLE); /* watched again */
    assert_int_equal(el_udp_send(client, NULL, "x", 1), -ECONNREFUSED);
    assert_int_equal(el_udp_take_error(client), 0);
    el_udp_free(client);
}

/* A socket that takes ten datagrams which nobody reads: UDP on loopback never says EAGAIN. */
static void test_waiting_for_room(void **state)
{
    int fds[2], sent = 0, err;
    char data[10];
    struct waiter w = {.await = {.done = on_done}}, other = w;
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    struct el_udp *u = take_over(*state, fds[0], 65536);
    while ((err = el_udp_send(u, NULL, "datagram", 8)) == 0 && sent < 100000)
        sent++;
    assert_int_equal(err, -EAGAIN);
    assert_int_equal(el_udp_await_room(u, &w.await), 0);
    assert_int_equal(el_udp_await_room(u, &other.await), 0);
    loopback_turn(*state);
    assert_false(w.came);
    while (recv(fds[1], data, sizeof(data), 0) == 8) {
    }
    loopback_until(*state, &other.came);
    assert_true(w.came);
    assert_int_equal(w.status, 0);
    assert_int_equal(el_udp_send(u, NULL, "datagram", 8), 0);
    loopback_turn(*state);
    assert_int_equal(u->interest, UV_READABLE);
    el_udp_free(u);
    assert_int_equal(close(fds[1]), 0);
}

static void test_closing_within_a_callback(void **state)
{
    struct el_udp *server = listening(*state, 65536), *client = connected_to(server);
    struct waiter first, second;
    wait_for(server, &first, 0);
    wait_for(server, &second, el_clock_ns() + 3600 * EL_NS_PER_S);
    first.closes = true;
    assert_int_equal(el_udp_send(client, NULL, "a", 1), 0);
    assert_int_equal(el_udp_send(client, NULL, "b", 1), 0);
    loopback_until(*state, &second.came);
    assert_int_equal(first.status, 0);
    assert_int_equal(second.status, EL_ECLOSED);
    el_udp_close(server); /* harmless */
    assert_int_equal(el_udp_send(server, NULL, "x", 1), EL_ECLOSED);
    assert_int_equal(el_udp_await(server, &first.await), EL_ECLOSED);
    assert_int_equal(el_udp_await_room(server, &first.await), EL_ECLOSED);
    el_udp_fetch(server);
    el_udp_free(server);
    el_udp_free(client);
}

static void test_sockets_that_cannot_be(void **state)
{
    struct sockaddr_in in;
    (void)state;
    assert_int_equal(uv_ip4_addr("192.0.2.1", 0, &in), 0); /* RFC 5737 */
    assert_int_equal(el_udp_socket((struct sockaddr *)&in, NULL), -EADDRNOTAVAIL);
    assert_int_equal(uv_ip4_addr("255.255.255.255", 7, &in), 0);
    assert_int_equal(el_udp_socket(NULL, (struct sockaddr *)&in), -EACCES);
}

#define WITH_LOOP(f) cmocka_unit_test_setup_teardown(f, loopback_setup, loopback_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(test_boundaries_and_addresses),
        WITH_LOOP(test_each_datagram_wakes_one),
        WITH_LOOP(test_deadlines),
        WITH_LOOP(test_a_full_queue_stops_reading),
        WITH_LOOP(test_what_the_system_drops_is_counted),
        WITH_LOOP(test_a_refusal),
        WITH_LOOP(test_waiting_for_room),
        WITH_LOOP(test_closing_within_a_callback),
        cmocka_unit_test(test_sockets_that_cannot_be),
    };
    return cmocka_run_group_tests_name("udp", tests, NULL, NULL);
}
