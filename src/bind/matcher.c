#include "bind/matcher.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "bind/args.h"
#include "bind/fault.h"
#include "match/match.h"

#define LPEG_NAME "lpeg-pattern" /* how LPeg registers its metatable */

/* User values. */
#define UV_CONTENT 1 /* what stands in it, kept alive; of a host's matcher: its value */
#define UV_SOURCE 2  /* the text of a pattern or regular expression */

#define TEXT_SHOWN ((size_t)120)
#define TEXT_LEVELS 4

/* The registry's table from an el_matcher's address to its userdata, weak. */
static const char by_address;

/* --- life -------------------------------------------------------------------------------- */

/* [-0, +1, memory] Pushes a new matcher, of no kind yet. */
static struct el_matcher *create(lua_State *L)
{
    struct el_matcher *m = lua_newuserdatauv(L, sizeof(*m), 2);
    memset(m, 0, sizeof(*m));
    luaL_setmetatable(L, EL_MATCHER_NAME);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &by_address);
    lua_pushvalue(L, -2);
    lua_rawsetp(L, -2, m);
    lua_pop(L, 1);
    return m;
}

static int matcher_gc(lua_State *L)
{
    el_matcher_fini(luaL_checkudata(L, 1, EL_MATCHER_NAME));
    return 0;
}

static bool is_lpeg(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, LPEG_NAME);
    bool same = lua_rawequal(L, -1, -2) && !lua_isnil(L, -1);
    lua_pop(L, 2);
    return same;
}

static struct el_matcher *to_matcher(lua_State *L, int index)
{
    return luaL_testudata(L, index, EL_MATCHER_NAME);
}

bool el_matcher_is(lua_State *L, int index)
{
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
    case LUA_TNUMBER:
    case LUA_TFUNCTION:
        return true;
    default:
        return to_matcher(L, index) != NULL || is_lpeg(L, index);
    }
}

static void check_err(lua_State *L, const char *op, int err)
{
    if (err == EL_EUSAGE)
        el_fault_usage(L, op, "matchers are nested more than %d deep", EL_MATCHER_DEPTH);
    if (err != 0)
        el_fault_raise(L, &(struct el_fault){.code = err, .op = op});
}

/* [-0, +0] Has the matcher on top keep the value at `index`. */
static void keep(lua_State *L, int index, int user_value)
{
    lua_pushvalue(L, index);
    lua_setiuservalue(L, -2, user_value);
}

/* --- values that stand for matchers ------------------------------------------------------- */

/* [-0, +1] A literal of the string at `index`. */
static void push_literal(lua_State *L, int index, const char *op)
{
    size_t len;
    const char *bytes = lua_tolstring(L, index, &len);
    struct el_matcher *m = create(L);
    el_matcher_literal(m, bytes, len);
    keep(L, index, UV_CONTENT);
    (void)op;
}

/* [-0, +1] A function: how many bytes fit is its business. */
static void push_function(lua_State *L, int index)
{
    struct el_matcher *m = create(L);
    m->kind = EL_MATCHER_HOST_PART;
    m->depth = 1;
    keep(L, index, UV_CONTENT);
}

/* [-0, +1, raises] An LPeg pattern, that has to cover all: p * -1 * lpeg.Cp(). The position at
 * the end tells a pattern without captures from one that captures a number. */
static void push_lpeg(lua_State *L, int index)
{
    lua_pushvalue(L, index);
    lua_pushinteger(L, -1);
    lua_arith(L, LUA_OPMUL);
    lua_getfield(L, index, "Cp");
    lua_call(L, 0, 1);
    lua_arith(L, LUA_OPMUL);
    int whole = lua_gettop(L);
    struct el_matcher *m = create(L);
    m->kind = EL_MATCHER_HOST_WHOLE;
    m->depth = 1;
    keep(L, whole, UV_CONTENT);
    lua_remove(L, whole);
}

