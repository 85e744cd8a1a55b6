#include "net/tls_context.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/tls.h"

/* Files that are read of a directory of certificates. */
#define DIRECTORY_FILES 1000

/* Certificates behind the first in `certificate`. */
#define CHAIN_MAX 32

#define READ_SIZE ((size_t)65536)

static int fail(char *why, int code, const char *what, const char *name, const char *text)
{
    if (strstr(name, "-----BEGIN") != NULL)
        (void)snprintf(why, EL_TLS_WHY_MAX, "%s given as text: %s", what, text);
    else
        (void)snprintf(why, EL_TLS_WHY_MAX, "%s '%.300s': %s", what, name, text);
    return code;
}

/* --- files ------------------------------------------------------------------------------- */

static bool is_pem(const char *source)
{
    return strstr(source, "-----BEGIN") != NULL;
}

/* The whole of a regular file: a pipe or a device could keep us for ever. */
static int read_file(const char *name, struct el_buf *out)
{
    struct stat st;
    ssize_t n = 1;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int err = 0;
    if (fd < 0 || fstat(fd, &st) != 0)
        err = -errno;
    else if (!S_ISREG(st.st_mode))
        err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    while (err == 0 && n > 0) {
        err = out->len > EL_TLS_FILE_MAX ? EL_ELIMIT : el_buf_reserve(out, READ_SIZE);
        if (err != 0)
            break;
        n = read(fd, el_buf_data(out) + out->len, READ_SIZE);
        if (n < 0)
            err = -errno;
        else
            out->len += (size_t)n;
    }
    if (fd >= 0)
        (void)close(fd);
    return err;
}

/* A BIO over the PEM text that `source` is or names; `file` keeps what was read. */
static int open_pem(const char *source, const char *what, struct el_buf *file, BIO **out,
                    char *why)
{
    int err = is_pem(source) ? 0 : read_file(source, file);
    if (err != 0)
        return fail(why, err, what, source, el_err_text(err));
    *out = is_pem(source) ? BIO_new_mem_buf(source, -1)
                          : BIO_new_mem_buf(file->base != NULL ? el_buf_data(file) : "",
                                            (int)file->len);
    return *out != NULL ? 0 : fail(why, -ENOMEM, what, source, el_err_text(-ENOMEM));
}

/* Nobody is asked for a password: a test has no terminal. */
static int no_password(char *buf, int size, int writing, void *arg)
{
    (void)writing;
    if (size > 0)
        *buf = '\0';
    *(bool *)arg = true;
    return -1;
}

/* --- trust --------------------------------------------------------------------------------- */

/* Adds every certificate of a PEM text; their count. */
static int add_certificates(X509_STORE *store, BIO *bio)
{
    int count = 0;
    X509 *cert;
    while ((cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
        count += X509_STORE_add_cert(store, cert) == 1;
        X509_free(cert);
    }
    ERR_clear_error();
    return count;
}

static int trust_file(X509_STORE *store, const char *ca, char *why)
{
    struct el_buf file = {0};
    BIO *bio = NULL;
    int err = open_pem(ca, "the trusted certificates", &file, &bio, why);
    if (err == 0 && add_certificates(store, bio) == 0)
        err = fail(why, EL_EUSAGE, "the trusted certificates", ca,
                   "there is no certificate in PEM form");
    BIO_free(bio);
    el_buf_fini(&file);
    return err;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

/* Its *.pem and *.crt files; where it has OpenSSL's links by hash, those are found too. */
static int trust_directory(X509_STORE *store, DIR *dir, const char *ca, char *why)
{
    int count = 0, files = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL && files < DIRECTORY_FILES;) {
        char path[4096];
        struct el_buf file = {0};
        if (!ends_with(e->d_name, ".pem") && !ends_with(e->d_name, ".crt"))
            continue;
        files++;
        (void)snprintf(path, sizeof(path), "%s/%s", ca, e->d_name);
        if (read_file(path, &file) == 0 && file.len > 0) {
            BIO *bio = BIO_new_mem_buf(el_buf_data(&file), (int)file.len);
            count += bio != NULL ? add_certificates(store, bio) : 0;
            BIO_free(bio);
        }
        el_buf_fini(&file);
    }
    (void)closedir(dir);
    if (count == 0 && files > 0)
        return fail(why, EL_EUSAGE, "the trusted certificates", ca,
                    "there is no certificate in its *.pem and *.crt files");
    return X509_STORE_load_path(store, ca) == 1 ? 0 : -ENOMEM;
}

static int set_trust(SSL_CTX *ctx, const struct el_tls_options *o, char *why)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    if (o->ca == NULL)
        return SSL_CTX_set_default_verify_paths(ctx) == 1 ? 0 : -ENOMEM;
    /* Whoever is named is trusted, be it no root: an issuer in the middle, or the peer itself. */
    (void)X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    DIR *dir = is_pem(o->ca) ? NULL : opendir(o->ca);
    int err = dir != NULL ? trust_directory(store, dir, o->ca, why)
                          : trust_file(store, o->ca, why);
    if (err != 0 || !o->server)
        return err;
    /* Names of those that a client's certificate may come from, as it is told. */
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *cert = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (cert != NULL)
            (void)SSL_CTX_add_client_CA(ctx, cert);
    }
    return 0;
}

