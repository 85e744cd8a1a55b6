#include "bind/udp.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "bind/address.h"
#include "bind/args.h"
#include "bind/conn.h"
#include "bind/fault.h"
#include "bind/lookup.h"
#include "bind/task.h"
#include "net/udp.h"

#define UDP_NAME "echolot.udp"

#define UV_ADDRESS 1 /* canonical text: whom it is connected to, or where it listens */

struct ludp {
    struct el_ctx *ctx;
    struct el_udp *udp; /* NULL until it is open */
    struct el_owned owned;
    double timeout_s;
    size_t max_buffer;
    bool listens;                    /* it has no peer */
    struct sockaddr_storage bind;    /* zero: any */
    struct sockaddr_in6 peer, local; /* either family; zero where there is none */
};

static struct ludp *check_udp(lua_State *L, const char *op)
{
    struct ludp *lu = luaL_testudata(L, 1, UDP_NAME);
    if (lu == NULL)
        el_fault_argument(L, op, 0, "datagram socket");
    return lu;
}

/* `address`: NULL for the socket's own. */
static int raise_udp(lua_State *L, struct ludp *lu, const char *op, const char *address,
                     int err)
{
    char number[32];
    struct el_fault f = {.code = err, .op = op, .address = address};
    luaL_checkstack(L, 8, NULL);
    if (address == NULL && lua_getiuservalue(L, 1, UV_ADDRESS) == LUA_TSTRING)
        f.address = lua_tostring(L, -1);
    if (err == EL_ECLOSED) {
        f.message = "the socket is closed";
    } else if (err == EL_ETIMEOUT) {
        (void)snprintf(number, sizeof(number), "%.10g", lu->timeout_s);
        f.message = lua_pushfstring(L, "timeout after %s s", number);
    }
    el_fault_raise(L, &f);
}

static int raise_lookup(lua_State *L, struct ludp *lu, const char *op,
                        const char *address, const struct el_lookup *l, int err)
{
    struct el_fault f = {.code = err, .op = op, .address = address, .message = l->why};
    if (err != EL_ERESOLVE || l->why[0] == '\0')
        raise_udp(L, lu, op, address, err);
    el_fault_raise(L, &f);
}

/* Parses as el_address_check does; an address without a scheme is a datagram socket's here. Pushes
 * its canonical text. */
static void check_address(lua_State *L, int arg, const char *op, bool listening,
                          struct el_address *out, int *next)
{
    char text[EL_ADDRESS_TEXT_MAX];
    el_address_check(L, arg, op, listening, out, next);
    bool named = strncmp(lua_tostring(L, arg), "tcp://", 6) == 0;
    if (out->scheme != EL_UDP && (out->scheme != EL_TCP || named))
        el_fault_usage(L, op, "bad address '%s': datagrams go to udp://host:port",
                       lua_tostring(L, -1));
    out->scheme = EL_UDP;
    lua_pushlstring(L, text, el_address_format(out, text, sizeof(text)));
    lua_remove(L, -2);
}

/* --- life --------------------------------------------------------------------------------- */

static void close_owned(struct el_owned *o)
{
    struct ludp *lu = (struct ludp *)((char *)o - offsetof(struct ludp, owned));
    if (lu->udp != NULL)
        el_udp_close(lu->udp);
}

static int udp_close(lua_State *L)
{
    struct ludp *lu = check_udp(L, "close");
    el_scope_disown(&lu->owned);
    close_owned(&lu->owned);
    lua_settop(L, 1);
    return 1;
}

static int udp_gc(lua_State *L)
{
    struct ludp *lu = check_udp(L, "close");
    el_scope_disown(&lu->owned);
    if (lu->udp != NULL)
        el_udp_free(lu->udp);
    lu->udp = NULL;
    return 0;
}

static struct el_udp *open_udp(lua_State *L, struct ludp *lu, const char *op)
{
    if (lu->udp == NULL || lu->udp->fd < 0)
        raise_udp(L, lu, op, NULL, EL_ECLOSED);
    return lu->udp;
}

/* --- opening ------------------------------------------------------------------------------ */

/* What opening keeps on the stack: 1 the socket, 2 its address, 3 its name or nil, 4 the
 * look-up. */
#define AT_NAME 3
#define AT_LOOKUP 4

static const char *op_of(const struct ludp *lu)
{
    return lu->listens ? "udp_listen" : "udp";
}

/* Of a name's addresses the first one that the system takes: whether anybody answers there no
 * datagram socket knows. */