const struct el_matcher *el_matcher_check(lua_State *L, int arg, const char *op)
{
    struct el_matcher *m = to_matcher(L, arg);
    if (m != NULL)
        return m;
    luaL_checkstack(L, 8, NULL);
    int type = lua_type(L, arg);
    if (type == LUA_TSTRING || type == LUA_TNUMBER)
        push_literal(L, arg, op);
    else if (type == LUA_TFUNCTION)
        push_function(L, arg);
    else if (is_lpeg(L, arg))
        push_lpeg(L, arg);
    else
        el_fault_argument(L, op, arg, "string or matcher");
    lua_replace(L, arg);
    return to_matcher(L, arg);
}

void el_matcher_push_host(lua_State *L, const struct el_matcher *m)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &by_address);
    lua_rawgetp(L, -1, m);
    lua_getiuservalue(L, -1, UV_CONTENT);
    lua_replace(L, -3);
    lua_pop(L, 1);
}

/* --- constructors ------------------------------------------------------------------------ */

/* [-0, +1, raises] A frame around the optional matcher at `arg`. */
static struct el_matcher *push_frame(lua_State *L, enum el_matcher_kind kind, int arg,
                                     const char *op)
{
    const struct el_matcher *inner = lua_isnoneornil(L, arg)
                                         ? NULL
                                         : el_matcher_check(L, arg, op);
    lua_settop(L, arg);
    struct el_matcher *m = create(L);
    check_err(L, op, el_matcher_frame(m, kind, inner));
    keep(L, arg, UV_CONTENT);
    return m;
}

/* line([m]) */
static int new_line(lua_State *L)
{
    push_frame(L, EL_MATCHER_LINE, 1, "line");
    return 1;
}

/* bytes(n [, m]) */
static int new_bytes(lua_State *L)
{
    lua_Integer n = el_args_integer(L, 1, "bytes", "whole number of bytes", 0);
    push_frame(L, EL_MATCHER_BYTES, 2, "bytes")->len = (size_t)n;
    return 1;
}

/* delimited(delimiter [, m]) */
static int new_delimited(lua_State *L)
{
    size_t len;
    if (lua_type(L, 1) != LUA_TSTRING)
        el_fault_argument(L, "delimited", 1, "delimiter");
    const char *delimiter = lua_tolstring(L, 1, &len);
    if (len == 0 || len > EL_MATCHER_DELIMITER_MAX)
        el_fault_usage(L, "delimited", "the delimiter is %s",
                       len == 0 ? "empty" : "too long");
    struct el_matcher *m = push_frame(L, EL_MATCHER_DELIMITED, 2, "delimited");
    check_err(L, "delimited", el_matcher_set_bytes(m, delimiter, len));
    return 1;
}

/* counted(fmt [, m]) */
static int new_counted(lua_State *L)
{
    size_t len;
    struct el_matcher_prefix prefix;
    if (lua_type(L, 1) != LUA_TSTRING)
        el_fault_argument(L, "counted", 1, "format of a length");
    const char *fmt = lua_tolstring(L, 1, &len);
    if (el_matcher_parse_prefix(fmt, len, &prefix) != 0)
        el_fault_usage(L, "counted",
                       "bad format '%s' (that of one integer, as \">I4\", expected)",
                       fmt);
    struct el_matcher *m = push_frame(L, EL_MATCHER_COUNTED, 2, "counted");
    m->prefix = prefix;
    keep(L, 1, UV_SOURCE);
    return 1;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* hex "0d 0a": those bytes */
static int new_hex(lua_State *L)
{
    size_t len;
    luaL_Buffer b;
    if (lua_type(L, 1) != LUA_TSTRING)
        el_fault_argument(L, "hex", 1, "string of hex digits");
    const char *text = lua_tolstring(L, 1, &len);
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < len;) {
        if (strchr(" \t\r\n", text[i]) != NULL && text[i] != '\0') {
            i++;
            continue;
        }
        int high = digit(text[i]);
        int low = i + 1 < len ? digit(text[i + 1]) : -1;
        if (high < 0 || low < 0)
            el_fault_usage(L, "hex", "two hex digits a byte expected, at character %d",
                           (int)(high < 0 ? i + 1 : i + 2));
        luaL_addchar(&b, (char)(high << 4 | low));
        i += 2;
    }
    luaL_pushresult(&b);
    push_literal(L, lua_gettop(L), "hex");
    return 1;
}

