#include "net/listener.h"

#include <errno.h>
#include <unistd.h>

#include "base/err.h"
#include "loopback.h"

struct ready {
    bool came;
    int calls;
};

static void on_ready(void *arg)
{
    struct ready *r = arg;
    r->came = true;
    r->calls++;
}

static void ignore(void *owner)
{
    (void)owner;
}

static const struct el_stream_events events = {.closed = ignore};

static void hang_up(struct el_stream *s)
{
    el_stream_own(s, &events, NULL);
    s->ops->close(s, false);
}

static const struct sockaddr *any_port(struct sockaddr_in *in)
{
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, in), 0);
    return (struct sockaddr *)in;
}

static int client_of(const struct el_listener *l)
{
    struct sockaddr_storage where;
    assert_int_equal(el_listener_address(l, &where), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof(struct sockaddr_in)),
                     0);
    return fd;
}

static void await(struct el_listener *l, struct ready *r)
{
    *r = (struct ready){0};
    l->arg = r;
    l->ready = on_ready;
}

static void test_port_0_is_a_free_one(void **state)
{
    struct el_listener one, other;
    struct sockaddr_storage a, b;
    struct sockaddr_in in;
    assert_int_equal(el_listener_init(&one, *state, any_port(&in), true), 0);
    assert_int_equal(el_listener_init(&other, *state, any_port(&in), true), 0);
    assert_int_equal(el_listener_address(&one, &a), 0);
    assert_int_equal(el_listener_address(&other, &b), 0);
    assert_int_not_equal(((struct sockaddr_in *)(void *)&a)->sin_port, 0);
    assert_int_not_equal(((struct sockaddr_in *)(void *)&a)->sin_port,
                         ((struct sockaddr_in *)(void *)&b)->sin_port);
    el_listener_close(&one);
    el_listener_close(&other);
}

static void test_a_port_in_use(void **state)
{
    struct el_listener one, other;
    struct sockaddr_storage where;
    struct sockaddr_in in;
    assert_int_equal(el_listener_init(&one, *state, any_port(&in), true), 0);
    assert_int_equal(el_listener_address(&one, &where), 0);
    assert_int_equal(el_listener_init(&other, *state, (struct sockaddr *)&where, true),
                     -EADDRINUSE);
    assert_null(other.handle);
    el_listener_close(&other); /* harmless */
    el_listener_close(&one);
    /* and it is free again at once, though a client was there before */
    assert_int_equal(el_listener_init(&other, *state, (struct sockaddr *)&where, true),
                     0);
    el_listener_close(&other);
}

static void test_accept(void **state)
{
    struct el_listener l;
    struct el_stream *s;
    struct sockaddr_in in;
    struct ready r;
    assert_int_equal(el_listener_init(&l, *state, any_port(&in), true), 0);
    assert_int_equal(el_listener_accept(&l, &s), -EAGAIN);
    await(&l, &r);
    int client = client_of(&l);
    loopback_until(*state, &r.came);
    assert_int_equal(el_listener_accept(&l, &s), 0);
    assert_int_equal(el_listener_accept(&l, &(struct el_stream *){NULL}), -EAGAIN);
    hang_up(s);
    assert_int_equal(loopback_drain(*state, client), 0);
    assert_int_equal(close(client), 0);
    el_listener_close(&l);
}

static void test_clients_wait_their_turn(void **state)
{
    struct el_listener l;
    struct sockaddr_in in;
    struct ready r;
    int clients[3];
    assert_int_equal(el_listener_init(&l, *state, any_port(&in), true), 0);
    for (int i = 0; i < 3; i++)
        clients[i] = client_of(&l);
    for (int i = 0; i < 3; i++) {
        struct el_stream *s;
        struct sockaddr_storage peer;
        struct sockaddr_in own;
        socklen_t len = sizeof(own);
        if (el_listener_accept(&l, &s) != 0) {
            await(&l, &r);
            loopback_until(*state, &r.came);
            assert_int_equal(r.calls, 1);
            assert_int_equal(el_listener_accept(&l, &s), 0);
        }
        assert_int_equal(s->ops->peer_address(s, &peer), 0);
        assert_int_equal(getsockname(clients[i], (struct sockaddr *)&own, &len), 0);
        assert_int_equal(((struct sockaddr_in *)(void *)&peer)->sin_port, own.sin_port);
        hang_up(s);
        assert_int_equal(close(clients[i]), 0);
    }
    el_listener_close(&l);
}

static void test_close_while_somebody_waits(void **state)
{
    struct el_listener l;
    struct el_stream *s;
    struct sockaddr_storage where;
    struct sockaddr_in in;
    struct ready r;
    assert_int_equal(el_listener_init(&l, *state, any_port(&in), true), 0);
    await(&l, &r);
    el_listener_close(&l);
    assert_int_equal(r.calls, 1);
    el_listener_close(&l); /* harmless */
    assert_int_equal(r.calls, 1);
    assert_int_equal(el_listener_accept(&l, &s), EL_ECLOSED);
    assert_int_equal(el_listener_address(&l, &where), EL_ECLOSED);
}

/* Whoever had connected already is hung up on. */
static void test_close_with_a_client_pending(void **state)
{
    struct el_listener l;
    struct sockaddr_in in;
    struct ready r;
    assert_int_equal(el_listener_init(&l, *state, any_port(&in), true), 0);
    await(&l, &r);
    int client = client_of(&l);
    loopback_until(*state, &r.came);
    el_listener_close(&l);
    assert_true(loopback_drain(*state, client) <= 0);
    assert_int_equal(close(client), 0);
}

static void test_an_address_that_is_not_ours(void **state)
{
    struct el_listener l;
    struct sockaddr_in in;
    assert_int_equal(uv_ip4_addr("192.0.2.1", 0, &in), 0); /* RFC 5737 */
    assert_int_equal(el_listener_init(&l, *state, (struct sockaddr *)&in, true),
                     -EADDRNOTAVAIL);
    assert_null(l.handle);
}

#define WITH_LOOP(f) cmocka_unit_test_setup_teardown(f, loopback_setup, loopback_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(test_port_0_is_a_free_one),
        WITH_LOOP(test_a_port_in_use),
        WITH_LOOP(test_accept),
        WITH_LOOP(test_clients_wait_their_turn),
        WITH_LOOP(test_close_while_somebody_waits),
        WITH_LOOP(test_close_with_a_client_pending),
        WITH_LOOP(test_an_address_that_is_not_ours),
    };
    return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}
