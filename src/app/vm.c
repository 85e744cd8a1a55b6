#include "app/vm.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bind/ctx.h"
#include "bind/loader.h"

struct el_vm {
    size_t used;
    size_t limit;
    int report_fd;
};

/* Never returns NULL past the cap: Lua 5.4.4 corrupts memory where an allocation fails
 * while a weak table with a __newindex is rehashed. What is known is written, and the
 * process ends; its supervisor goes on. */
static void __attribute__((noreturn)) give_up(const struct el_vm *vm, size_t wanted)
{
    char line[160];
    bool to_supervisor = vm->report_fd >= 0;
    int len = snprintf(
        line, sizeof(line),
        to_supervisor ? "{\"event\":\"memory_limit\",\"limit\":%zu,\"used\":%zu,"
                        "\"wanted\":%zu}\n"
                      : "echolot: out of memory (limit %zu bytes, used %zu, %zu more "
                        "wanted)\n",
        vm->limit, vm->used, wanted);
    (void)!write(to_supervisor ? vm->report_fd : STDERR_FILENO, line, (size_t)len);
    _exit(to_supervisor ? EL_EXIT_MEMORY : 1);
}

static void *allocate(void *ud, void *block, size_t old_size, size_t new_size)
{
    struct el_vm *vm = ud;
    if (block == NULL)
        old_size = 0; /* Lua passes a kind of object here */
    if (new_size == 0) {
        free(block);
        vm->used -= old_size;
        return NULL;
    }
    if (new_size > old_size && vm->limit > 0 &&
        vm->used + (new_size - old_size) > vm->limit)
        give_up(vm, new_size);
    void *moved = realloc(block, new_size);
    if (moved == NULL)
        give_up(vm, new_size);
    vm->used += new_size - old_size; /* wraps as it should where it shrinks */
    return moved;
}

/* Whoever calls gets a text, whatever was raised. */
static int message_handler(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING)
        return 1;
    luaL_tolstring(L, 1, NULL);
    return 1;
}

int el_vm_call(lua_State *L, int nargs)
{
    int base = lua_gettop(L) - nargs;
    lua_pushcfunction(L, message_handler);
    lua_insert(L, base);
    int status = lua_pcall(L, nargs, 1, base);
    lua_remove(L, base);
    return status == LUA_OK ? 0 : -1;
}

static int open_all(lua_State *L)
{
    luaL_openlibs(L);
    el_loader_install(L);
    el_loader_run(L, "echolot.text_only");
    luaL_requiref(L, "echolot.core", luaopen_echolot_core, 0);
    return 0;
}

static int on_panic(lua_State *L)
{
    const char *why = lua_tostring(L, -1);
    fprintf(stderr, "echolot: internal error: %s\n", why != NULL ? why : "?");
    return 0; /* Lua aborts */
}

lua_State *el_vm_new(size_t limit, int report_fd)
{
    struct el_vm *vm = calloc(1, sizeof(*vm));
    if (vm == NULL)
        return NULL;
    vm->limit = limit;
    vm->report_fd = report_fd;
    lua_State *L = lua_newstate(allocate, vm);
    if (L == NULL) {
        free(vm);
        return NULL;
    }
    lua_atpanic(L, on_panic);
    lua_pushcfunction(L, open_all);
    if (el_vm_call(L, 0) != 0) {
        fprintf(stderr, "echolot: %s\n", lua_tostring(L, -1));
        el_vm_free(L);
        return NULL;
    }
    lua_pop(L, 1);
    return L;
}

void el_vm_set_limit(lua_State *L, size_t limit)
{
    void *ud;
    (void)lua_getallocf(L, &ud);
    ((struct el_vm *)ud)->limit = limit;
}

void el_vm_free(lua_State *L)
{
    void *vm;
    (void)lua_getallocf(L, &vm);
    lua_close(L);
    free(vm);
}
