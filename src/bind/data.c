/* Packed data: pack and unpack, after string.pack (Lua manual section 6.4.2). How many bytes
 * a format needs is worked out here; the values are taken out by string.unpack itself. */
#include <ctype.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "bind/conn.h"
#include "bind/fault.h"
#include "match/matcher.h"

#define INT_SIZE_MAX 16

/* More than any buffer holds, and so little that sums of a few cannot overflow. */
#define NEED_MAX (SIZE_MAX / 8)

/* Where a format's reader stands. */
struct cursor {
    const char *format;
    const unsigned char *data;
    size_t len;  /* bytes that have come */
    size_t mark; /* where a 'z' began that found no end before, */
    size_t seen; /* in so many bytes */
    size_t at;   /* bytes that the format needs so far */
    size_t max_align;
    bool little;
};

static size_t digits(struct cursor *u, size_t otherwise)
{
    size_t n = 0;
    if (!isdigit((unsigned char)*u->format))
        return otherwise;
    while (isdigit((unsigned char)*u->format)) {
        n = n < NEED_MAX / 100 ? n * 10 + (size_t)(*u->format - '0') : NEED_MAX / 2;
        u->format++;
    }
    return n;
}

/* The alignment that '!' alone asks for: the strictest of those that Lua knows of. */
struct strictest {
    char c;
    union {
        double d;
        void *p;
        lua_Integer i;
        lua_Number n;
    } u;
};

static void align(struct cursor *u, size_t size)
{
    size_t to = size < u->max_align ? size : u->max_align;
    if (to > 1 && (to & (to - 1)) == 0)
        u->at = (u->at + to - 1) & ~(to - 1);
}

/* The size of the number that option `c` stands for; 0 where it is none. */
static size_t number_size(struct cursor *u, char c)
{
    switch (c) {
    case 'i':
    case 'I':
        return digits(u, sizeof(int));
    case 'f':
        return sizeof(float);
    case 'n':
        return sizeof(lua_Number);
    case 'd':
        return sizeof(double);
    default:
        return el_matcher_integer_size(c);
    }
}

/* A length of `size` bytes at `at`; SIZE_MAX where it does not fit. */
static size_t length_prefix(const struct cursor *u, size_t at, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = u->data[at + (u->little ? size - 1 - i : i)];
        if (n > SIZE_MAX >> 8)
            return SIZE_MAX;
        n = n << 8 | byte;
    }
    return n;
}

/* Takes one option. 1 to go on; 0 where `at` is as far as the bytes that came can tell;
 * EL_ELIMIT where the peer promises more than memory holds. */
static int option(struct cursor *u)
{
    char c = *u->format++;
    size_t size = number_size(u, c);
    if (size > 0) {
        if (c != 'b' && c != 'B')
            align(u, size);
        u->at += size;
        return 1;
    }
    switch (c) {
    case 's': {
        size = digits(u, sizeof(size_t));
        align(u, size);
        if (size == 0 || size > INT_SIZE_MAX)
            return 1; /* string.unpack says what is wrong with it */
        if (u->len < u->at + size) {
            u->at += size;
            return 0;
        }
        size_t n = length_prefix(u, u->at, size);
        u->at += size;
        if (n > NEED_MAX)
            return EL_ELIMIT;
        u->at += n;
        return 1;
    }
    case 'z': {
        size_t from = u->at == u->mark && u->seen > u->at ? u->seen : u->at;
        const void *nul = from < u->len ? memchr(u->data + from, 0, u->len - from) : NULL;
        if (nul == NULL) {
            u->mark = u->at;
            u->seen = u->len;
            u->at = u->at < u->len ? u->len + 1 : u->at + 1;
            return 0;
        }
        u->at = (size_t)((const unsigned char *)nul - u->data) + 1;
        return 1;
    }
    case 'c':
        u->at += digits(u, 0);
        return 1;
    case 'x':
        u->at++;
        return 1;
    case 'X': {
        char what = *u->format != '\0' ? *u->format++ : ' ';
        size = what == 's' ? digits(u, sizeof(size_t)) : number_size(u, what);
        align(u, size);
        return 1;
    }
    case '<':
        u->little = true;
        return 1;
    case '>':
        u->little = false;
        return 1;
    case '=':
        u->little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
        return 1;
    case '!':
        u->max_align = digits(u, offsetof(struct strictest, u));
        return 1;
    default: /* a space; or an error, which string.unpack reports */
        return 1;
    }
}

/* Bytes that string.unpack(format) needs in all. `a->n` is at least what can be told from
 * what came. 1: they have come. */
