#include "bind/conn.h"

#include <errno.h>
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "bind/address.h"
#include "bind/args.h"
#include "bind/expect.h"
#include "bind/fault.h"
#include "bind/process.h"
#include "bind/task.h"
#include "bind/tls.h"

#define SEND_PIECES 16
#define SEND_PIECE_MAX ((size_t)1 << 30)

static const char kind;

/* Asked at each call, so by two of Lua's calls instead of the metatable's four. Nothing but
 * el_conn_create makes userdata that begins with this address. */
static struct el_lconn *to_conn(lua_State *L)
{
    struct el_lconn *lc = lua_touserdata(L, 1);
    return lc != NULL && lua_rawlen(L, 1) == sizeof(*lc) && lc->kind == &kind ? lc : NULL;
}

struct el_lconn *el_conn_check(lua_State *L, const char *op)
{
    struct el_lconn *lc = to_conn(L);
    if (lc == NULL)
        el_fault_argument(L, op, 0, "connection");
    return lc;
}

/* --- failures ----------------------------------------------------------------------------- */

enum end { PEER, LOCAL };

static const struct sockaddr *end_of(const struct el_lconn *lc, enum end end)
{
    if (lc->unix_ends != NULL)
        return (struct sockaddr *)&lc->unix_ends[end];
    return (struct sockaddr *)(end == PEER ? &lc->peer : &lc->local);
}

/* A Unix client has no name, as a rule: the socket that it came to has. */
static void name_of_accepted(const struct el_lconn *lc, bool tls, char *out, size_t cap)
{
    const struct sockaddr *sa = end_of(lc, PEER);
    if (sa->sa_family == AF_UNIX && el_address_of_socket(sa, out, cap) == 0)
        sa = end_of(lc, LOCAL);
    if (sa->sa_family != 0)
        el_address_text_of_socket(tls ? EL_TLS : EL_TCP, sa, out, cap);
    else
        (void)snprintf(out, cap, "tcp://?");
}

const char *el_conn_push_address(lua_State *L, struct el_lconn *lc)
{
    char text[EL_ADDRESS_TEXT_MAX];
    if (lua_getiuservalue(L, 1, EL_CONN_UV_ADDRESS) == LUA_TSTRING)
        return lua_tostring(L, -1);
    lua_pop(L, 1);
    name_of_accepted(lc, lc->session != NULL, text, sizeof(text));
    return lua_pushstring(L, text);
}

/* [-0, +1] Pushes a message of its own, or nil for the code's text. */
const char *el_conn_push_message(lua_State *L, struct el_lconn *lc, const char *op,
                                 int err)
{
    char number[32];
    switch (err) {
    case EL_ETIMEOUT:
        (void)snprintf(number, sizeof(number), "%.10g", lc->timeout_s);
        return lua_pushfstring(L, "timeout after %s s", number);
    case EL_ELIMIT:
        return lua_pushfstring(L, "more than max_buffer (%I bytes) would be needed",
                               (LUAI_UACINT)lc->max_buffer);
    case EL_EEOF:
        return lua_pushliteral(L, "the peer ended in the middle of what was awaited");
    case EL_EBUSY:
        return lua_pushfstring(L, "another task already waits in this connection's %s",
                               op);
    case EL_ETLS:
        return el_tls_push_why(L, lc->conn != NULL ? lc->conn->stream : lc->stream);
    default:
        lua_pushnil(L);
        return NULL;
    }
}

int el_conn_raise_text(lua_State *L, struct el_lconn *lc, const char *op, int err,
                       const char *text)
{
    struct el_fault f = {.code = err, .op = op};
    luaL_checkstack(L, 8, NULL);
    f.address = el_conn_push_address(L, lc);
    f.message = text != NULL ? text : el_conn_push_message(L, lc, op, err);
    if (lc->conn != NULL && lc->conn->rx.len > 0) {
        f.received = el_buf_data(&lc->conn->rx);
        f.received_len = lc->conn->rx.len;
    } else {
        f.received = "";
    }
    el_fault_raise(L, &f);
}

int el_conn_raise(lua_State *L, struct el_lconn *lc, const char *op, int err)
{
    el_conn_raise_text(L, lc, op, err, NULL);
}

