#include "bind/tls.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>

#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/err.h"
#include "bind/args.h"
#include "bind/fault.h"
#include "net/tls_certificate.h"

#define ALPN_MAX 255 /* one name, as it stands on the wire */

static const char *const option_names[] = {
    "verify", "ca",          "certificate", "key",     "sni",
    "alpn",   "min_version", "max_version", "ciphers", NULL,
};

/* --- options ------------------------------------------------------------------------------- */

/* [-0, +1, raises] The text of an option, or NULL. */
static const char *text_option(lua_State *L, int index, const char *op, const char *name)
{
    size_t n;
    int type = el_args_option(L, index, name);
    if (type == LUA_TNIL)
        return NULL;
    if (type != LUA_TSTRING)
        el_fault_usage(L, op, "option '%s' of tls is a string, not a %s", name,
                       lua_typename(L, type));
    const char *text = lua_tolstring(L, -1, &n);
    if (n == 0 || strlen(text) != n)
        el_fault_usage(L, op, "option '%s' of tls %s", name,
                       n == 0 ? "is empty" : "holds a NUL byte");
    return text;
}

/* [-0, +1, raises] */
static bool verify_option(lua_State *L, int index, const char *op, bool usual)
{
    int type = el_args_option(L, index, "verify");
    if (type == LUA_TNIL)
        return usual;
    if (type != LUA_TBOOLEAN)
        el_fault_usage(L, op, "option 'verify' of tls is true or false");
    return lua_toboolean(L, -1);
}

/* [-0, +1, raises] "1.2", "TLSv1.2", 1.2 */
static int version_option(lua_State *L, int index, const char *op, const char *name)
{
    static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION,
                                   TLS1_3_VERSION};
    char text[16] = "";
    int type = el_args_option(L, index, name);
    if (type == LUA_TNIL)
        return 0;
    if (type == LUA_TNUMBER)
        (void)snprintf(text, sizeof(text), "%.1f", lua_tonumber(L, -1));
    else if (type == LUA_TSTRING)
        (void)snprintf(text, sizeof(text), "%s", lua_tostring(L, -1));
    const char *p = strncmp(text, "TLS", 3) == 0 ? text + 3 : text;
    p += p > text && *p == 'v';
    if (p[0] != '1' || p[1] != '.' || p[2] < '0' || p[2] > '3' || p[3] != '\0')
        el_fault_usage(
            L, op, "option '%s' of tls is \"1.0\", \"1.1\", \"1.2\" or \"1.3\"", name);
    return versions[p[2] - '0'];
}

static void add_alpn(lua_State *L, luaL_Buffer *b, const char *op, int at)
{
    size_t n;
    const char *name = lua_type(L, at) == LUA_TSTRING ? lua_tolstring(L, at, &n) : NULL;
    if (name == NULL || n == 0 || n > ALPN_MAX || luaL_bufflen(b) > 60000)
        el_fault_usage(L, op,
                       "option 'alpn' of tls is a list of names of 1 to 255 bytes");
    luaL_addchar(b, (char)n);
    luaL_addlstring(b, name, n);
}

/* [-0, +1, raises] Pushes the names as they stand on the wire. */
static void alpn_option(lua_State *L, int index, const char *op, struct el_tls_options *o)
{
    luaL_Buffer b;
    int type = el_args_option(L, index, "alpn");
    if (type == LUA_TNIL)
        return;
    int list = lua_gettop(L);
    lua_Integer n = type == LUA_TTABLE ? (lua_Integer)lua_rawlen(L, list) : 1;
    if (n == 0 || (type != LUA_TTABLE && type != LUA_TSTRING))
        el_fault_usage(L, op, "option 'alpn' of tls is a list of names");
    lua_pushnil(L); /* where each name lies, below the buffer's own place */
    luaL_buffinit(L, &b);
    for (lua_Integer i = 1; i <= n; i++) {
        if (type == LUA_TTABLE)
            lua_rawgeti(L, list, i);
        else
            lua_pushvalue(L, list);
        lua_replace(L, list + 1);
        add_alpn(L, &b, op, list + 1);
    }
    luaL_pushresult(&b);
    o->alpn = lua_tolstring(L, -1, &o->alpn_len);
    lua_replace(L, list);
    lua_settop(L, list);
}

/* [-0, +k, raises] The options at `index`; their texts stay on the stack. */
static void read_options(lua_State *L, int index, const char *op,
                         struct el_tls_options *o)
{
    luaL_checkstack(L, 20, NULL);
    if (lua_type(L, index) == LUA_TTABLE)
        el_args_options(L, index, op, option_names);
    else if (!lua_isnil(L, index) &&
             !(lua_type(L, index) == LUA_TBOOLEAN && lua_toboolean(L, index)))
        el_fault_usage(L, op, "option 'tls' is true, false or a table, not a %s",
                       luaL_typename(L, index));
    if (el_args_option(L, index, "sni") != LUA_TNIL && o->server)
        el_fault_usage(L, op, "option 'sni' of tls is a client's");
    o->ca = text_option(L, index, op, "ca");
    o->certificate = text_option(L, index, op, "certificate");
    o->key = text_option(L, index, op, "key");
    o->ciphers = text_option(L, index, op, "ciphers");
    o->min_version = version_option(L, index, op, "min_version");
    o->max_version = version_option(L, index, op, "max_version");
    alpn_option(L, index, op, o);
    o->verify = verify_option(L, index, op, !o->server || o->ca != NULL);
    if (o->server && o->certificate == NULL)
        el_fault_usage(L, op,
                       "a TLS server needs the options certificate and key: "
                       "tls = {certificate =, key =}");
    if (o->key != NULL && o->certificate == NULL)
        el_fault_usage(L, op, "option 'key' of tls needs a certificate");
}

