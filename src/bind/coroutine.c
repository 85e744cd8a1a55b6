/* The script's own coroutines. A wait inside one suspends the whole task: resume and wrap
 * pass the wait's mark outward, and go on inside when the task is resumed. */
#include "bind/coroutine.h"

#include <lauxlib.h>

#include "bind/task.h"

static struct el_sched *sched_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static bool is_resumable(lua_State *co)
{
    if (lua_status(co) == LUA_YIELD)
        return true;
    lua_Debug ar;
    return lua_status(co) == LUA_OK && !lua_getstack(co, 0, &ar) && lua_gettop(co) > 0;
}

/* Resumes `co` with `nargs` values on its stack. The count of its results, which stay on
 * its stack, -1 for an error (on its stack), -2 for a wait that is to be handed outward. */
static int step(lua_State *L, struct el_sched *s, lua_State *co, int nargs)
{
    int count = 0;
    lua_State *outer = s->running;
    bool outer_carried = s->carried;
    s->carried = outer_carried && outer == L && lua_isyieldable(L);
    s->running = co;
    int status = lua_resume(co, L, nargs, &count);
    s->running = outer;
    s->carried = outer_carried;
    if (status == LUA_YIELD && count == 1 && el_sched_is_waiting(co))
        return -2;
    return status == LUA_OK || status == LUA_YIELD ? count : -1;
}

static const char *why_not(lua_State *L, lua_State *co)
{
    if (el_sched_is_waiting(co))
        return "cannot resume a coroutine that waits";
    if (is_resumable(co))
        return NULL;
    if (co == L)
        return "cannot resume non-suspended coroutine";
    lua_Debug ar;
    return lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar)
               ? "cannot resume non-suspended coroutine"
               : "cannot resume dead coroutine";
}

static int resume_rest(lua_State *L, int status, lua_KContext ctx);

static int resume_results(lua_State *L, lua_State *co, int count)
{
    if (count == -2) {
        lua_pushlightuserdata(L, el_sched_mark());
        return lua_yieldk(L, 1, 0, resume_rest);
    }
    int moved = count < 0 ? 1 : count;
    if (!lua_checkstack(L, moved + 1)) {
        lua_pop(co, moved);
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "too many results to resume");
        return 2;
    }
    lua_pushboolean(L, count >= 0);
    lua_xmove(co, L, moved);
    return moved + 1;
}

static int resume_rest(lua_State *L, int status, lua_KContext ctx)
{
    lua_State *co = lua_tothread(L, 1);
    (void)status;
    (void)ctx;
    if (!el_sched_is_waiting(co)) { /* closed meanwhile by another task */
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "cannot resume dead coroutine");
        return 2;
    }
    lua_pop(co, 1);
    return resume_results(L, co, step(L, sched_of(L), co, 0));
}

static int co_resume(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co, 1, "coroutine");
    int nargs = lua_gettop(L) - 1;
    const char *why = why_not(L, co);
    if (why == NULL && !lua_checkstack(co, nargs))
        why = "too many arguments to resume";
    if (why != NULL) {
        lua_pushboolean(L, 0);
        lua_pushstring(L, why);
        return 2;
    }
    lua_xmove(L, co, nargs);
    return resume_results(L, co, step(L, sched_of(L), co, nargs));
}

static int wrap_rest(lua_State *L, int status, lua_KContext ctx);

/* As Lua's own wrap does: an error closes the coroutine and goes on in the caller. */
static int wrap_error(lua_State *L, lua_State *co)
{
    int status = lua_resetthread(co); /* leaves the error object on its stack */
    lua_xmove(co, L, 1);
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int wrap_results(lua_State *L, lua_State *co, int count)
{
    if (count == -2) {
        lua_pushlightuserdata(L, el_sched_mark());
        return lua_yieldk(L, 1, 0, wrap_rest);
    }
    if (count < 0)
        return wrap_error(L, co);
    if (!lua_checkstack(L, count)) {
        lua_pop(co, count);
        return luaL_error(L, "too many results to resume");
    }
    lua_xmove(co, L, count);
    return count;
}

static int wrap_rest(lua_State *L, int status, lua_KContext ctx)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(2));
    (void)status;
    (void)ctx;
    if (!el_sched_is_waiting(co))
        return luaL_error(L, "cannot resume dead coroutine");
    lua_pop(co, 1);
    return wrap_results(L, co, step(L, sched_of(L), co, 0));
}

static int wrap_call(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(2));
    int nargs = lua_gettop(L);
    const char *why = why_not(L, co);
    if (why == NULL && !lua_checkstack(co, nargs))
        why = "too many arguments to resume";
    if (why != NULL)
        return luaL_error(L, "%s", why);
    lua_xmove(L, co, nargs);
    return wrap_results(L, co, step(L, sched_of(L), co, nargs));
}

static int co_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, wrap_call, 2);
    return 1;
}

/* A task's own coroutine belongs to the scheduler: a yield there would lose it. */
static int co_yield (lua_State *L)
{
    struct el_sched *s = sched_of(L);
    if (s->current != NULL && L == s->current->co)
        return luaL_error(L, "attempt to yield from outside a coroutine");
    return lua_yield(L, lua_gettop(L));
}

/* What a wait is about lies on the waiting coroutine's stack. Who wants it to end cancels the
 * task. */
static int co_close(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    if (co != NULL && el_sched_is_waiting(co))
        return luaL_error(L, "cannot close a coroutine that waits");
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static const luaL_Reg functions[] = {
    {"resume", co_resume},
    {"wrap", co_wrap},
    {"yield", co_yield },
    {NULL, NULL},
};

void el_coroutine_install(lua_State *L, struct el_sched *s)
{
    if (lua_getglobal(L, "coroutine") == LUA_TTABLE) {
        lua_pushlightuserdata(L, s);
        luaL_setfuncs(L, functions, 1);
        lua_pushlightuserdata(L, s);
        lua_getfield(L, -2, "close");
        lua_pushcclosure(L, co_close, 2);
        lua_setfield(L, -2, "close");
    }
    lua_pop(L, 1);
}