/* --- life --------------------------------------------------------------------------------- */

static void close_owned(struct el_owned *o)
{
    struct el_lconn *lc =
        (struct el_lconn *)((char *)o - offsetof(struct el_lconn, owned));
    if (lc->dial != NULL) {
        el_dial_cancel(lc->dial);
        lc->dial = NULL;
    }
    if (lc->conn != NULL)
        el_conn_close(lc->conn, false);
    if (lc->stream != NULL)
        lc->stream->ops->close(lc->stream, false);
    lc->stream = NULL;
    el_tls_closed(lc);
}

struct el_lconn *el_conn_create(lua_State *L, struct el_ctx *ctx)
{
    struct el_lconn *lc = lua_newuserdatauv(L, sizeof(*lc), 3);
    memset(lc, 0, sizeof(*lc));
    lc->kind = &kind;
    lc->ctx = ctx;
    lc->timeout_s = ctx->timeout_s;
    lc->max_buffer = EL_DEFAULT_MAX_BUFFER;
    luaL_setmetatable(L, EL_CONN_NAME);
    return lc;
}

static void note_ends(struct el_lconn *lc, struct el_stream *stream)
{
    struct sockaddr_storage peer = {0}, local = {0};
    (void)stream->ops->local_address(stream, &local);
    (void)stream->ops->peer_address(stream, &peer);
    if (local.ss_family == AF_UNIX)
        lc->unix_ends = malloc(2 * sizeof(*lc->unix_ends));
    if (lc->unix_ends != NULL) {
        memcpy(&lc->unix_ends[0], &peer, sizeof(*lc->unix_ends));
        memcpy(&lc->unix_ends[1], &local, sizeof(*lc->unix_ends));
    } else if (local.ss_family != AF_UNIX) {
        memcpy(&lc->local, &local,
               sizeof(lc->local)); /* the longer of the two families */
        memcpy(&lc->peer, &peer, sizeof(lc->peer));
    }
}

int el_conn_attach(struct el_lconn *lc, struct el_stream *stream, const char *name,
                   const char *address)
{
    char text[EL_ADDRESS_TEXT_MAX];
    note_ends(lc, stream);
    struct el_scope *scope = el_sched_scope(&lc->ctx->sched);
    struct el_transcript *t = el_transcript_new(
        name, scope->recording ? EL_TRANSCRIPT_BYTES : EL_TRANSCRIPT_BYTES_FEW);
    if (t == NULL) {
        stream->ops->close(stream, false);
        return -ENOMEM;
    }
    if (scope->recording) {
        if (address == NULL)
            name_of_accepted(lc, el_tls_of(stream) != NULL, text, sizeof(text));
        el_transcript_set_address(t, address != NULL ? address : text);
    }
    int err = el_conn_new(&lc->ctx->loop, stream, lc->max_buffer, t, &lc->conn);
    if (err == 0)
        err = el_tls_note(lc);
    if (err != 0)
        return err;
    el_scope_record(&lc->ctx->sched, t);
    el_scope_own(&lc->ctx->sched, &lc->owned, close_owned);
    return 0;
}

static int conn_gc(lua_State *L)
{
    struct el_lconn *lc = to_conn(L);
    if (lc == NULL)
        return 0;
    el_scope_disown(&lc->owned);
    close_owned(&lc->owned);
    if (lc->conn != NULL)
        el_conn_free(lc->conn);
    lc->conn = NULL;
    el_process_release(lc->process);
    lc->process = NULL;
    free(lc->detail);
    lc->detail = NULL;
    el_tls_fini(lc);
    free(lc->unix_ends);
    lc->unix_ends = NULL;
    el_expect_free(lc->expectation);
    lc->expectation = NULL;
    return 0;
}

static int conn_close(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "close");
    el_scope_disown(&lc->owned);
    close_owned(&lc->owned);
    lua_settop(L, 1);
    return 1;
}

static int conn_reset(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "reset");
    el_scope_disown(&lc->owned);
    if (lc->conn != NULL)
        el_conn_close(lc->conn, true);
    el_tls_closed(lc);
    lua_settop(L, 1);
    return 1;
}

