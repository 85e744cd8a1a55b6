/* tls_context.h - what a set of TLS options makes: trust, own certificate, protocols, ciphers.
 * Contexts are counted references; a cache keeps those used last, since reading a bundle of
 * certificates takes longer than a handshake. One thread: the loop's. */
#ifndef EL_NET_TLS_CONTEXT_H
#define EL_NET_TLS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

struct ssl_ctx_st;
struct bio_method_st;

/* Contexts that a cache keeps. */
#define EL_TLS_CONTEXTS 16

/* What does not fit is no file of certificates: the bundle of a system has 220 KB. */
#define EL_TLS_FILE_MAX ((size_t)16 << 20)

#define EL_TLS_WHY_MAX 512

struct el_tls_options {
    bool server;
    bool verify; /* the peer has to show a certificate that is trusted */
    /* The name of a file, or PEM text itself; `ca` may name a directory, NULL is the
     * system's store; a NULL `key` stands in `certificate`. */
    const char *ca, *certificate, *key;
    const char *alpn; /* as on the wire: each name behind a byte with its length */
    size_t alpn_len;
    int min_version, max_version; /* TLS1_2_VERSION and its like; 0: OpenSSL's own */
    const char *ciphers;          /* OpenSSL's names with colons between them, or NULL */
};

struct el_tls_context {
    unsigned refs;
    char *key; /* the options as text, by which the cache finds it */
    struct ssl_ctx_st *ssl;
    struct bio_method_st *bio;
    bool server;
    bool verify;
    unsigned char *alpn; /* a server's, in the order of its preference */
    size_t alpn_len;
};

/* A zeroed struct is an empty cache. */
struct el_tls_cache {
    struct el_tls_context *recent[EL_TLS_CONTEXTS];
    unsigned count;
};

/* A reference to the context of these options, which the caller gives back. On failure
 * `why`, of EL_TLS_WHY_MAX bytes, says what is wrong: EL_EUSAGE, EL_ETLS (a certificate and a
 * key that do not belong together, say) or a negative errno. */
int el_tls_context_get(struct el_tls_cache *cache, const struct el_tls_options *options,
                       char *why, struct el_tls_context **out)
    __attribute__((warn_unused_result));

struct el_tls_context *el_tls_context_ref(struct el_tls_context *c);

/* NULL is allowed. */
void el_tls_context_unref(struct el_tls_context *c);

/* Empties the cache. */
void el_tls_context_forget(struct el_tls_cache *cache);

#endif
