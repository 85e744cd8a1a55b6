/* echolot.connect: options, the dial, and what its failure says. */
#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "bind/address.h"
#include "bind/args.h"
#include "bind/conn.h"
#include "bind/fault.h"
#include "bind/launch.h"
#include "bind/tls.h"
#include "bind/udp.h"

static const char *const option_names[] = {
    "timeout", "tls", "bind", "nodelay", "family", "max_buffer", "name", NULL,
};

static void bind_option(lua_State *L, const char *op, struct el_dial_options *dial,
                        struct sockaddr_storage *bind)
{
    size_t n;
    char host[64];
    const char *text = lua_tolstring(L, -1, &n);
    if (lua_type(L, -1) != LUA_TSTRING)
        el_fault_argument(L, op, lua_gettop(L), "local address as option 'bind'");
    /* "127.0.0.2" or "127.0.0.2:4000": the port is seldom given. */
    struct el_address a;
    const char *why;
    if (el_address_parse(text, n, true, &a, &why) != 0 || a.scheme != EL_TCP) {
        if (el_address_from_parts(text, n, 0, true, &a, &why) != 0)
            el_fault_usage(L, op, "bad local address '%s': %s", text, why);
    }
    if (a.host_len >= sizeof(host))
        el_fault_usage(L, op, "bad local address '%s': not a numeric address", text);
    memcpy(host, a.host, a.host_len);
    host[a.host_len] = '\0';
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)bind;
    memset(bind, 0, sizeof(*bind));
    if (uv_ip4_addr(host, a.port, (struct sockaddr_in *)(void *)bind) != 0 &&
        uv_ip6_addr(host, a.port, in6) != 0)
        el_fault_usage(L, op, "bad local address '%s': not a numeric address", text);
    dial->bind = (struct sockaddr *)bind;
    if (dial->family == AF_UNSPEC)
        dial->family = bind->ss_family;
}

static void family_option(lua_State *L, const char *op, struct el_dial_options *dial)
{
    const char *family = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    if (strcmp(family, "ipv4") == 0)
        dial->family = AF_INET;
    else if (strcmp(family, "ipv6") == 0)
        dial->family = AF_INET6;
    else
        el_fault_usage(L, op, "option 'family' is \"ipv4\" or \"ipv6\"");
}

void el_conn_options(lua_State *L, int arg, const char *op, struct el_lconn *lc,
                     struct el_dial_options *dial, struct sockaddr_storage *bind)
{
    el_args_options(L, arg, op, option_names);
    luaL_checkstack(L, 4, NULL);
    if (el_args_option(L, arg, "timeout") != LUA_TNIL)
        lc->timeout_s = el_args_seconds(L, lua_gettop(L), op);
    if (el_args_option(L, arg, "max_buffer") != LUA_TNIL)
        lc->max_buffer = (size_t)el_args_integer(
            L, lua_gettop(L), op, "count of bytes as option 'max_buffer'", 1);
    lua_pop(L, 2);
    if (el_args_option(L, arg, "nodelay") != LUA_TNIL)
        dial->nodelay = lua_toboolean(L, -1);
    if (el_args_option(L, arg, "family") != LUA_TNIL)
        family_option(L, op, dial);
    lua_pop(L, 2);
    if (el_args_option(L, arg, "bind") != LUA_TNIL)
        bind_option(L, op, dial, bind);
    if (el_args_option(L, arg, "name") != LUA_TNIL && lua_type(L, -1) != LUA_TSTRING)
        el_fault_argument(L, op, lua_gettop(L), "string as option 'name'");
    lua_pop(L, 2);
}

/* What connect keeps at index 1 while it waits: the connection; 2 its address, 3 its
 * name or nil. */
static void on_secured(void *arg, int status)
{
    struct el_wait *w = arg;
    struct el_lconn *lc = w->source;
    if (status != 0) {
        const char *why = lc->stream->ops->why(lc->stream);
        lc->detail = why != NULL ? strdup(why) : NULL;
        lc->stream->ops->close(lc->stream, false);
        lc->stream = NULL;
    }
    el_sched_wake(w, status);
}

static void on_dialled(void *arg, int status, const char *detail,
                       struct el_stream *stream)
{
    struct el_wait *w = arg;
    struct el_lconn *lc = w->source;
    lc->dial = NULL;
    if (status != 0)
        lc->detail = strdup(detail);
    else
        lc->stream = stream;
    if (status == 0 && lc->handshake != NULL) {
        struct el_tls *t = lc->handshake;
        lc->handshake = NULL;
        lc->secured = true;
        lc->stream = el_tls_start(t, stream, lc->dial_deadline_ns, on_secured, w);
        return;
    }
    el_sched_wake(w, status);
}

