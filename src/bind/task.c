#include "bind/task.h"

#include <lauxlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "bind/args.h"
#include "bind/fault.h"
#include "net/timer.h"

#define WAITER_NAME "echolot.waiter"

/* User values of a task. */
#define UV_COROUTINE 1
#define UV_TRACEBACK 2
#define UV_RESULTS 3

static struct el_sched *sched_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static struct el_task *check_task(lua_State *L, const char *op)
{
    struct el_task *t = luaL_testudata(L, 1, EL_TASK_NAME);
    if (t == NULL)
        el_fault_argument(L, op, 0, "task");
    return t;
}

/* --- a task's body and end ------------------------------------------------------------------ */

/* [-1, +1] The message handler under a task: keeps where it went wrong. */
static int keep_traceback(lua_State *L)
{
    struct el_sched *s = sched_of(L);
    if (s->current == NULL)
        return 1;
    luaL_traceback(L, L, NULL, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, s->current);
    lua_insert(L, -2);
    if (lua_isuserdata(L, -2))
        lua_setiuservalue(L, -2, UV_TRACEBACK);
    lua_settop(L, 1);
    return 1;
}

static int body_rest(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    lua_pushboolean(L, status == LUA_OK || status == LUA_YIELD);
    lua_replace(L, 1); /* over the message handler */
    return lua_gettop(L);
}

/* The first function of each task: f's own errors unwind in here, inside of the coroutine,
 * so that `<close>` variables may wait. */
static int body(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushcclosure(L, keep_traceback, 1);
    lua_insert(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, body_rest);
    return body_rest(L, status, 0);
}

static void forget(struct el_task *t)
{
    lua_State *L = t->sched->L;
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, t);
}

/* [-0, +1] Pushes the error of the failed task at index `task`. */
static void push_error(lua_State *L, int task)
{
    lua_getiuservalue(L, task, UV_RESULTS);
    lua_rawgeti(L, -1, 2);
    lua_remove(L, -2);
}

/* The coroutine is a value that the script may hold: what the task came to is not left on its
 * stack. [-0, +1] Pushes the task. */
static void keep_results(lua_State *L, struct el_task *t)
{
    int task = lua_gettop(L) + 1;
    lua_rawgetp(L, LUA_REGISTRYINDEX, t);
    lua_createtable(L, t->result_count, 0);
    t->failed = !lua_toboolean(t->co, -t->result_count);
    for (int i = t->result_count; i >= 1; i--) {
        lua_xmove(t->co, L, 1);
        lua_rawseti(L, -2, i);
    }
    lua_setiuservalue(L, task, UV_RESULTS);
    lua_pushnil(L);
    lua_setiuservalue(L, task, UV_COROUTINE);
    t->co = NULL;
}

