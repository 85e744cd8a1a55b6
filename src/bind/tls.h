/* tls.h - TLS as scripts ask for it: options, conn.tls, conn:starttls.
 * What these functions make belongs to the connection. One thread: the Lua state's. */
#ifndef EL_BIND_TLS_H
#define EL_BIND_TLS_H

#include <lua.h>
#include <stdbool.h>

#include "bind/conn.h"
#include "net/address.h"
#include "net/tls.h"

/* [-0, +0, raises] Whether the option `tls` of the table at `arg`, or the scheme, asks for it. */
bool el_tls_wanted(lua_State *L, int arg, const char *op, enum el_scheme scheme);

/* [-0, +0, raises] The context of the TLS options at `index` (a table, true or nil): a reference
 * that is the caller's. */
struct el_tls_context *el_tls_context_of(lua_State *L, struct el_ctx *ctx, int index,
                                         const char *op, bool server);

/* [-0, +0, raises] Prepares lc->handshake, for the options at `index`. A client's `host` is whom
 * the certificate has to be for; NULL: unknown. */
void el_tls_prepare(lua_State *L, struct el_lconn *lc, int index, const char *op,
                    const char *host, bool server);

/* Notes what the handshake of an attached connection has agreed on; nothing where it speaks
 * no TLS. 0 or -ENOMEM. */
int el_tls_note(struct el_lconn *lc) __attribute__((warn_unused_result));

/* [-0, +1, memory] Pushes conn.tls of the connection at index 1. Returns 1. */
int el_tls_push(lua_State *L, struct el_lconn *lc);

/* [-0, +1, memory] Pushes what the stream says of what ended it, or nil. */
const char *el_tls_push_why(lua_State *L, struct el_stream *stream);

/* Wakes a starttls that waits, since the connection has been closed. */
void el_tls_closed(struct el_lconn *lc);

/* Frees what it has of TLS. */
void el_tls_fini(struct el_lconn *lc);

/* conn:starttls([options]) -> conn, once the handshake is done */
int el_tls_starttls(lua_State *L);

#endif
