#include "bind/lookup.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/timer.h"

#define LOOKUP_NAME "echolot.lookup"

static void on_resolved(void *arg, int status, const char *why,
                        const struct sockaddr_storage *addresses, size_t n)
{
    struct el_lookup *l = arg;
    l->resolve = NULL;
    el_timer_free(l->timer);
    l->timer = NULL;
    for (l->count = 0; l->count < n; l->count++)
        memcpy(&l->found[l->count], &addresses[l->count], sizeof(l->found[0]));
    if (status != 0)
        (void)snprintf(l->why, sizeof(l->why), "%s", why);
    el_sched_wake(l->wait, status);
}

static void cancel(struct el_lookup *l)
{
    if (l->resolve != NULL)
        el_resolve_cancel(l->resolve);
    l->resolve = NULL;
    el_timer_free(l->timer);
    l->timer = NULL;
}

static void on_timer(void *arg)
{
    struct el_lookup *l = arg;
    if (el_clock_ns() < l->deadline_ns) {
        el_timer_start(l->timer, l->deadline_ns);
        return;
    }
    cancel(l);
    el_sched_wake(l->wait, EL_ETIMEOUT);
}

static void withdraw(struct el_wait *w)
{
    cancel(w->source);
}

struct el_wait *el_lookup_begin(lua_State *L, struct el_ctx *ctx, const char *op,
                                const struct el_address *address, int family,
                                uint64_t deadline_ns, struct el_lookup **out)
{
    char host[256];
    struct sockaddr_storage numeric;
    struct el_lookup *l = lua_newuserdatauv(L, sizeof(*l), 0);
    memset(l, 0, sizeof(*l));
    luaL_setmetatable(L, LOOKUP_NAME);
    *out = l;
    memcpy(host, address->host, address->host_len);
    host[address->host_len] = '\0';
    if (el_resolve_numeric(host, address->port, family, &numeric) == 0) {
        memcpy(&l->found[l->count++], &numeric, sizeof(l->found[0]));
        return NULL;
    }
    l->wait = el_sched_begin_wait(L, &ctx->sched, op);
    l->wait->source = l;
    l->wait->withdraw = withdraw;
    int err = el_resolve_start(&ctx->loop, host, address->port, family, on_resolved, l,
                               &l->resolve);
    if (err == 0 && deadline_ns != 0) {
        l->deadline_ns = deadline_ns;
        l->timer = el_timer_new(&ctx->loop, on_timer, l);
        err = l->timer == NULL ? -ENOMEM : 0;
    }
    if (l->timer != NULL)
        el_timer_start(l->timer, deadline_ns);
    if (err != 0) {
        cancel(l);
        el_sched_wake(l->wait, err);
    }
    return l->wait;
}

static int lookup_gc(lua_State *L)
{
    cancel(luaL_checkudata(L, 1, LOOKUP_NAME));
    return 0;
}

void el_lookup_register(lua_State *L)
{
    if (luaL_newmetatable(L, LOOKUP_NAME)) {
        lua_pushcfunction(L, lookup_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
}
