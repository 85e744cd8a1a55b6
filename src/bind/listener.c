#include "bind/listener.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "bind/address.h"
#include "bind/args.h"
#include "bind/conn.h"
#include "bind/fault.h"
#include "bind/tls.h"
#include "net/listener.h"
#include "net/resolve.h"
#include "net/timer.h"
#include "net/tls_accept.h"

#define LISTENER_NAME "echolot.listener"

#define UV_ADDRESS 1 /* the text that it was made with */

struct llistener {
    struct el_ctx *ctx;
    struct el_listener listener;
    struct el_resolve *resolve; /* while its name is looked up */
    struct el_timer *timer;     /* made by the first accept that has a limit */
    struct el_owned owned;
    struct el_lconn defaults; /* what accepted connections begin with */
    bool nodelay;
    struct el_tls_context *context; /* of TLS; NULL: none is spoken */
    struct el_tls_accept tls;
    bool is_tls;
    struct sockaddr_storage address;
    bool open;
};

static struct llistener *check_listener(lua_State *L, const char *op)
{
    struct llistener *ll = luaL_testudata(L, 1, LISTENER_NAME);
    if (ll == NULL)
        el_fault_argument(L, op, 0, "listener");
    return ll;
}

/* [-0, +1] What became of the clients that did not get through the handshake. */
static const char *push_failed_clients(lua_State *L, struct llistener *ll)
{
    const char *limit = el_conn_push_message(L, &ll->defaults, "accept", EL_ETIMEOUT);
    unsigned n = ll->tls.failures;
    ll->tls.failures = 0;
    return lua_pushfstring(
        L, "%s: %d client%s failed in the TLS handshake, the last of them, %s: %s", limit,
        (int)n, n == 1 ? "" : "s", ll->tls.failed_address, ll->tls.failed_why);
}

static int raise_listener(lua_State *L, struct llistener *ll, const char *op, int err)
{
    struct el_fault f = {.code = err, .op = op};
    luaL_checkstack(L, 8, NULL);
    lua_getiuservalue(L, 1, UV_ADDRESS);
    f.address = lua_tostring(L, -1);
    if (err == EL_ECLOSED)
        f.message = "the listener is closed";
    else if (err == EL_ETIMEOUT)
        f.message = el_conn_push_message(L, &ll->defaults, op, err);
    else if (err == EL_ETLS)
        f.message = push_failed_clients(L, ll);
    el_fault_raise(L, &f);
}

static void close_owned(struct el_owned *o)
{
    struct llistener *ll =
        (struct llistener *)((char *)o - offsetof(struct llistener, owned));
    if (ll->resolve != NULL)
        el_resolve_cancel(ll->resolve);
    ll->resolve = NULL;
    ll->open = false;
    el_timer_free(ll->timer);
    ll->timer = NULL;
    el_tls_accept_close(&ll->tls);
    el_tls_context_unref(ll->context);
    ll->context = NULL;
    el_listener_close(&ll->listener);
}

static int listener_close(lua_State *L)
{
    struct llistener *ll = check_listener(L, "close");
    el_scope_disown(&ll->owned);
    close_owned(&ll->owned);
    lua_settop(L, 1);
    return 1;
}

/* --- listen --------------------------------------------------------------------------------- */

static int listen_now(lua_State *L, struct llistener *ll)
{
    int err = el_listener_init(&ll->listener, &ll->ctx->loop,
                               (struct sockaddr *)&ll->address, ll->nodelay);
    if (err == 0)
        err = el_listener_address(&ll->listener, &ll->address);
    if (err != 0)
        raise_listener(L, ll, "listen", err);
    ll->open = true;
    if (ll->context != NULL)
        el_tls_accept_init(&ll->tls, &ll->listener, el_tls_context_ref(ll->context),
                           ll->defaults.timeout_s);
    el_scope_own(&ll->ctx->sched, &ll->owned, close_owned);
    lua_settop(L, 1);
    return 1;
}

static void on_resolved(void *arg, int status, const char *why,
                        const struct sockaddr_storage *addresses, size_t n)
{
    struct el_wait *w = arg;
    struct llistener *ll = w->source;
    (void)why;
    (void)n;
    ll->resolve = NULL;
    if (status == 0)
        ll->address = addresses[0];
    el_sched_wake(w, status);
}

static void withdraw_resolve(struct el_wait *w)
{
    struct llistener *ll = w->source;
    if (ll->resolve != NULL)
        el_resolve_cancel(ll->resolve);
    ll->resolve = NULL;
}