/* [-0, +0] Of the task on top. */
static bool was_cancelled(lua_State *L, struct el_task *t)
{
    bool yes = false;
    if (!t->cancelled)
        return false;
    push_error(L, lua_gettop(L));
    if (lua_istable(L, -1)) {
        lua_pushliteral(L, "kind");
        lua_rawget(L, -2);
        const char *kind = lua_tostring(L, -1);
        yes = kind != NULL && strcmp(kind, "cancelled") == 0;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return yes;
}

void el_task_ended(struct el_task *t, int status, int count)
{
    t->ended = true;
    *t->link = t->next;
    if (t->next != NULL)
        t->next->link = t->link;
    t->result_count = count;
    if (status != LUA_OK) {
        /* Not by `body`: it yielded behind our back, or Lua itself failed in it. */
        lua_resetthread(t->co);
        lua_settop(t->co, 0);
        lua_pushboolean(t->co, 0);
        el_fault_push(
            t->co,
            &(struct el_fault){.code = EL_EUSAGE,
                               .op = "task",
                               .message = "a task's own coroutine was left by a yield"});
        t->result_count = 2;
    }
    lua_State *L = t->sched->L;
    (void)lua_checkstack(L, 8); /* in vain only where memory is out */
    keep_results(L, t);
    el_timer_free(t->timer);
    t->timer = NULL;
    while (t->joiners != NULL) {
        struct el_wait *w = t->joiners;
        t->joiners = (struct el_wait *)w->await.extra;
        t->observed = true;
        el_sched_wake(w, 0);
    }
    /* A failure that nobody joins is not lost: its scope keeps it, and tells at its end. */
    bool unseen = t->failed && !t->observed && !was_cancelled(L, t);
    lua_pop(L, 1);
    if (!el_scope_task_ended(L, t->scope, t, unseen))
        forget(t);
}

int el_task_push_failure(lua_State *L)
{
    int task = lua_gettop(L);
    luaL_checkstack(L, 4, NULL);
    push_error(L, task);
    lua_getiuservalue(L, task, UV_TRACEBACK);
    return 2;
}

/* --- spawn, join, cancel ------------------------------------------------------------------- */

static void cancel(struct el_task *t)
{
    if (t->ended || t->cancelled)
        return;
    t->cancelled = true;
    if (t->wait.suspended && t->wait.status > 0) {
        if (t->wait.withdraw != NULL)
            t->wait.withdraw(&t->wait);
        t->wait.status = EL_ECANCELLED;
        el_sched_ready(t->sched, t);
    }
}

static void cancel_owned(struct el_owned *o)
{
    cancel((struct el_task *)((char *)o - offsetof(struct el_task, owned)));
}

int el_task_spawn(lua_State *L, struct el_sched *s, struct el_scope *scope)
{
    if (lua_type(L, 1) != LUA_TFUNCTION)
        el_fault_argument(L, "spawn", 1, "function");
    if (scope->closed)
        el_fault_usage(L, "spawn", "what it would belong to has ended");
    int n = lua_gettop(L);
    struct el_task *t = lua_newuserdatauv(L, sizeof(*t), UV_RESULTS);
    memset(t, 0, sizeof(*t));
    t->sched = s;
    luaL_setmetatable(L, EL_TASK_NAME);
    t->co = lua_newthread(L);
    lua_setiuservalue(L, -2, UV_COROUTINE);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, t);
    lua_insert(L, 1);
    if (!lua_checkstack(t->co, n + 1))
        el_fault_usage(L, "spawn", "too many arguments");
    lua_pushlightuserdata(t->co, s);
    lua_pushcclosure(t->co, body, 1);
    lua_xmove(L, t->co, n);
    t->next = s->tasks;
    t->link = &s->tasks;
    if (t->next != NULL)
        t->next->link = &t->next;
    s->tasks = t;
    el_scope_own_task(scope, t, cancel_owned);
    el_sched_ready(s, t);
    return 1;
}

static int task_spawn(lua_State *L)
{
    struct el_sched *s = sched_of(L);
    return el_task_spawn(L, s, el_sched_scope(s));
}

static int join_results(lua_State *L, struct el_task *t)
{
    t->observed = true;
    el_scope_failure_seen(L, t);
    if (t->failed) {
        push_error(L, 1);
        return lua_error(L);
    }
    int n = t->result_count - 1;
    luaL_checkstack(L, n + 1, "too many results");
    lua_settop(L, 1);
    lua_getiuservalue(L, 1, UV_RESULTS);
    for (int i = 0; i < n; i++)
        lua_rawgeti(L, 2, i + 2);
    return n;
}

static void withdraw_join(struct el_wait *w)
{
    struct el_task *t = w->source;
    const void **p = (const void **)&t->joiners;
    while (*p != NULL && *p != w)
        p = &((struct el_wait *)*p)->await.extra;
    if (*p == w)
        *p = w->await.extra;
}

static int join_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    struct el_task *t = lua_touserdata(L, 1);
    (void)status;
    if (w->status == EL_EUSAGE)
        el_fault_usage(L, "join", "the task waits for what nothing can bring about");
    if (w->status < 0)
        el_fault_raise(L, &(struct el_fault){.code = w->status, .op = "join"});
    return join_results(L, t);
}

