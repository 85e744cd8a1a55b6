/* Patterns on a stream, held against string.find over all of the bytes at once. */
#include "match/pattern.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "unit.h"

#define STEPS 1000000

/* --- both sides -------------------------------------------------------------------------- */

struct found {
    int verdict; /* EL_YES, EL_NO; EL_EUSAGE: malformed */
    size_t end;
    unsigned count;
    struct el_pattern_capture captures[EL_PATTERN_CAPTURES];
};

/* What string.find says of the pattern, anchored. Pushes nothing in the end. */
static struct found find_by_lua(lua_State *L, const char *pattern, size_t pattern_len,
                                const char *text, size_t len)
{
    struct found f = {.verdict = EL_NO};
    int base = lua_gettop(L);
    lua_getglobal(L, "string");
    lua_getfield(L, -1, "find");
    lua_pushlstring(L, text, len);
    lua_pushliteral(L, "^");
    lua_pushlstring(L, pattern, pattern_len);
    lua_concat(L, 2);
    if (lua_pcall(L, 2, LUA_MULTRET, 0) != LUA_OK) {
        f.verdict = EL_EUSAGE;
    } else if (!lua_isnil(L, base + 2)) {
        f.verdict = EL_YES;
        f.end = (size_t)lua_tointeger(L, base + 3);
        f.count = (unsigned)(lua_gettop(L) - base - 3);
        for (unsigned k = 0; k < f.count; k++) {
            int at = base + 4 + (int)k;
            f.captures[k].len = EL_PATTERN_POSITION;
            if (lua_type(L, at) == LUA_TNUMBER)
                f.captures[k].start = (size_t)lua_tointeger(L, at) - 1;
            else
                f.captures[k].len = lua_rawlen(L, at);
        }
    }
    lua_settop(L, base);
    return f;
}

/* The same on bytes that come one at a time. Checks that what is decided stays so. */
static struct found find_on_stream(const char *pattern, size_t pattern_len,
                                   const char *text, size_t len)
{
    struct found f = {0};
    struct el_pattern *p;
    struct el_pattern_run run = {0};
    const char *why;
    size_t where;
    f.verdict = el_pattern_compile(pattern, pattern_len, &p, &why, &where);
    if (f.verdict != 0)
        return f;
    assert_int_equal(el_pattern_start(&run, p, 0, false), 0);
    f.verdict = EL_MORE;
    for (size_t n = 0; n <= len && f.verdict == EL_MORE; n++) {
        char *copy = malloc(n + 1); /* the bytes move, and none behind them is there */
        memcpy(copy, text, n);
        f.verdict = el_pattern_step(&run, copy, n, false, STEPS);
        free(copy);
    }
    if (f.verdict == EL_MORE)
        f.verdict = el_pattern_step(&run, text, len, true, STEPS);
    f.end = run.at;
    f.count = el_pattern_captures(p);
    memcpy(f.captures, run.captures, sizeof(f.captures));
    el_pattern_fini(&run);
    el_pattern_free(p);
    return f;
}

/* Whether Lua matched. */
static bool compare(lua_State *L, const char *pattern, size_t pattern_len,
                    const char *text, size_t len)
{
    struct found lua = find_by_lua(L, pattern, pattern_len, text, len);
    struct found ours = find_on_stream(pattern, pattern_len, text, len);
    if (ours.verdict == EL_EUSAGE && lua.verdict == EL_NO)
        return false; /* Lua did not come by the mistake */
    if (lua.verdict != ours.verdict)
        print_error("pattern '%.*s' on '%.*s'\n", (int)pattern_len, pattern, (int)len,
                    text);
    assert_int_equal(ours.verdict, lua.verdict);
    if (lua.verdict != EL_YES)
        return false;
    assert_int_equal(ours.end, lua.end);
    assert_int_equal(ours.count, lua.count);
    for (unsigned k = 0; k < lua.count; k++) {
        assert_int_equal(ours.captures[k].len, lua.captures[k].len);
        if (lua.captures[k].len == EL_PATTERN_POSITION)
            assert_int_equal(ours.captures[k].start, lua.captures[k].start);
    }
    return true;
}

/* --- tests ------------------------------------------------------------------------------- */