static int listen_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    struct llistener *ll = lua_touserdata(L, 1);
    (void)status;
    if (w->status != 0)
        raise_listener(L, ll, "listen", w->status);
    return listen_now(L, ll);
}

/* listen(address [, options]), listen(host, port [, options]) -> listener */
static int listener_listen(lua_State *L)
{
    struct el_ctx *ctx = el_ctx_of(L);
    struct el_dial_options dial = {.family = AF_UNSPEC, .nodelay = true};
    struct sockaddr_storage bind;
    struct el_address address;
    char host[256];
    int next;
    lua_settop(L, 3);
    el_address_check(L, 1, "listen", true, &address, &next);
    if (address.scheme == EL_UDP)
        el_fault_usage(L, "listen", "datagrams have no connections: see udp_listen");
    if (address.scheme == EL_EXEC)
        el_fault_usage(L, "listen", "%s addresses are not available in this version",
                       el_address_scheme_name(address.scheme));
    struct llistener *ll = lua_newuserdatauv(L, sizeof(*ll), 1);
    memset(ll, 0, sizeof(*ll));
    ll->ctx = ctx;
    ll->defaults.timeout_s = ctx->timeout_s;
    ll->defaults.max_buffer = EL_DEFAULT_MAX_BUFFER;
    luaL_setmetatable(L, LISTENER_NAME);
    lua_pushvalue(L, 4);
    lua_setiuservalue(L, 5, UV_ADDRESS);
    el_conn_options(L, next, "listen", &ll->defaults, &dial, &bind);
    ll->nodelay = dial.nodelay;
    ll->is_tls = el_tls_wanted(L, next, "listen", address.scheme);
    if (ll->is_tls) {
        el_args_option(L, next, "tls");
        ll->context = el_tls_context_of(L, ctx, lua_gettop(L), "listen", true);
        lua_pop(L, 1);
    }
    if (address.scheme == EL_UNIX) {
        el_address_to_unix(&address, &ll->address);
        lua_replace(L, 1);
        return listen_now(L, ll);
    }
    memcpy(host, address.host, address.host_len);
    host[address.host_len] = '\0';
    lua_replace(L, 1);
    if (el_resolve_numeric(host, address.port, dial.family, &ll->address) == 0)
        return listen_now(L, ll);
    struct el_wait *w = el_sched_begin_wait(L, &ctx->sched, "listen");
    w->source = ll;
    w->withdraw = withdraw_resolve;
    int err = el_resolve_start(&ctx->loop, host, address.port, dial.family, on_resolved,
                               w, &ll->resolve);
    if (err != 0)
        raise_listener(L, ll, "listen", err);
    return el_sched_yield(L, w, listen_rest);
}

/* --- accept ------------------------------------------------------------------------------------ */

static int accept_rest(lua_State *L, int status, lua_KContext ctx);

static void on_ready(void *arg)
{
    el_sched_wake(arg, 0);
}

/* Whose turn it is: clients come through the TLS handshake, or as they are. */
static void set_ready(struct llistener *ll, struct el_wait *w)
{
    if (ll->context != NULL) {
        ll->tls.arg = w;
        ll->tls.ready = w != NULL ? on_ready : NULL;
    } else {
        ll->listener.arg = w;
        ll->listener.ready = w != NULL ? on_ready : NULL;
    }
}

static struct el_wait *who_waits(const struct llistener *ll)
{
    if (ll->context != NULL)
        return ll->tls.ready != NULL ? ll->tls.arg : NULL;
    return ll->listener.ready != NULL ? ll->listener.arg : NULL;
}

static void on_timer(void *arg)
{
    struct llistener *ll = arg;
    struct el_wait *w = who_waits(ll);
    if (w == NULL || w->await.deadline_ns == 0) /* an earlier accept's limit */
        return;
    if (el_clock_ns() < w->await.deadline_ns) {
        el_timer_start(ll->timer, w->await.deadline_ns);
        return;
    }
    set_ready(ll, NULL);
    el_sched_wake(w, EL_ETIMEOUT);
}

static void withdraw_accept(struct el_wait *w)
{
    struct llistener *ll = w->source;
    set_ready(ll, NULL);
}

