#include <lauxlib.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/host.h"
#include "app/options.h"
#include "app/signals.h"
#include "app/vm.h"
#include "app/worker.h"
#include "base/err.h"
#include "base/text.h"
#include "bind/ctx.h"

/* Exit statuses of the program (scripts/README.md, "Running"). */
enum { EXIT_USAGE = 2, EXIT_INTERNAL = 3 };

/* A collection begins when memory has grown to so many percent of what the last one left. */
#define RUN_GC_PAUSE 400

/* Writes "WHO: WHAT"; what a user typed is shown, not obeyed by the terminal. */
static int complain(const char *who, const char *what)
{
    struct el_buf clean = {0};
    if (el_text_for_terminal(&clean, what, strlen(what), false) == 0)
        fprintf(stderr, "%s: %.*s\n", who, (int)clean.len, el_buf_data(&clean));
    el_buf_fini(&clean);
    return EXIT_USAGE;
}

/* [-0, +1] A field of the command's module. */
static int push_module_field(lua_State *L, const struct el_command *command,
                             const char *field)
{
    lua_getglobal(L, "require");
    lua_pushstring(L, command->module);
    if (el_vm_call(L, 1) != 0)
        return -1;
    lua_getfield(L, -1, field);
    lua_remove(L, -2);
    return 0;
}

static int internal_error(lua_State *L)
{
    const char *why = lua_tostring(L, -1);
    fprintf(stderr, "echolot: internal error: %s\n", why != NULL ? why : "?");
    return EXIT_INTERNAL;
}

/* After a signal: what the command still has to say; then the shell's status for it. */
static int interrupted(lua_State *L, const struct el_command *command, int number)
{
    el_ctx_get(L)->sched.interrupted = false;
    if (push_module_field(L, command, "interrupted") == 0 && lua_isfunction(L, -1)) {
        lua_pushinteger(L, number);
        if (el_vm_call(L, 1) != 0)
            (void)internal_error(L);
    }
    return 128 + number;
}

/* Calls the command's `main` with the options on top; its result is the exit status. */
static int call_main(lua_State *L, const struct el_command *command)
{
    lua_pushvalue(L, -1);
    if (push_module_field(L, command, "main") != 0)
        return internal_error(L);
    lua_insert(L, -2);
    int failed = el_vm_call(L, 1);
    if (el_signals_caught() != 0)
        return interrupted(L, command, el_signals_caught());
    return failed ? internal_error(L) : (int)lua_tointeger(L, -1);
}

static int carry_out(lua_State *L, const struct el_command *command)
{
    int err = el_signals_install(el_ctx_get(L));
    if (err != 0)
        return complain("echolot", el_err_text(err));
    int status = call_main(L, command);
    if (fflush(stdout) != 0 && status == 0) {
        fprintf(stderr, "echolot: cannot write to standard output\n");
        status = EXIT_INTERNAL;
    }
    el_signals_release();
    return status;
}

static size_t memory_limit(lua_State *L)
{
    lua_getfield(L, -1, "memory-limit");
    lua_Integer limit = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return limit > 0 ? (size_t)limit : 0;
}

static int run_command(const struct el_command *command, int argc, char **argv)
{
    lua_State *L = el_vm_new(0, -1);
    if (L == NULL)
        return EXIT_INTERNAL;
    luaL_requiref(L, "echolot.host", luaopen_echolot_host, 0);
    lua_settop(L, 0);
    int status;
    if (el_options_parse(L, command, argc, argv) != 0) {
        char who[40];
        (void)snprintf(who, sizeof(who), "echolot %s", command->name);
        lua_pushfstring(L, "%s (see echolot %s --help)", lua_tostring(L, -1),
                        command->name);
        status = complain(who, lua_tostring(L, -1));
    } else if (lua_getfield(L, 1, "help") != LUA_TNIL) {
        el_options_help(command);
        status = 0;
    } else {
        lua_settop(L, 1);
        if (strcmp(command->name, "run") == 0) {
            el_vm_set_limit(L, memory_limit(L));
            if (memory_limit(L) == 0) /* a program may trade memory for time */
                lua_gc(L, LUA_GCINC, RUN_GC_PAUSE, 0, 0);
        }
        status = carry_out(L, command);
    }
    el_vm_free(L);
    return status;
}

/* glibc gives memory back to the system as soon as 128 KiB lie free at the top of the heap: a
 * script that receives in bulk would pay page faults for each collection of its garbage. */
static void keep_freed_memory(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
}

int main(int argc, char **argv)
{
    keep_freed_memory();
    /* Name look-ups are in libuv's threads: more of them, unless the user chose. */
    (void)setenv("UV_THREADPOOL_SIZE", "32", 0);
    if (argc < 2) {
        el_options_help(NULL);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--worker") == 0)
        return el_worker_main();
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        (strcmp(argv[1], "help") == 0 && argc == 2)) {
        el_options_help(NULL);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("echolot %s\n", EL_VERSION);
        return 0;
    }
    const struct el_command *command = el_options_command(argv[1]);
    if (command == NULL) {
        char what[200];
        (void)snprintf(what, sizeof(what), "'%.100s' is no command (see echolot --help)",
                       argv[1]);
        return complain("echolot", what);
    }
    return run_command(command, argc - 1, argv + 1);
}
