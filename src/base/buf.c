#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST 64

void el_buf_fini(struct el_buf *b)
{
    free(b->base);
    memset(b, 0, sizeof(*b));
}

int el_buf_reserve(struct el_buf *b, size_t n)
{
    if (el_buf_tail(b) >= n)
        return 0;
    /* Moving is only cheap when the gap is as large as what moves: so each byte is moved
     * a bounded number of times, however the content is consumed. */
    if (b->off >= b->len && b->cap - b->len >= n) {
        if (b->len > 0)
            memmove(b->base, el_buf_data(b), b->len);
        b->off = 0;
        return 0;
    }
    if (n > SIZE_MAX / 2 - b->len)
        return -ENOMEM;
    size_t cap = b->cap < SMALLEST ? SMALLEST : b->cap;
    while (cap < b->len + n)
        cap *= 2;
    char *base = malloc(cap);
    if (base == NULL)
        return -ENOMEM;
    if (b->len > 0)
        memcpy(base, el_buf_data(b), b->len);
    free(b->base);
    b->base = base;
    b->off = 0;
    b->cap = cap;
    return 0;
}

int el_buf_append(struct el_buf *b, const void *data, size_t n)
{
    if (n == 0)
        return 0;
    int err = el_buf_reserve(b, n);
    if (err != 0)
        return err;
    memcpy(el_buf_data(b) + b->len, data, n);
    b->len += n;
    return 0;
}

void el_buf_consume(struct el_buf *b, size_t n)
{
    assert(n <= b->len);
    b->off += n;
    b->len -= n;
    if (b->len == 0)
        b->off = 0;
}
