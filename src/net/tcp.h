/* tcp.h - the TCP carrier: an el_stream over a socket that libuv watches.
 * The struct frees itself after el_stream_ops.close. One thread: the loop's. */
#ifndef EL_NET_TCP_H
#define EL_NET_TCP_H

#include <stdbool.h>

#include "net/loop.h"
#include "net/stream.h"

struct el_tcp {
    struct el_stream stream;
    uv_tcp_t handle;
    void *out; /* what write() took and has not left yet */
};

/* A socket to be connected or accepted into; NULL when memory is out. */
struct el_tcp *el_tcp_new(struct el_loop *loop, bool nodelay);

/* Wraps the connected stream socket `fd`, which it owns on success. 0 or a negative
 * errno. */
int el_tcp_adopt(struct el_loop *loop, int fd, struct el_stream **out)
    __attribute__((warn_unused_result));

#endif
