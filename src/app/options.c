#include "app/options.h"

#include <errno.h>
#include <getopt.h>
#include <lauxlib.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELP                                                                             \
    {                                                                                    \
        "help", 'h', EL_OPT_FLAG, NULL, "show this help"                                 \
    }
#define TIMEOUT                                                                          \
    {                                                                                    \
        "timeout", 0, EL_OPT_SECONDS, "S", "limit of each wait on a connection (5)"      \
    }
#define RESOLVER                                                                         \
    {                                                                                    \
        "resolver", 0, EL_OPT_TEXT, "WHO",                                               \
            "looks names up: system, or dns[=SERVER,...] (system)"                       \
    }

static const struct el_option test_options[] = {
    {"target", 0, EL_OPT_LIST, "[NAME=]ADDRESS", "whom to talk to; repeatable"},
    {"filter", 0, EL_OPT_LIST, "PATTERN", "run tests whose name matches a Lua pattern"},
    {"filter-out", 0, EL_OPT_LIST, "PATTERN", "leave out those that match"},
    {"list", 0, EL_OPT_FLAG, NULL, "list the tests, run none"},
    {"jobs", 'j', EL_OPT_COUNT, "N", "files at a time (number of processors)"},
    {"seed", 0, EL_OPT_WHOLE, "N", "of the properties' cases (at random)"},
    {"fail-fast", 0, EL_OPT_FLAG, NULL, "stop at the first test that does not pass"},
    TIMEOUT,
    RESOLVER,
    {"test-timeout", 0, EL_OPT_SECONDS, "S", "limit of each test (60)"},
    {"memory-limit", 0, EL_OPT_SIZE, "SIZE", "limit of one worker's memory (512M)"},
    {"output", 'o', EL_OPT_LIST, "FORMAT[=FILE]", "pretty or jsonl; repeatable (pretty)"},
    {"transcript", 0, EL_OPT_CHOICE, "never|failed|always", "when to show it (failed)"},
    {"color", 0, EL_OPT_CHOICE, "auto|always|never", "colour the output (auto)"},
    {"quiet", 'q', EL_OPT_FLAG, NULL, "show failures and the summary only"},
    {"verbose", 'v', EL_OPT_FLAG, NULL, "show what passing tests log, too"},
    HELP,
    {NULL, 0, EL_OPT_FLAG, NULL, NULL},
};

static const struct el_option run_options[] = {
    TIMEOUT,
    RESOLVER,
    {"memory-limit", 0, EL_OPT_SIZE, "SIZE", "limit of the script's memory (none)"},
    HELP,
    {NULL, 0, EL_OPT_FLAG, NULL, NULL},
};

static const struct el_option serve_options[] = {
    {"listen", 0, EL_OPT_TEXT, "ADDRESS", "where to listen (127.0.0.1:0)"},
    {"set", 0, EL_OPT_LIST, "KEY=VALUE", "set an option of the server; repeatable"},
    {"list", 0, EL_OPT_FLAG, NULL, "list the servers and their options"},
    HELP,
    {NULL, 0, EL_OPT_FLAG, NULL, NULL},
};

const struct el_command el_commands[] = {
    {"test", "[options] PATH...", "run test scripts, or all below a directory",
     "echolot.command.test", test_options, 0},
    {"run", "[options] FILE [ARG...]", "run a script as a program", "echolot.command.run",
     run_options, 1},
    {"serve", "[options] NAME", "run an embedded server", "echolot.command.serve",
     serve_options, 0},
    {NULL, NULL, NULL, NULL, NULL, 0},
};

const struct el_command *el_options_command(const char *name)
{
    for (const struct el_command *c = el_commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0)
            return c;
    }
    return NULL;
}

/* --- values ------------------------------------------------------------------------------------ */

static int parse_size(const char *text, double *out)
{
    static const char units[] = "kmgt";
    char *end;
    double n = strtod(text, &end);
    if (end == text || !(n > 0))
        return -1;
    if (*end != '\0') {
        const char *unit = strchr(units, *end | 0x20);
        if (unit == NULL || end[1] != '\0')
            return -1;
        n = ldexp(n, 10 * (int)(unit - units + 1));
    }
    if (n < 1 || n > 9e15)
        return -1;
    *out = n;
    return 0;
}

static int is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);
    if (strchr(text, '|') != NULL)
        return 0;
    for (const char *at = choices; n > 0 && (at = strstr(at, text)) != NULL; at++) {
        if ((at == choices || at[-1] == '|') && (at[n] == '\0' || at[n] == '|'))
            return 1;
    }
    return 0;
}

/* [-0, +1] Pushes the value, or nothing and returns -1. */
static int push_value(lua_State *L, const struct el_option *o, const char *text)
{
    char *end = NULL;
    double n = 0;
    errno = 0;
    switch (o->type) {
    case EL_OPT_FLAG:
        lua_pushboolean(L, 1);
        return 0;
    case EL_OPT_COUNT:
    case EL_OPT_WHOLE: {
        long count = strtol(text, &end, 10);
        if (end == text || *end != '\0' || errno != 0 ||
            count < (o->type == EL_OPT_COUNT))
            return -1;
        lua_pushinteger(L, count);
        return 0;
    }
    case EL_OPT_SECONDS:
        n = strtod(text, &end);
        if (end == text || *end != '\0' || !(n > 0) || !isfinite(n))
            return -1;
        lua_pushnumber(L, n);
        return 0;
    case EL_OPT_SIZE:
        if (parse_size(text, &n) != 0)
            return -1;
        lua_pushinteger(L, (lua_Integer)n);
        return 0;
    case EL_OPT_CHOICE:
        if (!is_choice(o->value, text))
            return -1;
        /* fall through */
    default:
        lua_pushstring(L, text);
        return 0;
    }
}

