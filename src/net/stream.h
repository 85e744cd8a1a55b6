/* stream.h - the carrier under a connection: an ordered stream of bytes each way.
 * A stream is owned by whom it was handed to, until close; it then frees itself. One
 * thread: the loop's. */
#ifndef EL_NET_STREAM_H
#define EL_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <uv.h>

struct el_stream;

/* What a stream tells its owner. Of these only `closed` is called after close. */
struct el_stream_events {
    /* Asks where the next bytes shall go; an empty buffer means: there is no room, but has the
     * peer ended? */
    void (*alloc)(void *owner, uv_buf_t *out);
    /* What became of that: `n` > 0 bytes were put there; 0: none; -ENOBUFS: there are some,
     * and no room; EL_EEOF or another negative errno: nothing more will come. */
    void (*read)(void *owner, ssize_t n);
    /* There is room to write, or the stream has failed, as the next try will tell. Called
     * again and again while that is wanted. */
    void (*writable)(void *owner);
    /* The last word, in a later turn of the loop than close. */
    void (*closed)(void *owner);
};

struct el_stream_ops {
    int (*read_start)(struct el_stream *s);
    void (*read_stop)(struct el_stream *s);
    /* Sends what can be taken without waiting. Bytes taken, -EAGAIN for none, or another
     * negative errno. */
    ssize_t (*try_write)(struct el_stream *s, const uv_buf_t *bufs, unsigned n);
    /* Whether `writable` shall be called. 0 or a negative errno. */
    int (*want_write)(struct el_stream *s, bool wanted);
    /* Bytes that were taken, and wait in a buffer of its own for room. NULL: it has none. */
    size_t (*held)(struct el_stream *s);
    /* Ends our sending half. 0 or a negative errno. */
    int (*shutdown)(struct el_stream *s);
    /* Ends it, with an RST where `reset` and the carrier knows one. */
    void (*close)(struct el_stream *s, bool reset);
    /* 0 or a negative errno. */
    int (*local_address)(struct el_stream *s, struct sockaddr_storage *out);
    int (*peer_address)(struct el_stream *s, struct sockaddr_storage *out);
    /* Says more than the code of what ended it, or NULL. NULL: codes say it all. */
    const char *(*why)(struct el_stream *s);
};

struct el_stream {
    const struct el_stream_ops *ops;
    const struct el_stream_events *events;
    void *owner;
};

static inline void el_stream_own(struct el_stream *s,
                                 const struct el_stream_events *events, void *owner)
{
    s->events = events;
    s->owner = owner;
}

#endif