/* --- our own certificate ------------------------------------------------------------------ */

static int set_chain(SSL_CTX *ctx, const char *source, char *why)
{
    static const char what[] = "the certificate";
    struct el_buf file = {0};
    BIO *bio = NULL;
    X509 *cert = NULL;
    int err = open_pem(source, what, &file, &bio, why);
    if (err != 0)
        goto out;
    cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    if (cert == NULL) {
        err = fail(why, EL_EUSAGE, what, source, "there is no certificate in PEM form");
        goto out;
    }
    if (SSL_CTX_use_certificate(ctx, cert) != 1) {
        err = fail(why, EL_ETLS, what, source,
                   ERR_reason_error_string(ERR_peek_last_error()));
        goto out;
    }
    X509 *next;
    int count = 0;
    while (count++ < CHAIN_MAX &&
           (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (SSL_CTX_add0_chain_cert(ctx, next) != 1)
            X509_free(next);
    }
out:
    X509_free(cert);
    BIO_free(bio);
    el_buf_fini(&file);
    ERR_clear_error();
    return err;
}

static int set_key(SSL_CTX *ctx, const char *source, char *why)
{
    static const char what[] = "the private key";
    struct el_buf file = {0};
    BIO *bio = NULL;
    bool encrypted = false;
    EVP_PKEY *key = NULL;
    int err = open_pem(source, what, &file, &bio, why);
    if (err != 0)
        goto out;
    key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &encrypted);
    if (key == NULL)
        err = fail(why, EL_EUSAGE, what, source,
                   encrypted ? "it is encrypted: give one without a password"
                             : "there is no private key in PEM form");
    else if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
        err = fail(why, EL_ETLS, what, source, "it does not belong to the certificate");
out:
    EVP_PKEY_free(key);
    BIO_free(bio);
    el_buf_fini(&file);
    ERR_clear_error();
    return err;
}

/* --- protocols ----------------------------------------------------------------------------- */

/* TLS 1.3 has ciphers of its own. Where only some of one kind are wanted, the other's
 * version is not. */
static int set_ciphers(SSL_CTX *ctx, const char *ciphers, char *why)
{
    struct el_buf suites = {0}, older = {0};
    int err = 0;
    for (const char *p = ciphers; *p != '\0' && err == 0;) {
        size_t n = strcspn(p, ": ,");
        struct el_buf *list = strncmp(p, "TLS_", 4) == 0 ? &suites : &older;
        if (n > 0 && list->len > 0)
            err = el_buf_append(list, ":", 1);
        if (err == 0)
            err = el_buf_append(list, p, n);
        p += n + (p[n] != '\0');
    }
    if (err == 0)
        err = el_buf_append(&suites, "", 1);
    if (err == 0)
        err = el_buf_append(&older, "", 1);
    if (err != 0)
        goto out;
    if ((suites.len > 1 && SSL_CTX_set_ciphersuites(ctx, el_buf_data(&suites)) != 1) ||
        (older.len > 1 && SSL_CTX_set_cipher_list(ctx, el_buf_data(&older)) != 1) ||
        suites.len + older.len == 2) {
        (void)snprintf(why, EL_TLS_WHY_MAX, "no cipher of that name: '%.200s'", ciphers);
        err = EL_EUSAGE;
    } else if (older.len == 1) {
        (void)SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    } else if (suites.len == 1 && el_buf_data(&older)[0] != '@' &&
               strncmp(el_buf_data(&older), "DEFAULT", 7) != 0 &&
               strncmp(el_buf_data(&older), "ALL", 3) != 0) {
        (void)SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    }
out:
    el_buf_fini(&suites);
    el_buf_fini(&older);
    ERR_clear_error();
    return err;
}

