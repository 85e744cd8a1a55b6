#include "app/options.h"

#include <lauxlib.h>
#include <lualib.h>

#include "unit.h"

/* Parses the words behind "test"; the table or the complaint is on the stack afterwards. */
static int parse(lua_State *L, const char *command, const char *const *words)
{
    char *argv[20];
    int argc = 1;
    static char name[] = "echolot";
    argv[0] = name;
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)words[argc - 1];
    argv[argc] = NULL;
    lua_settop(L, 0);
    int err = el_options_parse(L, el_options_command(command), argc, argv);
    assert_int_equal(lua_gettop(L), 1);
    return err;
}

#define PARSE(L, ...) parse(L, "test", (const char *const[]){__VA_ARGS__, NULL})

static int setup(void **state)
{
    *state = luaL_newstate();
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    lua_close(*state);
    return 0;
}

static void assert_text(lua_State *L, const char *key, const char *expected)
{
    assert_int_equal(lua_getfield(L, 1, key), LUA_TSTRING);
    assert_string_equal(lua_tostring(L, -1), expected);
    lua_pop(L, 1);
}

static void assert_operand(lua_State *L, int i, const char *expected)
{
    assert_int_equal(lua_geti(L, 1, i), LUA_TSTRING);
    assert_string_equal(lua_tostring(L, -1), expected);
    lua_pop(L, 1);
}

static void test_commands(void **state)
{
    (void)state;
    for (const struct el_command *c = el_commands; c->name != NULL; c++) {
        assert_ptr_equal(el_options_command(c->name), c);
        bool has_help = false;
        for (const struct el_option *o = c->options; o->name != NULL; o++) {
            has_help = has_help || strcmp(o->name, "help") == 0;
            assert_non_null(o->help);
            assert_true(o->type == EL_OPT_FLAG || o->value != NULL);
        }
        assert_true(has_help);
    }
    assert_null(el_options_command("nothing"));
    assert_null(el_options_command(""));
    assert_null(el_options_command("tes"));
}

static void test_nothing_given(void **state)
{
    lua_State *L = *state;
    assert_int_equal(parse(L, "test", (const char *const[]){NULL}), 0);
    lua_pushnil(L);
    assert_int_equal(lua_next(L, 1), 0);
}

static void test_operands_and_options_mix(void **state)
{
    lua_State *L = *state;
    assert_int_equal(PARSE(L, "one.lua", "--quiet", "two.lua", "-j", "3", "three.lua"),
                     0);
    assert_int_equal(lua_rawlen(L, 1), 3);
    assert_operand(L, 1, "one.lua");
    assert_operand(L, 2, "two.lua");
    assert_operand(L, 3, "three.lua");
    lua_getfield(L, 1, "quiet");
    assert_true(lua_toboolean(L, -1));
    lua_getfield(L, 1, "jobs");
    assert_true(lua_isinteger(L, -1));
    assert_int_equal(lua_tointeger(L, -1), 3);
}

static void test_after_two_dashes_all_are_operands(void **state)
{
    lua_State *L = *state;
    assert_int_equal(PARSE(L, "a", "--", "--quiet", "-j"), 0);
    assert_int_equal(lua_rawlen(L, 1), 3);
    assert_operand(L, 2, "--quiet");
    assert_operand(L, 3, "-j");
}

static void test_run_leaves_a_scripts_arguments_alone(void **state)
{
    lua_State *L = *state;
    const char *const words[] = {"--timeout", "2",  "script.lua", "--timeout",
                                 "x",         "-h", NULL};
    assert_int_equal(parse(L, "run", words), 0);
    assert_int_equal(lua_rawlen(L, 1), 4);
    assert_operand(L, 1, "script.lua");
    assert_operand(L, 2, "--timeout");
    assert_operand(L, 4, "-h");
    lua_getfield(L, 1, "timeout");
    assert_true(lua_tonumber(L, -1) == 2);
}

static void test_lists_grow(void **state)
{
    lua_State *L = *state;
    assert_int_equal(PARSE(L, "-o", "jsonl=x", "--output=pretty", "-ojsonl"), 0);
    assert_int_equal(lua_getfield(L, 1, "output"), LUA_TTABLE);
    assert_int_equal(lua_rawlen(L, -1), 3);
    static const char *const expected[] = {"jsonl=x", "pretty", "jsonl"};
    for (int i = 0; i < 3; i++) {
        lua_geti(L, 2, i + 1);
        assert_string_equal(lua_tostring(L, -1), expected[i]);
        lua_pop(L, 1);
    }
}

static void test_short_flags_join(void **state)
{
    lua_State *L = *state;
    assert_int_equal(PARSE(L, "-qvj4"), 0);
    assert_int_equal(lua_getfield(L, 1, "quiet"), LUA_TBOOLEAN);
    assert_int_equal(lua_getfield(L, 1, "verbose"), LUA_TBOOLEAN);
    lua_getfield(L, 1, "jobs");
    assert_int_equal(lua_tointeger(L, -1), 4);
}

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        long long bytes; /* 0: refused */
    } sizes[] = {
        {"1", 1},          {"512", 512},        {"64k", 65536},
        {"64K", 65536},    {"512M", 536870912}, {"1g", 1 << 30},
        {"1T", 1ll << 40}, {"1.5k", 1536},      {"", 0},
        {"0", 0},          {"-1", 0},           {"k", 0},
        {"1kb", 0},        {"1 k", 0},          {"1x", 0},
        {"1e300", 0},      {"9999999T", 0},     {"inf", 0},
        {"nan", 0},        {"512M ", 0},
    };
    lua_State *L = *state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        int err = PARSE(L, "--memory-limit", sizes[i].text);
        if ((err == 0) != (sizes[i].bytes != 0))
            fail_msg("'%s' gave %d", sizes[i].text, err);
        if (err != 0) {
            assert_non_null(strstr(lua_tostring(L, 1), "--memory-limit"));
            assert_non_null(strstr(lua_tostring(L, 1), "64k"));
            continue;
        }
        lua_getfield(L, 1, "memory-limit");
        assert_true(lua_isinteger(L, -1));
        assert_true(lua_tointeger(L, -1) == sizes[i].bytes);
    }
}

