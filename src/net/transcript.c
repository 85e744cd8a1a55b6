#include "net/transcript.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Each record in the ring is this header, then the bytes kept of the event's head and tail.
 * Positions run on for ever; a position's place is its remainder by the capacity, which is
 * a power of two. */
struct record {
    uint64_t t_ns;
    uint32_t head_len;
    uint32_t tail_len;
    uint64_t omitted_and_dir; /* omitted << 8 | dir */
};

struct el_transcript {
    unsigned refs;
    uint32_t cap;
    char *ring;
    uint64_t first; /* position of the oldest record */
    uint64_t next;  /* position behind the newest one */
    uint64_t dropped;
    char *name;
    char *address;
};

#define SMALLEST_RING 256u

static char *copy_text(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

struct el_transcript *el_transcript_new(const char *name)
{
    struct el_transcript *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->refs = 1;
    t->name = copy_text(name);
    return t;
}

struct el_transcript *el_transcript_ref(struct el_transcript *t)
{
    t->refs++;
    return t;
}

void el_transcript_unref(struct el_transcript *t)
{
    if (t == NULL || --t->refs > 0)
        return;
    free(t->ring);
    free(t->name);
    free(t->address);
    free(t);
}

static void copy_in(struct el_transcript *t, const void *data, size_t len)
{
    size_t at = t->next & (t->cap - 1);
    size_t first = len < t->cap - at ? len : t->cap - at;
    memcpy(t->ring + at, data, first);
    if (len > first)
        memcpy(t->ring, (const char *)data + first, len - first);
    t->next += len;
}

static void copy_out(const struct el_transcript *t, uint64_t from, void *out, size_t len)
{
    size_t at = from & (t->cap - 1);
    size_t first = len < t->cap - at ? len : t->cap - at;
    memcpy(out, t->ring + at, first);
    if (len > first)
        memcpy((char *)out + first, t->ring, len - first);
}

static int grow(struct el_transcript *t, size_t need)
{
    size_t used = (size_t)(t->next - t->first);
    size_t cap = t->cap > 0 ? t->cap : SMALLEST_RING;
    while (cap < used + need && cap < EL_TRANSCRIPT_BYTES)
        cap *= 2;
    if (cap == t->cap)
        return 0;
    char *ring = malloc(cap);
    if (ring == NULL)
        return -ENOMEM;
    if (used > 0)
        copy_out(t, t->first, ring, used);
    free(t->ring);
    t->ring = ring;
    t->cap = (uint32_t)cap;
    t->first = 0;
    t->next = used;
    return 0;
}

static void drop_oldest(struct el_transcript *t)
{
    struct record r;
    copy_out(t, t->first, &r, sizeof(r));
    t->first += sizeof(r) + r.head_len + r.tail_len;
    t->dropped++;
}

void el_transcript_add(struct el_transcript *t, enum el_direction dir, uint64_t t_ns,
                       const void *data, size_t len)
{
    struct record r = {.t_ns = t_ns, .head_len = (uint32_t)len};
    size_t omitted = 0;
    if (len > 2 * EL_TRANSCRIPT_PART) {
        r.head_len = r.tail_len = (uint32_t)EL_TRANSCRIPT_PART;
        omitted = len - 2 * EL_TRANSCRIPT_PART;
    }
    r.omitted_and_dir = (uint64_t)omitted << 8 | (uint64_t)dir;
    size_t need = sizeof(r) + r.head_len + r.tail_len;
    if (t->next - t->first + need > t->cap && grow(t, need) != 0) {
        t->dropped++;
        return;
    }
    while (t->next - t->first + need > t->cap)
        drop_oldest(t);
    copy_in(t, &r, sizeof(r));
    if (r.head_len > 0)
        copy_in(t, data, r.head_len);
    if (r.tail_len > 0)
        copy_in(t, (const char *)data + len - r.tail_len, r.tail_len);
}

int el_transcript_each(const struct el_transcript *t, el_transcript_fn *each, void *arg)
{
    if (t->next == t->first)
        return 0;
    char *flat = malloc(t->cap);
    if (flat == NULL)
        return -ENOMEM;
    size_t used = (size_t)(t->next - t->first);
    copy_out(t, t->first, flat, used);
    for (size_t at = 0; at < used;) {
        struct record r;
        memcpy(&r, flat + at, sizeof(r));
        at += sizeof(r);
        struct el_transcript_event e = {
            .dir = (enum el_direction)(r.omitted_and_dir & 0xff),
            .t_ns = r.t_ns,
            .head = flat + at,
            .head_len = r.head_len,
            .omitted = (size_t)(r.omitted_and_dir >> 8),
            .tail = flat + at + r.head_len,
            .tail_len = r.tail_len,
        };
        at += r.head_len + r.tail_len;
        each(&e, arg);
    }
    free(flat);
    return 0;
}

const char *el_transcript_name(const struct el_transcript *t)
{
    return t->name;
}

void el_transcript_set_address(struct el_transcript *t, const char *address)
{
    free(t->address);
    t->address = copy_text(address);
}

const char *el_transcript_address(const struct el_transcript *t)
{
    return t->address;
}

uint64_t el_transcript_dropped(const struct el_transcript *t)
{
    return t->dropped;
}
