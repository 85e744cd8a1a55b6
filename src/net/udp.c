#include "net/udp.h"

#include <assert.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/address.h"
#include "net/timer.h"

/* Reads of one socket before the others have their turn. */
#define READS_AT_ONCE 32

/* What stands before the bytes of each datagram in the queue. */
struct head {
    size_t len;
    struct sockaddr_in6 from;
};

static void note(struct el_udp *u, enum el_direction dir, const struct sockaddr *with,
                 const void *data, size_t len)
{
    if (u->connected || with == NULL || with->sa_family == 0)
        with = NULL;
    el_transcript_add_datagram(u->transcript, dir, el_clock_ns(), with,
                               with != NULL ? el_address_socket_length(with) : 0, data,
                               len);
}

/* --- whoever waits -------------------------------------------------------------------------- */

static bool leave(struct el_await **list, struct el_await *a)
{
    for (struct el_await **p = list; *p != NULL; p = &(*p)->next) {
        if (*p == a) {
            *p = a->next;
            a->next = NULL;
            return true;
        }
    }
    return false;
}

static void join(struct el_await **list, struct el_await *a)
{
    while (*list != NULL)
        list = &(*list)->next;
    a->next = NULL;
    *list = a;
}

static void wake_first(struct el_await **list, int status)
{
    struct el_await *a = *list;
    if (a == NULL)
        return;
    *list = a->next;
    a->next = NULL;
    a->done(a, status);
}

static struct el_await *earliest(struct el_await *list, struct el_await *best)
{
    for (struct el_await *a = list; a != NULL; a = a->next) {
        if (a->deadline_ns != 0 && (best == NULL || a->deadline_ns < best->deadline_ns))
            best = a;
    }
    return best;
}

/* One timer, asked rather than moved: a wait that ends in time never touches it. */
static void rearm(struct el_udp *u)
{
    const struct el_await *due = earliest(u->writers, earliest(u->readers, NULL));
    if (due == NULL || u->timer == NULL ||
        (u->timer_due_ns != 0 && u->timer_due_ns <= due->deadline_ns))
        return;
    u->timer_due_ns = due->deadline_ns;
    el_timer_start(u->timer, due->deadline_ns);
}

static void on_timer(void *arg)
{
    struct el_udp *u = arg;
    u->timer_due_ns = 0;
    struct el_await *due = earliest(u->writers, earliest(u->readers, NULL));
    if (due != NULL && due->deadline_ns <= el_clock_ns()) {
        el_udp_leave(u, due);
        due->done(due, EL_ETIMEOUT);
    }
    rearm(u); /* closed meanwhile, it has no timer any more */
}

static int watch_deadline(struct el_udp *u, const struct el_await *a)
{
    if (a->deadline_ns != 0 && u->timer == NULL)
        u->timer = el_timer_new(u->loop, on_timer, u);
    return a->deadline_ns != 0 && u->timer == NULL ? -ENOMEM : 0;
}

/* --- receiving ------------------------------------------------------------------------------ */

static int push(struct el_udp *u, const struct sockaddr_in6 *from, const char *data,
                size_t len)
{
    struct head h = {.len = len, .from = *from};
    int err = el_buf_reserve(&u->queue, sizeof(h) + len);
    if (err == 0)
        err = el_buf_append(&u->queue, &h, sizeof(h));
    return err == 0 ? el_buf_append(&u->queue, data, len) : err;
}

/* One datagram into the queue. 1, 0 for none, or a negative errno: what an earlier one met with. */
static int receive_one(struct el_udp *u)
{
    struct sockaddr_in6 from = {0};
    socklen_t from_len = sizeof(from);
    char *chunk = el_loop_chunk_take(u->loop);
    if (chunk == NULL)
        return -ENOMEM;
    ssize_t n = recvfrom(u->fd, chunk, EL_CHUNK_SIZE, MSG_DONTWAIT,
                         (struct sockaddr *)&from, &from_len);
    int result = n >= 0 ? 1 : errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n >= 0) {
        note(u, EL_DIR_RECV, (struct sockaddr *)&from, chunk, (size_t)n);
        if (push(u, &from, chunk, (size_t)n) != 0)
            result = -ENOMEM;
    }
    el_loop_chunk_give(u->loop, chunk);
    u->full = u->queue.len >= u->max_buffer;
    return result;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void set_interest(struct el_udp *u)
{
    int wanted = (u->full ? 0 : UV_READABLE) | (u->writers != NULL ? UV_WRITABLE : 0);
    if (u->fd < 0 || wanted == u->interest)
        return;
    u->interest = wanted;
    if (wanted == 0)
        (void)uv_poll_stop(&u->poll);
    else if (uv_poll_start(&u->poll, wanted, on_poll) != 0)
        u->interest = 0;
}

static void fail(struct el_udp *u, int err)
{
    if (u->readers != NULL)
        wake_first(&u->readers, err);
    else
        u->failed = err;
}

