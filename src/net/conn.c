#include "net/conn.h"
#include "net/timer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

/* A read at least this large makes it likely that more of that size comes. */
#define BULK_READ ((size_t)4096)

#define CACHE_LINE 64

/* What the transcript keeps of bytes that are unread when a connection is closed. */
#define UNREAD_KEPT ((size_t)64)

static void note(struct el_conn *c, enum el_direction dir, const void *data, size_t len)
{
    el_transcript_add(c->transcript, dir, el_clock_ns(), data, len);
}

/* An end that says what of the received bytes nobody asked for. */
static void note_unread(struct el_conn *c, enum el_direction dir)
{
    size_t len = c->rx.len;
    el_transcript_add_head(c->transcript, dir, el_clock_ns(),
                           len > 0 ? el_buf_data(&c->rx) : NULL, len, UNREAD_KEPT);
}

/* --- storage of received bytes --------------------------------------------------------- */

static void rx_release(struct el_conn *c)
{
    if (c->chunk)
        el_loop_chunk_give(c->loop, c->rx.base);
    else
        free(c->rx.base);
    memset(&c->rx, 0, sizeof(c->rx));
    c->chunk = false;
}

/* Puts the content into a chunk, in front of free space. The content must fit. */
static int rx_to_chunk(struct el_conn *c)
{
    char *chunk = el_loop_chunk_take(c->loop);
    if (chunk == NULL)
        return -ENOMEM;
    size_t len = c->rx.len;
    if (len > 0)
        memcpy(chunk, el_buf_data(&c->rx), len);
    rx_release(c);
    c->rx = (struct el_buf){.base = chunk, .len = len, .cap = EL_CHUNK_SIZE};
    c->chunk = true;
    return 0;
}

/* Moves the content out of a chunk into storage of its own, of at least `cap` bytes. */
static int rx_to_own(struct el_conn *c, size_t cap)
{
    struct el_buf own = {0};
    int err = el_buf_reserve(&own, cap);
    if (err == 0)
        err = el_buf_append(&own, el_buf_data(&c->rx), c->rx.len);
    if (err != 0) {
        el_buf_fini(&own);
        return err;
    }
    rx_release(c);
    c->rx = own;
    return 0;
}

/* Room behind the content for the next read. Chunks go to connections without content and
 * to those that receive in bulk; the others grow their own storage by doubling, so that a
 * thousand connections with half a line each do not keep 64 KiB each. */
static int rx_make_room(struct el_conn *c)
{
    if (c->rx.base == NULL || (c->bulk && !c->chunk && c->rx.len < EL_CHUNK_SIZE / 4))
        return rx_to_chunk(c);
    size_t want = c->rx.len < BULK_READ ? c->rx.len : BULK_READ;
    if (el_buf_tail(&c->rx) >= want && el_buf_tail(&c->rx) > 0)
        return 0;
    if (c->chunk && c->rx.off < c->rx.len)
        return rx_to_own(c, 2 * EL_CHUNK_SIZE);
    /* In a chunk this moves the content to its front, nothing more: it is no longer than
     * the gap before it. */
    return el_buf_reserve(&c->rx, want > 0 ? want : 1);
}

/* What stays unread after a read does not keep a whole chunk if it is small. */
static void rx_trim(struct el_conn *c)
{
    if (c->rx.len == 0)
        rx_release(c);
    else if (c->chunk && c->rx.len < EL_CHUNK_SIZE / 4)
        (void)rx_to_own(c, 2 * c->rx.len); /* failing, it stays in the chunk */
}

/* --- reading ----------------------------------------------------------------------------- */

static void reading_stop(struct el_conn *c)
{
    if (c->reading) {
        c->stream->ops->read_stop(c->stream);
        c->reading = false;
    }
}

static void reading_start(struct el_conn *c)
{
    if (!c->reading && c->stream != NULL && c->rx_end == 0) {
        int err = c->stream->ops->read_start(c->stream);
        if (err == 0)
            c->reading = true;
        else
            c->rx_end = err;
    }
}

static void reader_done(struct el_conn *c, int status)
{
    struct el_await *a = c->reader;
    c->reader = NULL;
    a->done(a, status);
}

