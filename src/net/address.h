/* address.h - addresses as scripts write them: tcp://host:port, [::1]:80, unix:/path ...
 * An el_address is a view into the caller's text and owns nothing. Stateless. */
#ifndef EL_NET_ADDRESS_H
#define EL_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum el_scheme { EL_TCP, EL_TLS, EL_UDP, EL_UNIX, EL_EXEC };

struct el_address {
    enum el_scheme scheme;
    const char *host; /* without brackets; NULL for unix and exec */
    size_t host_len;
    int port;
    const char *path; /* unix: the path or @name; exec: the command line */
    size_t path_len;
};

/* Large enough for the text of every address that parses, but exec (a longer command is
 * cut there) and the text of every socket address. */
#define EL_ADDRESS_TEXT_MAX 512

/* Parses `n` bytes at `text`. `listening` allows port 0. Returns 0, or EL_EUSAGE with *why
 * set to a constant sentence that names the mistake. */
int el_address_parse(const char *text, size_t n, bool listening, struct el_address *out,
                     const char **why) __attribute__((warn_unused_result));

/* Checks a host and a port that came apart. Results as for el_address_parse. */
int el_address_from_parts(const char *host, size_t n, long long port, bool listening,
                          struct el_address *out, const char **why)
    __attribute__((warn_unused_result));

/* "tcp", "tls", ... */
const char *el_address_scheme_name(enum el_scheme scheme);

/* Writes the canonical text, NUL-terminated, into out[cap]; returns its length. */
size_t el_address_format(const struct el_address *a, char *out, size_t cap);

/* The socket address of a Unix address. */
void el_address_to_unix(const struct el_address *a, struct sockaddr_storage *out);

/* How many bytes of a socket address count; a Unix one has a NUL behind its path. */
socklen_t el_address_socket_length(const struct sockaddr *sa);

/* Writes "host:port" of a socket address, IPv6 in brackets; the path of a Unix one as it stands
 * behind "unix:", which is empty for a socket without a name. Returns the length. */
size_t el_address_of_socket(const struct sockaddr *sa, char *out, size_t cap);

/* Writes the canonical text of a socket address; `scheme` is that of one that has a port. */
size_t el_address_text_of_socket(enum el_scheme scheme, const struct sockaddr *sa,
                                 char *out, size_t cap);

/* Numeric host and port of a socket address; the port, or -1 for another family. */
int el_address_socket_parts(const struct sockaddr *sa, char *host, size_t cap);

#endif
