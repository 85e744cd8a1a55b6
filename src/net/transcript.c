#include "net/transcript.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* A record in the ring is one word, then the bytes that are kept of the event; where some are
 * not, a second word tells how many, and the bytes are its head, and its tail where both are
 * as long as a part may be.
 * The word: time since the transcript began (40 bits of 1,024 ns, 13 days), bytes kept (16 bits),
 * direction (6 bits), whether it is of a datagram (then the length of a socket address, and that, stand
 * before the bytes), and whether there is a second word. Small records matter: a thousand
 * connections write theirs into as many rings, which no cache holds.
 *
 * Positions run on for ever; a position's place is its remainder by the capacity, which is a
 * power of two. */
#define WORD sizeof(uint64_t)
#define TICK_BITS 10
#define TIME_MAX (((uint64_t)1 << 40) - 1)

static uint64_t pack(uint64_t ns, size_t kept, enum el_direction dir, bool omitted)
{
    uint64_t ticks = ns >> TICK_BITS;
    return (ticks < TIME_MAX ? ticks : TIME_MAX) << 24 | (uint64_t)kept << 8 |
           (uint64_t)dir << 1 | omitted;
}

#define DATAGRAM 0x80u /* of a word: of its direction the highest bit */

static size_t word_kept(uint64_t word)
{
    return word >> 8 & 0xffff;
}

static size_t record_size(uint64_t word)
{
    return WORD + (word & 1 ? WORD : 0) + word_kept(word);
}

struct el_transcript {
    char *ring;
    size_t cap, most;
    size_t part;       /* of an event's bytes, from either end */
    uint64_t first;    /* position of the oldest record */
    uint64_t next;     /* position behind the newest one */
    uint64_t begun_ns; /* what times count from */
    uint64_t dropped;
    unsigned refs;
    char *name;
    char *address;
    bool aside;
};

#define SMALLEST_RING ((size_t)128)

/* Bytes that are kept from the start of an event. */
static size_t head_of(const struct el_transcript *t, uint64_t word)
{
    size_t kept = word_kept(word);
    return (word & 1) && kept > t->part ? t->part : kept;
}