/* pattern(text): a Lua pattern */
static int new_pattern(lua_State *L)
{
    size_t len, where;
    const char *why = NULL;
    if (lua_type(L, 1) != LUA_TSTRING)
        el_fault_argument(L, "pattern", 1, "pattern");
    const char *text = lua_tolstring(L, 1, &len);
    struct el_matcher *m = create(L);
    m->kind = EL_MATCHER_PATTERN;
    m->depth = 1;
    int err = el_pattern_compile(text, len, &m->pattern, &why, &where);
    if (err == EL_EUSAGE) {
        el_matcher_push_quoted(L, text, len);
        el_fault_usage(L, "pattern", "%s at character %d of %s", why, (int)where + 1,
                       lua_tostring(L, -1));
    }
    check_err(L, "pattern", err);
    keep(L, 1, UV_SOURCE);
    return 1;
}

/* regex(text [, flags]): a PCRE2 expression */
static int new_regex(lua_State *L)
{
    size_t len, where;
    char why[EL_REGEX_WHY_MAX];
    if (lua_type(L, 1) != LUA_TSTRING)
        el_fault_argument(L, "regex", 1, "regular expression");
    if (!lua_isnoneornil(L, 2) && lua_type(L, 2) != LUA_TSTRING)
        el_fault_argument(L, "regex", 2, "string of flags");
    const char *text = lua_tolstring(L, 1, &len);
    struct el_matcher *m = create(L);
    m->kind = EL_MATCHER_REGEX;
    m->depth = 1;
    const char *flags = lua_isstring(L, 2) ? lua_tostring(L, 2) : "";
    int err = el_regex_compile(text, len, flags, &m->regex, why, &where);
    if (err == EL_EUSAGE && where == EL_REGEX_UNSET)
        el_fault_usage(L, "regex", "'%s': %s", flags, why);
    if (err == EL_EUSAGE) {
        el_matcher_push_quoted(L, text, len);
        el_fault_usage(L, "regex", "%s at character %d of %s", why, (int)where + 1,
                       lua_tostring(L, -1));
    }
    check_err(L, "regex", err);
    keep(L, 1, UV_SOURCE);
    return 1;
}

/* json([value]): a line of JSON that has what `value` names */
static int new_json(lua_State *L)
{
    lua_settop(L, 1);
    struct el_matcher *m = create(L);
    m->kind = EL_MATCHER_HOST_LINE;
    m->depth = 2; /* it brings its own line where it stands in no frame */
    keep(L, 1, UV_CONTENT);
    return 1;
}

const struct el_matcher *el_matcher_join(lua_State *L, int first, const char *op)
{
    int last = lua_gettop(L);
    luaL_checkstack(L, 8, NULL);
    for (int i = first; i <= last; i++)
        (void)el_matcher_check(L, i, op);
    struct el_matcher *m = create(L);
    check_err(L, op, el_matcher_either(m, (unsigned)(last - first + 1)));
    lua_createtable(L, last - first + 1, 0);
    for (int i = first; i <= last; i++) {
        lua_pushvalue(L, i);
        lua_rawseti(L, -2, i - first + 1);
    }
    lua_setiuservalue(L, -2, UV_CONTENT);
    for (int i = first; i <= last; i++)
        check_err(L, op, el_matcher_add(m, to_matcher(L, i)));
    lua_replace(L, first);
    lua_settop(L, first);
    return m;
}