/* --- waiting ------------------------------------------------------------------------------ */

static struct el_wait *wait_of(struct el_await *a)
{
    return (struct el_wait *)((char *)a - offsetof(struct el_wait, await));
}

static void on_done(struct el_await *a, int status)
{
    el_sched_wake(wait_of(a), status);
}

static void withdraw_read(struct el_wait *w)
{
    struct el_lconn *lc = w->source;
    el_conn_reader_leave(lc->conn, &w->await);
}

struct el_conn *el_conn_open(lua_State *L, struct el_lconn *lc, const char *op)
{
    if (lc->conn == NULL || !el_conn_is_open(lc->conn))
        el_conn_raise(L, lc, op, EL_ECLOSED);
    return lc->conn;
}

struct el_wait *el_conn_read_begin(lua_State *L, struct el_lconn *lc, const char *op,
                                   const struct el_await *what)
{
    struct el_wait *w = el_sched_begin_wait(L, &lc->ctx->sched, op);
    w->await = *what;
    w->await.done = on_done;
    w->await.hint = L;
    w->source = lc;
    w->withdraw = withdraw_read;
    int err = el_conn_await(lc->conn, &w->await);
    if (err != 0)
        el_conn_raise(L, lc, op, err);
    return w;
}

int el_conn_read_wait(lua_State *L, struct el_lconn *lc, const char *op,
                      const struct el_await *what, int arg, int last, lua_KFunction k)
{
    struct el_await limited = *what;
    limited.deadline_ns = el_clock_deadline(lc->timeout_s);
    struct el_wait *w = el_conn_read_begin(L, lc, op, &limited);
    w->arg = arg;
    w->last = last;
    return el_sched_yield(L, w, k);
}

int el_conn_read_result(lua_State *L, struct el_lconn *lc, const char *op,
                        const struct el_wait *w)
{
    if (w->status < 0)
        el_conn_raise(L, lc, op, w->status);
    return 0;
}

/* --- recv --------------------------------------------------------------------------------- */

#define RECV_DEFAULT 4096

static int recv_rest(lua_State *L, int status, lua_KContext ctx);

/* Some bytes, or "" at the proper end; waits where there is neither. */
static int recv_some(lua_State *L, struct el_lconn *lc, size_t max)
{
    struct el_conn *c = lc->conn;
    if (c->rx.len > 0) {
        size_t n = c->rx.len < max ? c->rx.len : max;
        lua_pushlstring(L, el_buf_data(&c->rx), n);
        el_conn_consume(c, n);
        return 1;
    }
    if (c->rx_end == EL_EEOF) {
        lua_pushliteral(L, "");
        return 1;
    }
    if (el_conn_ended(c))
        el_conn_raise(L, lc, "recv", c->rx_end);
    struct el_await some = {.ready = el_conn_ready_some, .n = max};
    return el_conn_read_wait(L, lc, "recv", &some, 0, 0, recv_rest);
}

static int recv_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    struct el_lconn *lc = lua_touserdata(L, 1);
    (void)status;
    el_conn_read_result(L, lc, "recv", w);
    return recv_some(L, lc, w->await.n);
}

/* conn:recv([max=4096]) -> 1 to max bytes, or "" once the peer has finished sending */
static int conn_recv(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "recv");
    lua_Integer max = RECV_DEFAULT;
    if (!lua_isnoneornil(L, 2))
        max = el_args_integer(L, 2, "recv", "whole number of bytes", 1);
    el_conn_open(L, lc, "recv");
    return recv_some(L, lc, (size_t)max);
}

/* --- send --------------------------------------------------------------------------------- */

static int send_rest(lua_State *L, int status, lua_KContext ctx);

static void withdraw_send(struct el_wait *w)
{
    struct el_lconn *lc = w->source;
    el_conn_writer_leave(lc->conn, &w->await);
}

/* How far a send has come: `arg` is the index of the string that is next, up to `last`. */
struct progress {
    int arg, last;
    size_t offset;
};