static int make_socket(struct ludp *lu, const struct el_lookup *l)
{
    int fd = EL_ERESOLVE;
    const struct sockaddr *bind = lu->bind.ss_family != 0 ? (struct sockaddr *)&lu->bind
                                                          : NULL;
    for (size_t i = 0; i < l->count && fd < 0; i++) {
        const struct sockaddr *sa = (const struct sockaddr *)&l->found[i];
        fd = lu->listens ? el_udp_socket(sa, NULL) : el_udp_socket(bind, sa);
        if (!lu->listens)
            lu->peer = l->found[i];
    }
    socklen_t len = sizeof(lu->local);
    if (fd >= 0)
        (void)getsockname(fd, (struct sockaddr *)&lu->local, &len);
    return fd;
}

static int open_now(lua_State *L, struct ludp *lu, const struct el_lookup *l)
{
    char text[EL_ADDRESS_TEXT_MAX];
    struct el_scope *scope = el_sched_scope(&lu->ctx->sched);
    int fd = make_socket(lu, l);
    if (fd < 0)
        raise_udp(L, lu, op_of(lu), NULL, fd);
    struct el_transcript *t = el_transcript_new(
        lua_tostring(L, AT_NAME),
        scope->recording ? EL_TRANSCRIPT_BYTES : EL_TRANSCRIPT_BYTES_FEW);
    if (t == NULL) {
        (void)close(fd);
        raise_udp(L, lu, op_of(lu), NULL, -ENOMEM);
    }
    el_address_text_of_socket(EL_UDP, (struct sockaddr *)&lu->local, text, sizeof(text));
    el_transcript_set_address(t, lu->listens ? text : lua_tostring(L, 2));
    int err = el_udp_new(&lu->ctx->loop, fd, lu->max_buffer, t, &lu->udp);
    if (err != 0)
        raise_udp(L, lu, op_of(lu), NULL, err);
    el_scope_record(&lu->ctx->sched, t);
    el_scope_own(&lu->ctx->sched, &lu->owned, close_owned);
    if (lu->listens) {
        lua_pushstring(L, text);
        lua_setiuservalue(L, 1, UV_ADDRESS);
    }
    lua_settop(L, 1);
    return 1;
}

static int open_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    struct ludp *lu = lua_touserdata(L, 1);
    struct el_lookup *l = lua_touserdata(L, AT_LOOKUP);
    (void)status;
    if (w->status != 0)
        raise_lookup(L, lu, op_of(lu), lua_tostring(L, 2), l, w->status);
    return open_now(L, lu, l);
}

static int open_socket(lua_State *L, bool listens)
{
    struct el_ctx *ctx = el_ctx_of(L);
    const char *op = listens ? "udp_listen" : "udp";
    struct el_lconn defaults = {.timeout_s = ctx->timeout_s,
                                .max_buffer = EL_DEFAULT_MAX_BUFFER};
    struct el_dial_options dial = {.family = AF_UNSPEC};
    struct sockaddr_storage bind = {0};
    struct el_address address;
    int next;
    lua_settop(L, 3);
    check_address(L, 1, op, listens, &address, &next);
    el_conn_options(L, next, op, &defaults, &dial, &bind);
    if (listens && dial.bind != NULL)
        el_fault_usage(L, op, "option 'bind' is for sockets that have a peer");
    struct ludp *lu = lua_newuserdatauv(L, sizeof(*lu), 1);
    memset(lu, 0, sizeof(*lu));
    lu->ctx = ctx;
    lu->listens = listens;
    lu->timeout_s = defaults.timeout_s;
    lu->max_buffer = defaults.max_buffer;
    if (dial.bind != NULL)
        lu->bind = bind;
    luaL_setmetatable(L, UDP_NAME);
    lua_pushvalue(L, 4);
    lua_setiuservalue(L, 5, UV_ADDRESS);
    el_args_option(L, next, "name");
    struct el_lookup *l;
    /* The view in `address` is valid as long as its text stands at index 1. */
    struct el_wait *w = el_lookup_begin(L, ctx, op, &address, dial.family,
                                        el_clock_deadline(lu->timeout_s), &l);
    for (int i = 0; i < 3; i++)
        lua_remove(L, 1); /* the arguments */
    lua_pushvalue(L, 2);
    lua_insert(L, 1);
    lua_remove(L, 3);
    if (w == NULL)
        return open_now(L, lu, l);
    return el_sched_yield(L, w, open_rest);
}

int el_udp_connect(lua_State *L)
{
    return open_socket(L, false);
}

/* udp_listen(address [, options]), udp_listen(host, port [, options]) -> a socket of many peers */
static int udp_listen(lua_State *L)
{
    return open_socket(L, true);
}

/* --- waiting ------------------------------------------------------------------------------ */

