#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

_Noreturn void el_bench_die(const char *what, int error)
{
    if (error != 0)
        fprintf(stderr, "%s: %s\n", what, strerror(error));
    else
        fprintf(stderr, "%s\n", what);
    exit(1);
}

uint64_t el_bench_number(const char *text, const char *name, uint64_t lo, uint64_t hi)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    /* strtoull takes a sign and spaces, which are no number of anything here */
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value < lo ||
        value > hi) {
        fprintf(stderr, "%s: a number of %" PRIu64 " to %" PRIu64 ", not '%s'\n", name,
                lo, hi, text);
        exit(2);
    }
    return value;
}

uint64_t el_bench_now_ns(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        el_bench_die("clock_gettime", errno);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void el_bench_deadline(unsigned seconds)
{
    alarm(seconds);
}

uint64_t el_bench_need_files(uint64_t count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        el_bench_die("getrlimit", errno);
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        el_bench_die("setrlimit", errno);
    if (limit.rlim_cur < count) {
        fprintf(stderr,
                "%" PRIu64 " open files are needed, the limit is %" PRIu64
                " (ulimit -Hn)\n",
                count, (uint64_t)limit.rlim_cur);
        exit(1);
    }
    return limit.rlim_cur;
}

int el_bench_listen(int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0)
        el_bench_die("socket", errno);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t size = sizeof address;
    if (bind(fd, (struct sockaddr *)&address, size) != 0)
        el_bench_die("bind", errno);
    if (listen(fd, 4096) != 0) /* many clients connect all at once */
        el_bench_die("listen", errno);
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        el_bench_die("getsockname", errno);
    printf("%u\n", (unsigned)ntohs(address.sin_port));
    if (fflush(stdout) != 0)
        el_bench_die("stdout", errno);
    return fd;
}

void el_bench_nodelay(int fd)
{
    int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        el_bench_die("TCP_NODELAY", errno);
}

int el_bench_connect(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        el_bench_die("socket", errno);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        el_bench_die("connect", errno);
    el_bench_nodelay(fd);
    return fd;
}

void el_bench_talk_init(struct el_bench_talk *talk, uint64_t number, uint64_t rounds)
{
    char text[EL_BENCH_LINE];
    snprintf(text, sizeof text, "%031" PRIu64, number);
    memcpy(talk->line, text, EL_BENCH_LINE - 1);
    talk->line[EL_BENCH_LINE - 1] = '\n';
    talk->have = 0;
    talk->left = rounds;
}

bool el_bench_talk_take(struct el_bench_talk *talk, const char *data, size_t size)
{
    if (size > EL_BENCH_LINE - talk->have)
        el_bench_die("more came back than was sent", 0);
    memcpy(talk->got + talk->have, data, size);
    talk->have += size;
    const char *end = memchr(talk->got, '\n', talk->have);
    if (end == NULL && talk->have < EL_BENCH_LINE)
        return false;
    if (talk->have < EL_BENCH_LINE || memcmp(talk->got, talk->line, EL_BENCH_LINE) != 0)
        el_bench_die("the line that came back is another one", 0);
    talk->have = 0;
    talk->left--;
    return true;
}

/* One period of the stream; receive.lua builds the same. */
static const char period[EL_BENCH_PERIOD + 1] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void el_bench_stream_fill(char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = period[i % EL_BENCH_PERIOD];
}

void el_bench_stream_check_end(const char *data, size_t size)
{
    size_t tail = size < EL_BENCH_PERIOD ? size : EL_BENCH_PERIOD;
    if (memcmp(data + size - tail, period + EL_BENCH_PERIOD - tail, tail) != 0)
        el_bench_die("the stream does not end as it should", 0);
}

void el_bench_report(uint64_t round_trips, uint64_t bytes, uint64_t wall_ns)
{
    printf("round_trips=%" PRIu64 " bytes=%" PRIu64 " wall_ns=%" PRIu64 "\n", round_trips,
           bytes, wall_ns);
    if (fflush(stdout) != 0)
        el_bench_die("stdout", errno);
}
