/* tls_engine.h - the inside of net/tls: its state, and what concerns OpenSSL alone.
 * For the files of tls only. One thread: the loop's. */
#ifndef EL_NET_TLS_ENGINE_H
#define EL_NET_TLS_ENGINE_H

#include <openssl/ssl.h>

#include "base/buf.h"
#include "net/tls.h"
#include "net/tls_why.h"

/* Encrypted bytes that wait for the stream below. Where a peer has us answer (KeyUpdate) and
 * does not read, nothing more is read from it. */
#define EL_TLS_OUT_MAX ((size_t)131072)

/* What is compared to notice a peer that echoes. */
#define EL_TLS_SENT_HEAD ((size_t)16)

enum el_tls_state { EL_TLS_HANDSHAKING, EL_TLS_READY, EL_TLS_FAILED };

struct el_tls {
    struct el_stream stream; /* first */
    struct el_loop *loop;
    struct el_tls_context *context;
    SSL *ssl;
    char *name;
    struct el_stream *below;
    uv_idle_t
        idle; /* runs while something is to be told, and nothing below will wake us */
    struct el_timer *deadline;
    uint64_t deadline_ns;
    el_tls_done_fn *done;
    void *arg;
    unsigned handles; /* that have to say that they are closed */
    enum el_tls_state state;
    char *chunk;    /* the loop's, within a read */
    const char *in; /* encrypted bytes to be read next, in `chunk` or `rest` */
    size_t in_len;
    struct el_buf rest;
    struct el_buf out;
    int below_end;         /* 0, or what ended the stream below */
    int write_end;         /* 0, or why it takes nothing more */
    int rx_end, tx_end;    /* our own halves: 0, or what the owner is told */
    bool reading, writing; /* the owner wants */
    bool below_reading, below_writing;
    bool starved; /* nothing is left to decrypt */
    bool blocked; /* OpenSSL has no room to write */
    bool told;    /* of the end */
    bool closing;
    bool fin, fin_sent;
    bool lingering;
    size_t lingered; /* bytes */
    X509 *refused;   /* the certificate that was not accepted */
    int refused_why;
    char head[EL_TLS_HEAD], sent[EL_TLS_SENT_HEAD];
    size_t head_len, sent_len;
    char *why;
};

/* Makes the SSL of a new struct. 0 or -ENOMEM. */
int el_tls_engine_init(struct el_tls *t, const char *name, const char *sni)
    __attribute__((warn_unused_result));

/* Keeps in words what went wrong; `reason` is OpenSSL's, or 0. The first call counts. */
void el_tls_engine_explain(struct el_tls *t, unsigned long reason);

/* Whether what the peer said first is no TLS. */
bool el_tls_engine_is_plain(const struct el_tls *t);

/* After a call of OpenSSL's that gave `r` <= 0: notes what it wants, or what has ended. */
void el_tls_engine_note(struct el_tls *t, int r);

#endif