static void on_done(struct el_await *a, int status)
{
    el_sched_wake((struct el_wait *)((char *)a - offsetof(struct el_wait, await)),
                  status);
}

static void withdraw(struct el_wait *w)
{
    struct ludp *lu = w->source;
    el_udp_leave(lu->udp, &w->await);
}

/* Has the caller wait for what `await` is for; el_sched_yield comes next. */
static struct el_wait *begin_wait(lua_State *L, struct ludp *lu, const char *op,
                                  int (*await)(struct el_udp *, struct el_await *),
                                  uint64_t deadline_ns)
{
    struct el_wait *w = el_sched_begin_wait(L, &lu->ctx->sched, op);
    w->source = lu;
    w->withdraw = withdraw;
    w->await = (struct el_await){.done = on_done, .deadline_ns = deadline_ns};
    int err = await(lu->udp, &w->await);
    if (err != 0)
        raise_udp(L, lu, op, NULL, err);
    return w;
}

/* --- recv --------------------------------------------------------------------------------- */

static int recv_rest(lua_State *L, int status, lua_KContext ctx);

/* What is there, else waits until `deadline_ns`. */
static int recv_until(lua_State *L, struct ludp *lu, uint64_t deadline_ns)
{
    struct el_datagram d;
    struct el_udp *u = open_udp(L, lu, "recv");
    bool came = el_udp_first(u, &d);
    if (!came && u->failed == 0) {
        el_udp_fetch(u);
        came = el_udp_first(u, &d);
    }
    if (came) {
        lua_pushlstring(L, d.data, d.len);
        el_address_push_socket(L, EL_UDP, (struct sockaddr *)&d.from);
        el_udp_take(u);
        return 2;
    }
    if (u->failed != 0)
        raise_udp(L, lu, "recv", NULL, el_udp_take_error(u));
    return el_sched_yield(L, begin_wait(L, lu, "recv", el_udp_await, deadline_ns),
                          recv_rest);
}

static int recv_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    struct ludp *lu = lua_touserdata(L, 1);
    (void)status;
    if (w->status != 0)
        raise_udp(L, lu, "recv", NULL, w->status);
    return recv_until(L, lu, w->await.deadline_ns);
}

/* socket:recv() -> datagram, the address that it came from */
static int udp_recv(lua_State *L)
{
    struct ludp *lu = check_udp(L, "recv");
    if (!lua_isnoneornil(L, 2))
        el_fault_usage(L, "recv",
                       "a datagram comes as a whole: no count can be asked for");
    lua_settop(L, 1);
    return recv_until(L, lu, el_clock_deadline(lu->timeout_s));
}

/* --- send --------------------------------------------------------------------------------- */

/* What a send that waits keeps on the stack: 1 the socket, 2 the datagram, 3 the text of whom it
 * is for, 4 the look-up; without an address neither. */
static int send_rest(lua_State *L, int status, lua_KContext ctx);

/* The first address of the socket's family. An IPv6 socket that takes IPv4 too knows those
 * addresses as ::ffff:a.b.c.d (RFC 4291). */
static struct sockaddr_in6 choose(const struct ludp *lu, const struct el_lookup *l)
{
    struct sockaddr_in in;
    for (size_t i = 0; i < l->count; i++) {
        if (l->found[i].sin6_family == lu->local.sin6_family)
            return l->found[i];
    }
    memcpy(&in, &l->found[0], sizeof(in));
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = in.sin_port};
    mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&mapped.sin6_addr.s6_addr[12], &in.sin_addr, 4);
    return mapped;
}

static int send_until(lua_State *L, struct ludp *lu, uint64_t deadline_ns)
{
    size_t len;
    struct el_lookup *l = lua_touserdata(L, 4);
    const char *data = lua_tolstring(L, 2, &len);
    struct el_udp *u = open_udp(L, lu, "send");
    struct sockaddr_in6 to;
    if (l != NULL)
        to = choose(lu, l);
    int err = el_udp_send(u, l != NULL ? (struct sockaddr *)&to : NULL, data, len);
    if (err == -EAGAIN)
        return el_sched_yield(
            L, begin_wait(L, lu, "send", el_udp_await_room, deadline_ns), send_rest);
    if (err != 0)
        raise_udp(L, lu, "send", l != NULL ? lua_tostring(L, 3) : NULL, err);
    lua_settop(L, 1);
    return 1;
}

static int send_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    struct ludp *lu = lua_touserdata(L, 1);
    struct el_lookup *l = lua_touserdata(L, 4);
    (void)status;
    if (w->status != 0 && l != NULL)
        raise_lookup(L, lu, "send", lua_tostring(L, 3), l, w->status);
    if (w->status != 0)
        raise_udp(L, lu, "send", NULL, w->status);
    /* After a look-up the whole limit holds again, as when a send goes on after waiting. */
    return send_until(L, lu, el_clock_deadline(lu->timeout_s));
}

