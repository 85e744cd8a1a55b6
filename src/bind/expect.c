/* Expectations: frame, then match. What is awaited is asked for in C as bytes come; Lua runs
 * once it is decided, or where a script's own matcher has to be asked. */
#include "bind/expect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "bind/args.h"
#include "bind/conn.h"
#include "bind/expect_host.h"
#include "bind/fault.h"
#include "bind/matcher.h"
#include "bind/mismatch.h"
#include "bind/task.h"
#include "match/match.h"

enum op { EXPECT, EXPECT_LINE, EXPECT_ANY, SKIP_UNTIL };

static const char *const names[] = {
    [EXPECT] = "expect",
    [EXPECT_LINE] = "expect_line",
    [EXPECT_ANY] = "expect_any",
    [SKIP_UNTIL] = "skip_until",
};

struct el_expectation {
    struct el_match match;
    struct el_matcher line, literal; /* of a call that names a line, or a string */
    uint64_t consumed;               /* the connection's count when it began */
    uint64_t deadline_ns;
    double timeout_s;
    bool decided; /* `verdict` is that of the bytes that are there */
    int verdict;
};

void el_expect_free(struct el_expectation *x)
{
    if (x != NULL)
        el_match_fini(&x->match);
    free(x);
}

/* --- beginning --------------------------------------------------------------------------- */

/* The stack of a call from here on: connection, matcher (or nil), then what a matcher of the
 * script's own has captured. */
#define MATCHER 2

static bool is_options(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TTABLE;
}

/* Takes the options off the end, also where they are nil; the limit in seconds. */
static double take_options(lua_State *L, struct el_lconn *lc, const char *op)
{
    static const char *const known[] = {"timeout", NULL};
    double timeout_s = lc->timeout_s;
    int top = lua_gettop(L);
    if (top > MATCHER && lua_isnil(L, top))
        lua_settop(L, --top);
    if (top > 1 && is_options(L, top)) {
        el_args_options(L, top, op, known);
        if (el_args_option(L, top, "timeout") != LUA_TNIL)
            timeout_s = el_args_seconds(L, top + 1, op);
        lua_settop(L, top - 1);
    }
    return timeout_s;
}

static struct el_expectation *expectation(lua_State *L, struct el_lconn *lc,
                                          const char *op)
{
    if (lc->conn->reader != NULL)
        el_conn_raise(L, lc, op, EL_EBUSY);
    if (lc->expectation == NULL)
        lc->expectation = calloc(1, sizeof(*lc->expectation));
    if (lc->expectation == NULL)
        el_conn_raise(L, lc, op, -ENOMEM);
    return lc->expectation;
}

/* Begins an attempt with what stands at MATCHER. */
static void begin(lua_State *L, struct el_lconn *lc, struct el_expectation *x, enum op op)
{
    const struct el_matcher *top = NULL;
    if (lua_type(L, MATCHER) == LUA_TSTRING) {
        size_t len;
        const char *bytes = lua_tolstring(L, MATCHER, &len);
        el_matcher_literal(&x->literal, bytes, len);
        top = &x->literal;
    } else if (!lua_isnil(L, MATCHER)) {
        top = el_matcher_check(L, MATCHER, names[op]);
    }
    if (op == EXPECT_LINE) {
        if (el_matcher_frame(&x->line, EL_MATCHER_LINE, top) != 0)
            el_fault_usage(L, names[op], "matchers are nested more than %d deep",
                           EL_MATCHER_DEPTH);
        top = &x->line;
    }
    int err = el_match_begin(&x->match, top, op == SKIP_UNTIL, lc->conn->max_buffer);
    if (err != 0)
        el_conn_raise(L, lc, names[op], err);
    x->consumed = lc->conn->consumed;
    x->decided = false;
}

/* --- results ----------------------------------------------------------------------------- */

