#include "bind/json.h"

#include <jansson.h>
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define ARRAY_NAME "echolot.json.array"
#define OWNER_NAME "echolot.json.owner"
#define DEPTH_MAX 200

static char null_mark;

/* A userdata that owns a jansson value or text across calls that may raise. */
struct owner {
    json_t *value;
    char *text;
};

static void clear(struct owner *o)
{
    json_decref(o->value);
    free(o->text);
    o->value = NULL;
    o->text = NULL;
}

static int owner_gc(lua_State *L)
{
    clear(lua_touserdata(L, 1));
    return 0;
}

static struct owner *push_owner(lua_State *L)
{
    struct owner *o = lua_newuserdatauv(L, sizeof(*o), 0);
    memset(o, 0, sizeof(*o));
    luaL_setmetatable(L, OWNER_NAME);
    return o;
}

/* --- Lua to JSON ------------------------------------------------------------------------------ */

/* Bytes that are no UTF-8 become \xNN: a report's names and messages are for reading; bytes
 * that must come back exactly go as base64, which is the caller's choice. */
static json_t *string_value(lua_State *L, int index)
{
    size_t n;
    const char *s = lua_tolstring(L, index, &n);
    json_t *v = json_stringn(s, n);
    if (v != NULL)
        return v;
    struct el_buf clean = {0};
    if (el_text_to_utf8(&clean, s, n) == 0)
        v = json_stringn(el_buf_data(&clean), clean.len);
    el_buf_fini(&clean);
    return v;
}

static json_t *build(lua_State *L, int index, int depth, const char **why);

static json_t *build_array(lua_State *L, int index, int depth, const char **why)
{
    json_t *list = json_array();
    lua_Integer n = (lua_Integer)lua_rawlen(L, index);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, index, i);
        json_t *v = build(L, lua_gettop(L), depth + 1, why);
        lua_pop(L, 1);
        if (v == NULL) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, v);
    }
    return list;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Keys in order, so that equal tables give equal text. */
static json_t *sorted(json_t *object)
{
    size_t n = json_object_size(object), i = 0;
    const char **keys = malloc((n + 1) * sizeof(*keys));
    json_t *out = json_object();
    if (keys == NULL || out == NULL) {
        free(keys);
        json_decref(out);
        return object;
    }
    for (void *it = json_object_iter(object); it != NULL;
         it = json_object_iter_next(object, it))
        keys[i++] = json_object_iter_key(it);
    qsort(keys, n, sizeof(*keys), compare_keys);
    for (i = 0; i < n; i++)
        json_object_set(out, keys[i], json_object_get(object, keys[i]));
    free(keys);
    json_decref(object);
    return out;
}

static json_t *build_object(lua_State *L, int index, int depth, const char **why)
{
    json_t *object = json_object();
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        int type = lua_type(L, -2);
        if (type != LUA_TSTRING && type != LUA_TNUMBER) {
            *why = "a key is neither string nor number";
            lua_pop(L, 2);
            json_decref(object);
            return NULL;
        }
        json_t *v = build(L, lua_gettop(L), depth + 1, why);
        lua_pushvalue(L, -2); /* a copy: converting a key in place breaks lua_next */
        json_t *key = string_value(L, lua_gettop(L));
        lua_pop(L, 2);
        if (v == NULL || key == NULL) {
            json_decref(v);
            json_decref(key);
            lua_pop(L, 1);
            json_decref(object);
            return NULL;
        }
        json_object_set_new(object, json_string_value(key), v);
        json_decref(key);
    }
    return sorted(object);
}

static int is_array(lua_State *L, int index)
{
    if (lua_getmetatable(L, index)) {
        luaL_getmetatable(L, ARRAY_NAME);
        int same = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
        if (same)
            return 1;
    }
    return lua_rawlen(L, index) > 0;
}

static json_t *number_value(lua_State *L, int index)
{
    if (lua_isinteger(L, index))
        return json_integer(lua_tointeger(L, index));
    double n = lua_tonumber(L, index);
    /* JSON has no such numbers (RFC 8259 section 6) */
    if (isnan(n))
        return json_string("nan");
    if (isinf(n))
        return json_string(n > 0 ? "inf" : "-inf");
    return json_real(n);
}

