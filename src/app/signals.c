#include "app/signals.h"

#include <lauxlib.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* A signal handler has no argument to find its context by: this is the one place where the
 * program needs a global. */
static struct {
    struct el_ctx *ctx;
    uv_async_t async;
    volatile sig_atomic_t caught;
} state;

/* How long a script may unwind after a signal: one that catches every error would go on. */
#define UNWIND_S 2

static void on_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    luaL_error(L, "interrupted");
}

static void handler(int number)
{
    if (state.caught != 0 || state.ctx == NULL)
        _exit(128 + (number == SIGALRM ? state.caught : number));
    if (number == SIGALRM)
        return;
    state.caught = number;
    (void)alarm(UNWIND_S);
    state.ctx->sched.interrupted = true;
    (void)uv_async_send(&state.async); /* wakes a loop that sleeps */
    lua_State *running = state.ctx->sched.running;
    if (running != NULL) /* lua_sethook may be called from a handler (manual 4.7) */
        lua_sethook(running, on_hook, LUA_MASKCOUNT, 1);
}

static void on_async(uv_async_t *async)
{
    (void)async; /* the scheduler looks at its flag after each turn of the loop */
}

int el_signals_install(struct el_ctx *ctx)
{
    int err = uv_async_init(&ctx->loop.uv, &state.async, on_async);
    if (err != 0)
        return err;
    uv_unref((uv_handle_t *)&state.async); /* it keeps no loop alive */
    state.ctx = ctx;
    struct sigaction act;
    memset(&act, 0, sizeof(act));
    act.sa_handler = handler;
    sigemptyset(&act.sa_mask);
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
    (void)sigaction(SIGALRM, &act, NULL);
    return 0;
}

int el_signals_caught(void)
{
    return state.caught;
}

void el_signals_release(void)
{
    if (state.ctx != NULL)
        uv_close((uv_handle_t *)&state.async, NULL);
    state.ctx = NULL;
    (void)alarm(0);
}
