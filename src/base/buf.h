/* buf.h - a byte buffer read at its head and filled at its tail.
 * The caller owns the struct, the buffer its storage. One thread at a time. */
#ifndef EL_BASE_BUF_H
#define EL_BASE_BUF_H

#include <stddef.h>

/* A zeroed struct is an empty buffer without storage. Content: `len` bytes at base + off. */
struct el_buf {
    char *base;
    size_t off;
    size_t len;
    size_t cap;
};

/* Frees the storage; the buffer is empty again. */
void el_buf_fini(struct el_buf *b);

/* First byte of the content. */
static inline char *el_buf_data(const struct el_buf *b)
{
    return b->off > 0 ? b->base + b->off : b->base; /* NULL + 0 is no pointer in C */
}

/* Bytes that can be put behind the content without moving anything. */
static inline size_t el_buf_tail(const struct el_buf *b)
{
    return b->cap - b->off - b->len;
}

/* Makes room for at least `n` bytes behind the content: moves it to the front where that
 * is enough (and cheap), else into storage of at least twice the size.
 * Returns 0 or -ENOMEM. */
int el_buf_reserve(struct el_buf *b, size_t n) __attribute__((warn_unused_result));

/* Appends a copy of `n` bytes. Returns 0 or -ENOMEM. */
int el_buf_append(struct el_buf *b, const void *data, size_t n)
    __attribute__((warn_unused_result));

/* Drops `n` bytes from the head; there are as many. */
void el_buf_consume(struct el_buf *b, size_t n);

#endif