static int task_join(lua_State *L)
{
    struct el_task *t = check_task(L, "join");
    lua_settop(L, 1);
    if (t->ended)
        return join_results(L, t);
    if (t == t->sched->current)
        el_fault_usage(L, "join", "a task cannot join itself");
    struct el_wait *w = el_sched_begin_wait(L, t->sched, "join");
    w->source = t;
    w->withdraw = withdraw_join;
    w->follows = true;
    w->await.extra = t->joiners;
    t->joiners = w;
    return el_sched_yield(L, w, join_rest);
}

static int task_cancel(lua_State *L)
{
    struct el_task *t = check_task(L, "cancel");
    cancel(t);
    lua_settop(L, 1);
    return 1;
}

/* task:failure() -> error, traceback of a failed task; nothing else. Counts as seen. */
static int task_failure(lua_State *L)
{
    struct el_task *t = check_task(L, "failure");
    lua_settop(L, 1);
    if (!t->ended || !t->failed)
        return 0;
    t->observed = true;
    el_scope_failure_seen(L, t);
    return el_task_push_failure(L);
}

static int task_tostring(lua_State *L)
{
    struct el_task *t = check_task(L, "tostring");
    const char *state = !t->ended ? "running" : t->failed ? "failed" : "ended";
    lua_pushfstring(L, "task (%s): %p", state, (void *)t);
    return 1;
}

/* --- sleep ------------------------------------------------------------------------------------ */

static void on_slept(void *arg)
{
    struct el_wait *w = arg;
    if (w->status > 0 && el_clock_ns() < w->await.deadline_ns)
        el_timer_start(w->source, w->await.deadline_ns);
    else
        el_sched_wake(w, 0);
}

static void withdraw_sleep(struct el_wait *w)
{
    el_timer_stop(w->source);
}

static int sleep_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    (void)status;
    if (w->task == NULL)
        el_timer_free(w->source);
    if (w->status < 0)
        el_fault_raise(L, &(struct el_fault){.code = w->status, .op = "sleep"});
    return 0;
}

static int sleep_for(lua_State *L)
{
    struct el_sched *s = sched_of(L);
    double seconds = el_args_seconds(L, 1, "sleep");
    struct el_wait *w = el_sched_begin_wait(L, s, "sleep");
    struct el_timer *timer = w->task != NULL ? w->task->timer : NULL;
    if (timer == NULL)
        timer = el_timer_new(s->loop, on_slept, w);
    if (timer == NULL)
        el_fault_raise(L, &(struct el_fault){.code = EL_ELIMIT, .op = "sleep"});
    if (w->task != NULL)
        w->task->timer = timer;
    w->source = timer;
    w->withdraw = withdraw_sleep;
    w->await.deadline_ns = seconds < 1e9 ? el_clock_ns() + (uint64_t)(seconds * 1e9)
                                         : UINT64_MAX / 2; /* for ever */
    el_timer_start(timer, w->await.deadline_ns);
    return el_sched_yield(L, w, sleep_rest);
}

/* --- waiters: one wait() that another task's wake(...) ends ------------------------------------ */

struct waiter {
    struct el_sched *sched;
    struct el_wait *wait;
    bool woken;
};

static struct waiter *check_waiter(lua_State *L)
{
    return luaL_checkudata(L, 1, WAITER_NAME);
}

static int waiter_new(lua_State *L)
{
    struct waiter *w = lua_newuserdatauv(L, sizeof(*w), 1);
    w->sched = sched_of(L);
    w->wait = NULL;
    w->woken = false;
    luaL_setmetatable(L, WAITER_NAME);
    return 1;
}

static int waiter_values(lua_State *L)
{
    if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE)
        return 0;
    int n = (int)lua_rawlen(L, -1);
    luaL_checkstack(L, n, NULL);
    for (int i = 1; i <= n; i++)
        lua_rawgeti(L, 2, i);
    return n;
}

static int waiter_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *wait = (struct el_wait *)ctx;
    struct waiter *w = check_waiter(L);
    (void)status;
    w->wait = NULL;
    lua_settop(L, 1);
    if (wait->status == EL_EUSAGE)
        el_fault_usage(L, "wait", "deadlock: nothing is left that could end this wait");
    if (wait->status < 0)
        el_fault_raise(L, &(struct el_fault){.code = wait->status, .op = "wait"});
    return waiter_values(L);
}

