#include "bind/process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "bind/address.h"
#include "bind/args.h"
#include "bind/fault.h"
#include "bind/launch.h"
#include "net/child.h"
#include "net/timer.h"

/* Lives until its connection and the program are both gone. */
struct el_process {
    struct el_ctx *ctx;
    struct el_child *child;
    unsigned refs;
    struct el_scope *scope; /* whose end waits for it */
    struct el_owned ending;
    struct el_await *waiters;
    struct el_timer *timer; /* made by the first wait that has a limit */
};

/* --- life --------------------------------------------------------------------------------- */

static void unref(struct el_process *p)
{
    if (--p->refs > 0)
        return;
    el_timer_free(p->timer);
    el_child_unref(p->child);
    free(p);
}

void el_process_release(struct el_process *p)
{
    if (p != NULL)
        unref(p);
}

static struct el_wait *wait_of(struct el_await *a)
{
    return (struct el_wait *)((char *)a - offsetof(struct el_wait, await));
}

static void leave(struct el_process *p, struct el_await *a)
{
    struct el_await **link = &p->waiters;
    while (*link != NULL && *link != a)
        link = &(*link)->next;
    if (*link != NULL)
        *link = a->next;
    a->next = NULL;
}

static void wake(struct el_process *p, struct el_await *a, int status)
{
    leave(p, a);
    el_sched_wake(wait_of(a), status);
}

static void on_exited(void *owner)
{
    struct el_process *p = owner;
    p->refs++;
    while (p->waiters != NULL)
        wake(p, p->waiters, 0);
    unref(p);
}

static void on_gone(void *owner)
{
    struct el_process *p = owner;
    while (p->waiters != NULL) /* the system would not let it end */
        wake(p, p->waiters, EL_ETIMEOUT);
    if (p->scope != NULL)
        el_scope_ended(p->scope, &p->ending);
    p->scope = NULL;
    unref(p);
}

static const struct el_child_events events = {.exited = on_exited, .gone = on_gone};

static void forget_scope(struct el_owned *o)
{
    struct el_process *p =
        (struct el_process *)((char *)o - offsetof(struct el_process, ending));
    p->scope = NULL;
}

struct el_process *el_process_new(struct el_ctx *ctx)
{
    struct el_process *p = calloc(1, sizeof(*p));
    if (p != NULL) {
        p->ctx = ctx;
        p->refs = 1;
    }
    return p;
}

void el_process_adopt(struct el_process *p, struct el_child *child)
{
    p->child = child;
    p->refs++; /* until it is gone */
    child->events = &events;
    child->owner = p;
    p->scope = el_scope_await(&p->ctx->sched, &p->ending, forget_scope);
}

/* [-0, +0, raises] */
static struct el_process *check_process(lua_State *L, const char *op)
{
    struct el_lconn *lc = el_conn_check(L, op);
    if (lc->process == NULL || lc->process->child == NULL)
        el_fault_usage(L, op, "this connection is to no program");
    return lc->process;
}

/* --- wait --------------------------------------------------------------------------------- */

static void watch_deadlines(struct el_process *p)
{
    uint64_t due = 0;
    for (struct el_await *a = p->waiters; a != NULL; a = a->next) {
        if (a->deadline_ns != 0 && (due == 0 || a->deadline_ns < due))
            due = a->deadline_ns;
    }
    if (due != 0)
        el_timer_start(p->timer, due);
}

static struct el_await *first_overdue(const struct el_process *p)
{
    struct el_await *a = p->waiters;
    uint64_t now = el_clock_ns();
    while (a != NULL && (a->deadline_ns == 0 || a->deadline_ns > now))
        a = a->next;
    return a;
}

static void on_timer(void *arg)
{
    struct el_process *p = arg;
    p->refs++;
    for (struct el_await *a; (a = first_overdue(p)) != NULL;)
        wake(p, a, EL_ETIMEOUT);
    watch_deadlines(p);
    unref(p);
}

/* [-0, +1 or +2, memory] Its exit status; or nil and what ended it. */
static int push_end(lua_State *L, const struct el_child *child)
{
    if (child->signal == 0) {
        lua_pushinteger(L, child->code);
        return 1;
    }
    const char *name = sigabbrev_np(child->signal);
    lua_pushnil(L);
    if (name != NULL)
        lua_pushfstring(L, "SIG%s", name);
    else
        lua_pushfstring(L, "SIG%d", child->signal);
    return 2;
}

static int wait_result(lua_State *L, struct el_process *p)
{
    if (p->child->error != 0)
        el_conn_raise(L, lua_touserdata(L, 1), "wait", p->child->error);
    return push_end(L, p->child);
}

static int wait_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    struct el_lconn *lc = lua_touserdata(L, 1);
    (void)status;
    if (w->status < 0)
        el_conn_raise(L, lc, "wait", w->status);
    return wait_result(L, lc->process);
}

static void withdraw_wait(struct el_wait *w)
{
    leave(w->source, &w->await);
}

