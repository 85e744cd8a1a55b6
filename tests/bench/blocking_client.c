/* One connection, a line to and fro, with sockets that block: the least that a round trip
 * can take. The wall time leaves the start of the process out.
 *
 *   blocking_client PORT ROUNDS */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s PORT ROUNDS\n", argv[0]);
        return 2;
    }
    uint16_t port = (uint16_t)el_bench_number(argv[1], "PORT", 1, 65535);
    uint64_t rounds = el_bench_number(argv[2], "ROUNDS", 1, 1000000000);
    el_bench_deadline(600);

    struct el_bench_talk talk;
    el_bench_talk_init(&talk, 1, rounds);
    int fd = el_bench_connect(port);
    char in[4096];
    uint64_t bytes = 0;
    uint64_t started_ns = el_bench_now_ns();
    while (talk.left > 0) {
        ssize_t n = send(fd, talk.line, EL_BENCH_LINE, MSG_NOSIGNAL);
        if (n != EL_BENCH_LINE)
            el_bench_die("send", n < 0 ? errno : 0);
        bool whole = false;
        while (!whole) {
            n = recv(fd, in, sizeof in, 0);
            if (n <= 0)
                el_bench_die("recv: the server has gone", n < 0 ? errno : 0);
            bytes += (uint64_t)n;
            whole = el_bench_talk_take(&talk, in, (size_t)n);
        }
    }
    el_bench_report(rounds, bytes, el_bench_now_ns() - started_ns);
    close(fd);
    return 0;
}
