#include "loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/clock.h"

#define PATIENCE_NS (20 * EL_NS_PER_S)

int loopback_setup(void **state)
{
    struct el_loop *loop = malloc(sizeof(*loop));
    if (loop == NULL || el_loop_init(loop) != 0)
        return -1;
    *state = loop;
    return 0;
}

int loopback_teardown(void **state)
{
    el_loop_fini(*state);
    free(*state);
    return 0;
}

/* Wakes the loop now and then, so that a test that waits in vain ends. */
static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void on_tick_closed(uv_handle_t *handle)
{
    free(handle);
}

void loopback_turn(struct el_loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
}

void loopback_until(struct el_loop *loop, const bool *flag)
{
    uint64_t end = el_clock_ns() + PATIENCE_NS;
    uv_timer_t *tick = calloc(1, sizeof(*tick));
    assert_non_null(tick);
    assert_int_equal(uv_timer_init(&loop->uv, tick), 0);
    assert_int_equal(uv_timer_start(tick, on_tick, 100, 100), 0);
    while (!*flag && el_clock_ns() < end)
        (void)uv_run(&loop->uv, UV_RUN_ONCE);
    uv_close((uv_handle_t *)tick, on_tick_closed);
    if (!*flag)
        fail_msg("what was awaited did not come");
}

int loopback_listen(int backlog, struct sockaddr_in *address)
{
    socklen_t len = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)address, len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
    return fd;
}

void loopback_pair(int *one, int *other)
{
    struct sockaddr_in address;
    int listener = loopback_listen(1, &address);
    *one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(*one, (struct sockaddr *)&address, sizeof(address)), 0);
    *other = accept(listener, NULL, NULL);
    assert_true(*other >= 0);
    assert_int_equal(close(listener), 0);
}

void loopback_nonblocking(int fd)
{
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

void loopback_write(int fd, const void *data, size_t n)
{
    ssize_t done = send(fd, data, n, MSG_NOSIGNAL);
    assert_int_equal(done, n);
}

void loopback_read(struct el_loop *loop, int fd, void *data, size_t n)
{
    uint64_t end = el_clock_ns() + PATIENCE_NS;
    for (size_t have = 0; have < n;) {
        ssize_t got = recv(fd, (char *)data + have, n - have, MSG_DONTWAIT);
        if (got > 0)
            have += (size_t)got;
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
            fail_msg("the stream ended after %zu of %zu bytes", have, n);
        else if (el_clock_ns() > end)
            fail_msg("%zu of %zu bytes came", have, n);
        loopback_turn(loop);
    }
}

ssize_t loopback_drain(struct el_loop *loop, int fd)
{
    static char sink[65536];
    uint64_t end = el_clock_ns() + PATIENCE_NS;
    ssize_t total = 0;
    for (;;) {
        ssize_t got = recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
        if (got == 0)
            return total;
        if (got > 0)
            total += got;
        else if (errno != EAGAIN && errno != EINTR)
            return -errno;
        else if (el_clock_ns() > end)
            fail_msg("the stream did not end");
        loopback_turn(loop);
    }
}