static void test_seconds(void **state)
{
    static const struct {
        const char *text;
        double seconds; /* 0: refused */
    } all[] = {
        {"1", 1},   {"0.5", 0.5}, {"1e3", 1000}, {".25", 0.25}, {"3600", 3600},
        {"0", 0},   {"-1", 0},    {"", 0},       {"5s", 0},     {"five", 0},
        {"nan", 0}, {"1 ", 0},    {"inf", 0},    {"1e999", 0},
    };
    lua_State *L = *state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        int err = PARSE(L, "--timeout", all[i].text);
        if ((err == 0) != (all[i].seconds > 0))
            fail_msg("'%s' gave %d", all[i].text, err);
        if (err == 0) {
            lua_getfield(L, 1, "timeout");
            assert_true(lua_tonumber(L, -1) == all[i].seconds);
        }
    }
}

static void test_counts(void **state)
{
    static const struct {
        const char *text;
        int count; /* 0: refused */
    } all[] = {
        {"1", 1},
        {"12", 12},
        {"007", 7},
        {"0", 0},
        {"-1", 0},
        {"", 0},
        {"1.5", 0},
        {"2x", 0},
        {"x", 0},
        {"0x10", 0},
        {"99999999999999999999", 0},
    };
    lua_State *L = *state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        int err = PARSE(L, "--jobs", all[i].text);
        if ((err == 0) != (all[i].count > 0))
            fail_msg("'%s' gave %d", all[i].text, err);
        if (err == 0) {
            lua_getfield(L, 1, "jobs");
            assert_int_equal(lua_tointeger(L, -1), all[i].count);
        }
    }
}

static void test_whole(void **state)
{
    static const char *const bad[] = {"", "-1", "1.5", "2x", "x", "99999999999999999999"};
    lua_State *L = *state;
    assert_int_equal(PARSE(L, "--seed", "0"), 0);
    lua_getfield(L, 1, "seed");
    assert_true(lua_isinteger(L, -1) && lua_tointeger(L, -1) == 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (PARSE(L, "--seed", bad[i]) == 0)
            fail_msg("'%s' was taken", bad[i]);
        assert_non_null(strstr(lua_tostring(L, 1), "a whole number expected"));
    }
}

static void test_choices(void **state)
{
    static const char *const good[] = {"never", "failed", "always"};
    static const char *const bad[] = {
        "",  "nev",    "ever",    "failed ",      "NEVER",
        "|", "never|", "|failed", "never|failed", "never|failed|always",
    };
    lua_State *L = *state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_int_equal(PARSE(L, "--transcript", good[i]), 0);
        assert_text(L, "transcript", good[i]);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (PARSE(L, "--transcript", bad[i]) == 0)
            fail_msg("'%s' was taken", bad[i]);
        assert_non_null(strstr(lua_tostring(L, 1), "never|failed|always"));
    }
}

static void test_complaints_name_the_option(void **state)
{
    lua_State *L = *state;
    assert_int_equal(PARSE(L, "--no-such-thing"), -1);
    assert_non_null(strstr(lua_tostring(L, 1), "--no-such-thing"));
    assert_int_equal(PARSE(L, "--timeout"), -1);
    assert_non_null(strstr(lua_tostring(L, 1), "--timeout"));
    assert_int_equal(PARSE(L, "-o"), -1);
    assert_non_null(strstr(lua_tostring(L, 1), "-o"));
    assert_int_equal(PARSE(L, "--list=5"), -1);
    assert_non_null(strstr(lua_tostring(L, 1), "--list"));
    assert_int_equal(PARSE(L, "-Z"), -1);
    assert_non_null(strstr(lua_tostring(L, 1), "-Z"));
}

/* What an earlier parse left behind does not reach into a later one. */
static void test_each_parse_begins_anew(void **state)
{
    lua_State *L = *state;
    const char *const run[] = {"script.lua", "--list", NULL};
    assert_int_equal(PARSE(L, "-qZv"), -1);
    assert_int_equal(PARSE(L, "one.lua", "--quiet", "two.lua"), 0);
    assert_int_equal(lua_rawlen(L, 1), 2);
    assert_int_equal(lua_getfield(L, 1, "verbose"), LUA_TNIL);
    assert_int_equal(parse(L, "run", run), 0);
    assert_int_equal(lua_rawlen(L, 1), 2);
    assert_int_equal(PARSE(L, "one.lua", "--quiet", "two.lua"), 0);
    assert_int_equal(lua_rawlen(L, 1), 2);
}

#define WITH_LUA(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        WITH_LUA(test_nothing_given),
        WITH_LUA(test_operands_and_options_mix),
        WITH_LUA(test_after_two_dashes_all_are_operands),
        WITH_LUA(test_run_leaves_a_scripts_arguments_alone),
        WITH_LUA(test_lists_grow),
        WITH_LUA(test_short_flags_join),
        WITH_LUA(test_sizes),
        WITH_LUA(test_seconds),
        WITH_LUA(test_counts),
        WITH_LUA(test_whole),
        WITH_LUA(test_choices),
        WITH_LUA(test_complaints_name_the_option),
        WITH_LUA(test_each_parse_begins_anew),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
