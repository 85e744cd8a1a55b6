#include "net/child.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

/* From SIGTERM to SIGKILL, and how long that is given to end the program; the rest of its group
 * less: what of that is dead, and never buried, cannot be told from what lives. */
#define GRACE_MS 500
#define DEATH_MS 1000
#define DEATH_REST_MS 200

/* Nobody tells when a group has lost its last member. */
#define PAUSE_FIRST_MS 2
#define PAUSE_LAST_MS 32

static void unref(struct el_child *c)
{
    if (--c->refs == 0)
        free(c);
}

struct el_child *el_child_ref(struct el_child *c)
{
    c->refs++;
    return c;
}

void el_child_unref(struct el_child *c)
{
    if (c != NULL)
        unref(c);
}

static void on_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

/* The kernel keeps a group's number as long as it has a member, so that nobody else is meant; from
 * then on it could be anybody's. */
static void look_at_group(struct el_child *c)
{
    if (c->exited && c->group != 0 && kill(-c->group, 0) != 0 && errno == ESRCH)
        c->group = 0;
}

static void signal_group(const struct el_child *c, int number)
{
    if (c->group != 0)
        (void)kill(-c->group, number);
}

static void let_go(struct el_child *c)
{
    if (c->gone)
        return;
    c->gone = true;
    c->group = 0; /* nobody keeps its number from now on */
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
    el_timer_free(c->timer);
    c->timer = NULL;
    if (c->pidfd >= 0) {
        uv_close((uv_handle_t *)&c->poll, on_closed);
        (void)close(c->pidfd);
        c->pidfd = -1;
    }
    if (c->events != NULL)
        c->events->gone(c->owner);
    assert(c->refs > 1); /* the handle's is given back in a later turn */
    unref(c);
}

/* Whether nothing is left to be ended. */
static bool is_over(struct el_child *c)
{
    uint64_t patience_ns = (DEATH_MS - DEATH_REST_MS) * EL_NS_PER_MS;
    look_at_group(c);
    return c->exited &&
           (c->group == 0 || (c->killed && el_clock_ns() + patience_ns > c->deadline_ns));
}

static void on_timer(void *arg)
{
    struct el_child *c = arg;
    uint64_t now = el_clock_ns();
    if (now >= c->deadline_ns && !c->killed) {
        signal_group(c, SIGKILL);
        c->killed = true;
        c->deadline_ns = now + DEATH_MS * EL_NS_PER_MS;
    } else if (now >= c->deadline_ns) { /* in the kernel's hands */
        let_go(c);
        return;
    }
    if (is_over(c)) {
        let_go(c);
        return;
    }
    uint64_t due = c->deadline_ns;
    if (c->exited) {
        due = now + (uint64_t)c->pause_ms * EL_NS_PER_MS;
        c->pause_ms = c->pause_ms * 2 < PAUSE_LAST_MS ? c->pause_ms * 2 : PAUSE_LAST_MS;
    }
    el_timer_start(c->timer, due < c->deadline_ns ? due : c->deadline_ns);
}

/* Takes its status where it has ended. */
static bool reap(struct el_child *c)
{
    int status;
    pid_t pid;
    do
        pid = waitpid(c->pid, &status, WNOHANG);
    while (pid < 0 && errno == EINTR);
    if (pid == 0)
        return false;
    c->exited = true;
    if (pid < 0)
        c->error = -errno;
    else if (WIFSIGNALED(status))
        c->signal = WTERMSIG(status);
    else
        c->code = WEXITSTATUS(status);
    return true;
}

/* True when it has just been seen to have ended. */
static bool notice_end(struct el_child *c)
{
    if (c->exited || !reap(c))
        return false;
    look_at_group(c); /* before anything else can take its number */
    if (c->events != NULL)
        c->events->exited(c->owner);
    return true;
}

static void on_pidfd(uv_poll_t *poll, int status, int events)
{
    struct el_child *c = poll->data;
    (void)status;
    (void)events;
    if (!notice_end(c))
        return;
    (void)uv_poll_stop(&c->poll);
    if (is_over(c))
        let_go(c);
    else if (c->ending)
        on_timer(c);
}

static int adopt(struct el_loop *loop, const struct el_spawned *s, struct el_child **out)
{
    struct el_child *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return -ENOMEM;
    c->timer = el_timer_new(loop, on_timer, c);
    int err = c->timer != NULL ? uv_poll_init(&loop->uv, &c->poll, s->pidfd) : -ENOMEM;
    if (err != 0) {
        el_timer_free(c->timer);
        free(c);
        return err;
    }
    c->poll.data = c;
    c->loop = loop;
    c->pid = c->group = s->pid;
    c->pidfd = s->pidfd;
    c->refs = 3; /* the caller's, the handle's, and one until it is gone */
    c->next = loop->children;
    c->link = &loop->children;
    if (c->next != NULL)
        c->next->link = &c->next;
    loop->children = c;
    (void)uv_poll_start(&c->poll, UV_READABLE, on_pidfd);
    *out = c;
    return 0;
}

int el_child_start(struct el_loop *loop, const struct el_spawn_options *options,
                   struct el_child **child, struct el_spawned *out,
                   enum el_spawn_step *step)
{
    int err = el_spawn_start(options, out, step);
    if (err != 0)
        return err;
    err = adopt(loop, out, child);
    if (err == 0)
        return 0;
    (void)kill(-out->pid, SIGKILL);
    (void)waitpid(out->pid, NULL, 0);
    (void)close(out->pidfd);
    if (out->input >= 0)
        (void)close(out->input);
    (void)close(out->output);
    (void)close(out->errors);
    return err;
}

int el_child_kill(struct el_child *c, int number)
{
    look_at_group(c);
    if (c->group == 0 || kill(-c->group, number) == 0 || errno == ESRCH)
        return 0;
    return -errno;
}

void el_child_end(struct el_child *c, bool hard)
{
    if (c->gone || c->killed || (c->ending && !hard))
        return;
    look_at_group(c);
    signal_group(c, hard ? SIGKILL : SIGTERM);
    c->ending = true;
    c->killed = hard;
    c->pause_ms = PAUSE_FIRST_MS;
    c->deadline_ns = el_clock_ns() + (hard ? DEATH_MS : GRACE_MS) * EL_NS_PER_MS;
    el_timer_start(c->timer, c->exited ? el_clock_ns() : c->deadline_ns);
}

void el_child_end_all(struct el_loop *loop)
{
    uint64_t began = el_clock_ns();
    bool hard = false;
    for (struct el_child *c = loop->children; c != NULL; c = c->next)
        el_child_end(c, false);
    while (loop->children != NULL) {
        uint64_t now = el_clock_ns();
        bool give_up = now > began + (GRACE_MS + DEATH_MS) * EL_NS_PER_MS;
        hard = hard || now > began + GRACE_MS * EL_NS_PER_MS;
        for (struct el_child *c = loop->children, *next; c != NULL; c = next) {
            next = c->next;
            if (hard)
                el_child_end(c, true);
            (void)notice_end(c);
            if (is_over(c) || give_up)
                let_go(c);
        }
        struct el_child *c = loop->children;
        struct pollfd fd = {.fd = c != NULL && !c->exited ? c->pidfd : -1,
                            .events = POLLIN};
        if (c != NULL)
            (void)poll(&fd, 1, PAUSE_FIRST_MS);
    }
}