/* [-0, +n] Pushes the captures of the match. Returns how many. */
static int push_captures(lua_State *L, struct el_lconn *lc, const struct el_match *m)
{
    const struct el_matcher *leaf = m->leaf;
    const char *data = el_buf_data(&lc->conn->rx);
    if (leaf == NULL)
        return 0;
    unsigned n = el_match_captures(m);
    luaL_checkstack(L, (int)n + 4, "too many captures");
    for (unsigned k = 0; k < n; k++) {
        size_t start, len;
        el_match_capture(m, k, &start, &len);
        if (len == EL_PATTERN_POSITION && leaf->kind == EL_MATCHER_PATTERN)
            lua_pushinteger(L, (lua_Integer)start + 1);
        else if (len == EL_REGEX_UNSET)
            lua_pushnil(L);
        else
            lua_pushlstring(L, len > 0 ? data + start : "", len);
    }
    return (int)n;
}

static void push_bytes(lua_State *L, struct el_lconn *lc, size_t start, size_t len)
{
    lua_pushlstring(L, len > 0 ? el_buf_data(&lc->conn->rx) + start : "", len);
}

/* Returns what a match gives, and consumes its bytes. */
static int succeed(lua_State *L, struct el_lconn *lc, struct el_expectation *x,
                   enum op op)
{
    struct el_match *m = &x->match;
    if (m->leaf == NULL || m->leaf->kind < EL_MATCHER_HOST_PART)
        lua_settop(L, MATCHER); /* another alternative's may stand there */
    luaL_checkstack(L, 4, "too many captures");
    int hosted = lua_gettop(L) - MATCHER; /* captures of a matcher of the script's own */
    int captures = hosted > 0 ? hosted : push_captures(L, lc, m);
    if (captures == 0 && op != EXPECT_LINE)
        push_bytes(L, lc, m->text, m->text_len);
    switch (op) {
    case EXPECT_LINE:
        push_bytes(L, lc, m->body, m->body_len);
        lua_insert(L, MATCHER + 1);
        break;
    case EXPECT_ANY:
        lua_pushinteger(L, (lua_Integer)m->alternative + 1);
        lua_insert(L, MATCHER + 1);
        break;
    case SKIP_UNTIL:
        push_bytes(L, lc, 0, m->start);
        lua_insert(L, MATCHER + 1);
        break;
    default:
        break;
    }
    if (m->taken > 0)
        el_conn_consume(lc->conn, m->taken);
    return lua_gettop(L) - MATCHER;
}

/* [-0, +1] Pushes what was awaited, in words. */
static const char *push_awaited(lua_State *L, const struct el_expectation *x)
{
    el_matcher_push_text(L, x->match.top);
    return lua_tostring(L, -1);
}

static int fail(lua_State *L, struct el_lconn *lc, struct el_expectation *x, enum op op)
{
    bool ended = x->match.ran_out;
    struct el_mismatch m = {
        .op = names[op],
        .kind = el_err_kind(ended ? EL_EEOF : EL_EMISMATCH),
        .awaited = push_awaited(L, x),
        .at = &x->match,
    };
    el_mismatch_raise(L, lc, &m);
}

/* A wait that did not end with a verdict: its time was up, a cap or an error of the system. */
static int give_up(lua_State *L, struct el_lconn *lc, struct el_expectation *x,
                   enum op op, int err)
{
    const char *awaited = push_awaited(L, x);
    const struct el_buf *rx = &lc->conn->rx;
    const char *text = NULL;
    el_matcher_push_quoted(L, rx->len > 0 ? el_buf_data(rx) : "", rx->len);
    const char *came = lua_tostring(L, -1);
    if (err == EL_ETIMEOUT) {
        lua_pushnumber(L, x->timeout_s);
        text = lua_pushfstring(
            L, "timeout after %s s: expected %s, %s%s", lua_tostring(L, -1), awaited,
            rx->len > 0 ? "got only " : "got nothing", rx->len > 0 ? came : "");
    } else if (err == EL_ELIMIT) {
        const char *why = x->verdict == EL_ELIMIT ? x->match.failure.why : "";
        if (*why != '\0')
            text = lua_pushfstring(L, "expected %s: %s", awaited, why);
        else
            text = lua_pushfstring(L,
                                   "expected %s, which did not come within max_buffer "
                                   "(%I bytes)",
                                   awaited, (LUAI_UACINT)lc->conn->max_buffer);
    } else if (err == -ECONNRESET) {
        text = lua_pushfstring(L, "expected %s, but the peer reset the connection%s%s",
                               awaited, rx->len > 0 ? " after " : "",
                               rx->len > 0 ? came : "");
    }
    el_conn_raise_text(L, lc, names[op], err, text);
}

