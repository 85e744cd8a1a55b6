#include "app/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/session.h"
#include "base/err.h"
#include "bind/conn.h"
#include "bind/ctx.h"
#include "bind/fault.h"
#include "net/sock.h"

#define WORKER_NAME "echolot.worker"

/* A line of the channel holds a test's report with its transcripts. */
#define CHANNEL_BUFFER ((size_t)256 << 20)

/* The handle outlives the userdata by the turn of the loop that closing takes. */
struct handle {
    uv_process_t process;
    struct lworker *owner;
};

struct lworker {
    struct el_ctx *ctx;
    struct handle *handle;
    pid_t session;
    bool exited;
    int64_t code;
    int signal;
    struct el_wait *waiter;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_exited(uv_process_t *process, int64_t code, int signal_number)
{
    struct handle *h = process->data;
    struct lworker *p = h->owner;
    uv_close((uv_handle_t *)process, on_closed);
    if (p == NULL)
        return;
    p->handle = NULL;
    p->exited = true;
    p->code = code;
    p->signal = signal_number;
    if (p->waiter != NULL)
        el_sched_wake(p->waiter, 0);
    p->waiter = NULL;
}

static int spawn(struct lworker *p, int channel, int output)
{
    char name[] = "echolot", mode[] = "--worker";
    char *args[] = {name, mode, NULL};
    uv_stdio_container_t stdio[4] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = output},
        {.flags = UV_INHERIT_FD, .data.fd = output},
        {.flags = UV_INHERIT_FD, .data.fd = channel},
    };
    uv_process_options_t options = {
        .exit_cb = on_exited,
        /* a session of its own: the terminal's Ctrl-C is the supervisor's, and what a script
         * starts is killed with the worker */
        .flags = UV_PROCESS_DETACHED,
        .file = "/proc/self/exe",
        .args = args,
        .stdio_count = EL_WORKER_FD + 1,
        .stdio = stdio,
    };
    struct handle *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return -ENOMEM;
    h->process.data = h;
    int err = uv_spawn(&p->ctx->loop.uv, &h->process, &options);
    if (err != 0) {
        uv_close((uv_handle_t *)&h->process, on_closed);
        return err;
    }
    h->owner = p;
    p->handle = h;
    p->session = h->process.pid;
    return 0;
}

/* [-0, +1, raises] Pushes a connection over our end of a pair; *theirs is the other. */
static int push_pair(lua_State *L, struct el_ctx *ctx, const char *name, int *theirs)
{
    int fds[2];
    struct el_stream *stream;
    struct el_lconn *lc = el_conn_create(L, ctx);
    lc->timeout_s = 1e30;
    lc->max_buffer = CHANNEL_BUFFER;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return -errno;
    int err = el_sock_adopt(&ctx->loop, fds[0], false, &stream);
    if (err != 0) {
        (void)close(fds[1]);
        return err;
    }
    err = el_conn_attach(lc, stream, name, "worker");
    if (err != 0)
        (void)close(fds[1]);
    else
        *theirs = fds[1];
    return err;
}

/* start_worker() -> process, its channel, its output */
static int start_worker(lua_State *L)
{
    struct el_ctx *ctx = el_ctx_of(L);
    int channel = -1, output = -1;
    struct lworker *p = lua_newuserdatauv(L, sizeof(*p), 0);
    memset(p, 0, sizeof(*p));
    p->ctx = ctx;
    luaL_setmetatable(L, WORKER_NAME);
    int err = push_pair(L, ctx, "channel", &channel);
    if (err == 0)
        err = push_pair(L, ctx, "output", &output);
    if (err == 0)
        err = spawn(p, channel, output);
    if (channel >= 0)
        (void)close(channel);
    if (output >= 0)
        (void)close(output);
    if (err != 0)
        el_fault_raise(L, &(struct el_fault){.code = err, .op = "start worker"});
    return 3;
}

static struct lworker *check_worker(lua_State *L)
{
    return luaL_checkudata(L, 1, WORKER_NAME);
}

/* The worker and what its scripts have started and left. */
static void kill_session(struct lworker *p)
{
    if (p->session > 0)
        el_session_kill(p->session);
    if (p->exited)
        p->session = 0;
}

static int worker_kill(lua_State *L)
{
    kill_session(check_worker(L));
    return 0;
}

static int push_status(lua_State *L, const struct lworker *p)
{
    lua_pushinteger(L, (lua_Integer)p->code);
    if (p->signal != 0)
        lua_pushstring(L, strsignal(p->signal));
    else
        lua_pushnil(L);
    return 2;
}

static int wait_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    (void)status;
    if (w->status < 0)
        el_fault_raise(L, &(struct el_fault){.code = w->status, .op = "wait"});
    return push_status(L, lua_touserdata(L, 1));
}

static void withdraw_wait(struct el_wait *w)
{
    struct lworker *p = w->source;
    p->waiter = NULL;
}

/* process:wait() -> exit code, name of the signal that ended it or nil */
static int worker_wait(lua_State *L)
{
    struct lworker *p = check_worker(L);
    lua_settop(L, 1);
    if (p->exited)
        return push_status(L, p);
    struct el_wait *w = el_sched_begin_wait(L, &p->ctx->sched, "wait");
    w->source = p;
    w->withdraw = withdraw_wait;
    p->waiter = w;
    return el_sched_yield(L, w, wait_rest);
}

static int worker_gc(lua_State *L)
{
    struct lworker *p = check_worker(L);
    kill_session(p);
    if (p->waiter != NULL) {
        p->waiter->withdraw = NULL;
        el_sched_wake(p->waiter, EL_ECANCELLED);
    }
    p->waiter = NULL;
    if (p->handle != NULL)
        p->handle->owner = NULL;
    p->handle = NULL;
    return 0;
}

static const luaL_Reg methods[] = {
    {"kill", worker_kill},
    {"wait", worker_wait},
    {NULL, NULL},
};

void el_workers_register(lua_State *L)
{
    if (luaL_newmetatable(L, WORKER_NAME)) {
        lua_pushcfunction(L, worker_gc);
        lua_setfield(L, -2, "__gc");
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
    lua_pushlightuserdata(L, el_ctx_get(L));
    lua_pushcclosure(L, start_worker, 1);
    lua_setfield(L, -2, "start_worker");
}