static int watch_deadline(struct el_conn *c, uint64_t deadline_ns);

static void ask_reader(struct el_conn *c)
{
    struct el_await *a = c->reader;
    if (a == NULL)
        return;
    int verdict = a->ready(c, a);
    if (verdict != 0)
        reader_done(c, verdict < 0 ? verdict : 0);
    else if (a->again_ns != 0 && watch_deadline(c, a->again_ns) != 0)
        reader_done(c, -ENOMEM);
}

/* Full, and more is there: who waits for it waits in vain, and it stays where it is. */
static void on_no_room(struct el_conn *c)
{
    if (!c->overhears)
        reading_stop(c);
    if (c->reader != NULL)
        reader_done(c, EL_ELIMIT);
}

/* True when there is room now. */
static bool drop_older_half(struct el_conn *c, size_t *room)
{
    if (!c->overhears || c->reader != NULL)
        return false;
    size_t n = c->rx.len - c->rx.len / 2;
    el_buf_consume(&c->rx, n);
    c->consumed += n;
    c->dropped += n;
    *room = n;
    return true;
}

static void on_alloc(void *owner, uv_buf_t *out)
{
    struct el_conn *c = owner;
    size_t room = c->max_buffer - c->rx.len;
    if (room == 0 && !drop_older_half(c, &room))
        return;
    /* With many connections what follows the read lies in no cache: it is fetched while the
     * system copies. */
    if (c->reader != NULL) {
        const char *hint = c->reader->hint;
        __builtin_prefetch((const char *)c->reader - CACHE_LINE);
        for (size_t i = 0; hint != NULL && i < 4; i++)
            __builtin_prefetch(hint + i * CACHE_LINE);
    }
    el_transcript_prefetch(c->transcript);
    if (rx_make_room(c) != 0)
        return; /* tried again with the next event */
    size_t tail = el_buf_tail(&c->rx);
    *out = uv_buf_init(el_buf_data(&c->rx) + c->rx.len,
                       (unsigned)(tail < room ? tail : room));
}

static void on_read(void *owner, ssize_t n)
{
    struct el_conn *c = owner;
    if (n == 0) {
        rx_trim(c);
        return;
    }
    if (n == -ENOBUFS) {
        on_no_room(c);
        return;
    }
    /* The system tells an error once. Where a send was told of the reset, what follows looks
     * like an end, and is none. */
    if (n == EL_EEOF && c->tx_end == -ECONNRESET)
        n = -ECONNRESET;
    if (n > 0) {
        note(c, EL_DIR_RECV, el_buf_data(&c->rx) + c->rx.len, (size_t)n);
        c->bulk = (size_t)n >= BULK_READ;
        c->rx.len += (size_t)n;
    } else {
        c->rx_end = (int)n;
        reading_stop(c);
        note(c, n == EL_EEOF ? EL_DIR_EOF : EL_DIR_RESET, NULL, 0);
    }
    c->in_read = true;
    ask_reader(c);
    c->in_read = false;
    if (c->stream == NULL)
        return;
    rx_trim(c);
    if (c->rx.len >= c->max_buffer && c->reader == NULL && !c->overhears)
        reading_stop(c);
}

void el_conn_consume(struct el_conn *c, size_t n)
{
    el_buf_consume(&c->rx, n);
    c->consumed += n;
    if (c->reader != NULL) /* another task's wait: what it has seen has moved */
        c->reader->seen = c->reader->mark = 0;
    if (c->rx.len == 0 && !c->in_read)
        rx_release(c);
    /* Not before half of it is free: refilling costs a look at the whole content. */
    if (!c->reading && c->rx.len <= c->max_buffer / 2)
        reading_start(c);
}

int el_conn_ready_some(const struct el_conn *c, struct el_await *a)
{
    (void)a;
    return c->rx.len > 0 || el_conn_ended(c);
}

int el_conn_ready_count(const struct el_conn *c, struct el_await *a)
{
    return c->rx.len >= a->n || el_conn_ended(c);
}