/* --- going on ---------------------------------------------------------------------------- */

static bool ended_well(const struct el_conn *c)
{
    return c->rx_end == EL_EEOF;
}

static int ready_match(const struct el_conn *c, struct el_await *a)
{
    struct el_expectation *x = (struct el_expectation *)a->extra;
    if (x->consumed != c->consumed) /* by another task: the call begins anew */
        return 1;
    x->verdict = el_match_ask(&x->match, el_buf_data(&c->rx), c->rx.len, ended_well(c));
    x->decided = true;
    a->again_ns = x->verdict == EL_MORE ? x->match.again_ns : 0;
    return x->verdict != EL_MORE || el_conn_ended(c);
}

static int expect_rest(lua_State *L, int status, lua_KContext ctx);

/* A wait has ended without a verdict. An attempt that was resting is made now, and counts. True
 * where it decided. */
static bool last_look(struct el_lconn *lc, struct el_expectation *x)
{
    const struct el_conn *c = lc->conn;
    if (x->match.again_ns == 0 || x->consumed != c->consumed)
        return false;
    x->match.rest_until_ns = 0;
    x->verdict = el_match_ask(&x->match, el_buf_data(&c->rx), c->rx.len, ended_well(c));
    x->decided = x->verdict != EL_MORE;
    return x->decided;
}

/* A wait of this call is over. Raises what ended it without a verdict. */
static void take_up(lua_State *L, struct el_lconn *lc, struct el_expectation *x,
                    enum op op, const struct el_wait *w)
{
    if (w->status == EL_ECLOSED || w->status == EL_ECANCELLED || w->status == EL_EUSAGE)
        el_conn_read_result(L, lc, names[op], w);
    if ((size_t)x->match.serial != w->offset) { /* another task's attempt came between */
        (void)expectation(L, lc, names[op]);
        x->timeout_s = w->limit_s;
        x->deadline_ns = w->await.deadline_ns;
        begin(L, lc, x, op);
    }
    if (w->status < 0 && !last_look(lc, x))
        give_up(L, lc, x, op, w->status);
}

/* Has the call wait for more bytes. Suspended: what it returns. Outside of any task: 0, once
 * the wait is over. */
static int wait_for_more(lua_State *L, struct el_lconn *lc, struct el_expectation *x,
                         enum op op)
{
    struct el_await what = {
        .ready = ready_match,
        .extra = x,
        .deadline_ns = x->deadline_ns,
        .again_ns = x->match.again_ns,
    };
    struct el_wait *w = el_conn_read_begin(L, lc, names[op], &what);
    w->arg = (int)op;
    w->offset = (size_t)x->match.serial;
    w->limit_s = x->timeout_s;
    if (w->task != NULL)
        return el_sched_yield(L, w, expect_rest);
    /* In a loop: the continuation would nest a call for each wait. */
    int err = w->status > 0 ? el_sched_drive(L, w->sched, w) : 0;
    if (err != 0) {
        el_conn_reader_leave(lc->conn, &w->await);
        w->status = err;
    }
    take_up(L, lc, x, op, w);
    return 0;
}

static int go_on(lua_State *L, struct el_lconn *lc, struct el_expectation *x, enum op op)
{
    for (;;) {
        struct el_conn *c = lc->conn;
        if (x->consumed != c->consumed)
            begin(L, lc, x, op);
        if (!x->decided)
            x->verdict = el_match_ask(&x->match, el_buf_data(&c->rx), c->rx.len,
                                      ended_well(c));
        x->decided = false;
        switch (x->verdict) {
        case EL_YES:
            return succeed(L, lc, x, op);
        case EL_NO:
            return fail(L, lc, x, op);
        case EL_HOST:
            lua_settop(L, MATCHER);
            el_expect_host_ask(L, lc, &x->match, names[op]);
            continue;
        case EL_MORE:
            break;
        default:
            return give_up(L, lc, x, op, x->verdict);
        }
        if (el_conn_ended(c)) {
            if (last_look(lc, x))
                continue;
            return give_up(L, lc, x, op, c->rx_end);
        }
        int results = wait_for_more(L, lc, x, op);
        if (lc->ctx->sched.current != NULL)
            return results;
    }
}