/* Fills bufs from there on; returns how many. */
static unsigned gather(lua_State *L, struct progress at, uv_buf_t *bufs)
{
    unsigned n = 0;
    for (; at.arg <= at.last && n < SEND_PIECES; at.arg++, at.offset = 0) {
        size_t len;
        const char *data = lua_tolstring(L, at.arg, &len);
        size_t left = len - at.offset;
        if (left > SEND_PIECE_MAX) { /* a uv_buf_t holds no more than an unsigned tells */
            bufs[n++] = uv_buf_init((char *)data + at.offset, (unsigned)SEND_PIECE_MAX);
            break;
        }
        bufs[n++] = uv_buf_init((char *)data + at.offset, (unsigned)left);
    }
    return n;
}

/* Moves on by `taken` bytes, and past what is empty. */
static void advance(lua_State *L, struct progress *at, size_t taken)
{
    for (; at->arg <= at->last; at->arg++, at->offset = 0) {
        size_t left = (size_t)lua_rawlen(L, at->arg) - at->offset;
        if (taken < left) {
            at->offset += taken;
            return;
        }
        taken -= left;
    }
}

/* Has the wait `w` (NULL: none yet) stand in line for room. Returns the wait. */
static struct el_wait *stand_in_line(lua_State *L, struct el_lconn *lc, struct el_wait *w)
{
    if (w == NULL) {
        w = el_sched_begin_wait(L, &lc->ctx->sched, "send");
        w->source = lc;
        w->withdraw = withdraw_send;
        w->limit_s = lc->timeout_s;
        w->await = (struct el_await){.done = on_done, .hint = L};
    }
    w->await.deadline_ns = el_clock_deadline(w->limit_s);
    w->status = 1;
    int err = w->task != NULL && w->task->cancelled
                  ? EL_ECANCELLED /* since its last wait, whose end was on its way */
                  : el_conn_await_send(lc->conn, &w->await);
    if (err != 0) {
        el_conn_writer_leave(lc->conn, &w->await);
        el_conn_raise(L, lc, "send", err);
    }
    return w;
}

/* Raises what ended the wait, if that was no success. */
static void check_turn(lua_State *L, struct el_lconn *lc, struct el_wait *w)
{
    if (w->status >= 0)
        return;
    el_conn_writer_leave(lc->conn, &w->await);
    el_conn_read_result(L, lc, "send", w);
}

/* Sends from `at` on. `w` is the wait that has our turn among the writers, or NULL as long as
 * nothing had to wait. */
static int send_from(lua_State *L, struct el_lconn *lc, struct el_wait *w,
                     struct progress at)
{
    struct el_conn *c = lc->conn;
    advance(L, &at, 0);
    while (at.arg <= at.last || el_conn_holds(c)) {
        uv_buf_t bufs[SEND_PIECES];
        size_t taken;
        unsigned n = gather(L, at, bufs);
        int err = el_conn_try_send(c, w != NULL ? &w->await : NULL, bufs, n, &taken);
        if (err != 0) {
            if (w != NULL)
                el_conn_writer_leave(c, &w->await);
            el_conn_raise(L, lc, "send", err);
        }
        advance(L, &at, taken);
        if (taken > 0 || (n == 0 && !el_conn_holds(c)))
            continue;
        w = stand_in_line(L, lc, w);
        if (w->task != NULL) {
            w->arg = at.arg;
            w->last = at.last;
            w->offset = at.offset;
            return el_sched_yield(L, w, send_rest);
        }
        /* Outside of any task, in a loop: the continuation would nest a call for each wait. */
        err = el_sched_drive(L, &lc->ctx->sched, w);
        if (err != 0)
            w->status = err;
        check_turn(L, lc, w);
    }
    if (w != NULL)
        el_conn_writer_leave(c, &w->await);
    lua_settop(L, 1);
    return 1;
}

static int send_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    struct el_lconn *lc = lua_touserdata(L, 1);
    (void)status;
    check_turn(L, lc, w);
    struct progress at = {.arg = w->arg, .last = w->last, .offset = w->offset};
    return send_from(L, lc, w, at);
}

