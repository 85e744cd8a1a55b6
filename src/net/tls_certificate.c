#include "net/tls_certificate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* Appends what a memory BIO holds, and frees that. */
static int take_bio(BIO *bio, struct el_buf *out)
{
    char *data = NULL;
    long n = BIO_get_mem_data(bio, &data);
    int err = n > 0 ? el_buf_append(out, data, (size_t)n) : 0;
    BIO_free(bio);
    return err;
}

int el_tls_certificate_name(struct x509_st *x, int subject, struct el_buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL)
        return -ENOMEM;
    /* UTF-8 as it is; control characters are escaped. */
    (void)X509_NAME_print_ex(bio,
                             subject ? X509_get_subject_name(x) : X509_get_issuer_name(x),
                             0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    return take_bio(bio, out);
}

static int read_pem(X509 *x, struct el_buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL)
        return -ENOMEM;
    (void)PEM_write_bio_X509(bio, x);
    return take_bio(bio, out);
}

static int append_hex(struct el_buf *out, const unsigned char *data, size_t n)
{
    char hex[3];
    int err = 0;
    for (size_t i = 0; i < n && err == 0; i++) {
        (void)snprintf(hex, sizeof(hex), "%02x", data[i]);
        err = el_buf_append(out, hex, 2);
    }
    return err;
}

static int read_serial(X509 *x, struct el_buf *out)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    return append_hex(out, ASN1_STRING_get0_data(serial),
                      (size_t)ASN1_STRING_length(serial));
}

static int64_t seconds_of(const ASN1_TIME *t)
{
    struct tm tm;
    memset(&tm, 0, sizeof(tm));
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static int add_name(struct el_tls_certificate *c, const void *data, size_t n)
{
    char *text = malloc(n + 1);
    if (text == NULL)
        return -ENOMEM;
    memcpy(text, data, n);
    text[n] = '\0';
    c->names[c->name_count++] = (struct el_tls_name){.text = text, .len = n};
    return 0;
}

static int add_general_name(struct el_tls_certificate *c, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN];
    const ASN1_STRING *s;
    switch (name->type) {
    case GEN_DNS:
    case GEN_EMAIL:
    case GEN_URI:
        s = name->d.ia5;
        return add_name(c, ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
    case GEN_IPADD:
        s = name->d.iPAddress;
        if (ASN1_STRING_length(s) != 4 && ASN1_STRING_length(s) != 16)
            return 0;
        (void)inet_ntop(ASN1_STRING_length(s) == 4 ? AF_INET : AF_INET6,
                        ASN1_STRING_get0_data(s), text, sizeof(text));
        return add_name(c, text, strlen(text));
    default:
        return 0;
    }
}

static int read_names(X509 *x, struct el_tls_certificate *out)
{
    int err = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int count = names != NULL ? sk_GENERAL_NAME_num(names) : 0;
    if (count > EL_TLS_NAMES)
        count = EL_TLS_NAMES;
    if (count > 0) {
        out->names = calloc((size_t)count, sizeof(*out->names));
        err = out->names != NULL ? 0 : -ENOMEM;
    }
    for (int i = 0; i < count && err == 0; i++)
        err = add_general_name(out, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
    return err;
}

int el_tls_certificate_read(struct x509_st *x, struct el_tls_certificate *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    ERR_clear_error();
    int err = el_tls_certificate_name(x, 1, &out->subject);
    if (err == 0)
        err = el_tls_certificate_name(x, 0, &out->issuer);
    if (err == 0)
        err = read_serial(x, &out->serial);
    if (err == 0 && X509_digest(x, EVP_sha256(), digest, &n) == 1)
        err = append_hex(&out->sha256, digest, n);
    if (err == 0)
        err = read_pem(x, &out->pem);
    if (err == 0)
        err = read_names(x, out);
    out->not_before = seconds_of(X509_get0_notBefore(x));
    out->not_after = seconds_of(X509_get0_notAfter(x));
    ERR_clear_error();
    if (err != 0)
        el_tls_certificate_fini(out);
    return err;
}

void el_tls_certificate_fini(struct el_tls_certificate *c)
{
    el_buf_fini(&c->subject);
    el_buf_fini(&c->issuer);
    el_buf_fini(&c->serial);
    el_buf_fini(&c->sha256);
    el_buf_fini(&c->pem);
    while (c->name_count > 0)
        free(c->names[--c->name_count].text);
    free(c->names);
    c->names = NULL;
}
