#include "bind/sched.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "bind/fault.h"
#include "bind/task.h"
#include "net/sock.h"

static char mark;

void *el_sched_mark(void)
{
    return &mark;
}

bool el_sched_is_waiting(lua_State *co)
{
    return lua_status(co) == LUA_YIELD && lua_touserdata(co, -1) == &mark;
}

void el_sched_init(struct el_sched *s, lua_State *L, struct el_loop *loop)
{
    memset(s, 0, sizeof(*s));
    s->L = L;
    s->loop = loop;
}

struct el_scope *el_sched_scope(const struct el_sched *s)
{
    return s->current != NULL ? s->current->scope : s->outside_scope;
}

void el_sched_ready(struct el_sched *s, struct el_task *t)
{
    if (t->queued)
        return;
    t->queued = true;
    t->next_ready = NULL;
    if (s->ready_last != NULL)
        s->ready_last->next_ready = t;
    else
        s->ready_first = t;
    s->ready_last = t;
}

static struct el_task *next_ready(struct el_sched *s)
{
    struct el_task *t = s->ready_first;
    s->ready_first = t->next_ready;
    if (s->ready_first == NULL)
        s->ready_last = NULL;
    t->queued = false;
    return t;
}

/* A task that was cancelled before it began does not begin. */
static int end_unbegun(struct el_task *t)
{
    lua_settop(t->co, 0);
    lua_pushboolean(t->co, 0);
    el_fault_push(t->co, &(struct el_fault){.code = EL_ECANCELLED, .op = "spawn"});
    return 2;
}

static void resume(struct el_sched *s, struct el_task *t)
{
    int count = 0;
    int status = LUA_OK;
    t->wait.suspended = false;
    s->current = t;
    s->running = t->co;
    s->carried = true;
    if (t->cancelled && !t->started) {
        count = end_unbegun(t);
    } else if (!t->started) {
        t->started = true;
        status = lua_resume(t->co, s->L, lua_gettop(t->co) - 1, &count);
    } else if (el_sched_is_waiting(t->co)) {
        lua_pop(t->co, 1); /* the mark, by which others know that it waits */
        status = lua_resume(t->co, s->L, 0, &count);
    } else {
        status = LUA_ERRRUN; /* another task has closed its coroutine */
    }
    s->running = NULL;
    if (status != LUA_YIELD || !t->wait.suspended)
        el_task_ended(t, status, count);
    /* Only now: those whom the end wakes are queued, not resumed on top of each other. */
    s->current = NULL;
}

bool el_sched_may_wait(lua_State *L, const struct el_sched *s)
{
    const struct el_task *t = s->current;
    if (t == NULL)
        return !s->driving && !s->closing && !s->barred;
    return L == s->running && s->carried && lua_isyieldable(L) && !t->cancelled;
}

struct el_wait *el_sched_begin_wait(lua_State *L, struct el_sched *s, const char *op)
{
    struct el_wait *w;
    struct el_task *t = s->current;
    if (t != NULL) {
        if (L != s->running || !s->carried || !lua_isyieldable(L))
            el_fault_usage(L, op,
                           "cannot wait here, where Lua cannot yield (inside a sort "
                           "comparator, a gsub callback, a finalizer, require, ...)");
        if (t->cancelled)
            el_fault_raise(L, &(struct el_fault){.code = EL_ECANCELLED, .op = op});
        w = &t->wait;
    } else {
        if (s->driving || s->closing || s->barred)
            el_fault_usage(L, op,
                           s->barred ? "cannot wait here, inside a matcher"
                                     : "cannot wait here: the loop is already running");
        w = &s->outside;
    }
    w->sched = s;
    w->task = t;
    w->status = 1;
    w->suspended = false;
    w->follows = false;
    w->withdraw = NULL;
    w->source = NULL;
    return w;
}

void el_sched_wake(struct el_wait *w, int status)
{
    struct el_sched *s = w->sched;
    if (w->status <= 0 || s->closing)
        return;
    w->status = status;
    if (!w->suspended || w->task == NULL)
        return;
    /* At once only from the loop itself: elsewhere the caller is not done yet. */
    if (s->driving && s->current == NULL && !w->task->queued)
        resume(s, w->task);
    else
        el_sched_ready(s, w->task);
}

int el_sched_yield(lua_State *L, struct el_wait *w, lua_KFunction k)
{
    if (w->status <= 0)
        return k(L, LUA_OK, (lua_KContext)w);
    if (w->task == NULL) {
        int err = el_sched_drive(L, w->sched, w);
        if (err != 0) {
            if (w->withdraw != NULL)
                w->withdraw(w);
            w->status = err;
        }
        return k(L, LUA_OK, (lua_KContext)w);
    }
    w->suspended = true;
    lua_pushlightuserdata(L, &mark);
    return lua_yieldk(L, 1, (lua_KContext)w, k);
}

/* Those that are ready now; what they make ready has its turn after the loop's. */
static void run_ready(struct el_sched *s)
{
    struct el_task *last = s->ready_last;
    while (s->ready_first != NULL) {
        struct el_task *t = next_ready(s);
        bool was_last = t == last;
        resume(s, t);
        if (was_last)
            break;
    }
}

/* Ends the waits of all tasks that hang on no other's end, or where there are none (tasks that
 * join each other), of all. How many. */
static int break_deadlock(struct el_sched *s)
{
    int count = 0;
    for (int joins = 0; joins <= 1 && count == 0; joins++) {
        for (struct el_task *t = s->tasks; t != NULL; t = t->next) {
            struct el_wait *w = &t->wait;
            if (!w->suspended || w->status <= 0 || (w->follows && !joins))
                continue;
            if (w->withdraw != NULL)
                w->withdraw(w);
            w->status = EL_EUSAGE;
            el_sched_ready(s, t);
            count++;
        }
    }
    return count;
}

int el_sched_drive(lua_State *L, struct el_sched *s, struct el_wait *w)
{
    int err = 0;
    lua_State *outer = s->L;
    assert(!s->driving && s->current == NULL);
    s->driving = true;
    s->L = L; /* tasks are resumed on top of this thread's C stack */
    while (w->status > 0 && !s->interrupted) {
        run_ready(s);
        if (w->status <= 0)
            break;
        uv_run_mode mode = s->ready_first != NULL ? UV_RUN_NOWAIT : UV_RUN_ONCE;
        if (mode == UV_RUN_ONCE && el_sock_read_alone(s->loop))
            continue;
        int alive = uv_run(&s->loop->uv, mode);
        if (!alive && s->ready_first == NULL && w->status > 0 && break_deadlock(s) == 0) {
            err = EL_EUSAGE;
            break;
        }
    }
    if (s->interrupted && w->status > 0) {
        err = EL_ECANCELLED;
        s->interrupted = false; /* what unwinds now may wait */
    }
    s->L = outer;
    s->driving = false;
    return err;
}
