/* loop.h - the event loop (libuv) and the chunks that connections read into.
 * The caller owns the struct. One thread: the one that runs the loop. */
#ifndef EL_NET_LOOP_H
#define EL_NET_LOOP_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define EL_CHUNK_SIZE ((size_t)65536)
#define EL_CHUNKS_KEPT 8

/* Chunks are lent to connections while bytes lie in them and given back at once when they
 * are consumed, last in first out: a thousand connections at rest read into the same
 * 64 KiB, which stay in the processor's cache, and keep none of their own. */
struct el_sock;
struct el_child;
struct el_dns;

struct el_loop {
    uv_loop_t uv;
    struct el_sock *last_sock; /* the last one whose interest changed, while it is open */
    struct el_dns *dns;        /* NULL: names are the system's resolver's business */
    unsigned socks_watched;
    unsigned timers_active;
    struct el_child *children; /* that are not gone */
    char *chunks[EL_CHUNKS_KEPT];
    unsigned chunk_count;
};

/* Returns 0 or a negative errno. */
int el_loop_init(struct el_loop *loop) __attribute__((warn_unused_result));

/* Ends the children, closes the handles that nobody closed, runs the loop until all have ended, frees it. */
void el_loop_fini(struct el_loop *loop);

/* EL_CHUNK_SIZE bytes, or NULL when memory is out. */
char *el_loop_chunk_take(struct el_loop *loop);
void el_loop_chunk_give(struct el_loop *loop, char *chunk);

#endif