/* [-0, +1, raises] Pushes the connection for a client that is there; 0 if there is none. */
static int accept_now(lua_State *L, struct llistener *ll)
{
    struct el_stream *stream;
    struct el_lconn *lc = el_conn_create(L, ll->ctx);
    lc->timeout_s = ll->defaults.timeout_s;
    lc->max_buffer = ll->defaults.max_buffer;
    int err = ll->context != NULL ? el_tls_accept_next(&ll->tls, &stream)
                                  : el_listener_accept(&ll->listener, &stream);
    if (err == -EAGAIN) {
        lua_pop(L, 1);
        return 0;
    }
    if (err == 0)
        err = el_conn_attach(lc, stream, NULL, NULL);
    if (err != 0)
        raise_listener(L, ll, "accept", err);
    return 1;
}

static int accept_wait(lua_State *L, struct llistener *ll)
{
    if (who_waits(ll) != NULL)
        raise_listener(L, ll, "accept", EL_EBUSY);
    struct el_wait *w = el_sched_begin_wait(L, &ll->ctx->sched, "accept");
    w->source = ll;
    w->withdraw = withdraw_accept;
    w->await.deadline_ns = el_clock_deadline(ll->defaults.timeout_s);
    if (w->await.deadline_ns != 0) {
        if (ll->timer == NULL)
            ll->timer = el_timer_new(&ll->ctx->loop, on_timer, ll);
        if (ll->timer == NULL)
            raise_listener(L, ll, "accept", -ENOMEM);
        el_timer_start(ll->timer, w->await.deadline_ns);
    }
    set_ready(ll, w);
    return el_sched_yield(L, w, accept_rest);
}

static int accept_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    struct llistener *ll = lua_touserdata(L, 1);
    (void)status;
    if (w->status != 0)
        raise_listener(L, ll, "accept",
                       w->status == EL_ETIMEOUT && ll->tls.failures > 0 ? EL_ETLS
                                                                        : w->status);
    return accept_now(L, ll) ? 1 : accept_wait(L, ll);
}

/* listener:accept() -> connection */
static int listener_accept(lua_State *L)
{
    struct llistener *ll = check_listener(L, "accept");
    lua_settop(L, 1);
    return accept_now(L, ll) ? 1 : accept_wait(L, ll);
}

/* listener:timeout(seconds) -> listener: the limit of every later accept, and of the waits
 * of connections accepted later */
static int listener_timeout(lua_State *L)
{
    struct llistener *ll = check_listener(L, "timeout");
    ll->defaults.timeout_s = el_args_seconds(L, 2, "timeout");
    lua_settop(L, 1);
    return 1;
}

/* listener.address, listener.port; methods */
static int listener_index(lua_State *L)
{
    struct llistener *ll = check_listener(L, "index");
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    char host[INET6_ADDRSTRLEN];
    if (strcmp(key, "address") == 0) {
        el_address_push_socket(L, ll->is_tls ? EL_TLS : EL_TCP,
                               (struct sockaddr *)&ll->address);
    } else if (strcmp(key, "port") == 0 && ll->address.ss_family == AF_UNIX) {
        lua_pushnil(L);
    } else if (strcmp(key, "port") == 0) {
        lua_pushinteger(L, el_address_socket_parts((struct sockaddr *)&ll->address, host,
                                                   sizeof(host)));
    } else {
        lua_pushvalue(L, 2);
        lua_rawget(L, lua_upvalueindex(1));
    }
    return 1;
}

static int listener_gc(lua_State *L)
{
    struct llistener *ll = check_listener(L, "close");
    el_scope_disown(&ll->owned);
    close_owned(&ll->owned);
    return 0;
}

static int listener_tostring(lua_State *L)
{
    struct llistener *ll = check_listener(L, "tostring");
    char text[EL_ADDRESS_TEXT_MAX];
    el_address_text_of_socket(ll->is_tls ? EL_TLS : EL_TCP,
                              (struct sockaddr *)&ll->address, text, sizeof(text));
    lua_pushfstring(L, "listener (%s%s)", text, ll->open ? "" : ", closed");
    return 1;
}

static const luaL_Reg methods[] = {
    {"accept", listener_accept},
    {"close", listener_close},
    {"timeout", listener_timeout},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", listener_gc},
    {"__close", listener_close},
    {"__tostring", listener_tostring},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"listen", listener_listen},
    {NULL, NULL},
};

void el_listener_register(lua_State *L, struct el_ctx *ctx)
{
    if (luaL_newmetatable(L, LISTENER_NAME)) {
        luaL_setfuncs(L, metamethods, 0);
        luaL_newlib(L, methods);
        lua_pushcclosure(L, listener_index, 1);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
    lua_pushlightuserdata(L, ctx);
    luaL_setfuncs(L, functions, 1);
}
