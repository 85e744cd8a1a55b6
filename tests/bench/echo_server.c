/* The server that every client of the benchmark talks to: one thread, epoll,
 * level-triggered.
 *
 *   echo_server echo          sends back what comes
 *   echo_server source BYTES  sends so many bytes to each client, then ends its half
 *   echo_server silent        takes connections and what they say, and answers nothing
 *
 * It listens on a free port of 127.0.0.1, prints that port, and ends once its standard
 * input does, so that it cannot outlive whoever started it. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS = 1024,
    ACCEPTS_AT_ONCE = 4096, /* before the others have their turn */
    MAX_FILES = 65536,      /* the table of peers stops here, however high the limit is */
    SOURCE_CHUNK = 1 << 18,
    SENDS_AT_ONCE = 16, /* of one source, before the others have their turn */
};

enum mode { MODE_ECHO, MODE_SOURCE, MODE_SILENT };

struct peer {
    uint64_t sent;     /* by the source */
    char *pending;     /* what the socket did not take of an echo, or NULL */
    size_t start, end; /* of it */
};

struct server {
    enum mode mode;
    uint64_t source_bytes;
    int listener, poll;
    size_t files;       /* entries in peers */
    struct peer *peers; /* by descriptor */
    char in[EL_BENCH_CHUNK];
    char out[SOURCE_CHUNK + EL_BENCH_PERIOD];
};

static void watch(struct server *server, int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(server->poll, operation, fd, &event) != 0)
        el_bench_die(fd == STDIN_FILENO ? "standard input must be a pipe" : "epoll_ctl",
                     errno);
}

static void hang_up(struct server *server, int fd)
{
    free(server->peers[fd].pending);
    server->peers[fd] = (struct peer){0};
    close(fd);
}

static void accept_all(struct server *server)
{
    for (int taken = 0; taken < ACCEPTS_AT_ONCE; taken++) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN)
                return;
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            el_bench_die("accept", errno);
        }
        if ((size_t)fd >= server->files)
            el_bench_die("too many connections for this server", 0);
        el_bench_nodelay(fd);
        server->peers[fd] = (struct peer){0};
        watch(server, EPOLL_CTL_ADD, fd,
              server->mode == MODE_SOURCE ? EPOLLOUT | EPOLLIN : EPOLLIN);
    }
}

/* Keeps the rest of an echo, and reads no more from that peer until the rest is gone. */
static void keep(struct server *server, int fd, const char *data, size_t size)
{
    struct peer *peer = &server->peers[fd];
    peer->pending = malloc(size);
    if (peer->pending == NULL)
        el_bench_die("malloc", errno);
    memcpy(peer->pending, data, size);
    peer->start = 0;
    peer->end = size;
    watch(server, EPOLL_CTL_MOD, fd, EPOLLOUT);
}

static void echo_rest(struct server *server, int fd)
{
    struct peer *peer = &server->peers[fd];
    ssize_t n = send(fd, peer->pending + peer->start, peer->end - peer->start,
                     MSG_NOSIGNAL);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            hang_up(server, fd);
        return;
    }
    peer->start += (size_t)n;
    if (peer->start < peer->end)
        return;
    free(peer->pending);
    peer->pending = NULL;
    watch(server, EPOLL_CTL_MOD, fd, EPOLLIN);
}

static void receive(struct server *server, int fd)
{
    ssize_t n = recv(fd, server->in, sizeof server->in, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        hang_up(server, fd);
        return;
    }
    if (server->mode != MODE_ECHO)
        return;
    ssize_t sent = send(fd, server->in, (size_t)n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        hang_up(server, fd);
        return;
    }
    size_t done = sent < 0 ? 0 : (size_t)sent;
    if (done < (size_t)n)
        keep(server, fd, server->in + done, (size_t)n - done);
}

static void source(struct server *server, int fd)
{
    struct peer *peer = &server->peers[fd];
    for (int i = 0; i < SENDS_AT_ONCE && peer->sent < server->source_bytes; i++) {
        uint64_t left = server->source_bytes - peer->sent;
        size_t size = left < SOURCE_CHUNK ? (size_t)left : SOURCE_CHUNK;
        ssize_t n = send(fd, server->out + peer->sent % EL_BENCH_PERIOD, size,
                         MSG_NOSIGNAL);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR)
                hang_up(server, fd);
            return;
        }
        peer->sent += (uint64_t)n;
    }
    if (peer->sent < server->source_bytes)
        return;
    if (shutdown(fd, SHUT_WR) != 0) {
        hang_up(server, fd);
        return;
    }
    watch(server, EPOLL_CTL_MOD, fd, EPOLLIN); /* for the client's own end */
}

/* Returns whether standard input has ended; what is typed there is of no account. */
static bool input_ended(void)
{
    char ignored[256];
    ssize_t n = read(STDIN_FILENO, ignored, sizeof ignored);
    return n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN);
}

static void serve(struct server *server)
{
    struct epoll_event events[EVENTS];
    for (;;) { /* until standard input ends */
        int count = epoll_wait(server->poll, events, EVENTS, -1);
        if (count < 0 && errno != EINTR)
            el_bench_die("epoll_wait", errno);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO) {
                if (input_ended())
                    return;
            } else if (fd == server->listener) {
                accept_all(server);
            } else if (server->peers[fd].pending != NULL) {
                echo_rest(server, fd);
            } else if (server->mode == MODE_SOURCE &&
                       !(events[i].events & (EPOLLIN | EPOLLERR))) {
                source(server, fd);
            } else {
                receive(server, fd);
            }
        }
    }
}

static void start_listening(struct server *server)
{
    server->poll = epoll_create1(EPOLL_CLOEXEC);
    if (server->poll < 0)
        el_bench_die("epoll_create1", errno);
    watch(server, EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN);
    server->listener = el_bench_listen(SOCK_NONBLOCK);
    watch(server, EPOLL_CTL_ADD, server->listener, EPOLLIN);
}

static void take_arguments(struct server *server, int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "echo") == 0) {
        server->mode = MODE_ECHO;
    } else if (argc == 2 && strcmp(argv[1], "silent") == 0) {
        server->mode = MODE_SILENT;
    } else if (argc == 3 && strcmp(argv[1], "source") == 0) {
        server->mode = MODE_SOURCE;
        server->source_bytes = el_bench_number(argv[2], "BYTES", EL_BENCH_PERIOD,
                                               1ull << 50);
        if (server->source_bytes % EL_BENCH_PERIOD != 0)
            el_bench_die("BYTES must be a multiple of 64", 0);
        el_bench_stream_fill(server->out, sizeof server->out);
    } else {
        fprintf(stderr, "usage: %s echo | source BYTES | silent\n", argv[0]);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL)
        el_bench_die("calloc", errno);
    take_arguments(server, argc, argv);
    uint64_t limit = el_bench_need_files(64);
    server->files = limit < MAX_FILES ? (size_t)limit : MAX_FILES;
    server->peers = calloc(server->files, sizeof *server->peers);
    if (server->peers == NULL)
        el_bench_die("calloc", errno);
    start_listening(server);
    serve(server);
    for (size_t i = 0; i < server->files; i++)
        free(server->peers[i].pending);
    free(server->peers);
    close(server->poll);
    close(server->listener);
    free(server);
    return 0;
}
