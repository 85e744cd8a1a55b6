#include <lauxlib.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "bind/address.h"
#include "bind/args.h"
#include "bind/conn.h"
#include "bind/coroutine.h"
#include "bind/ctx.h"
#include "bind/expect_host.h"
#include "bind/fault.h"
#include "bind/json.h"
#include "bind/listener.h"
#include "bind/matcher.h"
#include "bind/mismatch.h"
#include "bind/process.h"
#include "bind/task.h"
#include "bind/text.h"
#include "bind/udp.h"
#include "net/dns.h"

#define CTX_NAME "echolot.ctx"

static int ctx_gc(lua_State *L)
{
    struct el_ctx *ctx = lua_touserdata(L, 1);
    if (ctx->sched.closing)
        return 0;
    ctx->sched.closing = true;
    el_loop_fini(&ctx->loop);
    el_tls_context_forget(&ctx->tls);
    return 0;
}

struct el_ctx *el_ctx_get(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, CTX_NAME);
    struct el_ctx *ctx = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return ctx;
}

static struct el_ctx *create_ctx(lua_State *L)
{
    struct el_ctx *ctx = lua_newuserdatauv(L, sizeof(*ctx), 0);
    memset(ctx, 0, sizeof(*ctx));
    ctx->sched.closing = true; /* until there is a loop to be closed */
    if (luaL_newmetatable(L, CTX_NAME)) {
        lua_pushcfunction(L, ctx_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    int err = el_loop_init(&ctx->loop);
    if (err != 0)
        el_fault_raise(L, &(struct el_fault){.code = err, .op = "require"});
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main_thread = lua_tothread(L, -1);
    lua_pop(L, 1);
    el_sched_init(&ctx->sched, main_thread, &ctx->loop);
    ctx->timeout_s = EL_DEFAULT_TIMEOUT_S;
    lua_setfield(L, LUA_REGISTRYINDEX, CTX_NAME);
    return ctx;
}

/* core.set_timeout(seconds): what connections made from now on begin with */
static int set_timeout(lua_State *L)
{
    el_ctx_of(L)->timeout_s = el_args_seconds(L, 1, "timeout");
    return 0;
}

/* core.random() -> a whole number from the system: Lua's own generator, unseeded, says the same
 * twice in a second where addresses are not at random */
static int random_number(lua_State *L)
{
    lua_Integer n = 0;
    int err = uv_random(NULL, NULL, &n, sizeof(n), 0, NULL);
    if (err != 0)
        el_fault_raise(L, &(struct el_fault){.code = err, .op = "random"});
    lua_pushinteger(L, n & LUA_MAXINTEGER);
    return 1;
}

/* core.set_resolver("system") or ("dns" [, servers]): who looks names up from now on */
static int set_resolver(lua_State *L)
{
    struct el_ctx *ctx = el_ctx_of(L);
    const char *name = luaL_checkstring(L, 1);
    const char *servers = luaL_optstring(L, 2, NULL);
    int err = 0;
    if (strcmp(name, "dns") == 0) {
        err = el_dns_use(&ctx->loop, servers);
    } else {
        el_dns_free(ctx->loop.dns);
        ctx->loop.dns = NULL;
    }
    if (err == EL_EUSAGE)
        el_fault_usage(L, "resolver", "bad list of DNS servers '%s'", servers);
    if (err != 0)
        el_fault_raise(L, &(struct el_fault){.code = err, .op = "resolver"});
    return 0;
}

static const luaL_Reg functions[] = {
    {"set_resolver", set_resolver},
    {"random", random_number},
    {"set_timeout", set_timeout},
    {"set_explainer", el_mismatch_set_explainer},
    {"set_comparer", el_expect_host_set_comparer},
    {NULL, NULL},
};

int luaopen_echolot_core(lua_State *L)
{
    struct sigaction act;
    /* A peer that has gone shall be an error of one call, not the end of the program; a
     * host that has a handler of its own keeps it. */
    if (sigaction(SIGPIPE, NULL, &act) == 0 && act.sa_handler == SIG_DFL)
        (void)signal(SIGPIPE, SIG_IGN);
    struct el_ctx *ctx = el_ctx_get(L);
    if (ctx != NULL)
        return luaL_error(L, "echolot.core is opened once in a Lua state");
    luaopen_echolot_error(L); /* first: what follows may raise such an error */
    ctx = create_ctx(L);
    lua_newtable(L);
    lua_pushlightuserdata(L, ctx);
    luaL_setfuncs(L, functions, 1);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "error");
    el_task_register(L, &ctx->sched);
    ctx->sched.root = el_scope_new(L, &ctx->sched, false);
    ctx->sched.outside_scope = ctx->sched.root;
    lua_setfield(L, -2, "root");
    el_address_register(L);
    el_conn_register(L, ctx);
    el_listener_register(L, ctx);
    el_udp_register(L, ctx);
    el_matcher_register(L);
    el_process_register(L, ctx);
    el_json_register(L);
    el_text_register(L);
    el_coroutine_install(L, &ctx->sched);
    return 1;
}