int el_conn_ready_line(const struct el_conn *c, struct el_await *a)
{
    if (c->rx.len > a->seen) {
        const char *from = el_buf_data(&c->rx) + a->seen;
        const char *lf = memchr(from, '\n', c->rx.len - a->seen);
        if (lf != NULL) {
            a->n = (size_t)(lf - el_buf_data(&c->rx)) + 1;
            return 1;
        }
        a->seen = c->rx.len;
    }
    a->n = c->rx.len;
    return el_conn_ended(c);
}

int el_conn_ready_end(const struct el_conn *c, struct el_await *a)
{
    (void)a;
    return el_conn_ended(c);
}

/* --- deadlines ---------------------------------------------------------------------------- */

/* One timer, asked rather than moved: a wait that ends in time never touches it. */
static uint64_t earliest_deadline(const struct el_conn *c)
{
    uint64_t due = c->reader != NULL ? c->reader->deadline_ns : 0;
    uint64_t again = c->reader != NULL ? c->reader->again_ns : 0;
    if (again != 0 && (due == 0 || again < due))
        due = again;
    for (const struct el_await *w = c->writers; w != NULL; w = w->next) {
        if (w->deadline_ns != 0 && (due == 0 || w->deadline_ns < due))
            due = w->deadline_ns;
    }
    return due;
}

static void rearm(struct el_conn *c, uint64_t due)
{
    el_timer_start(c->timer, due);
    c->timer_due_ns = due;
}

static void on_timer(void *arg)
{
    struct el_conn *c = arg;
    uint64_t now = el_clock_ns();
    uint64_t due = earliest_deadline(c);
    c->timer_due_ns = 0;
    if (due == 0)
        return;
    if (due > now) {
        rearm(c, due);
        return;
    }
    if (c->reader != NULL && c->reader->again_ns == due) {
        c->reader->again_ns = 0;
        ask_reader(c);
    } else if (c->reader != NULL && c->reader->deadline_ns == due) {
        reader_done(c, EL_ETIMEOUT);
    } else {
        struct el_await *w = c->writers;
        while (w->deadline_ns != due)
            w = w->next;
        el_conn_writer_leave(c, w);
        w->done(w, EL_ETIMEOUT);
    }
    due = c->stream != NULL ? earliest_deadline(c) : 0;
    if (due != 0)
        rearm(c, due);
}

static int watch_deadline(struct el_conn *c, uint64_t deadline_ns)
{
    if (deadline_ns == 0)
        return 0;
    if (c->timer == NULL) {
        c->timer = el_timer_new(c->loop, on_timer, c);
        if (c->timer == NULL)
            return -ENOMEM;
    }
    if (c->timer_due_ns == 0 || deadline_ns < c->timer_due_ns) {
        rearm(c, deadline_ns);
    }
    return 0;
}

int el_conn_await(struct el_conn *c, struct el_await *a)
{
    if (c->stream == NULL)
        return EL_ECLOSED;
    if (c->reader != NULL)
        return EL_EBUSY;
    int err = watch_deadline(c, a->deadline_ns);
    if (err == 0)
        err = watch_deadline(c, a->again_ns);
    if (err != 0)
        return err;
    a->consumed = c->consumed;
    c->reader = a;
    reading_start(c); /* where a full buffer had stopped it: the end may be next */
    return 0;
}

void el_conn_reader_leave(struct el_conn *c, struct el_await *a)
{
    if (c->reader == a)
        c->reader = NULL;
}

/* --- writing -------------------------------------------------------------------------------- */

int el_conn_try_send(struct el_conn *c, struct el_await *a, const uv_buf_t *bufs,
                     unsigned n, size_t *taken)
{
    *taken = 0;
    if (c->stream == NULL)
        return EL_ECLOSED;
    if (c->tx_end != 0)
        return c->tx_end;
    if (c->writers != a)
        return 0;
    ssize_t sent = c->stream->ops->try_write(c->stream, bufs, n);
    if (sent == -EAGAIN)
        return 0;
    if (sent < 0) {
        c->tx_end = (int)sent;
        return (int)sent;
    }
    *taken = (size_t)sent;
    uint64_t now = el_clock_ns();
    size_t left = (size_t)sent;
    for (unsigned i = 0; left > 0; i++) {
        size_t part = bufs[i].len < left ? bufs[i].len : left;
        el_transcript_add(c->transcript, EL_DIR_SEND, now, bufs[i].base, part);
        left -= part;
    }
    return 0;
}