static int expect_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    struct el_lconn *lc = lua_touserdata(L, 1);
    struct el_expectation *x = lc->expectation;
    enum op op = (enum op)w->arg;
    (void)status;
    take_up(L, lc, x, op, w);
    return go_on(L, lc, x, op);
}

/* Runs the call whose arguments, but for the options, are on the stack. */
static int run(lua_State *L, struct el_lconn *lc, enum op op, double timeout_s)
{
    el_conn_open(L, lc, names[op]);
    struct el_expectation *x = expectation(L, lc, names[op]);
    x->timeout_s = timeout_s;
    x->deadline_ns = el_clock_deadline(timeout_s);
    begin(L, lc, x, op);
    return go_on(L, lc, x, op);
}

/* --- the calls --------------------------------------------------------------------------- */

/* Checks the one matcher of a call, at MATCHER, and that nothing stands behind it. A string stays
 * one: it needs no matcher of its own. */
static void check_one(lua_State *L, const char *op)
{
    if (lua_gettop(L) > MATCHER)
        el_fault_usage(L, op, "too many arguments: '%s' takes one matcher, and options",
                       op);
    if (lua_type(L, MATCHER) != LUA_TSTRING)
        (void)el_matcher_check(L, MATCHER, op);
}

/* LPeg can't tell "undecided", so it needs a frame that says where its bytes end. */
static void check_framed(lua_State *L, const char *op)
{
    if (lua_type(L, MATCHER) == LUA_TUSERDATA &&
        el_matcher_unframed(el_matcher_check(L, MATCHER, op)) != NULL)
        el_fault_usage(L, op,
                       "an LPeg pattern stands inside a frame only: "
                       "line(p), bytes(n, p), delimited(d, p) or counted(fmt, p)");
}

/* A string whose bytes are there already: nothing has to be remembered, and the string itself is
 * what was matched. */
static bool expect_at_once(lua_State *L, struct el_lconn *lc)
{
    struct el_conn *c = lc->conn;
    size_t len;
    if (lua_gettop(L) != MATCHER || lua_type(L, MATCHER) != LUA_TSTRING || c == NULL ||
        !el_conn_is_open(c) || c->reader != NULL)
        return false;
    const char *bytes = lua_tolstring(L, MATCHER, &len);
    if (len == 0 || c->rx.len < len || memcmp(el_buf_data(&c->rx), bytes, len) != 0)
        return false;
    el_conn_consume(c, len);
    return true;
}

/* A call of one matcher, and options. */
static int call_one(lua_State *L, struct el_lconn *lc, enum op op)
{
    double timeout_s = take_options(L, lc, names[op]);
    if (lua_gettop(L) < MATCHER)
        el_fault_argument(L, names[op], MATCHER, "string or matcher");
    check_one(L, names[op]);
    check_framed(L, names[op]);
    return run(L, lc, op, timeout_s);
}

/* conn:expect(m [, options]) -> captures, or else the matched text */
static int conn_expect(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "expect");
    return expect_at_once(L, lc) ? 1 : call_one(L, lc, EXPECT);
}

/* conn:skip_until(m [, options]) -> the bytes passed over, then what expect returns */
static int conn_skip_until(lua_State *L)
{
    return call_one(L, el_conn_check(L, "skip_until"), SKIP_UNTIL);
}

/* conn:expect_line([m] [, options]) -> the line, then captures */
static int conn_expect_line(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "expect_line");
    double timeout_s = take_options(L, lc, "expect_line");
    if (lua_gettop(L) > 1 && !lua_isnil(L, MATCHER))
        check_one(L, "expect_line");
    lua_settop(L, MATCHER);
    return run(L, lc, EXPECT_LINE, timeout_s);
}

/* conn:expect_any(m1, m2, ... [, options]) -> its index, then what expect returns */
static int conn_expect_any(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "expect_any");
    double timeout_s = take_options(L, lc, "expect_any");
    if (lua_gettop(L) < MATCHER)
        el_fault_argument(L, "expect_any", MATCHER, "string or matcher");
    (void)el_matcher_join(L, MATCHER, "expect_any");
    check_framed(L, "expect_any");
    return run(L, lc, EXPECT_ANY, timeout_s);
}

/* --- ends -------------------------------------------------------------------------------- */