/* either(m1, m2, ...) */
static int new_either(lua_State *L)
{
    if (lua_gettop(L) == 0)
        el_fault_usage(L, "either", "no alternatives");
    (void)el_matcher_join(L, 1, "either");
    return 1;
}

/* --- text -------------------------------------------------------------------------------- */

void el_matcher_push_quoted(lua_State *L, const char *bytes, size_t len)
{
    struct el_buf out = {0};
    int err = el_buf_append(&out, "\"", 1);
    for (size_t i = 0; err == 0 && i < len && out.len < TEXT_SHOWN;) {
        uint32_t code;
        size_t n = el_text_decode(bytes + i, len - i, &code);
        n = n > 0 ? n : 1;
        if (bytes[i] == '"' || bytes[i] == '\\')
            err = el_buf_append(&out, "\\", 1);
        if (err == 0)
            err = el_text_for_terminal(&out, bytes + i, n, false);
        i += n;
        if (out.len >= TEXT_SHOWN && i < len && err == 0)
            err = el_buf_append(&out, "...", 3);
    }
    if (err == 0)
        err = el_buf_append(&out, "\"", 1);
    lua_pushlstring(L, err == 0 ? el_buf_data(&out) : "?", err == 0 ? out.len : 1);
    el_buf_fini(&out);
}

/* Adds the text of user value UV_SOURCE, quoted. */
static void add_source(lua_State *L, luaL_Buffer *b, const struct el_matcher *m)
{
    size_t len = 0;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &by_address);
    lua_rawgetp(L, -1, m);
    lua_getiuservalue(L, -1, UV_SOURCE);
    const char *text = lua_tolstring(L, -1, &len);
    el_matcher_push_quoted(L, text != NULL ? text : "", len);
    lua_replace(L, -4);
    lua_pop(L, 2);
    luaL_addvalue(b);
}

static void push_text(lua_State *L, const struct el_matcher *m, unsigned level);

static void add_text(lua_State *L, luaL_Buffer *b, const struct el_matcher *m,
                     unsigned level)
{
    push_text(L, m, level);
    luaL_addvalue(b);
}

static void add_function(lua_State *L, luaL_Buffer *b, const struct el_matcher *m)
{
    lua_Debug ar;
    el_matcher_push_host(L, m);
    lua_getinfo(L, ">S", &ar);
    lua_pushfstring(L,
                    ar.linedefined > 0 ? "what the function at %s:%d takes"
                                       : "what the function takes",
                    ar.short_src, ar.linedefined);
    luaL_addvalue(b);
}

static void add_either(lua_State *L, luaL_Buffer *b, const struct el_matcher *m,
                       unsigned level)
{
    for (unsigned i = 0; i < m->count && i < 4; i++) {
        luaL_addstring(b, i == 0 ? "" : i + 1 == m->count ? " or " : ", ");
        add_text(L, b, m->alternatives[i], level);
    }
    if (m->count > 4) {
        lua_pushfstring(L, " or one of %d more", (int)(m->count - 4));
        luaL_addvalue(b);
    }
}

static void add_frame(lua_State *L, luaL_Buffer *b, const struct el_matcher *m,
                      unsigned level)
{
    switch (m->kind) {
    case EL_MATCHER_LINE:
        luaL_addstring(b, "a line");
        break;
    case EL_MATCHER_BYTES:
        lua_pushfstring(L, m->len == 1 ? "%I byte" : "%I bytes", (LUAI_UACINT)m->len);
        luaL_addvalue(b);
        break;
    case EL_MATCHER_DELIMITED:
        luaL_addstring(b, "bytes up to ");
        el_matcher_push_quoted(L, m->bytes, m->len);
        luaL_addvalue(b);
        break;
    default:
        luaL_addstring(b, "a body behind its length ");
        add_source(L, b, m);
    }
    if (m->inner == NULL)
        return;
    bool is_line = m->kind == EL_MATCHER_LINE;
    luaL_addstring(b, !is_line                                 ? ": "
                      : m->inner->kind == EL_MATCHER_LITERAL   ? " "
                      : m->inner->kind == EL_MATCHER_HOST_LINE ? ": "
                                                               : " matching ");
    add_text(L, b, m->inner, level);
}

