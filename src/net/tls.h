/* tls.h - TLS as a filter: an el_stream over any other.
 * Bytes are encrypted into a buffer of its own and decrypted only as far as the owner has
 * room; the stream below is read only when there is nothing left to decrypt. The struct frees
 * itself after el_stream_ops.close. One thread: the loop's. */
#ifndef EL_NET_TLS_H
#define EL_NET_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"
#include "net/stream.h"
#include "net/tls_context.h"

struct el_tls;
struct x509_st;
struct el_tls_certificate;

/* Called once, later, from the loop: 0, EL_ETLS (el_stream_ops.why says more), EL_ETIMEOUT or
 * a negative errno. The stream is of use after a 0, and has to be closed in any case. */
typedef void el_tls_done_fn(void *arg, int status);

/* Prepares a handshake. A client's `name`, a host's or a numeric address, is what the peer's
 * certificate has to be for; `sni` the host's name that it asks for, or NULL. Both are copied.
 * 0 or a negative errno. */
int el_tls_new(struct el_loop *loop, struct el_tls_context *context, const char *name,
               const char *sni, struct el_tls **out) __attribute__((warn_unused_result));

/* Of one that has not been started. NULL is allowed. */
void el_tls_free(struct el_tls *t);

/* Gives a server what has come of the handshake already: it is copied. 0 or -ENOMEM. */
int el_tls_feed(struct el_tls *t, const char *data, size_t n)
    __attribute__((warn_unused_result));

/* Takes over the stream `below` and begins. `deadline_ns` is monotonic; 0: none. */
struct el_stream *el_tls_start(struct el_tls *t, struct el_stream *below,
                               uint64_t deadline_ns, el_tls_done_fn *done, void *arg);

/* Of a server whose handshake has just failed: ends its half and takes in what still comes, for
 * a moment, since closing with bytes unread sends an RST, which can overtake the alert that
 * tells the client why. `done` is called once; the stream has to be closed then, or before.
 * False: there is nothing to wait for. */
bool el_tls_linger(struct el_tls *t, el_tls_done_fn *done, void *arg);

/* NULL where the stream is another carrier's. */
struct el_tls *el_tls_of(struct el_stream *s);

/* What a handshake has agreed on. */
struct el_tls_session {
    char version[16], cipher[64];
    unsigned char alpn[256];
    size_t alpn_len;
    struct x509_st *certificate; /* the peer's, or NULL */
    struct el_tls_certificate *details;
};

/* NULL when memory is out. The caller frees it. */
struct el_tls_session *el_tls_session_of(const struct el_tls *t);

/* The peer's certificate, read when first asked for; NULL: there is none, or no memory. */
const struct el_tls_certificate *el_tls_session_certificate(struct el_tls_session *s);
void el_tls_session_free(struct el_tls_session *s);

/* For contexts: how OpenSSL reads and writes here. NULL when memory is out. */
struct bio_method_st *el_tls_bio_method(void);

#endif
