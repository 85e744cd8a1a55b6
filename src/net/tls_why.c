#include "net/tls_why.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/text.h"
#include "net/tls_certificate.h"

/* Names that a message lists. */
#define NAMES_SHOWN 6
#define SHOWN_MAX 200

/* Words go into a buffer that may run out of memory: what is missing then is its end. */
static void say(struct el_buf *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct el_buf *out, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n > 0)
        (void)!el_buf_append(out, text,
                             (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* A stranger's words: nothing in them reaches a terminal. */
static void quote(struct el_buf *out, const char *data, size_t n)
{
    (void)!el_text_for_terminal(out, data, n < SHOWN_MAX ? n : SHOWN_MAX, false);
    if (n > SHOWN_MAX)
        say(out, "...");
}

static void say_name(struct el_buf *out, struct x509_st *x, int subject)
{
    struct el_buf name = {0};
    if (x != NULL && el_tls_certificate_name(x, subject, &name) == 0 && name.len > 0)
        quote(out, el_buf_data(&name), name.len);
    else
        say(out, "without a name");
    el_buf_fini(&name);
}

static void say_time(struct el_buf *out, int64_t seconds)
{
    char text[64] = "?";
    time_t t = (time_t)seconds;
    struct tm tm;
    if (gmtime_r(&t, &tm) != NULL)
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
    say(out, "%s", text);
}

/* --- certificates ------------------------------------------------------------------------- */

static void say_common_name(struct el_buf *out, struct x509_st *x)
{
    const X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    const ASN1_STRING *s =
        at >= 0 ? X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)) : NULL;
    if (s == NULL)
        say(out, "nobody");
    else
        quote(out, (const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

static void say_names(struct el_buf *out, const struct el_tls_trouble *t)
{
    struct el_tls_certificate c = {0};
    bool address = t->verify_error == X509_V_ERR_IP_ADDRESS_MISMATCH;
    say(out, "the certificate is not for %s", address ? "the address " : "");
    quote(out, t->name, strlen(t->name));
    say(out, ", but for ");
    if (el_tls_certificate_read(t->certificate, &c) != 0)
        return;
    if (c.name_count == 0)
        say_common_name(out, t->certificate);
    for (size_t i = 0; i < c.name_count && i < NAMES_SHOWN; i++) {
        say(out, "%s", i > 0 ? ", " : "");
        quote(out, c.names[i].text, c.names[i].len);
        if (address && strcmp(c.names[i].text, t->name) == 0)
            say(out, " as a host's name");
    }
    if (c.name_count > NAMES_SHOWN)
        say(out, " and %zu more", c.name_count - NAMES_SHOWN);
    el_tls_certificate_fini(&c);
}

static void say_dates(struct el_buf *out, const struct el_tls_trouble *t, bool expired)
{
    struct el_tls_certificate c = {0};
    if (el_tls_certificate_read(t->certificate, &c) != 0)
        return;
    say(out, "the certificate of ");
    say_name(out, t->certificate, 1);
    say(out, expired ? " expired on " : " is not valid before ");
    say_time(out, expired ? c.not_after : c.not_before);
    el_tls_certificate_fini(&c);
}

static void say_verify(struct el_buf *out, const struct el_tls_trouble *t)
{
    switch (t->verify_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        say_dates(out, t, true);
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        say_dates(out, t, false);
        return;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        say_names(out, t);
        return;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        say(out, "the certificate of ");
        say_name(out, t->certificate, 1);
        say(out, " is self-signed, and none of those that are trusted");
        return;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        say(out, "the issuer is unknown: the chain ends in ");
        say_name(out, t->certificate, 1);
        say(out, ", which is self-signed, and none of those that are trusted");
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        say(out, "the issuer is unknown: the certificate of ");
        say_name(out, t->certificate, 1);
        say(out, " is signed by ");
        say_name(out, t->certificate, 0);
        say(out, ", which is none of those that are trusted");
        return;
    default:
        say(out, "the certificate of ");
        say_name(out, t->certificate, 1);
        say(out, " is not accepted: %s", X509_verify_cert_error_string(t->verify_error));
    }
}

/* --- the rest ------------------------------------------------------------------------------ */

/* What an alert means for who reads it: RFC 8446 section 6.2. */
static const char *alert_hint(int alert, bool server)
{
    switch (alert) {
    case SSL_AD_HANDSHAKE_FAILURE:
        return "there may be no cipher that both know";
    case SSL_AD_PROTOCOL_VERSION:
        return "there is no version of TLS that both speak";
    case SSL_AD_INSUFFICIENT_SECURITY:
        return "our ciphers are too weak for it";
    case SSL_AD_UNKNOWN_CA:
        return "it does not trust the issuer of our certificate";
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_UNKNOWN:
        return "it does not accept our certificate";
    case SSL_AD_CERTIFICATE_EXPIRED:
        return "our certificate has expired";
    case SSL_AD_CERTIFICATE_REQUIRED:
        return "it wants a certificate of ours: options certificate and key";
    case SSL_AD_UNRECOGNIZED_NAME:
        return server ? NULL : "it knows no host of that name";
    case SSL_AD_NO_APPLICATION_PROTOCOL:
        return "there is no protocol of alpn that both know";
    default:
        return NULL;
    }
}

static void say_alert(struct el_buf *out, int alert, bool server)
{
    const char *hint = alert_hint(alert, server);
    say(out, "the peer sent the alert \"%s\"", SSL_alert_desc_string_long(alert));
    if (hint != NULL)
        say(out, ": %s", hint);
}

bool el_tls_why_is_record(const char *head, size_t n)
{
    unsigned char type = (unsigned char)head[0];
    return type >= SSL3_RT_CHANGE_CIPHER_SPEC && type <= SSL3_RT_APPLICATION_DATA &&
           (n < 2 || head[1] == 3);
}

static void say_plain(struct el_buf *out, const struct el_tls_trouble *t)
{
    say(out, "the peer does not speak TLS: it said \"");
    quote(out, t->head, t->head_len);
    say(out, t->head_len == EL_TLS_HEAD ? "...\"" : "\"");
}

static const struct {
    int reason;
    const char *text;
} reasons[] = {
    {SSL_R_NO_SHARED_CIPHER, "there is no cipher that both know"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "there is no version of TLS that both speak"},
    {SSL_R_WRONG_SSL_VERSION, "there is no version of TLS that both speak"},
    {SSL_R_VERSION_TOO_LOW, "there is no version of TLS that both speak"},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, "min_version and max_version leave no version of TLS"},
    {SSL_R_NO_CIPHERS_AVAILABLE, "the options leave no cipher"},
    {SSL_R_NO_APPLICATION_PROTOCOL, "there is no protocol of alpn that both know"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the client showed no certificate"},
    {SSL_R_EXCESSIVE_MESSAGE_SIZE,
     "the peer's certificates, or another of its messages, are too large"},
    {SSL_R_NO_RENEGOTIATION, "the peer began a renegotiation, which is not allowed"},
    {SSL_R_RECORD_TOO_SMALL, "the peer sent one empty record after the other"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC,
     "a record was damaged on its way, or forged"},
    {SSL_R_UNEXPECTED_MESSAGE, "the peer sent a message that is not due"},
};

static void say_reason(struct el_buf *out, const struct el_tls_trouble *t)
{
    int reason = ERR_GET_REASON(t->reason);
    if (ERR_GET_LIB(t->reason) == ERR_LIB_SSL) {
        if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
            say_alert(out, reason - SSL_AD_REASON_OFFSET, t->server);
            return;
        }
        for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
            if (reasons[i].reason == reason) {
                say(out, "%s", reasons[i].text);
                return;
            }
        }
    }
    const char *text = ERR_reason_error_string(t->reason);
    say(out, "%s%s", t->handshake ? "the handshake failed: " : "",
        text != NULL ? text : "OpenSSL does not say why");
}

char *el_tls_why_text(const struct el_tls_trouble *t)
{
    struct el_buf out = {0};
    if (t->handshake && t->echoed)
        say(&out, "the peer does not speak TLS: it sent our own bytes back");
    else if (t->handshake && t->head_len > 0 &&
             !el_tls_why_is_record(t->head, t->head_len))
        say_plain(&out, t);
    else if (t->verify_error != X509_V_OK && t->certificate != NULL)
        say_verify(&out, t);
    else if (t->reason != 0)
        say_reason(&out, t);
    else if (t->ended)
        say(&out, "the peer ended the connection in the middle of the handshake");
    else
        say(&out, "OpenSSL does not say why");
    char *text = el_buf_append(&out, "", 1) == 0 ? strdup(el_buf_data(&out)) : NULL;
    el_buf_fini(&out);
    return text;
}