static void withdraw_waiter(struct el_wait *wait)
{
    struct waiter *w = wait->source;
    w->wait = NULL;
    w->woken = true; /* a later wake() tells its caller that nobody heard it */
}

static int waiter_wait(lua_State *L)
{
    struct waiter *w = check_waiter(L);
    lua_settop(L, 1);
    if (w->woken)
        return waiter_values(L);
    if (w->wait != NULL)
        el_fault_usage(L, "wait", "another task already waits here");
    struct el_wait *wait = el_sched_begin_wait(L, w->sched, "wait");
    wait->source = w;
    wait->withdraw = withdraw_waiter;
    w->wait = wait;
    return el_sched_yield(L, wait, waiter_rest);
}

/* waiter:wake(...) -> true; false where it was woken before or its task was cancelled. */
static int waiter_wake(lua_State *L)
{
    struct waiter *w = check_waiter(L);
    int n = lua_gettop(L) - 1;
    bool first = !w->woken;
    if (first) {
        lua_createtable(L, n, 0);
        for (int i = n; i >= 1; i--) {
            lua_pushvalue(L, i + 1);
            lua_rawseti(L, -2, i);
        }
        lua_setiuservalue(L, 1, 1);
        w->woken = true;
        if (w->wait != NULL)
            el_sched_wake(w->wait, 0);
    }
    lua_pushboolean(L, first);
    return 1;
}

/* --- scopes, run --------------------------------------------------------------------------------- */

static int scope_new(lua_State *L)
{
    el_scope_new(L, sched_of(L), lua_toboolean(L, 1));
    return 1;
}

static int in_task(lua_State *L)
{
    lua_pushboolean(L, sched_of(L)->current != NULL);
    return 1;
}

static int now(lua_State *L)
{
    lua_pushnumber(L, (double)el_clock_ns() / 1e9);
    return 1;
}

static int unix_time(lua_State *L)
{
    lua_pushnumber(L, el_clock_unix());
    return 1;
}

/* Collected while somebody waits: whoever waited was closed by another task. */
static int waiter_gc(lua_State *L)
{
    struct waiter *w = check_waiter(L);
    if (w->wait != NULL) {
        w->wait->withdraw = NULL;
        el_sched_wake(w->wait, EL_ECANCELLED);
    }
    w->wait = NULL;
    return 0;
}

/* waiter:is_pending() -> whether a wake() would still be heard */
static int waiter_is_pending(lua_State *L)
{
    lua_pushboolean(L, !check_waiter(L)->woken);
    return 1;
}

static const luaL_Reg functions[] = {
    {"spawn", task_spawn}, {"sleep", sleep_for}, {"waiter", waiter_new},
    {"scope", scope_new},  {"now", now},         {"unix_time", unix_time},
    {"in_task", in_task},  {NULL, NULL},
};

static const luaL_Reg task_methods[] = {
    {"join", task_join},
    {"cancel", task_cancel},
    {"failure", task_failure},
    {NULL, NULL},
};

static const luaL_Reg task_metamethods[] = {
    {"__tostring", task_tostring},
    {NULL, NULL},
};

static const luaL_Reg waiter_methods[] = {
    {"wait", waiter_wait},
    {"wake", waiter_wake},
    {"is_pending", waiter_is_pending},
    {NULL, NULL},
};

void el_task_register(lua_State *L, struct el_sched *s)
{
    lua_pushlightuserdata(L, s);
    luaL_setfuncs(L, functions, 1);
    if (luaL_newmetatable(L, EL_TASK_NAME)) {
        luaL_setfuncs(L, task_metamethods, 0);
        luaL_newlib(L, task_methods);
        lua_setfield(L, -2, "__index");
    }
    if (luaL_newmetatable(L, WAITER_NAME)) {
        lua_pushcfunction(L, waiter_gc);
        lua_setfield(L, -2, "__gc");
        luaL_newlib(L, waiter_methods);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 2);
    el_scope_register(L);
}