static int send_to(lua_State *L, struct ludp *lu)
{
    struct el_address address;
    struct el_lookup *l;
    int next;
    uint64_t deadline_ns = el_clock_deadline(lu->timeout_s);
    lua_settop(L, 4);
    check_address(L, 3, "send", false, &address, &next);
    int family = lu->local.sin6_family == AF_INET ? AF_INET : AF_UNSPEC;
    struct el_wait *w = el_lookup_begin(L, lu->ctx, "send", &address, family, deadline_ns,
                                        &l);
    lua_replace(L, 4);
    lua_replace(L, 3);
    if (w == NULL)
        return send_until(L, lu, deadline_ns);
    return el_sched_yield(L, w, send_rest);
}

/* socket:send(datagram [, address]), socket:send(datagram, host, port) -> socket */
static int udp_send(lua_State *L)
{
    struct ludp *lu = check_udp(L, "send");
    if (lua_type(L, 2) == LUA_TNUMBER)
        lua_tolstring(L, 2, NULL); /* turns it into a string, in place */
    else if (lua_type(L, 2) != LUA_TSTRING)
        el_fault_argument(L, "send", 2, "string");
    open_udp(L, lu, "send");
    if (lu->listens && lua_isnoneornil(L, 3))
        el_fault_usage(L, "send", "this socket has no peer: say to which address");
    if (!lu->listens && !lua_isnoneornil(L, 3))
        el_fault_usage(L, "send",
                       "this socket has a peer, and sends to no other address");
    if (lu->listens)
        return send_to(L, lu);
    lua_settop(L, 2);
    return send_until(L, lu, el_clock_deadline(lu->timeout_s));
}

/* --- the rest ----------------------------------------------------------------------------- */

/* socket:timeout(seconds) -> socket: the limit of every later wait */
static int udp_timeout(lua_State *L)
{
    struct ludp *lu = check_udp(L, "timeout");
    lu->timeout_s = el_args_seconds(L, 2, "timeout");
    lua_settop(L, 1);
    return 1;
}

static void push_address(lua_State *L, const struct sockaddr_in6 *sa)
{
    if (sa->sin6_family != 0)
        el_address_push_socket(L, EL_UDP, (const struct sockaddr *)sa);
    else
        lua_pushnil(L);
}

/* socket.address, .local_address, .port, .peer, .dropped; methods */
static int udp_index(lua_State *L)
{
    struct ludp *lu = check_udp(L, "index");
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    char host[INET6_ADDRSTRLEN];
    if (strcmp(key, "address") == 0 || strcmp(key, "local_address") == 0) {
        push_address(L, &lu->local);
    } else if (strcmp(key, "peer") == 0) {
        push_address(L, &lu->peer);
    } else if (strcmp(key, "port") == 0) {
        lua_pushinteger(L, el_address_socket_parts((struct sockaddr *)&lu->local, host,
                                                   sizeof(host)));
    } else if (strcmp(key, "dropped") == 0) {
        lua_pushinteger(L, lu->udp != NULL ? (lua_Integer)el_udp_dropped(lu->udp) : 0);
    } else {
        lua_pushvalue(L, 2);
        lua_rawget(L, lua_upvalueindex(1));
    }
    return 1;
}

static int udp_tostring(lua_State *L)
{
    struct ludp *lu = check_udp(L, "tostring");
    bool open = lu->udp != NULL && lu->udp->fd >= 0;
    lua_getiuservalue(L, 1, UV_ADDRESS);
    lua_pushfstring(L, "datagram socket (%s%s)", luaL_optstring(L, -1, "udp://?"),
                    open ? "" : ", closed");
    return 1;
}

static const luaL_Reg methods[] = {
    {"send", udp_send},       {"recv", udp_recv}, {"close", udp_close},
    {"timeout", udp_timeout}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", udp_gc},
    {"__close", udp_close},
    {"__tostring", udp_tostring},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"udp", el_udp_connect},
    {"udp_listen", udp_listen},
    {NULL, NULL},
};

void el_udp_register(lua_State *L, struct el_ctx *ctx)
{
    el_lookup_register(L);
    if (luaL_newmetatable(L, UDP_NAME)) {
        luaL_setfuncs(L, metamethods, 0);
        luaL_newlib(L, methods);
        lua_pushcclosure(L, udp_index, 1);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
    lua_pushlightuserdata(L, ctx);
    luaL_setfuncs(L, functions, 1);
}