static int set_versions(SSL_CTX *ctx, const struct el_tls_options *o, char *why)
{
    int least = o->min_version, most = o->max_version;
    if (least != 0 && most != 0 && least > most) {
        (void)snprintf(why, EL_TLS_WHY_MAX, "min_version is above max_version");
        return EL_EUSAGE;
    }
    if (most != 0 && least == 0 && most < TLS1_2_VERSION)
        least = most;
    /* Old versions sign by SHA-1, which OpenSSL allows on its lowest level only. */
    if (least != 0 && least < TLS1_2_VERSION && o->ciphers == NULL)
        SSL_CTX_set_security_level(ctx, 0);
    if (least != 0)
        (void)SSL_CTX_set_min_proto_version(ctx, least);
    if (most != 0)
        (void)SSL_CTX_set_max_proto_version(ctx, most);
    return 0;
}

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    const struct el_tls_context *c = arg;
    unsigned char *chosen;
    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_len, c->alpn, (unsigned)c->alpn_len, in,
                              in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int set_alpn(struct el_tls_context *c, const struct el_tls_options *o)
{
    if (o->alpn_len == 0)
        return 0;
    c->alpn = malloc(o->alpn_len);
    if (c->alpn == NULL)
        return -ENOMEM;
    memcpy(c->alpn, o->alpn, o->alpn_len);
    c->alpn_len = o->alpn_len;
    if (o->server)
        SSL_CTX_set_alpn_select_cb(c->ssl, select_alpn, c);
    else if (SSL_CTX_set_alpn_protos(c->ssl, c->alpn, (unsigned)c->alpn_len) != 0)
        return -ENOMEM;
    return 0;
}

/* Secrets for who looks at the network from outside, in NSS's format. Opened for each line:
 * several workers append to it. */
static void log_key(const SSL *ssl, const char *line)
{
    const char *name = getenv("SSLKEYLOGFILE");
    struct el_buf text = {0};
    (void)ssl;
    int fd = name != NULL
                 ? open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK,
                        0600)
                 : -1;
    if (fd < 0)
        return;
    if (el_buf_append(&text, line, strlen(line)) == 0 &&
        el_buf_append(&text, "\n", 1) == 0) {
        ssize_t n = write(fd, el_buf_data(&text), text.len);
        (void)n; /* a log that is full is no trouble of the conversation's */
    }
    el_buf_fini(&text);
    (void)close(fd);
}

/* --- contexts ------------------------------------------------------------------------------ */

static int configure(struct el_tls_context *c, const struct el_tls_options *o, char *why)
{
    SSL_CTX *ctx = c->ssl;
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    /* A client that closes without having read its tickets would reset the connection. */
    if (o->server)
        (void)SSL_CTX_set_num_tickets(ctx, 0);
    if (getenv("SSLKEYLOGFILE") != NULL)
        SSL_CTX_set_keylog_callback(ctx, log_key);
    int err = set_versions(ctx, o, why);
    if (err == 0 && o->ciphers != NULL)
        err = set_ciphers(ctx, o->ciphers, why);
    if (err == 0)
        err = set_alpn(c, o);
    if (err == 0 && o->verify)
        err = set_trust(ctx, o, why);
    if (err == 0 && o->certificate != NULL)
        err = set_chain(ctx, o->certificate, why);
    if (err == 0 && o->certificate != NULL)
        err = set_key(ctx, o->key != NULL ? o->key : o->certificate, why);
    return err;
}

