/* Scopes: what a test opened, so that it ends with nothing left open. */
#include <lauxlib.h>
#include <string.h>

#include "base/err.h"
#include "net/address.h"
#include "bind/fault.h"
#include "bind/scope.h"
#include "bind/task.h"

static void push_owned(struct el_owned **list, struct el_owned *o)
{
    o->next = *list;
    o->link = list;
    if (o->next != NULL)
        o->next->link = &o->next;
    *list = o;
}

void el_scope_own_task(struct el_scope *scope, struct el_task *t,
                       void (*close)(struct el_owned *))
{
    t->scope = scope;
    t->owned.close = close;
    push_owned(&scope->tasks, &t->owned);
}

void el_scope_own(struct el_sched *s, struct el_owned *o,
                  void (*close)(struct el_owned *))
{
    o->close = close;
    push_owned(&el_sched_scope(s)->resources, o);
}

struct el_scope *el_scope_await(struct el_sched *s, struct el_owned *o,
                                void (*forget)(struct el_owned *))
{
    struct el_scope *scope = el_sched_scope(s);
    o->close = forget;
    push_owned(&scope->ending, o);
    return scope;
}

void el_scope_ended(struct el_scope *scope, struct el_owned *o)
{
    el_scope_disown(o);
    if (scope->closed && scope->ending == NULL && scope->tasks == NULL &&
        scope->drained != NULL)
        el_sched_wake(scope->drained, 0);
}

void el_scope_disown(struct el_owned *o)
{
    if (o->link == NULL)
        return;
    *o->link = o->next;
    if (o->next != NULL)
        o->next->link = o->link;
    o->next = NULL;
    o->link = NULL;
}

void el_scope_record(struct el_sched *s, struct el_transcript *t)
{
    struct el_scope *scope = el_sched_scope(s);
    if (!scope->recording)
        return;
    struct el_transcript **slot =
        &scope->transcripts[scope->transcript_count++ % EL_SCOPE_TRANSCRIPTS];
    el_transcript_unref(*slot);
    *slot = el_transcript_ref(t);
}

struct el_scope *el_scope_new(lua_State *L, struct el_sched *s, bool recording)
{
    struct el_scope *scope = lua_newuserdatauv(L, sizeof(*scope), 0);
    memset(scope, 0, sizeof(*scope));
    scope->sched = s;
    scope->recording = recording;
    luaL_setmetatable(L, EL_SCOPE_NAME);
    /* Tasks point at their scope: it stays until it has been closed. */
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, scope);
    return scope;
}

static struct el_scope *check_scope(lua_State *L)
{
    return luaL_checkudata(L, 1, EL_SCOPE_NAME);
}

/* scope:spawn(f, ...) -> task, which belongs to this scope instead of the caller's. */
static int scope_spawn(lua_State *L)
{
    struct el_scope *scope = check_scope(L);
    if (scope->closed)
        el_fault_usage(L, "spawn", "the scope has ended");
    lua_remove(L, 1);
    return el_task_spawn(L, scope->sched, scope);
}

static void close_all(struct el_owned **list)
{
    while (*list != NULL) {
        struct el_owned *o = *list;
        el_scope_disown(o);
        o->close(o);
    }
}

static void unanchor(lua_State *L, const void *what)
{
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, what);
}

static struct el_task *task_of(struct el_owned *o)
{
    return (struct el_task *)((char *)o - offsetof(struct el_task, owned));
}

bool el_scope_task_ended(lua_State *L, struct el_scope *scope, struct el_task *t,
                         bool keep)
{
    el_scope_disown(&t->owned);
    keep = keep && !scope->abandoned && scope->failure_count < EL_SCOPE_FAILURES;
    if (keep) {
        struct el_owned **end = &scope->failures;
        while (*end != NULL)
            end = &(*end)->next;
        push_owned(end, &t->owned);
        scope->failure_count++;
    }
    if (scope->tasks == NULL && scope->drained != NULL)
        el_sched_wake(scope->drained, 0);
    if (scope->tasks == NULL && scope->abandoned) {
        close_all(&scope->resources);
        unanchor(L, scope);
    }
    return keep;
}

void el_scope_failure_seen(lua_State *L, struct el_task *t)
{
    if (t->owned.link == NULL)
        return;
    t->scope->failure_count--;
    el_scope_disown(&t->owned);
    unanchor(L, t);
}