static void withdraw_dial(struct el_wait *w)
{
    struct el_lconn *lc = w->source;
    if (lc->dial != NULL)
        el_dial_cancel(lc->dial);
    lc->dial = NULL;
    if (lc->stream != NULL)
        lc->stream->ops->close(lc->stream, false);
    lc->stream = NULL;
}

static int connect_failed(lua_State *L, struct el_lconn *lc, int err)
{
    struct el_fault f = {.code = err, .op = "connect"};
    luaL_checkstack(L, 8, NULL);
    f.address = lua_tostring(L, 2);
    /* To connect to what is not there is to be refused; for other calls a missing file is the
     * script's own mistake. */
    if (err == -ENOENT || err == -ENOTDIR)
        f.kind = el_err_kind(-ECONNREFUSED);
    const char *text = el_conn_push_message(L, lc, "connect", err);
    if (text == NULL)
        text = el_err_text(err);
    if (lc->secured && err != EL_ETLS)
        f.message = lua_pushfstring(L, "%s, in the TLS handshake", text);
    else if (lc->detail == NULL)
        f.message = text;
    else if (err == EL_ERESOLVE || err == EL_ETLS)
        f.message = lua_pushstring(L, lc->detail);
    else if (strchr(lc->detail, ',') != NULL || strstr(f.address, lc->detail) == NULL)
        f.message = lua_pushfstring(L, "%s (tried %s)", text, lc->detail);
    else
        f.message = text;
    el_fault_raise(L, &f);
}

static int connect_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    struct el_lconn *lc = lua_touserdata(L, 1);
    int err = w->status;
    (void)status;
    if (err == 0) {
        struct el_stream *stream = lc->stream;
        lc->stream = NULL;
        err = el_conn_attach(lc, stream, lua_tostring(L, 3), lua_tostring(L, 2));
    }
    if (err != 0)
        return connect_failed(L, lc, err);
    lua_settop(L, 1);
    return 1;
}

/* connect(address [, options]), connect(host, port [, options]) -> connection */
int el_conn_connect(lua_State *L)
{
    struct el_ctx *ctx = el_ctx_of(L);
    struct el_dial_options dial = {.family = AF_UNSPEC, .nodelay = true};
    struct sockaddr_storage bind;
    struct el_address address;
    int next;
    lua_settop(L, 3);
    el_address_check(L, 1, "connect", false, &address, &next);
    if (address.scheme == EL_EXEC) {
        if (el_tls_wanted(L, next, "connect", EL_EXEC))
            el_fault_usage(L, "connect", "with a program TLS begins by starttls");
        return el_launch_connect(L, &address, next);
    }
    if (address.scheme == EL_UDP) {
        lua_settop(L, 3);
        return el_udp_connect(L);
    }
    struct el_lconn *lc = el_conn_create(L, ctx);
    lua_pushvalue(L, 4);
    lua_setiuservalue(L, 5, EL_CONN_UV_ADDRESS);
    el_conn_options(L, next, "connect", lc, &dial, &bind);
    if (el_tls_wanted(L, next, "connect", address.scheme)) {
        if (address.host != NULL)
            lua_pushlstring(L, address.host, address.host_len);
        else
            lua_pushnil(L); /* of a Unix socket, say */
        el_args_option(L, next, "tls");
        el_tls_prepare(L, lc, lua_gettop(L), "connect", lua_tostring(L, -2), false);
        lua_pop(L, 2);
    }
    if (address.scheme == EL_UNIX && dial.bind != NULL)
        el_fault_usage(L, "connect", "option 'bind' has no meaning for a Unix socket");
    el_args_option(L, next, "name");
    /* The view in `address` stays valid: its text stays at index 1 until the dial has begun,
     * which copies it. */
    struct el_wait *w = el_sched_begin_wait(L, &ctx->sched, "connect");
    dial.deadline_ns = lc->dial_deadline_ns = el_clock_deadline(lc->timeout_s);
    w->source = lc;
    w->withdraw = withdraw_dial;
    int err = el_dial_start(&ctx->loop, &address, &dial, on_dialled, w, &lc->dial);
    lua_replace(L, 3); /* name */
    lua_replace(L, 1); /* connection */
    lua_replace(L, 2); /* address */
    if (err != 0)
        return connect_failed(L, lc, err);
    return el_sched_yield(L, w, connect_rest);
}