bool el_tls_wanted(lua_State *L, int arg, const char *op, enum el_scheme scheme)
{
    int type = el_args_option(L, arg, "tls");
    bool given = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (type == LUA_TBOOLEAN && !given && scheme == EL_TLS)
        el_fault_usage(L, op, "a tls:// address is not one for tls = false");
    return given || scheme == EL_TLS;
}

struct el_tls_context *el_tls_context_of(lua_State *L, struct el_ctx *ctx, int index,
                                         const char *op, bool server)
{
    char why[EL_TLS_WHY_MAX];
    struct el_tls_options o = {.server = server};
    struct el_tls_context *context = NULL;
    int top = lua_gettop(L);
    read_options(L, index, op, &o);
    int err = el_tls_context_get(&ctx->tls, &o, why, &context);
    if (err != 0) {
        struct el_fault f = {.code = err, .op = op};
        f.message = lua_pushstring(L, why);
        el_fault_raise(L, &f);
    }
    lua_settop(L, top);
    return context;
}

static bool is_numeric(const char *host)
{
    struct in6_addr ip;
    return inet_pton(AF_INET, host, &ip) == 1 || strchr(host, ':') != NULL;
}

void el_tls_prepare(lua_State *L, struct el_lconn *lc, int index, const char *op,
                    const char *host, bool server)
{
    const char *name = host, *sni = NULL;
    int top = lua_gettop(L);
    luaL_checkstack(L, 4, NULL);
    int type = el_args_option(L, index, "sni");
    bool silent = type == LUA_TBOOLEAN && !lua_toboolean(L, -1);
    if (type != LUA_TNIL && !silent)
        name = text_option(L, index, op, "sni");
    if (name != NULL && !silent && !server && !is_numeric(name))
        sni = name;
    if (sni != NULL && strlen(sni) > 255)
        el_fault_usage(L, op, "option 'sni' of tls is longer than 255 bytes");
    struct el_tls_context *context = el_tls_context_of(L, lc->ctx, index, op, server);
    if (!server && context->verify && name == NULL) {
        el_tls_context_unref(context);
        el_fault_usage(L, op,
                       "whom the certificate has to be for is not known: give it "
                       "as tls = {sni = }, or verify = false");
    }
    int err = el_tls_new(&lc->ctx->loop, context, server ? NULL : name, sni,
                         &lc->handshake);
    el_tls_context_unref(context);
    if (err != 0)
        el_conn_raise(L, lc, op, err);
    lua_settop(L, top);
}

/* --- conn.tls ------------------------------------------------------------------------------ */

int el_tls_note(struct el_lconn *lc)
{
    char text[128];
    struct el_tls *t = el_tls_of(lc->conn->stream);
    if (t == NULL)
        return 0;
    lc->session = el_tls_session_of(t);
    if (lc->session == NULL)
        return -ENOMEM;
    (void)snprintf(text, sizeof(text), "%s %s", lc->session->version,
                   lc->session->cipher);
    el_conn_note_tls(lc->conn, text);
    return 0;
}

static void set_buf(lua_State *L, const char *key, const struct el_buf *b)
{
    lua_pushlstring(L, b->len > 0 ? el_buf_data(b) : "", b->len);
    lua_setfield(L, -2, key);
}

/* [-0, +1] */
static void push_certificate(lua_State *L, const struct el_tls_certificate *c)
{
    lua_createtable(L, 0, 8);
    set_buf(L, "subject", &c->subject);
    set_buf(L, "issuer", &c->issuer);
    set_buf(L, "serial", &c->serial);
    set_buf(L, "sha256", &c->sha256);
    set_buf(L, "pem", &c->pem);
    lua_pushinteger(L, c->not_before);
    lua_setfield(L, -2, "not_before");
    lua_pushinteger(L, c->not_after);
    lua_setfield(L, -2, "not_after");
    lua_createtable(L, (int)c->name_count, 0);
    for (size_t i = 0; i < c->name_count; i++) {
        lua_pushlstring(L, c->names[i].text, c->names[i].len);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "names");
}