/* What a connection without unread bytes has come to: 1 it is what `wanted` (EL_EEOF,
 * -ECONNRESET; 0: silence) says, 0 nothing yet, EL_EMISMATCH, or TLS's trouble. */
static int end_state(const struct el_conn *c, int wanted)
{
    if (c->rx.len > 0)
        return EL_EMISMATCH;
    if (c->rx_end == 0)
        return 0;
    if (c->rx_end == EL_ETLS || c->rx_end == EL_ETLSCUT) /* no end that one could await */
        return c->rx_end;
    return wanted != 0 && c->rx_end == wanted ? 1 : EL_EMISMATCH;
}

static int ready_end_state(const struct el_conn *c, struct el_await *a)
{
    return end_state(c, (int)(intptr_t)a->extra);
}

static const char *const end_words[] = {"the end", "a reset", "silence"};
static const char *const end_names[] = {"expect_eof", "expect_reset", "expect_silence"};
static const int end_codes[] = {EL_EEOF, -ECONNRESET, 0};
enum end { END_EOF, END_RESET, END_SILENCE };

static int settle_end(lua_State *L, struct el_lconn *lc, enum end end, int state,
                      double limit_s)
{
    if (end == END_SILENCE && state == EL_ETIMEOUT)
        state = 1;
    if (state == EL_EMISMATCH) {
        struct el_mismatch m = {
            .op = end_names[end],
            .kind = el_err_kind(EL_EMISMATCH),
            .awaited = end_words[end],
        };
        el_mismatch_raise(L, lc, &m);
    }
    if (state == EL_ETIMEOUT) {
        lua_pushnumber(L, limit_s);
        el_conn_raise_text(L, lc, end_names[end], state,
                           lua_pushfstring(L,
                                           "timeout after %s s: expected %s, got nothing",
                                           lua_tostring(L, -1), end_words[end]));
    }
    if (state < 0)
        el_conn_raise(L, lc, end_names[end], state);
    lua_settop(L, 1);
    return 1;
}

static int end_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    (void)status;
    return settle_end(L, lua_touserdata(L, 1), (enum end)w->arg,
                      w->status < 0 ? w->status : 1, w->limit_s);
}

static int expect_end(lua_State *L, struct el_lconn *lc, enum end end, double limit_s)
{
    struct el_conn *c = el_conn_open(L, lc, end_names[end]);
    int state = end_state(c, end_codes[end]);
    if (state != 0)
        return settle_end(L, lc, end, state, limit_s);
    struct el_await what = {
        .ready = ready_end_state,
        .extra = (const void *)(intptr_t)end_codes[end],
        .deadline_ns = el_clock_deadline(limit_s),
    };
    struct el_wait *w = el_conn_read_begin(L, lc, end_names[end], &what);
    w->arg = end;
    w->limit_s = limit_s;
    return el_sched_yield(L, w, end_rest);
}

/* The limit of a call that takes nothing but options. */
static double only_options(lua_State *L, struct el_lconn *lc, const char *op)
{
    double timeout_s = take_options(L, lc, op);
    if (lua_gettop(L) > 1 && !lua_isnil(L, 2))
        el_fault_argument(L, op, 2, "table of options");
    return timeout_s;
}

/* conn:expect_eof([options]) -> conn: the peer ends now, with nothing left unread */
static int conn_expect_eof(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "expect_eof");
    return expect_end(L, lc, END_EOF, only_options(L, lc, "expect_eof"));
}

/* conn:expect_reset([options]) -> conn: the peer resets the connection now */
static int conn_expect_reset(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "expect_reset");
    return expect_end(L, lc, END_RESET, only_options(L, lc, "expect_reset"));
}

/* conn:expect_silence(seconds) -> conn: nothing comes for so long, and it stays open */
static int conn_expect_silence(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "expect_silence");
    return expect_end(L, lc, END_SILENCE, el_args_seconds(L, 2, "expect_silence"));
}

const luaL_Reg el_expect_methods[] = {
    {"expect", conn_expect},
    {"expect_line", conn_expect_line},
    {"expect_any", conn_expect_any},
    {"skip_until", conn_skip_until},
    {"expect_eof", conn_expect_eof},
    {"expect_reset", conn_expect_reset},
    {"expect_silence", conn_expect_silence},
    {NULL, NULL},
};