/* A xorshift generator (Marsaglia 2003): the same cases in each run. */
static unsigned next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void random_patterns_find_what_lua_finds(void **state)
{
    static const char *const parts[] = {
        "a",    "b",    "(",    ")",      "()",     ".",      "%a",     "%d",   "%s",
        "%A",   "[ab]", "[^a]", "[a-c]",  "[]a]",   "[%d%]]", "*",      "+",    "-",
        "?",    "$",    "%1",   "%2",     "%b()",   "%f[a]",  "%f[^a]", "(a*)", "(.-)",
        "[a-]", "%",    "[",    "]",      "%z",     "%bab",   "[^]]",   "(%a)", "%.",
        "b*",   "a-b",  "^",    "[%a-z]", "[a-%%]",
    };
    uint32_t seed = 20261124;
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    (void)state;
    unsigned matches = 0;
    for (int i = 0; i < 100000; i++) {
        char pattern[64] = "", text[24];
        unsigned count = 1 + next_random(&seed) % 6, len = next_random(&seed) % 12;
        for (unsigned k = 0; k < count; k++)
            strcat(pattern, parts[next_random(&seed) % (sizeof(parts) / sizeof(*parts))]);
        for (unsigned k = 0; k < len; k++)
            text[k] = "aaaaab(c)1]-"[next_random(&seed) % 12];
        if (pattern[0] != '^') /* the anchor is implied here */
            matches += compare(L, pattern, strlen(pattern), text, len);
    }
    assert_true(matches > 5000);
    lua_close(L);
}

static void every_class_has_what_luas_has(void **state)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    (void)state;
    for (int class = 0; class < 256; class ++) {
        if (strchr("bf0123456789", class) != NULL)
            continue;
        char pattern[2] = {'%', (char)class};
        for (int byte = 0; byte < 256; byte++) {
            char text = (char)byte;
            (void)compare(L, pattern, 2, &text, 1);
        }
    }
    lua_close(L);
}

static void mistakes_are_told_with_their_place(void **state)
{
    static const struct {
        const char *pattern, *why;
        size_t where;
    } cases[] = {
        {"a%", "malformed pattern (ends with '%')", 1},
        {"ab[c", "malformed pattern (missing ']')", 2},
        {"[%", "malformed pattern (missing ']')", 0},
        {"a)", "invalid pattern capture", 1},
        {"(a", "unfinished capture", 1},
        {"x%1", "invalid capture index", 1},
        {"(a%1)", "invalid capture index", 2},
        {"%b(", "malformed pattern (missing arguments to '%b')", 0},
        {"%fa", "missing '[' after '%f' in pattern", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct el_pattern *p;
        const char *why = NULL;
        size_t where;
        assert_int_equal(el_pattern_compile(cases[i].pattern, strlen(cases[i].pattern),
                                            &p, &why, &where),
                         EL_EUSAGE);
        assert_string_equal(why, cases[i].why);
        assert_int_equal(where, cases[i].where);
    }
}

static int step_all(const char *pattern, const char *text, size_t len, uint64_t steps,
                    uint64_t *taken)
{
    struct el_pattern *p;
    struct el_pattern_run run = {0};
    const char *why;
    size_t where;
    assert_int_equal(el_pattern_compile(pattern, strlen(pattern), &p, &why, &where), 0);
    assert_int_equal(el_pattern_start(&run, p, 0, false), 0);
    int verdict = EL_MORE;
    for (size_t n = 1; n <= len && verdict == EL_MORE; n++)
        verdict = el_pattern_step(&run, text, n, n == len, steps);
    *taken = run.steps;
    el_pattern_fini(&run);
    el_pattern_free(p);
    return verdict;
}

static void an_explosion_is_stopped(void **state)
{
    char text[2000];
    uint64_t taken;
    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(step_all(".*.*.*.*.*x", text, sizeof(text), STEPS, &taken),
                     EL_ELIMIT);
    assert_true(taken <= STEPS + sizeof(text));
}

static void bytes_one_at_a_time_cost_no_more_steps(void **state)
{
    size_t len = (size_t)1 << 20;
    char *text = malloc(len);
    uint64_t taken;
    (void)state;
    memset(text, 'a', len);
    text[len - 1] = '\n';
    assert_int_equal(step_all("(a*)(%a-)\n", text, len, UINT64_MAX, &taken), EL_YES);
    assert_true(taken < 2 * len);
    free(text);
}

static void too_many_captures_and_too_long(void **state)
{
    char text[EL_PATTERN_CAPTURES * 2 + 3] = "";
    char *large = malloc(EL_PATTERN_LENGTH_MAX + 1);
    struct el_pattern *p;
    const char *why;
    size_t where;
    (void)state;
    for (int i = 0; i <= EL_PATTERN_CAPTURES; i++)
        strcat(text, "()");
    assert_int_equal(el_pattern_compile(text, strlen(text), &p, &why, &where), EL_EUSAGE);
    assert_string_equal(why, "too many captures");
    memset(large, 'a', EL_PATTERN_LENGTH_MAX + 1);
    assert_int_equal(
        el_pattern_compile(large, EL_PATTERN_LENGTH_MAX + 1, &p, &why, &where),
        EL_EUSAGE);
    assert_string_equal(why, "pattern too long");
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_patterns_find_what_lua_finds),
        cmocka_unit_test(every_class_has_what_luas_has),
        cmocka_unit_test(mistakes_are_told_with_their_place),
        cmocka_unit_test(an_explosion_is_stopped),
        cmocka_unit_test(bytes_one_at_a_time_cost_no_more_steps),
        cmocka_unit_test(too_many_captures_and_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
