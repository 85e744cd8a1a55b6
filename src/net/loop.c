#include "net/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/child.h"
#include "net/dns.h"

/* What libuv opens for a loop, at most. Where it cannot, it aborts. */
#define DESCRIPTORS 8

static int check_descriptors(void)
{
    int fds[DESCRIPTORS];
    int n = 0, err = 0;
    while (n < DESCRIPTORS && err == 0) {
        fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fds[n] < 0)
            err = -errno;
        else
            n++;
    }
    while (n > 0) {
        /* libuv holds that a standard file is never its own, and aborts when it closes one: where
         * they were closed, they are taken from now on. */
        if (fds[--n] > STDERR_FILENO)
            (void)close(fds[n]);
    }
    return err;
}

int el_loop_init(struct el_loop *loop)
{
    memset(loop, 0, sizeof(*loop));
    int err = check_descriptors();
    return err != 0 ? err : uv_loop_init(&loop->uv);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Handles are the head of what `data` points at, and that is on the heap. */
static void close_rest(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, handle->data != NULL ? on_closed : NULL);
}

void el_loop_fini(struct el_loop *loop)
{
    el_child_end_all(loop);
    el_dns_free(loop->dns);
    loop->dns = NULL;
    /* Timers of tasks that were asleep: whoever owned them is gone by now. */
    uv_walk(&loop->uv, close_rest, NULL);
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