int el_conn_await_send(struct el_conn *c, struct el_await *a)
{
    if (c->stream == NULL)
        return EL_ECLOSED;
    struct el_await **p = &c->writers;
    while (*p != NULL && *p != a)
        p = &(*p)->next;
    bool first = p == &c->writers;
    int err = watch_deadline(c, a->deadline_ns);
    if (err == 0 && first)
        err = c->stream->ops->want_write(c->stream, true);
    if (err != 0)
        return err;
    if (*p == NULL) {
        a->next = NULL;
        *p = a;
    }
    return 0;
}

static void on_writable(void *owner)
{
    struct el_conn *c = owner;
    if (c->writers != NULL)
        c->writers->done(c->writers, 0);
}

void el_conn_writer_leave(struct el_conn *c, struct el_await *a)
{
    bool was_first = c->writers == a;
    for (struct el_await **p = &c->writers; *p != NULL; p = &(*p)->next) {
        if (*p == a) {
            *p = a->next;
            a->next = NULL;
            break;
        }
    }
    if (!was_first || c->stream == NULL)
        return;
    if (c->writers != NULL)
        c->writers->done(c->writers, 0); /* its turn has come */
    else
        (void)c->stream->ops->want_write(c->stream, false);
}

int el_conn_shutdown(struct el_conn *c)
{
    if (c->stream == NULL)
        return EL_ECLOSED;
    if (c->sent_fin)
        return 0;
    if (c->writers != NULL)
        return EL_EBUSY;
    int err = c->stream->ops->shutdown(c->stream);
    if (err != 0)
        return err;
    c->sent_fin = true;
    c->tx_end = EL_EHALF;
    note(c, EL_DIR_SHUTDOWN, NULL, 0);
    return 0;
}

void el_conn_overhear(struct el_conn *c)
{
    c->overhears = true;
    c->tx_end = EL_EHALF;
    c->sent_fin = true;
    el_transcript_set_aside(c->transcript);
}

/* --- life ------------------------------------------------------------------------------------- */

static void unref(struct el_conn *c)
{
    if (--c->refs > 0)
        return;
    el_transcript_unref(c->transcript);
    free(c);
}

static void on_closed(void *owner)
{
    unref(owner);
}

static const struct el_stream_events events = {
    .alloc = on_alloc,
    .read = on_read,
    .writable = on_writable,
    .closed = on_closed,
};

int el_conn_new(struct el_loop *loop, struct el_stream *stream, size_t max_buffer,
                struct el_transcript *transcript, struct el_conn **out)
{
    struct el_conn *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        stream->ops->close(stream, false);
        el_transcript_unref(transcript);
        return -ENOMEM;
    }
    c->refs = 2;
    c->loop = loop;
    c->stream = stream;
    c->max_buffer = max_buffer;
    c->transcript = transcript;
    el_stream_own(stream, &events, c);
    note(c, EL_DIR_OPEN, NULL, 0);
    reading_start(c);
    if (c->rx_end != 0) {
        int err = c->rx_end;
        el_conn_free(c);
        return err;
    }
    *out = c;
    return 0;
}

void el_conn_close(struct el_conn *c, bool reset)
{
    if (c->stream == NULL)
        return;
    note_unread(c, reset ? EL_DIR_RESET : EL_DIR_CLOSE);
    c->stream->ops->close(c->stream, reset);
    c->stream = NULL;
    c->reading = false;
    c->consumed += c->rx.len;
    rx_release(c);
    el_timer_free(c->timer);
    c->timer = NULL;
    if (c->reader != NULL)
        reader_done(c, EL_ECLOSED);
    while (c->writers != NULL) {
        struct el_await *w = c->writers;
        c->writers = w->next;
        w->next = NULL;
        w->done(w, EL_ECLOSED);
    }
}

void el_conn_free(struct el_conn *c)
{
    el_conn_close(c, false);
    unref(c);
}
