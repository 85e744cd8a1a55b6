#include "net/tls_engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/err.h"
#include "net/tls_certificate.h"

/* --- OpenSSL's side ---------------------------------------------------------------------- */

static int bio_read(BIO *bio, char *data, int len)
{
    struct el_tls *t = BIO_get_data(bio);
    size_t n = (size_t)len < t->in_len ? (size_t)len : t->in_len;
    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(data, t->in, n);
    t->in += n;
    t->in_len -= n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct el_tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (t->write_end != 0)
        return len; /* nobody will read it; the next write of the owner's is told */
    if (t->out.len >= EL_TLS_OUT_MAX) {
        BIO_set_retry_write(bio);
        return -1;
    }
    if (el_buf_append(&t->out, data, (size_t)len) != 0)
        return -1;
    for (int i = 0; i < len && t->sent_len < EL_TLS_SENT_HEAD; i++)
        t->sent[t->sent_len++] = data[i];
    return len;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio;
    (void)num;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP;
}

struct bio_method_st *el_tls_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "echolot");
    if (m == NULL)
        return NULL;
    (void)BIO_meth_set_read(m, bio_read);
    (void)BIO_meth_set_write(m, bio_write);
    (void)BIO_meth_set_ctrl(m, bio_ctrl);
    return m;
}

/* Remembers the first certificate that OpenSSL does not accept. */
static int on_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct el_tls *t = SSL_get_app_data(ssl);
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    if (!ok && t->refused == NULL && cert != NULL) {
        (void)X509_up_ref(cert);
        t->refused = cert;
        t->refused_why = X509_STORE_CTX_get_error(store);
    }
    return ok;
}

void el_tls_engine_explain(struct el_tls *t, unsigned long reason)
{
    struct el_tls_trouble trouble = {
        .server = t->context->server,
        .handshake = t->state == EL_TLS_HANDSHAKING,
        .ended = t->below_end == EL_EEOF,
        .name = t->name,
        .certificate = t->refused,
        .verify_error = t->refused_why,
        .reason = reason,
        .head = t->head,
        .head_len = t->head_len,
        .echoed = t->head_len >= EL_TLS_SENT_HEAD && t->sent_len == EL_TLS_SENT_HEAD &&
                  memcmp(t->head, t->sent, EL_TLS_SENT_HEAD) == 0,
    };
    if (t->why == NULL)
        t->why = el_tls_why_text(&trouble);
}

bool el_tls_engine_is_plain(const struct el_tls *t)
{
    return t->head_len > 0 && !el_tls_why_is_record(t->head, t->head_len);
}

/* What the owner is told when the stream below has ended, and OpenSSL wants more. */
static int end_of_below(const struct el_tls *t)
{
    if (t->below_end != EL_EEOF)
        return t->below_end;
    /* the system tells a reset once, and that was to a write */
    return t->write_end == -ECONNRESET ? -ECONNRESET : EL_ETLSCUT;
}

void el_tls_engine_note(struct el_tls *t, int r)
{
    switch (SSL_get_error(t->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        t->starved = true;
        if (t->below_end != 0)
            t->rx_end = end_of_below(t);
        break;
    case SSL_ERROR_WANT_WRITE:
        t->blocked = true;
        break;
    case SSL_ERROR_ZERO_RETURN:
        t->rx_end = EL_EEOF;
        break;
    default:
        el_tls_engine_explain(t, ERR_peek_error());
        t->rx_end = EL_ETLS;
        if (t->tx_end == 0)
            t->tx_end = EL_ETLS;
    }
    ERR_clear_error();
}

/* --- life ------------------------------------------------------------------------------------ */

/* Whom the peer's certificate has to be for. */
static int set_name(struct el_tls *t)
{
    struct in6_addr ip;
    char *zone = strchr(t->name, '%');
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    if (zone != NULL)
        *zone = '\0'; /* of an IPv6 address: "fe80::1%eth0" */
    if (inet_pton(AF_INET, t->name, &ip) == 1 || inet_pton(AF_INET6, t->name, &ip) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(param, t->name);
    size_t n = strlen(t->name);
    if (n > 1 && t->name[n - 1] == '.')
        t->name[n - 1] = '\0';
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(t->ssl, t->name);
}

int el_tls_engine_init(struct el_tls *t, const char *name, const char *sni)
{
    t->ssl = SSL_new(t->context->ssl);
    BIO *bio = BIO_new(t->context->bio);
    if (t->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        return -ENOMEM;
    }
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_app_data(t->ssl, t);
    if (t->context->server)
        SSL_set_accept_state(t->ssl);
    else
        SSL_set_connect_state(t->ssl);
    int mode = !t->context->verify  ? SSL_VERIFY_NONE
               : t->context->server ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                                    : SSL_VERIFY_PEER;
    SSL_set_verify(t->ssl, mode, t->context->verify ? on_verify : NULL);
    if (name != NULL) {
        t->name = strdup(name);
        if (t->name == NULL || (t->context->verify && set_name(t) != 1))
            return -ENOMEM;
    }
    if (sni == NULL)
        return 0;
    char host[256]; /* without the dot at its end (RFC 6066 section 3) */
    size_t n = strnlen(sni, sizeof(host) - 1);
    if (n > 1 && sni[n - 1] == '.')
        n--;
    memcpy(host, sni, n);
    host[n] = '\0';
    return SSL_set_tlsext_host_name(t->ssl, host) == 1 ? 0 : -ENOMEM;
}

struct el_tls_session *el_tls_session_of(const struct el_tls *t)
{
    const unsigned char *alpn = NULL;
    unsigned alpn_len = 0;
    struct el_tls_session *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    const char *version = SSL_get_version(t->ssl), *cipher = SSL_get_cipher_name(t->ssl);
    memcpy(s->version, version, strnlen(version, sizeof(s->version) - 1));
    memcpy(s->cipher, cipher, strnlen(cipher, sizeof(s->cipher) - 1));
    SSL_get0_alpn_selected(t->ssl, &alpn, &alpn_len);
    if (alpn_len > 0)
        memcpy(s->alpn, alpn, alpn_len);
    s->alpn_len = alpn_len;
    s->certificate = SSL_get1_peer_certificate(t->ssl);
    return s;
}

const struct el_tls_certificate *el_tls_session_certificate(struct el_tls_session *s)
{
    if (s->details != NULL || s->certificate == NULL)
        return s->details;
    struct el_tls_certificate *c = calloc(1, sizeof(*c));
    if (c != NULL && el_tls_certificate_read(s->certificate, c) != 0) {
        free(c);
        c = NULL;
    }
    s->details = c;
    return c;
}

void el_tls_session_free(struct el_tls_session *s)
{
    if (s == NULL)
        return;
    if (s->details != NULL)
        el_tls_certificate_fini(s->details);
    free(s->details);
    X509_free(s->certificate);
    free(s);
}