/* [-0, +0 or +2] Pushes the first failure that nobody has seen, and forgets all. */
static int push_failure(lua_State *L, struct el_scope *scope)
{
    int pushed = 0;
    while (scope->failures != NULL) {
        struct el_task *t = task_of(scope->failures);
        if (pushed == 0) {
            lua_rawgetp(L, LUA_REGISTRYINDEX, t);
            pushed = el_task_push_failure(L);
        }
        el_scope_failure_seen(L, t);
    }
    return pushed;
}

static int close_rest(lua_State *L, int status, lua_KContext ctx);

static void withdraw_drain(struct el_wait *w)
{
    struct el_scope *scope = w->source;
    scope->drained = NULL;
}

static int wait_for_end(lua_State *L, struct el_scope *scope)
{
    struct el_wait *w = el_sched_begin_wait(L, scope->sched, "close");
    w->source = scope;
    w->withdraw = withdraw_drain;
    w->follows = true;
    scope->drained = w;
    return el_sched_yield(L, w, close_rest);
}

static int finish_close(lua_State *L, struct el_scope *scope)
{
    if (scope->closed) {
        close_all(&scope->resources);
        if (scope->ending != NULL && el_sched_may_wait(L, scope->sched))
            return wait_for_end(L, scope);
    }
    int pushed = push_failure(L, scope);
    if (scope->closed)
        unanchor(L, scope);
    return pushed;
}

static int close_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    struct el_scope *scope = check_scope(L);
    (void)status;
    scope->drained = NULL;
    if (w->status < 0 && w->status != EL_EUSAGE)
        el_fault_raise(L, &(struct el_fault){.code = w->status, .op = "close"});
    return finish_close(L, scope);
}

static int wait_drained(lua_State *L, struct el_scope *scope)
{
    if (scope->tasks == NULL)
        return finish_close(L, scope);
    struct el_task *current = scope->sched->current;
    if (scope->closed && current != NULL && current->cancelled) {
        /* It may not wait any more: what is open is closed now, and the last task that ends
         * lets the scope go. */
        close_all(&scope->resources);
        scope->abandoned = true;
        return push_failure(L, scope);
    }
    if (scope->drained != NULL)
        el_fault_usage(L, "join", "another task already waits for this scope");
    return wait_for_end(L, scope);
}

/* scope:close() -> nil, or the error and traceback of the first task that failed unseen.
 * Cancels its tasks, waits until they have ended, then closes what is still open. */
static int scope_close(lua_State *L)
{
    struct el_scope *scope = check_scope(L);
    lua_settop(L, 1);
    scope->closed = true;
    for (struct el_owned *o = scope->tasks; o != NULL; o = o->next)
        o->close(o);
    return wait_drained(L, scope);
}

/* scope:join() -> as close, but its tasks are waited for, not cancelled. */
static int scope_join(lua_State *L)
{
    struct el_scope *scope = check_scope(L);
    lua_settop(L, 1);
    return wait_drained(L, scope);
}

static void set_data(lua_State *L, const struct el_transcript_event *e)
{
    luaL_Buffer b;
    bool is_empty = e->head_len + e->tail_len == 0;
    if (is_empty && !(e->datagram && (e->dir == EL_DIR_SEND || e->dir == EL_DIR_RECV)))
        return;
    luaL_buffinit(L, &b);
    luaL_addlstring(&b, e->head, e->head_len);
    luaL_addlstring(&b, e->tail, e->tail_len);
    luaL_pushresult(&b);
    lua_setfield(L, -2, "data");
    if (e->dir == EL_DIR_CLOSE || e->dir == EL_DIR_RESET) {
        /* What of an end's bytes is there is a sample: the count says how many they were. */
        size_t unread = e->head_len + e->omitted + e->tail_len;
        lua_pushinteger(L, (lua_Integer)unread);
        lua_setfield(L, -2, "unread");
    } else if (e->omitted > 0) {
        lua_pushinteger(L, (lua_Integer)e->omitted);
        lua_setfield(L, -2, "omitted");
        lua_pushinteger(L, (lua_Integer)e->head_len);
        lua_setfield(L, -2, "omitted_after");
    }
}

struct reader {
    lua_State *L;
    const char *peer;
    const char *address;
    int id;
};