static void push_text(lua_State *L, const struct el_matcher *m, unsigned level)
{
    luaL_Buffer b;
    luaL_checkstack(L, 12, NULL);
    luaL_buffinit(L, &b);
    if (level >= TEXT_LEVELS) {
        luaL_addstring(&b, "...");
        luaL_pushresult(&b);
        return;
    }
    switch (m->kind) {
    case EL_MATCHER_LITERAL:
        el_matcher_push_quoted(L, m->bytes, m->len);
        luaL_addvalue(&b);
        break;
    case EL_MATCHER_PATTERN:
        luaL_addstring(&b, "pattern ");
        add_source(L, &b, m);
        break;
    case EL_MATCHER_REGEX:
        luaL_addstring(&b, "regex ");
        add_source(L, &b, m);
        break;
    case EL_MATCHER_EITHER:
        add_either(L, &b, m, level + 1);
        break;
    case EL_MATCHER_HOST_PART:
        add_function(L, &b, m);
        break;
    case EL_MATCHER_HOST_WHOLE:
        luaL_addstring(&b, "an LPeg pattern");
        break;
    case EL_MATCHER_HOST_LINE:
        el_matcher_push_host(L, m);
        luaL_addstring(&b, lua_isnil(L, -1) ? "JSON" : "JSON with certain fields");
        lua_pop(L, 1);
        break;
    default:
        add_frame(L, &b, m, level + 1);
    }
    luaL_pushresult(&b);
}

void el_matcher_push_text(lua_State *L, const struct el_matcher *m)
{
    push_text(L, m, 0);
}

static int matcher_tostring(lua_State *L)
{
    el_matcher_push_text(L, luaL_checkudata(L, 1, EL_MATCHER_NAME));
    return 1;
}

/* matchers.is(value) -> whether it is one, made by a constructor */
static int is_matcher(lua_State *L)
{
    lua_pushboolean(L, to_matcher(L, 1) != NULL);
    return 1;
}

/* matchers.fits(matcher, text) -> whether all of the text is one match. Matchers that Lua has to
 * be asked about do not fit. */
static int fits(lua_State *L)
{
    size_t len;
    const struct el_matcher *inner = luaL_checkudata(L, 1, EL_MATCHER_NAME);
    const char *text = luaL_checklstring(L, 2, &len);
    struct el_matcher whole;
    struct el_match m = {0};
    int verdict = el_matcher_frame(&whole, EL_MATCHER_BYTES, inner);
    whole.len = len;
    if (verdict == 0)
        verdict = el_match_begin(&m, &whole, false, len);
    if (verdict == 0)
        verdict = el_match_ask(&m, text, len, true);
    el_match_fini(&m);
    lua_pushboolean(L, verdict == EL_YES);
    return 1;
}

static const luaL_Reg metamethods[] = {
    {"__gc", matcher_gc},
    {"__tostring", matcher_tostring},
    {NULL, NULL},
};

static const luaL_Reg constructors[] = {
    {"line", new_line},       {"bytes", new_bytes},   {"hex", new_hex},
    {"pattern", new_pattern}, {"regex", new_regex},   {"delimited", new_delimited},
    {"is", is_matcher},       {"fits", fits},         {"counted", new_counted},
    {"json", new_json},       {"either", new_either}, {NULL, NULL},
};

void el_matcher_register(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &by_address);
    if (luaL_newmetatable(L, EL_MATCHER_NAME))
        luaL_setfuncs(L, metamethods, 0);
    lua_pop(L, 1);
    luaL_newlib(L, constructors);
    lua_setfield(L, -2, "matchers");
}