/* process:wait() -> exit status; or nil, the name of the signal that ended it */
static int process_wait(lua_State *L)
{
    struct el_process *p = check_process(L, "wait");
    struct el_lconn *lc = lua_touserdata(L, 1);
    lua_settop(L, 1);
    if (p->child->exited)
        return wait_result(L, p);
    struct el_wait *w = el_sched_begin_wait(L, &p->ctx->sched, "wait");
    w->source = p;
    w->withdraw = withdraw_wait;
    w->await = (struct el_await){.deadline_ns = el_clock_deadline(lc->timeout_s)};
    if (p->timer == NULL)
        p->timer = el_timer_new(&p->ctx->loop, on_timer, p);
    if (p->timer == NULL)
        el_conn_raise(L, lc, "wait", -ENOMEM);
    w->await.next = p->waiters;
    p->waiters = &w->await;
    watch_deadlines(p);
    return el_sched_yield(L, w, wait_rest);
}

/* --- kill ----------------------------------------------------------------------------------- */

/* "TERM", "SIGTERM", "term" or a number. */
static int signal_number(lua_State *L, int arg)
{
    if (lua_type(L, arg) != LUA_TSTRING) {
        lua_Integer number = el_args_integer(L, arg, "kill", "name or number of a signal",
                                             1);
        if (number >= NSIG)
            el_fault_usage(L, "kill", "there is no signal %I", (LUAI_UACINT)number);
        return (int)number;
    }
    const char *name = lua_tostring(L, arg);
    const char *rest = strncasecmp(name, "SIG", 3) == 0 ? name + 3 : name;
    for (int number = 1; number < NSIG; number++) {
        const char *known = sigabbrev_np(number);
        if (known != NULL && strcasecmp(known, rest) == 0)
            return number;
    }
    el_fault_usage(L, "kill", "there is no signal '%s'", name);
}

/* process:kill([signal="TERM"]) -> process: sends the signal to its whole group */
static int process_kill(lua_State *L)
{
    struct el_process *p = check_process(L, "kill");
    int number = lua_isnoneornil(L, 2) ? SIGTERM : signal_number(L, 2);
    int err = el_child_kill(p->child, number);
    if (err != 0)
        el_conn_raise(L, lua_touserdata(L, 1), "kill", err);
    lua_settop(L, 1);
    return 1;
}

/* --- the rest --------------------------------------------------------------------------------- */

/* process_state(process) -> whether it has ended, its address for errors, seconds of its limit,
 * what wait() would return */
static int process_state(lua_State *L)
{
    struct el_process *p = check_process(L, "wait_port");
    struct el_lconn *lc = lua_touserdata(L, 1);
    lua_settop(L, 1);
    lua_pushboolean(L, p->child->exited);
    el_conn_push_address(L, lc);
    lua_pushnumber(L, lc->timeout_s);
    return p->child->exited ? 3 + push_end(L, p->child) : 3;
}

int el_process_push_peer(lua_State *L)
{
    struct el_address a;
    const char *why, *text = NULL;
    size_t n = 0;
    luaL_checkstack(L, 6, NULL);
    if (lua_getiuservalue(L, 1, EL_CONN_UV_PROCESS) == LUA_TTABLE) {
        lua_getfield(L, -1, "address");
        text = lua_tolstring(L, -1, &n);
    }
    if (text != NULL && el_address_parse(text, n, false, &a, &why) == 0)
        el_address_push(L, &a);
    else
        lua_pushnil(L);
    return 1;
}

static int push_pid(lua_State *L, struct el_lconn *lc)
{
    if (lc->process != NULL && lc->process->child != NULL)
        lua_pushinteger(L, lc->process->child->pid);
    else
        lua_pushnil(L);
    return 1;
}

static int push_stderr(lua_State *L, struct el_lconn *lc)
{
    lua_pushnil(L);
    if (lc->process != NULL && lua_getiuservalue(L, 1, EL_CONN_UV_PROCESS) == LUA_TTABLE)
        lua_getfield(L, -1, "stderr");
    return 1;
}

static int push_dropped(lua_State *L, struct el_lconn *lc)
{
    if (lc->conn != NULL && lc->conn->overhears)
        lua_pushinteger(L, (lua_Integer)lc->conn->dropped);
    else
        lua_pushnil(L);
    return 1;
}

const struct el_conn_field el_process_fields[] = {
    {"pid", push_pid}, {"stderr", push_stderr}, {"dropped", push_dropped}, {NULL, NULL}};

const luaL_Reg el_process_methods[] = {
    {"wait", process_wait},
    {"kill", process_kill},
    {NULL, NULL},
};

void el_process_register(lua_State *L, struct el_ctx *ctx)
{
    lua_pushcfunction(L, process_state);
    lua_setfield(L, -2, "process_state");
    lua_pushlightuserdata(L, ctx);
    lua_pushcclosure(L, el_launch_process, 1);
    lua_setfield(L, -2, "start_process");
}