/* conn:send(data, ...) -> conn, once every byte of every string has been handed over */
int el_conn_send(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "send");
    int top = lua_gettop(L);
    for (int i = 2; i <= top; i++) {
        int type = lua_type(L, i);
        if (type == LUA_TNUMBER)
            lua_tolstring(L, i, NULL); /* turns it into a string, in place */
        else if (type != LUA_TSTRING)
            el_fault_argument(L, "send", i, "string");
    }
    el_conn_open(L, lc, "send");
    return send_from(L, lc, NULL, (struct progress){.arg = 2, .last = top});
}

/* --- the rest ----------------------------------------------------------------------------- */

/* conn:shutdown() -> conn: no more will be sent, receiving goes on */
static int conn_shutdown(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "shutdown");
    int err = el_conn_shutdown(el_conn_open(L, lc, "shutdown"));
    if (err != 0)
        el_conn_raise(L, lc, "shutdown", err);
    lua_settop(L, 1);
    return 1;
}

/* conn:timeout(seconds) -> conn: the limit of every later wait */
static int conn_timeout(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "timeout");
    lc->timeout_s = el_args_seconds(L, 2, "timeout");
    lua_settop(L, 1);
    return 1;
}

static int push_address(lua_State *L, const struct sockaddr *sa)
{
    if (sa->sa_family != 0)
        el_address_push_socket(L, EL_TCP, sa);
    else
        lua_pushnil(L);
    return 1;
}

static int push_peer(lua_State *L, struct el_lconn *lc)
{
    return lc->process != NULL ? el_process_push_peer(L)
                               : push_address(L, end_of(lc, PEER));
}

static int push_local_address(lua_State *L, struct el_lconn *lc)
{
    return push_address(L, end_of(lc, LOCAL));
}

static const struct el_conn_field fields[] = {
    {"peer", push_peer},
    {"local_address", push_local_address},
    {"tls", el_tls_push},
    {NULL, NULL},
};

/* Each method call comes by here: nothing more than a look-up where it is one. Fields stand among
 * the methods as light userdata. A metamethod is called with two arguments, so the key is on
 * top. */
static int conn_index(lua_State *L)
{
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TLIGHTUSERDATA)
        return 1;
    const struct el_conn_field *field = lua_touserdata(L, -1);
    struct el_lconn *lc = to_conn(L);
    return lc != NULL ? field->push(L, lc) : 0;
}

static void set_fields(lua_State *L, const struct el_conn_field *field)
{
    for (; field->name != NULL; field++) {
        lua_pushlightuserdata(L, (void *)field);
        lua_setfield(L, -2, field->name);
    }
}

static int conn_tostring(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "tostring");
    bool open = lc->conn != NULL && el_conn_is_open(lc->conn);
    const char *address = el_conn_push_address(L, lc);
    lua_pushfstring(L, "connection (%s%s)", address, open ? "" : ", closed");
    return 1;
}

static const luaL_Reg methods[] = {
    {"send", el_conn_send},        {"recv", conn_recv},
    {"close", conn_close},         {"reset", conn_reset},
    {"shutdown", conn_shutdown},   {"timeout", conn_timeout},
    {"starttls", el_tls_starttls}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", conn_gc},
    {"__close", conn_close},
    {"__tostring", conn_tostring},
    {NULL, NULL},
};

void el_conn_register(lua_State *L, struct el_ctx *ctx)
{
    el_conn_keep_functions(L);
    luaL_newmetatable(L, EL_CONN_NAME);
    luaL_setfuncs(L, metamethods, 0);
    luaL_newlib(L, methods);
    luaL_setfuncs(L, el_conn_file_methods, 0);
    luaL_setfuncs(L, el_conn_data_methods, 0);
    luaL_setfuncs(L, el_expect_methods, 0);
    luaL_setfuncs(L, el_process_methods, 0);
    set_fields(L, fields);
    set_fields(L, el_process_fields);
    lua_pushvalue(L, -1);
    lua_setfield(L, -4, "conn_methods"); /* for those that the embedded Lua adds */
    lua_pushcclosure(L, conn_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushlightuserdata(L, ctx);
    lua_pushcclosure(L, el_conn_connect, 1);
    lua_setfield(L, -2, "connect");
}