/* A new reference, or NULL with *why. Leaves the stack as it was; raises nothing but memory
 * errors. */
static json_t *build(lua_State *L, int index, int depth, const char **why)
{
    if (depth > DEPTH_MAX || !lua_checkstack(L, 6)) {
        *why = "nested too deeply, or a table that contains itself";
        return NULL;
    }
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return json_null();
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(L, index));
    case LUA_TNUMBER:
        return number_value(L, index);
    case LUA_TSTRING:
        return string_value(L, index);
    case LUA_TTABLE:
        return is_array(L, index) ? build_array(L, index, depth, why)
                                  : build_object(L, index, depth, why);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, index) == &null_mark)
            return json_null();
        /* fall through */
    default:
        *why = "a value that JSON has no form for";
        return NULL;
    }
}

/* json.encode(value) -> text without line ends */
static int encode(lua_State *L)
{
    const char *why = "out of memory";
    lua_settop(L, 1);
    struct owner *o = push_owner(L);
    o->value = build(L, 1, 0, &why);
    if (o->value == NULL)
        return luaL_error(L, "cannot encode as JSON: %s", why);
    o->text = json_dumps(o->value,
                         JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    if (o->text == NULL)
        return luaL_error(L, "cannot encode as JSON");
    lua_pushstring(L, o->text);
    clear(o);
    return 1;
}

/* --- JSON to Lua ------------------------------------------------------------------------------ */

static void push_value(lua_State *L, const json_t *v)
{
    luaL_checkstack(L, 4, "JSON nested too deeply");
    switch (json_typeof(v)) {
    case JSON_OBJECT: {
        const char *key;
        json_t *item;
        lua_createtable(L, 0, (int)json_object_size(v));
        json_object_foreach((json_t *)v, key, item)
        {
            push_value(L, item);
            lua_setfield(L, -2, key);
        }
        return;
    }
    case JSON_ARRAY:
        lua_createtable(L, (int)json_array_size(v), 0);
        luaL_setmetatable(L, ARRAY_NAME);
        for (size_t i = 0; i < json_array_size(v); i++) {
            push_value(L, json_array_get(v, i));
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        return;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(v), json_string_length(v));
        return;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(v));
        return;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(v));
        return;
    case JSON_NULL:
        lua_pushlightuserdata(L, &null_mark);
        return;
    default:
        lua_pushboolean(L, json_is_true(v));
    }
}

int el_json_decode(lua_State *L, int index)
{
    size_t n;
    json_error_t error;
    const char *text = lua_tolstring(L, index, &n);
    luaL_checkstack(L, 4, NULL);
    struct owner *o = push_owner(L);
    int owner = lua_gettop(L);
    o->value = json_loadb(
        text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (o->value == NULL) {
        luaL_pushfail(L);
        lua_pushfstring(L, "%s at byte %d", error.text, error.position);
        lua_remove(L, owner);
        return 2;
    }
    push_value(L, o->value);
    clear(o);
    lua_remove(L, owner);
    return 1;
}

/* json.decode(text) -> value; nil and why where it is no JSON */
static int decode(lua_State *L)
{
    luaL_checkstring(L, 1);
    return el_json_decode(L, 1);
}

/* json.array(t) -> t, which is encoded as a list even when it is empty */
static int array(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_setmetatable(L, ARRAY_NAME);
    return 1;
}

static const luaL_Reg functions[] = {
    {"encode", encode},
    {"decode", decode},
    {"array", array},
    {NULL, NULL},
};

void el_json_register(lua_State *L)
{
    luaL_newmetatable(L, ARRAY_NAME);
    if (luaL_newmetatable(L, OWNER_NAME)) {
        lua_pushcfunction(L, owner_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 2);
    luaL_newlib(L, functions);
    lua_pushlightuserdata(L, &null_mark);
    lua_setfield(L, -2, "null");
    lua_setfield(L, -2, "json");
}
