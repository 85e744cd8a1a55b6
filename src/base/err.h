/* err.h - one negative integer says what went wrong, at every layer.
 * Values are stateless; any thread may call. */
#ifndef EL_BASE_ERR_H
#define EL_BASE_ERR_H

/* Our own codes lie far below every -errno (and below libuv's codes), so that one `int` can
 * carry either. X(code, kind, text): `kind` is what scripts see in `err.kind`. */
#define EL_ERR_CODES(X)                                                                  \
    X(EUSAGE, "usage", "misuse")                                                         \
    X(ECLOSED, "usage", "the connection is closed")                                      \
    X(EHALF, "usage", "our sending half has ended")                                      \
    X(EBUSY, "usage", "another task is already waiting for this")                        \
    X(ERESOLVE, "resolve", "the name has no address")                                    \
    X(ETIMEOUT, "timeout", "timeout")                                                    \
    X(EEOF, "eof", "the peer has finished sending")                                      \
    X(ELIMIT, "limit", "a limit was reached")                                            \
    X(ETLS, "tls", "TLS failed")                                                         \
    X(ETLSCUT, "tls", "the connection was cut: it ended without TLS's close_notify")     \
    X(EMISMATCH, "mismatch", "an expectation did not hold")                              \
    X(ECANCELLED, "cancelled", "the task was cancelled")

/* The errnos that sockets and files give, as X(errno, kind, text). */
#define EL_ERR_ERRNOS(X)                                                                 \
    X(ECONNREFUSED, "refused", "connection refused")                                     \
    X(ECONNRESET, "reset", "connection reset by the peer")                               \
    X(ECONNABORTED, "reset", "connection aborted")                                       \
    X(EPIPE, "reset", "the peer no longer receives")                                     \
    X(ETIMEDOUT, "timeout", "the network gave up waiting")                               \
    X(EHOSTUNREACH, "unreachable", "no route to the host")                               \
    X(ENETUNREACH, "unreachable", "no route to the network")                             \
    X(EHOSTDOWN, "unreachable", "the host is down")                                      \
    X(ENETDOWN, "unreachable", "the network is down")                                    \
    X(EADDRNOTAVAIL, "unreachable", "the address is not available here")                 \
    X(EAFNOSUPPORT, "unreachable", "this kind of address is not supported here")         \
    X(EPROTOTYPE, "refused", "the socket there is of another kind")                      \
    X(EACCES, "denied", "permission denied")                                             \
    X(EPERM, "denied", "not permitted")                                                  \
    X(EADDRINUSE, "denied", "the address is already in use")                             \
    X(EROFS, "denied", "the file system is read-only")                                   \
    X(EMFILE, "limit", "too many open files in this process (see ulimit -n)")            \
    X(ENFILE, "limit", "too many open files in the system")                              \
    X(ENOBUFS, "limit", "no buffer space")                                               \
    X(EMSGSIZE, "limit", "the datagram is longer than the network takes")                \
    X(ENOMEM, "limit", "out of memory")                                                  \
    X(ENOENT, "usage", "no such file or directory")                                      \
    X(E2BIG, "limit", "the command line is too long")                                    \
    X(ECHILD, "denied", "somebody else in this program took its exit status")            \
    X(ENOEXEC, "denied", "not a program")                                                \
    X(ENOTDIR, "usage", "not a directory")                                               \
    X(EISDIR, "usage", "is a directory")                                                 \
    X(EINVAL, "usage", "invalid argument")                                               \
    X(ENOTCONN, "reset", "not connected any more")

enum el_err_code {
    EL_ERR_BASE = -10000,
#define EL_ERR_ENUM(code, kind, text) EL_##code,
    EL_ERR_CODES(EL_ERR_ENUM)
#undef EL_ERR_ENUM
};

/* The kind a script sees for `err` (< 0): one of the contract's words. Never NULL; an errno
 * that is not in the table is "denied": the operating system said no. */
const char *el_err_kind(int err);

/* The errno's symbol ("ECONNREFUSED"), or NULL where `err` is none. */
const char *el_err_name(int err);

/* A lower-case sentence without a full stop. Never NULL. */
const char *el_err_text(int err);

#endif
