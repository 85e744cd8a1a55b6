#include "net/loop.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct el_timer {
    uv_timer_t handle;
    el_timer_fn *fire;
    void *arg;
};

int el_loop_init(struct el_loop *loop)
{
    memset(loop, 0, sizeof(*loop));
    return uv_loop_init(&loop->uv);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void close_timer(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (handle->type == UV_TIMER && !uv_is_closing(handle))
        uv_close(handle, on_timer_closed);
}

void el_loop_fini(struct el_loop *loop)
{
    /* Whoever owned the timers that are left (tasks that were asleep) is gone by now. */
    uv_walk(&loop->uv, close_timer, NULL);
    /* Requests in the thread pool (name look-ups) cannot be taken back: their callbacks
     * must have run before the loop may go. */
    while (uv_loop_close(&loop->uv) == UV_EBUSY)
        uv_run(&loop->uv, UV_RUN_ONCE);
    while (loop->chunk_count > 0)
        free(loop->chunks[--loop->chunk_count]);
}

char *el_loop_chunk_take(struct el_loop *loop)
{
    if (loop->chunk_count > 0)
        return loop->chunks[--loop->chunk_count];
    return malloc(EL_CHUNK_SIZE);
}

void el_loop_chunk_give(struct el_loop *loop, char *chunk)
{
    if (loop->chunk_count < EL_CHUNKS_KEPT)
        loop->chunks[loop->chunk_count++] = chunk;
    else
        free(chunk);
}

struct el_timer *el_timer_new(struct el_loop *loop, el_timer_fn *fire, void *arg)
{
    struct el_timer *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    (void)uv_timer_init(&loop->uv, &t->handle); /* cannot fail */
    t->handle.data = t;
    t->fire = fire;
    t->arg = arg;
    return t;
}

static void on_timer(uv_timer_t *handle)
{
    struct el_timer *t = handle->data;
    t->fire(t->arg);
}

void el_timer_start(struct el_timer *t, uint64_t due_ns)
{
    uint64_t now = el_clock_ns();
    uint64_t ms = due_ns > now ? (due_ns - now) / EL_NS_PER_MS + 1 : 1;
    /* libuv counts from the loop's cached time, which a long computation leaves behind. */
    uv_update_time(t->handle.loop);
    (void)uv_timer_start(&t->handle, on_timer, ms, 0);
}

void el_timer_stop(struct el_timer *t)
{
    (void)uv_timer_stop(&t->handle);
}

void el_timer_free(struct el_timer *t)
{
    if (t != NULL)
        uv_close((uv_handle_t *)&t->handle, on_timer_closed);
}
