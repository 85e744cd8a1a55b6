/* sock.h - the socket carrier: an el_stream over a stream socket that libuv polls.
 * The struct frees itself after el_stream_ops.close. One thread: the loop's. */
#ifndef EL_NET_SOCK_H
#define EL_NET_SOCK_H

#include <stdbool.h>

#include "net/loop.h"
#include "net/stream.h"

/* Takes over the connected stream socket `fd`; `nodelay` is for TCP. On failure (a negative
 * errno) the descriptor is closed. */
int el_sock_adopt(struct el_loop *loop, int fd, bool nodelay, struct el_stream **out)
    __attribute__((warn_unused_result));

/* Has the stream socket `fd`, whose connect is under way, finish that; takes it over as
 * el_sock_adopt does. `done` is called once, later, with 0 or a negative errno; the stream is
 * of use after a 0, and has to be closed in any case (before that, too). */
typedef void el_sock_connect_fn(void *arg, int status);
int el_sock_connect(struct el_loop *loop, int fd, bool nodelay, el_sock_connect_fn *done,
                    void *arg, struct el_stream **out)
    __attribute__((warn_unused_result));

/* Where one socket is all that the loop waits for, reads from it in one system call that
 * blocks, and delivers. True when it did so; false when the loop has to take its turn. */
bool el_sock_read_alone(struct el_loop *loop);

#endif
