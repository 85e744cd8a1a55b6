#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/err.h"
#include "net/words.h"

#define HOST_MAX 253 /* RFC 1035 section 2.3.4: 255 octets on the wire */

static const struct {
    const char *prefix;
    const char *name;
} schemes[] = {
    [EL_TCP] = {"tcp://", "tcp"},  [EL_TLS] = {"tls://", "tls"},
    [EL_UDP] = {"udp://", "udp"},  [EL_UNIX] = {"unix:", "unix"},
    [EL_EXEC] = {"exec:", "exec"},
};

static int fail(const char **why, const char *text)
{
    *why = text;
    return EL_EUSAGE;
}

static int check_host(const char *host, size_t n, const char **why)
{
    if (n == 0)
        return fail(why, "the host is empty");
    if (n > HOST_MAX)
        return fail(why, "the host is longer than 253 bytes");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)host[i];
        if (c == '\0')
            return fail(why, "the host holds a NUL byte");
        if (c <= ' ' || c == 0x7f)
            return fail(why, "the host holds white space or a control character");
        if (strchr("/@[]?#\\", c) != NULL)
            return fail(why, "the host holds a character that no host name has");
    }
    return 0;
}

/* What stands in brackets: an IPv6 address, perhaps with a zone (RFC 6874's "%eth0"). */
static int check_ipv6(const char *host, size_t n, const char **why)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    const char *zone = memchr(host, '%', n);
    size_t len = zone != NULL ? (size_t)(zone - host) : n;
    if (len < sizeof(text)) {
        memcpy(text, host, len);
        text[len] = '\0';
        if (inet_pton(AF_INET6, text, &parsed) == 1 && zone != host + n - 1)
            return 0;
    }
    return fail(why, "what stands in brackets is no IPv6 address");
}

static int check_port(long long port, bool listening, const char **why)
{
    if (port < 0 || port > 65535)
        return fail(why, "the port is not between 1 and 65535");
    if (port == 0 && !listening)
        return fail(why, "port 0 cannot be connected to");
    return 0;
}

static int parse_port(const char *text, size_t n, bool listening, int *out,
                      const char **why)
{
    if (n == 0)
        return fail(why, "the port is missing");
    long long port = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return fail(why, "the port is not a whole number");
        port = port * 10 + (text[i] - '0');
        if (port > 65535)
            return fail(why, "the port is not between 1 and 65535");
    }
    int err = check_port(port, listening, why);
    if (err == 0)
        *out = (int)port;
    return err;
}

static int parse_host_port(const char *text, size_t n, bool listening,
                           struct el_address *a, const char **why)
{
    const char *end = text + n;
    const char *colon;
    if (n > 0 && text[0] == '[') {
        const char *bracket = memchr(text, ']', n);
        if (bracket == NULL)
            return fail(why, "a '[' is not closed");
        a->host = text + 1;
        a->host_len = (size_t)(bracket - a->host);
        if (memchr(a->host, ':', a->host_len) == NULL)
            return fail(why, "only IPv6 addresses stand in brackets");
        if (check_ipv6(a->host, a->host_len, why) != 0)
            return EL_EUSAGE;
        colon = bracket + 1;
        if (colon == end)
            return fail(why, "the port is missing");
        if (*colon != ':')
            return fail(why, "after ']' a ':' and the port must follow");
    } else {
        colon = memchr(text, ':', n);
        if (colon == NULL)
            return fail(why, "the port is missing (host:port)");
        if (memchr(colon + 1, ':', (size_t)(end - colon - 1)) != NULL)
            return fail(why, "an IPv6 address stands in brackets: [::1]:80");
        a->host = text;
        a->host_len = (size_t)(colon - text);
    }
    int err = check_host(a->host, a->host_len, why);
    if (err != 0)
        return err;
    return parse_port(colon + 1, (size_t)(end - colon - 1), listening, &a->port, why);
}

static int check_unix_path(const char *path, size_t n, const char **why)
{
    struct sockaddr_un sun;
    if (n == 0 || (n == 1 && path[0] == '@'))
        return fail(why, "the path is empty");
    if (n >= sizeof(sun.sun_path))
        return fail(why, "the path is longer than 107 bytes");
    if (memchr(path, '\0', n) != NULL)
        return fail(why, "the path holds a NUL byte");
    return 0;
}