static void on_readable(struct el_udp *u)
{
    for (int i = 0; i < READS_AT_ONCE && u->fd >= 0 && !u->full; i++) {
        int n = receive_one(u);
        if (n == 0)
            break;
        if (n > 0)
            wake_first(&u->readers, 0);
        else
            fail(u, n);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct el_udp *u = poll->data;
    if (status < 0) /* an error is there: libuv says only that, and watches no more */
        u->interest = 0;
    if (status < 0 || events & UV_READABLE)
        on_readable(u);
    if (u->fd >= 0 && (status < 0 || events & UV_WRITABLE))
        wake_first(&u->writers, 0); /* the next one in the loop's next turn */
    set_interest(u);
}

void el_udp_fetch(struct el_udp *u)
{
    int n = u->fd >= 0 && !u->full ? receive_one(u) : 0;
    if (n < 0)
        u->failed = n;
    set_interest(u);
}

bool el_udp_first(const struct el_udp *u, struct el_datagram *out)
{
    struct head h;
    if (u->queue.len == 0)
        return false;
    memcpy(&h, el_buf_data(&u->queue), sizeof(h));
    *out = (struct el_datagram){
        .data = el_buf_data(&u->queue) + sizeof(h), .len = h.len, .from = h.from};
    return true;
}

void el_udp_take(struct el_udp *u)
{
    struct el_datagram d;
    if (!el_udp_first(u, &d))
        return;
    el_buf_consume(&u->queue, sizeof(struct head) + d.len);
    if (u->queue.len == 0)
        el_buf_fini(&u->queue);
    /* Not before half of it is free: changing what is watched costs two system calls. */
    if (u->full && u->queue.len <= u->max_buffer / 2) {
        u->full = false;
        set_interest(u);
    }
}

int el_udp_take_error(struct el_udp *u)
{
    int err = u->failed;
    u->failed = 0;
    return err;
}

int el_udp_await(struct el_udp *u, struct el_await *a)
{
    int err = u->fd < 0 ? EL_ECLOSED : watch_deadline(u, a);
    if (err != 0)
        return err;
    join(&u->readers, a);
    rearm(u);
    return 0;
}

/* --- sending -------------------------------------------------------------------------------- */

int el_udp_send(struct el_udp *u, const struct sockaddr *to, const char *data, size_t len)
{
    ssize_t sent;
    if (u->fd < 0)
        return EL_ECLOSED;
    if (u->failed != 0)
        return el_udp_take_error(u);
    do {
        sent = sendto(u->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL, to,
                      to != NULL ? el_address_socket_length(to) : 0);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    note(u, EL_DIR_SEND, to, data, len);
    return 0;
}

int el_udp_await_room(struct el_udp *u, struct el_await *a)
{
    int err = u->fd < 0 ? EL_ECLOSED : watch_deadline(u, a);
    if (err != 0)
        return err;
    join(&u->writers, a);
    rearm(u);
    set_interest(u);
    return 0;
}

void el_udp_leave(struct el_udp *u, struct el_await *a)
{
    if (!leave(&u->readers, a) && leave(&u->writers, a))
        set_interest(u);
}

/* --- life ----------------------------------------------------------------------------------- */

int el_udp_socket(const struct sockaddr *local, const struct sockaddr *peer)
{
    const struct sockaddr *known = local != NULL ? local : peer;
    assert(known != NULL);
    int fd = socket(known->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if ((local == NULL || bind(fd, local, el_address_socket_length(local)) == 0) &&
        (peer == NULL || connect(fd, peer, el_address_socket_length(peer)) == 0))
        return fd;
    int err = -errno;
    (void)close(fd);
    return err;
}

static void unref(struct el_udp *u)
{
    if (--u->refs > 0)
        return;
    el_transcript_unref(u->transcript);
    free(u);
}

static void on_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

int el_udp_new(struct el_loop *loop, int fd, size_t max_buffer,
               struct el_transcript *transcript, struct el_udp **out)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    struct el_udp *u = calloc(1, sizeof(*u));
    int err = u != NULL ? uv_poll_init(&loop->uv, &u->poll, fd) : -ENOMEM;
    if (err != 0) {
        (void)close(fd);
        free(u);
        el_transcript_unref(transcript);
        return err;
    }
    u->refs = 2;
    u->loop = loop;
    u->poll.data = u;
    u->fd = fd;
    u->connected = getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
    u->max_buffer = max_buffer;
    u->transcript = transcript;
    note(u, EL_DIR_OPEN, NULL, NULL, 0);
    set_interest(u);
    *out = u;
    return 0;
}

void el_udp_close(struct el_udp *u)
{
    if (u->fd < 0)
        return;
    (void)el_udp_dropped(u);
    note(u, EL_DIR_CLOSE, NULL, NULL, 0);
    uv_close((uv_handle_t *)&u->poll, on_closed);
    (void)close(u->fd); /* libuv no longer watches it */
    u->fd = -1;
    el_buf_fini(&u->queue);
    u->failed = 0;
    el_timer_free(u->timer);
    u->timer = NULL;
    while (u->readers != NULL)
        wake_first(&u->readers, EL_ECLOSED);
    while (u->writers != NULL)
        wake_first(&u->writers, EL_ECLOSED);
}

void el_udp_free(struct el_udp *u)
{
    el_udp_close(u);
    unref(u);
}

uint64_t el_udp_dropped(struct el_udp *u)
{
    uint32_t counts[SK_MEMINFO_VARS];
    socklen_t len = sizeof(counts);
    if (u->fd >= 0 && getsockopt(u->fd, SOL_SOCKET, SO_MEMINFO, counts, &len) == 0)
        u->dropped = counts[SK_MEMINFO_DROPS];
    return u->dropped;
}
