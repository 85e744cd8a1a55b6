#include "bind/launch.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "bind/address.h"
#include "bind/args.h"
#include "bind/fault.h"
#include "bind/process.h"
#include "net/pipe.h"
#include "net/spawn.h"
#include "net/words.h"

extern char **environ;

/* What errors and reports show of a command. */
#define SHOWN_MAX 200

/* Where texts stand on the stack while a program is started. */
enum { AT_ADDRESS = 1, AT_NAME, AT_SHOWN, AT_ERROR_NAME, AT_ERROR_SHOWN, AT_FREE };

/* [-0, +1, memory] Pushes the text on one line, and cut where it is long. */
static const char *push_shown(lua_State *L, const char *text)
{
    size_t n = strlen(text);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < n && i < SHOWN_MAX; i++) {
        if (text[i] == '\n')
            luaL_addstring(&b, "\\n");
        else
            luaL_addchar(&b, text[i]);
    }
    if (n > SHOWN_MAX)
        luaL_addstring(&b, "...");
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

static int fail(lua_State *L, const char *op, int err, enum el_spawn_step step,
                const struct el_spawn_options *options)
{
    struct el_fault f = {.code = err, .op = op, .address = lua_tostring(L, AT_SHOWN)};
    luaL_checkstack(L, 8, NULL);
    if (step == EL_SPAWN_CWD && options->cwd != NULL)
        f.message = lua_pushfstring(L, "cannot enter the directory '%s': %s",
                                    push_shown(L, options->cwd), el_err_text(err));
    else
        f.message = lua_pushfstring(L, "cannot run '%s': %s",
                                    push_shown(L, options->argv[0]), el_err_text(err));
    el_fault_raise(L, &f);
}

/* The two connections to a program that has just been started, whose descriptors go to them. */
static int attach(lua_State *L, struct el_lconn *lc, struct el_lconn *errors,
                  struct el_child *child, const struct el_spawned *s)
{
    const char *error_name = lua_tostring(L, AT_ERROR_NAME);
    const char *error_shown = lua_tostring(L, AT_ERROR_SHOWN);
    struct el_stream *stream, *error_stream;
    const char *name = lua_tostring(L, AT_NAME);
    const char *shown = lua_tostring(L, AT_SHOWN);
    int error_err = el_pipe_adopt(&lc->ctx->loop, s->errors, -1, NULL, &error_stream);
    int err = el_pipe_adopt(&lc->ctx->loop, s->output, s->input, child, &stream);
    if (err == 0)
        err = el_conn_attach(lc, stream, name, shown);
    else
        el_child_end(child, true);
    if (error_err == 0)
        error_err = el_conn_attach(errors, error_stream, error_name, error_shown);
    if (error_err == 0)
        el_conn_overhear(errors->conn);
    return err != 0 ? err : error_err;
}

/* What a program was given before it ran stands in the transcript, too. */
static int end_input(struct el_conn *c, const struct el_spawn_options *options)
{
    if (options->input == EL_INPUT_PIPE)
        return 0;
    if (options->input == EL_INPUT_BYTES)
        el_transcript_add(c->transcript, EL_DIR_SEND, el_clock_ns(), options->bytes,
                          options->bytes_len);
    return el_conn_shutdown(c);
}

/* [-0, +0, memory] What errors and reports call the two connections. */
static void set_names(lua_State *L)
{
    push_shown(L, lua_tostring(L, AT_ADDRESS));
    lua_replace(L, AT_SHOWN);
    lua_pushfstring(L, "stderr of %s", lua_tostring(L, AT_SHOWN));
    lua_replace(L, AT_ERROR_SHOWN);
    if (lua_type(L, AT_NAME) == LUA_TSTRING)
        lua_pushfstring(L, "stderr of %s", lua_tostring(L, AT_NAME));
    else
        lua_pushnil(L);
    lua_replace(L, AT_ERROR_NAME);
}

/* [-0, +0, memory] The connection at `self` and that to the standard error know of each other: as
 * long as a script holds one, neither is collected. */
static void link_connections(lua_State *L, int self, int errors)
{
    lua_pushvalue(L, AT_SHOWN);
    lua_setiuservalue(L, self, EL_CONN_UV_ADDRESS);
    lua_createtable(L, 0, 2);
    lua_pushvalue(L, errors);
    lua_setfield(L, -2, "stderr");
    lua_pushvalue(L, AT_ADDRESS);
    lua_setfield(L, -2, "address");
    lua_setiuservalue(L, self, EL_CONN_UV_PROCESS);
    lua_pushvalue(L, AT_ERROR_SHOWN);
    lua_setiuservalue(L, errors, EL_CONN_UV_ADDRESS);
    lua_pushvalue(L, self);
    lua_setiuservalue(L, errors, EL_CONN_UV_PROCESS);
}

/* [-0, +1, raises] AT_ADDRESS: the address, AT_NAME: a name or nil; from AT_FREE on, what keeps the
 * options alive, and connect's options at `at`. */