int el_tls_push(lua_State *L, struct el_lconn *lc)
{
    struct el_tls_session *s = lc->session;
    luaL_checkstack(L, 6, NULL);
    if (lua_getiuservalue(L, 1, EL_CONN_UV_TLS) != LUA_TNIL || s == NULL)
        return 1;
    lua_pop(L, 1);
    lua_createtable(L, 0, 4);
    lua_pushstring(L, s->version);
    lua_setfield(L, -2, "version");
    lua_pushstring(L, s->cipher);
    lua_setfield(L, -2, "cipher");
    if (s->alpn_len > 0) {
        lua_pushlstring(L, (const char *)s->alpn, s->alpn_len);
        lua_setfield(L, -2, "alpn");
    }
    const struct el_tls_certificate *c = el_tls_session_certificate(s);
    if (c != NULL) {
        push_certificate(L, c);
        lua_setfield(L, -2, "peer_certificate");
    }
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, EL_CONN_UV_TLS);
    return 1;
}

const char *el_tls_push_why(lua_State *L, struct el_stream *stream)
{
    const char *why = stream != NULL && stream->ops->why != NULL
                          ? stream->ops->why(stream)
                          : NULL;
    return lua_pushstring(L, why); /* nil for NULL */
}

/* --- starttls ---------------------------------------------------------------------------------- */

void el_tls_closed(struct el_lconn *lc)
{
    struct el_wait *w = lc->upgrade;
    lc->upgrade = NULL;
    if (w != NULL)
        el_sched_wake(w, EL_ECLOSED);
}

void el_tls_fini(struct el_lconn *lc)
{
    el_tls_free(lc->handshake);
    lc->handshake = NULL;
    el_tls_session_free(lc->session);
    lc->session = NULL;
}

static void on_upgraded(void *arg, int status)
{
    struct el_wait *w = arg;
    struct el_lconn *lc = w->source;
    lc->upgrade = NULL;
    if (status == 0)
        status = el_tls_note(lc);
    if (status != 0)
        el_conn_fail(lc->conn, status);
    el_sched_wake(w, status);
}

/* Half a handshake is of no use to anybody. */
static void withdraw_upgrade(struct el_wait *w)
{
    struct el_lconn *lc = w->source;
    lc->upgrade = NULL;
    el_conn_close(lc->conn, false);
}

static int starttls_rest(lua_State *L, int status, lua_KContext ctx)
{
    struct el_wait *w = (struct el_wait *)ctx;
    struct el_lconn *lc = lua_touserdata(L, 1);
    (void)status;
    if (w->status != 0) {
        luaL_checkstack(L, 8, NULL);
        const char *text = el_conn_push_message(L, lc, "starttls", w->status);
        if (w->status == EL_ETIMEOUT || w->status == -ECONNRESET)
            text = lua_pushfstring(L, "%s, in the TLS handshake",
                                   text != NULL ? text : el_err_text(w->status));
        el_conn_raise_text(L, lc, "starttls", w->status, text);
    }
    lua_settop(L, 1);
    return 1;
}

/* [-0, +1] The host that it was connected to, or NULL; *server: it was accepted. */
static const char *push_host(lua_State *L, bool *server)
{
    struct el_address a;
    const char *why;
    size_t n;
    *server = lua_getiuservalue(L, 1, EL_CONN_UV_ADDRESS) != LUA_TSTRING;
    if (*server)
        return NULL;
    const char *text = lua_tolstring(L, -1, &n);
    if (el_address_parse(text, n, false, &a, &why) != 0 || a.host == NULL)
        return NULL;
    return lua_pushlstring(L, a.host, a.host_len);
}

int el_tls_starttls(lua_State *L)
{
    struct el_lconn *lc = el_conn_check(L, "starttls");
    struct el_conn *c = el_conn_open(L, lc, "starttls");
    struct el_stream *below;
    bool server;
    lua_settop(L, 2);
    if (el_tls_of(c->stream) != NULL)
        el_fault_usage(L, "starttls", "the connection speaks TLS already");
    const char *host = push_host(L, &server);
    el_tls_free(lc->handshake); /* of a call that failed below */
    lc->handshake = NULL;
    el_tls_prepare(L, lc, 2, "starttls", host, server);
    /* A client that was quick has begun the handshake: that goes where it belongs. */
    const char *came = c->rx.len > 0 ? el_buf_data(&c->rx) : "";
    bool begun = server && *came == SSL3_RT_HANDSHAKE;
    if (c->rx.len > 0 && !begun)
        el_conn_raise_text(L, lc, "starttls", EL_ETLS,
                           "plain text is unread: what came before the handshake must "
                           "not be taken for part of the protected conversation");
    struct el_wait *w = el_sched_begin_wait(L, &lc->ctx->sched, "starttls");
    int err = begun ? el_tls_feed(lc->handshake, came, c->rx.len) : 0;
    if (err == 0 && c->reader == NULL)
        el_conn_consume(c, c->rx.len);
    if (err == 0)
        err = el_conn_release_stream(c, &below);
    if (err != 0)
        el_conn_raise(L, lc, "starttls", err);
    w->source = lc;
    w->withdraw = withdraw_upgrade;
    lc->upgrade = w;
    struct el_tls *t = lc->handshake;
    lc->handshake = NULL;
    el_conn_renew_stream(
        c, el_tls_start(t, below, el_clock_deadline(lc->timeout_s), on_upgraded, w));
    return el_sched_yield(L, w, starttls_rest);
}
