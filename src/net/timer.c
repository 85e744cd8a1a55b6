#include "net/timer.h"

#include <stdlib.h>

#include "base/clock.h"

struct el_timer {
    uv_timer_t handle;
    struct el_loop *loop;
    el_timer_fn *fire;
    void *arg;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct el_timer *el_timer_new(struct el_loop *loop, el_timer_fn *fire, void *arg)
{
    struct el_timer *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    (void)uv_timer_init(&loop->uv, &t->handle); /* cannot fail */
    t->handle.data = t;
    t->loop = loop;
    t->fire = fire;
    t->arg = arg;
    return t;
}

static void on_timer(uv_timer_t *handle)
{
    struct el_timer *t = handle->data;
    t->loop->timers_active--;
    t->fire(t->arg);
}

void el_timer_start(struct el_timer *t, uint64_t due_ns)
{
    uint64_t now = el_clock_ns();
    /* libuv's clock is cut to milliseconds: one more, and it is never early. */
    uint64_t ms = due_ns > now ? (due_ns - now) / EL_NS_PER_MS + 2 : 1;
    /* libuv counts from the loop's cached time, which a long computation leaves behind. */
    uv_update_time(t->handle.loop);
    el_timer_stop(t);
    t->loop->timers_active++;
    (void)uv_timer_start(&t->handle, on_timer, ms, 0);
}

void el_timer_stop(struct el_timer *t)
{
    if (!uv_is_active((uv_handle_t *)&t->handle))
        return;
    t->loop->timers_active--;
    (void)uv_timer_stop(&t->handle);
}

void el_timer_free(struct el_timer *t)
{
    if (t == NULL)
        return;
    el_timer_stop(t);
    uv_close((uv_handle_t *)&t->handle, on_closed);
}