static int launch(lua_State *L, struct el_ctx *ctx, const char *op,
                  const struct el_spawn_options *options, int at)
{
    struct el_dial_options dial = {.family = AF_UNSPEC, .nodelay = true};
    struct sockaddr_storage bind;
    struct el_child *child;
    struct el_spawned s;
    enum el_spawn_step step = EL_SPAWN_SETUP;
    luaL_checkstack(L, 16, NULL);
    set_names(L);
    struct el_lconn *errors = el_conn_create(L, ctx);
    struct el_lconn *lc = el_conn_create(L, ctx);
    int self = lua_gettop(L);
    el_conn_options(L, at, op, lc, &dial, &bind);
    if (dial.bind != NULL || dial.family != AF_UNSPEC)
        el_fault_usage(L, op, "a program has neither 'bind' nor 'family'");
    errors->timeout_s = lc->timeout_s;
    errors->max_buffer = lc->max_buffer;
    link_connections(L, self, self - 1);
    lua_settop(L, self);
    lc->process = el_process_new(ctx);
    int err = lc->process != NULL ? 0 : -ENOMEM;
    if (err == 0)
        err = el_child_start(&ctx->loop, options, &child, &s, &step);
    if (err == 0) {
        el_process_adopt(lc->process, child);
        err = attach(L, lc, errors, child, &s);
    }
    if (err == 0)
        err = end_input(lc->conn, options);
    if (err != 0)
        fail(L, op, err, step, options);
    return 1;
}

/* --- connect "exec:..." ------------------------------------------------------------------------ */

int el_launch_connect(lua_State *L, const struct el_address *address, int options)
{
    struct el_spawn_options spawn = {.envp = environ, .input = EL_INPUT_PIPE};
    char **argv = NULL;
    const char *why;
    luaL_checkstack(L, 8, NULL);
    lua_pushvalue(L, options);
    lua_replace(L, 2);
    lua_settop(L, AT_FREE - 1);
    lua_pushvalue(L, 2); /* at AT_FREE */
    void *room = lua_newuserdatauv(L, el_words_room(address->path_len), 0);
    if (el_words_split(address->path, address->path_len, room, &argv, &why) != 0)
        el_fault_usage(L, "connect", "%s", why);
    spawn.argv = argv;
    el_args_option(L, AT_FREE, "name");
    lua_replace(L, AT_NAME);
    return launch(L, el_ctx_of(L), "connect", &spawn, AT_FREE);
}

/* --- start_process ------------------------------------------------------------------------------ */

/* [-0, +1, memory] Pushes a NULL-ended array of the strings in the list at `list`, which keeps
 * them alive. */
static char **push_strings(lua_State *L, int list)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, list);
    char **out = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof(*out), 0);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, list, i);
        out[i - 1] = (char *)lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    out[n] = NULL;
    return out;
}

/* [-0, +2, memory] Pushes the list of our environment as the table at `changes` has it ("NAME" ->
 * value, false: none), and its array. */
static char **push_environment(lua_State *L, int changes)
{
    lua_newtable(L);
    int list = lua_gettop(L);
    lua_Integer n = 0;
    for (char **entry = environ; *entry != NULL; entry++) {
        const char *end = strchrnul(*entry, '=');
        lua_pushlstring(L, *entry, (size_t)(end - *entry));
        bool changed = lua_rawget(L, changes) != LUA_TNIL;
        lua_pop(L, 1);
        if (changed)
            continue;
        lua_pushstring(L, *entry);
        lua_rawseti(L, list, ++n);
    }
    lua_pushnil(L);
    while (lua_next(L, changes) != 0) {
        if (lua_type(L, -1) == LUA_TSTRING) {
            lua_pushfstring(L, "%s=%s", lua_tostring(L, -2), lua_tostring(L, -1));
            lua_rawseti(L, list, ++n);
        }
        lua_pop(L, 1);
    }
    return push_strings(L, list);
}

static void input_option(lua_State *L, int options, struct el_spawn_options *spawn)
{
    int type = el_args_option(L, options, "stdin");
    spawn->input = EL_INPUT_PIPE;
    if (type == LUA_TSTRING) {
        spawn->input = EL_INPUT_BYTES;
        spawn->bytes = lua_tolstring(L, -1, &spawn->bytes_len);
    } else if (type == LUA_TBOOLEAN) {
        spawn->input = EL_INPUT_NONE;
    }
}

int el_launch_process(lua_State *L)
{
    struct el_spawn_options spawn = {.envp = environ};
    luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checktype(L, 3, LUA_TTABLE);
    luaL_checktype(L, 4, LUA_TTABLE);
    luaL_checkstack(L, 16, NULL);
    lua_settop(L, AT_FREE - 1);
    for (int i = 2; i <= 4; i++)
        lua_pushvalue(L, i);
    int words = AT_FREE, options = AT_FREE + 1, connect_options = AT_FREE + 2;
    el_args_option(L, connect_options, "name");
    lua_replace(L, AT_NAME);
    spawn.argv = push_strings(L, words);
    if (spawn.argv[0] == NULL)
        return luaL_argerror(L, 2, "no command");
    if (el_args_option(L, options, "env") == LUA_TTABLE)
        spawn.envp = push_environment(L, lua_gettop(L));
    if (el_args_option(L, options, "cwd") == LUA_TSTRING)
        spawn.cwd = lua_tostring(L, -1);
    input_option(L, options, &spawn);
    return launch(L, el_ctx_of(L), "process", &spawn, connect_options);
}