static char *copy_text(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

struct el_transcript *el_transcript_new(const char *name, size_t most)
{
    struct el_transcript *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->refs = 1;
    t->most = most;
    t->part = most / EL_TRANSCRIPT_PARTS;
    t->begun_ns = el_clock_ns();
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

/* Until the ring has its full size nothing is dropped, and so nothing wraps: it grows as any
 * array does. */
static int grow(struct el_transcript *t, size_t need)
{
    size_t cap = t->cap > 0 ? t->cap : SMALLEST_RING;
    while (cap < t->next + need && cap < t->most)
        cap *= 2;
    if (cap <= t->cap)
        return 0;
    char *ring = realloc(t->ring, cap);
    if (ring == NULL)
        return -ENOMEM;
    t->ring = ring;
    t->cap = cap;
    return 0;
}

static void drop_oldest(struct el_transcript *t)
{
    uint64_t word;
    copy_out(t, t->first, &word, WORD);
    t->first += record_size(word);
    t->dropped++;
}

static int make_room(struct el_transcript *t, size_t need)
{
    int err = grow(t, need);
    if (err != 0) {
        t->dropped++;
        return err;
    }
    while (t->next - t->first + need > t->cap)
        drop_oldest(t);
    return 0;
}

/* What does not fit in one piece: the ring has to grow, to drop or to wrap, or the event is so
 * large that its middle is left out. */
static void __attribute__((noinline, cold))
add_slowly(struct el_transcript *t, uint64_t word, const void *data, size_t len)
{
    size_t need = record_size(word);
    uint64_t missing = len - word_kept(word);
    if (t->next - t->first + need > t->cap && make_room(t, need) != 0)
        return;
    size_t head = head_of(t, word);
    copy_in(t, &word, WORD);
    if (missing > 0)
        copy_in(t, &missing, WORD);
    if (len > 0)
        copy_in(t, data, head);
    if (head < word_kept(word))
        copy_in(t, (const char *)data + len - t->part, t->part);
}

void el_transcript_add(struct el_transcript *t, enum el_direction dir, uint64_t t_ns,
                       const void *data, size_t len)
{
    size_t kept = len < 2 * t->part ? len : 2 * t->part;
    uint64_t word = pack(t_ns - t->begun_ns, kept, dir, kept < len);
    size_t at = t->next & (t->cap - 1);
    size_t need = WORD + len;
    if (kept < len || at + need > t->cap || t->next - t->first + need > t->cap) {
        add_slowly(t, word, data, len);
        return;
    }
    memcpy(t->ring + at, &word, WORD);
    if (len > 0)
        memcpy(t->ring + at + WORD, data, len);
    t->next += need;
}

void el_transcript_add_head(struct el_transcript *t, enum el_direction dir, uint64_t t_ns,
                            const void *data, size_t len, size_t keep)
{
    size_t most = keep < t->part ? keep : t->part;
    size_t kept = len < most ? len : most;
    add_slowly(t, pack(t_ns - t->begun_ns, kept, dir, kept < len), data, len);
}

void el_transcript_add_datagram(struct el_transcript *t, enum el_direction dir,
                                uint64_t t_ns, const struct sockaddr *with,
                                size_t with_len, const void *data, size_t len)
{
    char front[1 + sizeof(struct sockaddr_storage)];
    size_t front_len = 1 + with_len, whole = front_len + len;
    size_t kept = whole < 2 * t->part ? whole : 2 * t->part;
    uint64_t missing = whole - kept;
    uint64_t word = pack(t_ns - t->begun_ns, kept, dir, missing > 0) | DATAGRAM;
    size_t need = record_size(word);
    assert(with_len < sizeof(front) && front_len < t->part);
    front[0] = (char)with_len;
    if (with_len > 0)
        memcpy(front + 1, with, with_len);
    if (t->next - t->first + need > t->cap && make_room(t, need) != 0)
        return;
    copy_in(t, &word, WORD);
    if (missing > 0)
        copy_in(t, &missing, WORD);
    copy_in(t, front, front_len);
    if (len > 0)
        copy_in(t, data, head_of(t, word) - front_len);
    if (missing > 0)
        copy_in(t, (const char *)data + len - t->part, t->part);
}

/* Takes what stands before a datagram's bytes. */
static void take_front(struct el_transcript_event *e)
{
    size_t with_len = (unsigned char)e->head[0];
    memcpy(&e->with, e->head + 1, with_len);
    e->head += 1 + with_len;
    e->head_len -= 1 + with_len;
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
        uint64_t word, missing = 0;
        memcpy(&word, flat + at, WORD);
        const char *bytes = flat + at + WORD;
        if (word & 1) {
            memcpy(&missing, bytes, WORD);
            bytes += WORD;
        }
        size_t kept = word_kept(word);
        size_t head = head_of(t, word);
        struct el_transcript_event e = {
            .dir = (enum el_direction)(word >> 1 & 0x3f),
            .t_ns = t->begun_ns + (word >> 24 << TICK_BITS),
            .head = bytes,
            .head_len = head,
            .omitted = (size_t)missing,
            .tail = bytes + head,
            .tail_len = kept - head,
        };
        e.datagram = word & DATAGRAM;
        if (e.datagram)
            take_front(&e);
        at += record_size(word);
        each(&e, arg);
    }
    free(flat);
    return 0;
}

void el_transcript_prefetch(const struct el_transcript *t)
{
    if (t->ring != NULL)
        __builtin_prefetch(t->ring + (t->next & (t->cap - 1)), 1);
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

void el_transcript_set_aside(struct el_transcript *t)
{
    t->aside = true;
}

static void note_bytes(const struct el_transcript_event *e, void *arg)
{
    bool *some = arg;
    *some = *some || e->head_len > 0;
}

bool el_transcript_is_silent(const struct el_transcript *t)
{
    bool some = t->dropped > 0;
    return t->aside && el_transcript_each(t, note_bytes, &some) == 0 && !some;
}

uint64_t el_transcript_dropped(const struct el_transcript *t)
{
    return t->dropped;
}
