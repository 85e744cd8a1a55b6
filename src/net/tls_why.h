/* tls_why.h - what went wrong with TLS, in words that a person can act on.
 * Pure functions over OpenSSL's state; the text is the caller's. One thread: the loop's. */
#ifndef EL_NET_TLS_WHY_H
#define EL_NET_TLS_WHY_H

#include <stdbool.h>
#include <stddef.h>

struct x509_st;

/* Bytes of the peer's first words that are kept to tell what it speaks instead of TLS. */
#define EL_TLS_HEAD ((size_t)64)

struct el_tls_trouble {
    bool server;                 /* we are */
    bool handshake;              /* not done yet */
    bool ended;                  /* the peer has */
    const char *name;            /* whom the certificate should be for; NULL: nobody */
    struct x509_st *certificate; /* that was not accepted, or NULL */
    int verify_error;            /* X509_V_ERR_*, or 0 */
    unsigned long reason;        /* the first of OpenSSL's errors, or 0 */
    const char *head;            /* what came first */
    size_t head_len;
    bool echoed; /* that is what we had sent */
};

/* Whether these bytes begin as a record of TLS does; `n` > 0. */
bool el_tls_why_is_record(const char *head, size_t n);

/* A text for free(); NULL when memory is out. */
char *el_tls_why_text(const struct el_tls_trouble *t);

#endif
