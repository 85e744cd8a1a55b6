/* tls_certificate.h - a certificate as fields that people read, and what a handshake agreed on.
 * What these functions make is the caller's. One thread: the loop's. */
#ifndef EL_NET_TLS_CERTIFICATE_H
#define EL_NET_TLS_CERTIFICATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct x509_st;

/* Names that are read of one certificate. */
#define EL_TLS_NAMES 1000

struct el_tls_name {
    char *text; /* NUL-terminated; may hold other NULs, as a stranger may write any */
    size_t len;
};

struct el_tls_certificate {
    struct el_buf subject, issuer; /* RFC 2253: "CN=example.org,O=Example" */
    struct el_buf serial, sha256;  /* hex */
    struct el_buf pem;
    int64_t not_before, not_after; /* Unix seconds */
    struct el_tls_name
        *names; /* of hosts, addresses, mailboxes and URIs, in their order */
    size_t name_count;
};

/* 0 or -ENOMEM. */
int el_tls_certificate_read(struct x509_st *x, struct el_tls_certificate *out)
    __attribute__((warn_unused_result));
void el_tls_certificate_fini(struct el_tls_certificate *c);

/* Appends a subject's (else an issuer's) name. 0 or -ENOMEM. */
int el_tls_certificate_name(struct x509_st *x, int subject, struct el_buf *out)
    __attribute__((warn_unused_result));

#endif
