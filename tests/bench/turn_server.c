/* A blocking echo server that lets several clients take turns, and measures their turns.
 *
 *   turn_server CLIENTS TURNS LENGTH
 *
 * Each client makes TURNS x LENGTH round trips of a line on one connection. The server
 * holds back the reply that ends a client's turn until that client's next one, so at any
 * time one of them is at work and the rest wait. A turn takes milliseconds: what the
 * machine does to one client (its clock, its neighbours) it does to all of them alike,
 * which whole runs of seconds, one after the other, do not give.
 *
 * It listens on a free port of 127.0.0.1 and prints that port, then "connected" for each
 * client, so that whoever starts them knows which is which; once standard input ends, for
 * every turn a line with the nanoseconds of each client. */
#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { MAX_CLIENTS = 8, WAIT_S = 60 };

struct peer {
    int fd;
    char line[EL_BENCH_LINE]; /* the reply held back */
};

static void reply(const struct peer *peer)
{
    ssize_t n = send(peer->fd, peer->line, EL_BENCH_LINE, MSG_NOSIGNAL);
    if (n != EL_BENCH_LINE) /* nothing else is under way, so there is always room */
        el_bench_die("send", n < 0 ? errno : 0);
}

static void hear(struct peer *peer)
{
    size_t have = 0;
    while (have < EL_BENCH_LINE) {
        ssize_t n = recv(peer->fd, peer->line + have, EL_BENCH_LINE - have, 0);
        if (n <= 0)
            el_bench_die("recv: a client has gone", n < 0 ? errno : 0);
        have += (size_t)n;
    }
}

/* So that the server goes when whoever started it has gone before all clients came. */
static void limit_waits(int fd)
{
    struct timeval wait = {.tv_sec = WAIT_S};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0)
        el_bench_die("SO_RCVTIMEO", errno);
}

static void greet(struct peer *peer, int listener)
{
    peer->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (peer->fd < 0)
        el_bench_die("accept", errno);
    el_bench_nodelay(peer->fd);
    limit_waits(peer->fd);
    hear(peer);
    printf("connected\n");
    if (fflush(stdout) != 0)
        el_bench_die("stdout", errno);
}

static uint64_t turn_ns(struct peer *peer, uint64_t length)
{
    uint64_t started_ns = el_bench_now_ns();
    for (uint64_t i = 0; i < length; i++) {
        reply(peer);
        hear(peer);
    }
    return el_bench_now_ns() - started_ns;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s CLIENTS TURNS LENGTH\n", argv[0]);
        return 2;
    }
    size_t count = el_bench_number(argv[1], "CLIENTS", 1, MAX_CLIENTS);
    uint64_t turns = el_bench_number(argv[2], "TURNS", 2, 1000000);
    uint64_t length = el_bench_number(argv[3], "LENGTH", 2, 1000000);
    el_bench_deadline(1200);

    uint64_t *measured_ns = calloc(turns * count, sizeof *measured_ns);
    if (measured_ns == NULL)
        el_bench_die("calloc", errno);
    struct peer peers[MAX_CLIENTS];
    int listener = el_bench_listen(0);
    limit_waits(listener);
    for (size_t i = 0; i < count; i++)
        greet(&peers[i], listener);

    /* A client's first line came with its greeting and its last reply follows below, so
     * the last turn is one line short: it is played, and not counted. */
    for (uint64_t turn = 0; turn < turns; turn++) {
        for (size_t i = 0; i < count; i++) {
            bool last = turn == turns - 1;
            measured_ns[turn * count + i] = turn_ns(&peers[i],
                                                    last ? length - 1 : length);
        }
    }
    for (size_t i = 0; i < count; i++) {
        reply(&peers[i]);
        close(peers[i].fd);
    }
    close(listener);

    char ignored[256];
    while (read(STDIN_FILENO, ignored, sizeof ignored) > 0)
        continue; /* until whoever started this has seen to the clients */
    for (uint64_t turn = 0; turn < turns - 1; turn++)
        for (size_t i = 0; i < count; i++)
            printf("%" PRIu64 "%c", measured_ns[turn * count + i],
                   i == count - 1 ? '\n' : ' ');
    free(measured_ns);
    return fflush(stdout) == 0 ? 0 : 1;
}