static int ready_unpack(const struct el_conn *c, struct el_await *a)
{
    struct cursor u = {
        .format = a->extra,
        .data = (const unsigned char *)el_buf_data(&c->rx),
        .len = c->rx.len,
        .mark = a->mark,
        .seen = a->seen,
        .max_align = 1,
        .little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
    };
    if (c->rx.len < a->n && !el_conn_ended(c))
        return 0; /* nothing new can be told before these have come */
    while (*u.format != '\0') {
        int more = option(&u);
        if (more < 0)
            return more;
        if (u.at > NEED_MAX)
            return EL_ELIMIT;
        if (more == 0)
            break;
    }
    a->n = u.at;
    a->mark = u.mark;
    a->seen = u.seen;
    if (a->n > c->max_buffer)
        return EL_ELIMIT;
    return c->rx.len >= a->n || el_conn_ended(c);
}

/* The string library's functions as they were when this one was opened, by these keys. */
static const char *const kept[] = {"pack", "unpack", "packsize"};

void el_conn_keep_functions(lua_State *L)
{
    lua_getglobal(L, LUA_STRLIBNAME);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        lua_getfield(L, -1, kept[i]);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &kept[i]);
    }
    lua_pop(L, 1);
}

enum { PACK, UNPACK, PACKSIZE };

/* [-0, +1] */
static void push_string_function(lua_State *L, int which)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept[which]);
}

/* Calls the function below `nargs` arguments; its error is the script's, or the peer's. */
static int call_string_function(lua_State *L, const char *op, int nargs)
{
    int base = lua_gettop(L) - nargs;
    if (lua_pcall(L, nargs, LUA_MULTRET, 0) != LUA_OK) {
        const char *why = luaL_tolstring(L, -1, NULL);
        if (strstr(why, "does not fit") == NULL || strcmp(op, "unpack") != 0)
            el_fault_usage(L, op, "%s", why);
        /* a number that the peer sent, and that Lua has no form for */
        el_fault_raise(
            L, &(struct el_fault){.code = EL_EMISMATCH, .op = op, .message = why});
    }
    return lua_gettop(L) - base + 1;
}

/* conn:pack(fmt, ...) -> conn: sends string.pack(fmt, ...) */
static int conn_pack(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "pack");
    luaL_checkstack(L, 4, NULL);
    if (lua_type(L, 2) != LUA_TSTRING)
        el_fault_argument(L, "pack", 2, "format string");
    el_conn_open(L, lc, "pack");
    push_string_function(L, PACK);
    lua_insert(L, 2);
    call_string_function(L, "pack", lua_gettop(L) - 2);
    return el_conn_send(L);
}

static int unpack_rest(lua_State *L, int status, lua_KContext ctx);

static int unpack_or_wait(lua_State *L, struct el_lconn *lc)
{
    struct el_conn *c = lc->conn;
    struct el_await what = {.ready = ready_unpack, .extra = lua_tostring(L, 2)};
    int verdict = ready_unpack(c, &what);
    if (verdict < 0)
        el_conn_raise(L, lc, "unpack", verdict);
    if (verdict == 0)
        return el_conn_read_wait(L, lc, "unpack", &what, 0, 0, unpack_rest);
    if (c->rx.len < what.n)
        el_conn_raise(L, lc, "unpack", c->rx_end);
    push_string_function(L, UNPACK);
    lua_pushvalue(L, 2);
    lua_pushlstring(L, c->rx.len > 0 ? el_buf_data(&c->rx) : "", what.n);
    int count = call_string_function(L, "unpack", 2);
    if (what.n > 0)
        el_conn_consume(c, what.n);
    lua_pop(L, 1); /* the position behind the last byte */
    return count - 1;
}

static int unpack_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    struct el_lconn *lc = lua_touserdata(L, 1);
    (void)status;
    el_conn_read_result(L, lc, "unpack", w);
    return unpack_or_wait(L, lc);
}

/* A format's own mistakes are told before anything is awaited: with no bytes at all,
 * string.unpack complains of them, or that the data is too short. */
static void check_format(lua_State *L)
{
    push_string_function(L, PACKSIZE);
    lua_pushvalue(L, 2);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        const char *why = lua_tostring(L, -1);
        if (why == NULL || strstr(why, "variable") == NULL)
            el_fault_usage(L, "unpack", "bad format: %s", why != NULL ? why : "?");
    }
    lua_pop(L, 1);
}

/* conn:unpack(fmt) -> the values of string.unpack(fmt) over the next bytes */
static int conn_unpack(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "unpack");
    luaL_checkstack(L, 8, NULL);
    if (lua_type(L, 2) != LUA_TSTRING)
        el_fault_argument(L, "unpack", 2, "format string");
    lua_settop(L, 2);
    check_format(L);
    el_conn_open(L, lc, "unpack");
    return unpack_or_wait(L, lc);
}

const luaL_Reg el_conn_data_methods[] = {
    {"pack", conn_pack},
    {"unpack", conn_unpack},
    {NULL, NULL},
};