static const char *expected(const struct el_option *o)
{
    switch (o->type) {
    case EL_OPT_COUNT:
        return "a whole number from 1";
    case EL_OPT_WHOLE:
        return "a whole number";
    case EL_OPT_SECONDS:
        return "a positive number of seconds";
    case EL_OPT_SIZE:
        return "a size such as 64k, 512M or 1G";
    default:
        return o->value;
    }
}

/* [-0, +0] Stores into the table on top; -1 with a message pushed. */
static int store(lua_State *L, const struct el_option *o, const char *text)
{
    if (o->type == EL_OPT_LIST) {
        if (lua_getfield(L, -1, o->name) != LUA_TTABLE) {
            lua_pop(L, 1);
            lua_newtable(L);
            lua_pushvalue(L, -1);
            lua_setfield(L, -3, o->name);
        }
        lua_pushstring(L, text);
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
        lua_pop(L, 1);
        return 0;
    }
    if (push_value(L, o, text) != 0) {
        lua_pushfstring(L, "--%s %s: %s expected", o->name, text, expected(o));
        return -1;
    }
    lua_setfield(L, -2, o->name);
    return 0;
}

/* --- parsing ----------------------------------------------------------------------------------- */

#define OPTIONS_MAX 32
#define LONG_ONLY 256

static const struct el_option *by_letter(const struct el_option *options, int letter)
{
    for (; options->name != NULL; options++) {
        if (options->letter == letter)
            return options;
    }
    return NULL;
}

static void fill(const struct el_command *command, struct option *longs, char *shorts)
{
    /* ':' first: a missing argument is told apart from an unknown option */
    *shorts++ = command->stops_at_operand ? '+' : '-';
    *shorts++ = ':';
    int n = 0;
    for (const struct el_option *o = command->options; o->name != NULL; o++, n++) {
        int has_value = o->type != EL_OPT_FLAG;
        longs[n] = (struct option){o->name, has_value ? required_argument : no_argument,
                                   NULL, LONG_ONLY + n};
        if (o->letter != 0) {
            *shorts++ = o->letter;
            if (has_value)
                *shorts++ = ':';
        }
    }
    longs[n] = (struct option){0};
    *shorts = '\0';
}

static void push_complaint(lua_State *L, int kind, int argc, char **argv)
{
    const char *word = optind >= 1 && optind <= argc ? argv[optind - 1] : "";
    if (kind == ':')
        lua_pushfstring(L, "option %s needs a value", word);
    else if (optopt > 0 && optopt < LONG_ONLY)
        lua_pushfstring(L, "unknown option -%c", optopt);
    else
        lua_pushfstring(L, "unknown option %s", word);
}

static void add_operand(lua_State *L, const char *text)
{
    lua_pushstring(L, text);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

int el_options_parse(lua_State *L, const struct el_command *command, int argc,
                     char **argv)
{
    struct option longs[OPTIONS_MAX];
    char shorts[2 * OPTIONS_MAX + 3];
    int c;
    fill(command, longs, shorts);
    luaL_checkstack(L, 6, NULL);
    lua_newtable(L);
    optind = 0; /* not 1: glibc then forgets what it knew of the last parse */
    opterr = 0;
    while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (c == '?' || c == ':') {
            lua_pop(L, 1);
            push_complaint(L, c, argc, argv);
            return -1;
        }
        if (c == 1) {
            add_operand(L, optarg);
            continue;
        }
        const struct el_option *o = c >= LONG_ONLY ? &command->options[c - LONG_ONLY]
                                                   : by_letter(command->options, c);
        if (store(L, o, optarg) != 0) {
            lua_remove(L, -2);
            return -1;
        }
    }
    for (; optind < argc; optind++)
        add_operand(L, argv[optind]);
    return 0;
}

/* --- help -------------------------------------------------------------------------------------- */

static void program_help(void)
{
    printf("usage: echolot COMMAND [options] ...\n\n"
           "Holds conversations with network servers, written in Lua, and asserts what "
           "comes back.\n\n");
    for (const struct el_command *c = el_commands; c->name != NULL; c++)
        printf("  %-8s%s\n", c->name, c->summary);
    printf("\n  echolot COMMAND --help   a command's options\n"
           "  echolot --version        the version\n");
}

void el_options_help(const struct el_command *command)
{
    if (command == NULL) {
        program_help();
        return;
    }
    printf("usage: echolot %s %s\n\n%s\n\n", command->name, command->usage,
           command->summary);
    for (const struct el_option *o = command->options; o->name != NULL; o++) {
        char left[64];
        char letter[5] = "    ";
        if (o->letter != 0)
            (void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
        (void)snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name,
                       o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
        printf("  %-36s %s\n", left, o->help);
    }
}