int el_address_parse(const char *text, size_t n, bool listening, struct el_address *out,
                     const char **why)
{
    struct el_address a = {.scheme = EL_TCP};
    int err;
    bool found = false;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]) && !found; i++) {
        size_t len = strlen(schemes[i].prefix);
        if (n >= len && memcmp(text, schemes[i].prefix, len) == 0) {
            a.scheme = (enum el_scheme)i;
            text += len;
            n -= len;
            found = true;
        }
    }
    if (a.scheme == EL_UNIX || a.scheme == EL_EXEC) {
        a.path = text;
        a.path_len = n;
        err = a.scheme == EL_UNIX ? check_unix_path(text, n, why)
                                  : el_words_split(text, n, NULL, NULL, why);
    } else if (!found && n >= 3 && memmem(text, n, "://", 3) != NULL) {
        err = fail(why, "the scheme is none of tcp, tls, udp, unix, exec");
    } else {
        err = parse_host_port(text, n, listening, &a, why);
    }
    if (err == 0)
        *out = a;
    return err;
}

int el_address_from_parts(const char *host, size_t n, long long port, bool listening,
                          struct el_address *out, const char **why)
{
    struct el_address a = {.scheme = EL_TCP, .host = host, .host_len = n};
    if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
        a.host++;
        a.host_len -= 2;
    }
    int err = check_host(a.host, a.host_len, why);
    if (err == 0)
        err = check_port(port, listening, why);
    if (err != 0)
        return err;
    a.port = (int)port;
    *out = a;
    return 0;
}

const char *el_address_scheme_name(enum el_scheme scheme)
{
    return schemes[scheme].name;
}

size_t el_address_format(const struct el_address *a, char *out, size_t cap)
{
    const char *prefix = schemes[a->scheme].prefix;
    int len;
    if (a->path != NULL) {
        len = snprintf(out, cap, "%s%.*s", prefix, (int)a->path_len, a->path);
    } else {
        bool v6 = memchr(a->host, ':', a->host_len) != NULL;
        len = snprintf(out, cap, v6 ? "%s[%.*s]:%d" : "%s%.*s:%d", prefix,
                       (int)a->host_len, a->host, a->port);
    }
    return (size_t)len < cap ? (size_t)len : cap - 1;
}

int el_address_socket_parts(const struct sockaddr *sa, char *host, size_t cap)
{
    host[0] = '\0';
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        (void)inet_ntop(AF_INET, &in->sin_addr, host, (socklen_t)cap);
        return ntohs(in->sin_port);
    }
    if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;
        (void)inet_ntop(AF_INET6, &in6->sin6_addr, host, (socklen_t)cap);
        return ntohs(in6->sin6_port);
    }
    return -1;
}

/* An abstract name begins with a NUL, which addresses write as '@' (unix(7)). */
void el_address_to_unix(const struct el_address *a, struct sockaddr_storage *out)
{
    struct sockaddr_un *sun = (struct sockaddr_un *)(void *)out;
    memset(out, 0, sizeof(*out));
    sun->sun_family = AF_UNIX;
    memcpy(sun->sun_path, a->path, a->path_len);
    if (a->path[0] == '@')
        sun->sun_path[0] = '\0';
}

socklen_t el_address_socket_length(const struct sockaddr *sa)
{
    const struct sockaddr_un *sun = (const struct sockaddr_un *)(const void *)sa;
    if (sa->sa_family == AF_INET)
        return sizeof(struct sockaddr_in);
    if (sa->sa_family == AF_INET6)
        return sizeof(struct sockaddr_in6);
    /* An abstract name is as long as the length says: what is behind it would belong to it. */
    size_t name = 1 + strnlen(sun->sun_path + 1, sizeof(sun->sun_path) - 1);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name +
                       (sun->sun_path[0] != '\0'));
}

size_t el_address_of_socket(const struct sockaddr *sa, char *out, size_t cap)
{
    const struct sockaddr_un *sun = (const struct sockaddr_un *)(const void *)sa;
    const int name_max = sizeof(sun->sun_path) - 1;
    char host[INET6_ADDRSTRLEN];
    int len;
    if (sa->sa_family != AF_UNIX) {
        int port = el_address_socket_parts(sa, host, sizeof(host));
        len = snprintf(out, cap, sa->sa_family == AF_INET6 ? "[%s]:%d" : "%s:%d", host,
                       port);
    } else if (sun->sun_path[0] == '\0' && sun->sun_path[1] != '\0') {
        len = snprintf(out, cap, "@%.*s", name_max, sun->sun_path + 1);
    } else {
        len = snprintf(out, cap, "%.*s", name_max, sun->sun_path);
    }
    return (size_t)len < cap ? (size_t)len : cap - 1;
}

size_t el_address_text_of_socket(enum el_scheme scheme, const struct sockaddr *sa,
                                 char *out, size_t cap)
{
    const char *prefix = schemes[sa->sa_family == AF_UNIX ? EL_UNIX : scheme].prefix;
    size_t used = (size_t)snprintf(out, cap, "%s", prefix);
    return used + el_address_of_socket(sa, out + used, cap - used);
}
