/* pipe.h - the carrier over a program's standard files: an el_stream of two pipes, each for one
 * way. The struct frees itself after el_stream_ops.close. One thread: the loop's. */
#ifndef EL_NET_PIPE_H
#define EL_NET_PIPE_H

#include "net/child.h"
#include "net/loop.h"
#include "net/stream.h"

/* Takes over `from`, which we read, and `to` (or -1), which we write; neither blocks. Closing the
 * stream ends `child` (or NULL), of which it takes a reference: at once where it is a reset. On
 * failure (a negative errno) the descriptors are closed. */
int el_pipe_adopt(struct el_loop *loop, int from, int to, struct el_child *child,
                  struct el_stream **out) __attribute__((warn_unused_result));

#endif