static int create(const struct el_tls_options *o, char *why, struct el_tls_context **out)
{
    (void)snprintf(why, EL_TLS_WHY_MAX, "%s", el_err_text(-ENOMEM));
    struct el_tls_context *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return -ENOMEM;
    ERR_clear_error();
    c->refs = 1;
    c->server = o->server;
    c->verify = o->verify;
    c->ssl = SSL_CTX_new(o->server ? TLS_server_method() : TLS_client_method());
    c->bio = el_tls_bio_method();
    int err = c->ssl != NULL && c->bio != NULL ? configure(c, o, why) : -ENOMEM;
    ERR_clear_error();
    if (err != 0) {
        el_tls_context_unref(c);
        return err;
    }
    *out = c;
    return 0;
}

struct el_tls_context *el_tls_context_ref(struct el_tls_context *c)
{
    c->refs++;
    return c;
}

void el_tls_context_unref(struct el_tls_context *c)
{
    if (c == NULL || --c->refs > 0)
        return;
    SSL_CTX_free(c->ssl);
    BIO_meth_free(c->bio);
    free(c->alpn);
    free(c->key);
    free(c);
}

/* --- the cache ----------------------------------------------------------------------------- */

/* A file that has been written anew is another one. */
static int key_source(struct el_buf *key, const char *source)
{
    struct stat st = {0};
    char state[128] = "-";
    if (source != NULL && !is_pem(source) && stat(source, &st) == 0)
        (void)snprintf(state, sizeof(state), "%ju %ju %jd %jd.%ld", (uintmax_t)st.st_dev,
                       (uintmax_t)st.st_ino, (intmax_t)st.st_size,
                       (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    int err = el_buf_append(key, state, strlen(state));
    if (err == 0)
        err = el_buf_append(key, "\n", 1);
    if (err == 0 && source != NULL)
        err = el_buf_append(key, source, strlen(source));
    return err != 0 ? err : el_buf_append(key, "\n", 1);
}

static int make_key(const struct el_tls_options *o, char **out)
{
    struct el_buf key = {0};
    char numbers[64];
    const char *sources[] = {o->ca, o->certificate, o->key, o->ciphers};
    (void)snprintf(numbers, sizeof(numbers), "%d %d %d %d\n", o->server, o->verify,
                   o->min_version, o->max_version);
    int err = el_buf_append(&key, numbers, strlen(numbers));
    for (int i = 0; i < 4 && err == 0; i++)
        err = key_source(&key, sources[i]);
    for (size_t i = 0; i < o->alpn_len && err == 0; i++) {
        (void)snprintf(numbers, sizeof(numbers), "%02x", (unsigned char)o->alpn[i]);
        err = el_buf_append(&key, numbers, 2);
    }
    if (err == 0)
        err = el_buf_append(&key, "", 1);
    if (err == 0)
        *out = strdup(el_buf_data(&key));
    el_buf_fini(&key);
    return err != 0 || *out == NULL ? -ENOMEM : 0;
}

/* Moves the one at `i` to the front. */
static void use(struct el_tls_cache *cache, unsigned i)
{
    struct el_tls_context *c = cache->recent[i];
    memmove(cache->recent + 1, cache->recent, i * sizeof(c));
    cache->recent[0] = c;
}

int el_tls_context_get(struct el_tls_cache *cache, const struct el_tls_options *options,
                       char *why, struct el_tls_context **out)
{
    char *key = NULL;
    struct el_tls_context *c;
    int err = make_key(options, &key);
    if (err != 0) {
        (void)snprintf(why, EL_TLS_WHY_MAX, "%s", el_err_text(err));
        return err;
    }
    for (unsigned i = 0; i < cache->count; i++) {
        if (strcmp(cache->recent[i]->key, key) == 0) {
            free(key);
            use(cache, i);
            *out = el_tls_context_ref(cache->recent[0]);
            return 0;
        }
    }
    err = create(options, why, &c);
    if (err != 0) {
        free(key);
        return err;
    }
    c->key = key;
    if (cache->count == EL_TLS_CONTEXTS)
        el_tls_context_unref(cache->recent[--cache->count]);
    cache->recent[cache->count++] = c;
    use(cache, cache->count - 1);
    *out = el_tls_context_ref(c);
    return 0;
}

void el_tls_context_forget(struct el_tls_cache *cache)
{
    while (cache->count > 0)
        el_tls_context_unref(cache->recent[--cache->count]);
}