static void set_datagram(lua_State *L, const struct el_transcript_event *e)
{
    char text[EL_ADDRESS_TEXT_MAX];
    lua_pushboolean(L, true);
    lua_setfield(L, -2, "datagram");
    if (e->with.ss_family == 0)
        return;
    el_address_text_of_socket(EL_UDP, (const struct sockaddr *)&e->with, text,
                              sizeof(text));
    lua_pushstring(L, text);
    lua_setfield(L, -2, "with");
}

static void push_event(const struct el_transcript_event *e, void *arg)
{
    static const char *const names[] = {
        [EL_DIR_SEND] = "send",      [EL_DIR_RECV] = "recv",   [EL_DIR_OPEN] = "open",
        [EL_DIR_EOF] = "eof",        [EL_DIR_CLOSE] = "close", [EL_DIR_RESET] = "reset",
        [EL_DIR_SHUTDOWN] = "close", [EL_DIR_TLS] = "tls",
    };
    struct reader *r = arg;
    lua_State *L = r->L;
    lua_createtable(L, 0, 6);
    lua_pushnumber(L, (double)e->t_ns / 1e9);
    lua_setfield(L, -2, "t");
    lua_pushstring(L, names[e->dir]);
    lua_setfield(L, -2, "dir");
    if (e->dir == EL_DIR_SHUTDOWN) { /* of our sending half only */
        lua_pushliteral(L, "send");
        lua_setfield(L, -2, "half");
    }
    lua_pushinteger(L, r->id);
    lua_setfield(L, -2, "conn");
    lua_pushstring(L, r->peer);
    lua_setfield(L, -2, "peer");
    lua_pushstring(L, r->address);
    lua_setfield(L, -2, "address");
    if (e->datagram)
        set_datagram(L, e);
    set_data(L, e);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* [-0, +0, memory] Adds a transcript's events to the list on top. */
static void add_events(lua_State *L, const struct el_transcript *t, int id)
{
    struct reader r = {.L = L,
                       .peer = el_transcript_name(t),
                       .address = el_transcript_address(t),
                       .id = id};
    if (el_transcript_each(t, push_event, &r) != 0)
        luaL_error(L, "out of memory");
}

void el_scope_push_events(lua_State *L, const struct el_transcript *t, int id)
{
    luaL_checkstack(L, 8, NULL);
    lua_newtable(L);
    add_events(L, t, id);
}

/* scope:transcript() -> list of events {t, dir, peer, address, conn, data, omitted}, by
 * connection; then the count of events that the rings no longer held. */
static int scope_transcript(lua_State *L)
{
    struct el_scope *scope = check_scope(L);
    lua_Integer dropped = 0;
    luaL_checkstack(L, 8, NULL);
    lua_newtable(L);
    unsigned kept = scope->transcript_count < EL_SCOPE_TRANSCRIPTS
                        ? scope->transcript_count
                        : EL_SCOPE_TRANSCRIPTS;
    for (unsigned i = scope->transcript_count - kept; i < scope->transcript_count; i++) {
        const struct el_transcript *t = scope->transcripts[i % EL_SCOPE_TRANSCRIPTS];
        if (!el_transcript_is_silent(t))
            add_events(L, t, (int)i + 1);
        dropped += (lua_Integer)el_transcript_dropped(t);
    }
    lua_pushinteger(L, dropped);
    return 2;
}

static int scope_gc(lua_State *L)
{
    struct el_scope *scope = check_scope(L);
    for (unsigned i = 0; i < EL_SCOPE_TRANSCRIPTS; i++) {
        el_transcript_unref(scope->transcripts[i]);
        scope->transcripts[i] = NULL;
    }
    close_all(&scope->resources);
    close_all(&scope->ending);
    return 0;
}

/* What is opened outside of any task belongs to this scope from now on. */
static int scope_enter(lua_State *L)
{
    struct el_scope *scope = check_scope(L);
    scope->sched->outside_scope = scope;
    return 0;
}

static const luaL_Reg methods[] = {
    {"spawn", scope_spawn}, {"close", scope_close},           {"join", scope_join},
    {"enter", scope_enter}, {"transcript", scope_transcript}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", scope_gc},
    {NULL, NULL},
};

void el_scope_register(lua_State *L)
{
    if (luaL_newmetatable(L, EL_SCOPE_NAME)) {
        luaL_setfuncs(L, metamethods, 0);
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}
