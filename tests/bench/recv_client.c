/* One connection that receives until the server has finished, and drops what it receives:
 * how fast bytes can come in at all. It looks at the count of them and at the last ones.
 *
 *   recv_client PORT BYTES   (as many as the source was told to send) */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s PORT BYTES\n", argv[0]);
        return 2;
    }
    uint16_t port = (uint16_t)el_bench_number(argv[1], "PORT", 1, 65535);
    uint64_t expected = el_bench_number(argv[2], "BYTES", EL_BENCH_PERIOD, 1ull << 50);
    el_bench_deadline(600);

    int fd = el_bench_connect(port);
    char in[EL_BENCH_CHUNK];
    uint64_t bytes = 0;
    size_t last = 0;
    uint64_t started_ns = el_bench_now_ns();
    for (;;) { /* until the server ends its half, or the program's deadline */
        ssize_t n = recv(fd, in, sizeof in, 0);
        if (n < 0)
            el_bench_die("recv", errno);
        if (n == 0)
            break;
        bytes += (uint64_t)n;
        last = (size_t)n;
    }
    uint64_t wall_ns = el_bench_now_ns() - started_ns;
    if (bytes != expected)
        el_bench_die("the stream has another length", 0);
    el_bench_stream_check_end(in, last);
    el_bench_report(0, bytes, wall_ns);
    close(fd);
    return 0;
}
