/* conn.h - connections as scripts hold them: userdata "echolot.conn" over an el_conn.
 * Created closed; its __gc closes. One thread: the Lua state's. */
#ifndef EL_BIND_CONN_H
#define EL_BIND_CONN_H

#include <lauxlib.h>
#include <lua.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "bind/ctx.h"
#include "bind/scope.h"
#include "net/conn.h"
#include "net/dial.h"

#define EL_CONN_NAME "echolot.conn"

/* User values. */
#define EL_CONN_UV_ADDRESS                                                               \
    1 /* canonical text of whom it was connected to; nil: accepted */
#define EL_CONN_UV_PROCESS                                                               \
    2 /* to a program: {stderr=, address=}; to its standard error: the former */

#define EL_CONN_UV_TLS 3 /* conn.tls, once it has been asked for */

struct el_expectation;
struct el_process;
struct el_tls;
struct el_tls_session;

struct el_lconn {
    const void *kind; /* tells it from every other userdata: see el_conn_check */
    struct el_ctx *ctx;
    struct el_conn *conn; /* NULL until connected */
    struct el_dial *dial; /* while connecting */
    uint64_t dial_deadline_ns;
    struct el_stream *stream;           /* dialled, not attached yet */
    bool secured;                       /* that speaks TLS */
    char *detail;                       /* what the dial had to say of its failure */
    struct el_tls *handshake;           /* prepared, not begun */
    struct el_tls_session *session;     /* what a handshake has agreed on */
    struct el_wait *upgrade;            /* a starttls that waits */
    struct el_expectation *expectation; /* made by the first that needs one */
    struct el_process *process;         /* that it is to; NULL: none */
    struct el_owned owned;
    double timeout_s;
    size_t max_buffer;
    struct sockaddr_in6 peer, local; /* either family; zero where unknown */
    struct sockaddr_un *unix_ends;   /* in their place for a Unix socket: peer, local */
};

/* [-0, +0, raises] The connection at index 1, else a `usage` error of `op`. */
struct el_lconn *el_conn_check(lua_State *L, const char *op);

/* [-0, +1, memory] Pushes a new connection, closed. */
struct el_lconn *el_conn_create(lua_State *L, struct el_ctx *ctx);

/* Gives it a connected stream. `name` may be NULL; `address` is what reports call it.
 * 0 or a negative errno. */
int el_conn_attach(struct el_lconn *lc, struct el_stream *stream, const char *name,
                   const char *address) __attribute__((warn_unused_result));

/* [-0, +0, raises] Raises what `err` means for this connection, with the bytes that have
 * come and were not consumed. */
int el_conn_raise(lua_State *L, struct el_lconn *lc, const char *op, int err)
    __attribute__((noreturn));

/* [-0, +0, raises] The same, with a message that says more than the code's (NULL: none). */
int el_conn_raise_text(lua_State *L, struct el_lconn *lc, const char *op, int err,
                       const char *text) __attribute__((noreturn));

/* [-0, +1, memory] Pushes the address that reports call it. */
const char *el_conn_push_address(lua_State *L, struct el_lconn *lc);

/* [-0, +0, raises] Its el_conn; raises `usage` where it is closed. */
struct el_conn *el_conn_open(lua_State *L, struct el_lconn *lc, const char *op);

/* [-0, +1, memory] Pushes a message that says more than the code's text, else nil. */
const char *el_conn_push_message(lua_State *L, struct el_lconn *lc, const char *op,
                                 int err);

/* [-0, +k, raises] Waits until what->ready holds, which has just said that it does not, under
 * the connection's timeout; then returns what `k` does, called with the wait as its context,
 * `arg` and `last` noted in it: see el_conn_read_result. What the wait was for may have been
 * consumed by another task when `k` runs. */
int el_conn_read_wait(lua_State *L, struct el_lconn *lc, const char *op,
                      const struct el_await *what, int arg, int last, lua_KFunction k);

/* [-0, +0, raises] Has the caller wait for `what`, until what->deadline_ns; el_sched_yield comes
 * next. The wait's `arg`, `last` and `offset` are the caller's. */
struct el_wait *el_conn_read_begin(lua_State *L, struct el_lconn *lc, const char *op,
                                   const struct el_await *what);

/* [-0, +0, raises] Raises what ended the wait, if that was no success. Returns 0. */
int el_conn_read_result(lua_State *L, struct el_lconn *lc, const char *op,
                        const struct el_wait *w);

/* [-0, +0, raises] The options that connections and listeners share, at index `arg`. */
void el_conn_options(lua_State *L, int arg, const char *op, struct el_lconn *lc,
                     struct el_dial_options *dial, struct sockaddr_storage *bind);

/* A field that is no method; `push` returns 1. */
struct el_conn_field {
    const char *name;
    int (*push)(lua_State *L, struct el_lconn *lc);
};

/* Methods that read and write as a file does; those of packed data. */
extern const luaL_Reg el_conn_file_methods[];
extern const luaL_Reg el_conn_data_methods[];

/* [-0, +0, memory] Keeps string.pack and its like for those methods. */
void el_conn_keep_functions(lua_State *L);

int el_conn_connect(lua_State *L);
int el_conn_send(lua_State *L);

/* [-0, +0, memory] The metatable; adds `connect` to the table on top. */
void el_conn_register(lua_State *L, struct el_ctx *ctx);

#endif
