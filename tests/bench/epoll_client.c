/* Many connections, a line to and fro on each, on nothing but epoll: what the work itself
 * costs. Level-triggered, one receive an event, as a careful program would be written.
 *
 *   epoll_client PORT CONNECTIONS ROUNDS   (round trips of each connection) */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 1024 };

struct client {
    int fd;
    struct el_bench_talk talk;
};

struct totals {
    uint64_t round_trips, bytes;
};

static void say(struct client *client)
{
    ssize_t n = send(client->fd, client->talk.line, EL_BENCH_LINE, MSG_NOSIGNAL);
    if (n != EL_BENCH_LINE) /* nothing else is under way, so there is always room */
        el_bench_die("send", n < 0 ? errno : 0);
}

/* Returns whether the client has finished. */
static bool hear(struct client *client, struct totals *totals)
{
    char in[4096];
    ssize_t n = recv(client->fd, in, sizeof in, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0)
        el_bench_die("recv: the server has gone", n < 0 ? errno : 0);
    totals->bytes += (uint64_t)n;
    if (!el_bench_talk_take(&client->talk, in, (size_t)n))
        return false;
    totals->round_trips++;
    if (client->talk.left == 0)
        return true;
    say(client);
    return false;
}

static void open_all(struct client *clients, uint64_t count, uint64_t rounds,
                     uint16_t port, int poll)
{
    for (uint64_t i = 0; i < count; i++) {
        clients[i].fd = el_bench_connect(port);
        el_bench_talk_init(&clients[i].talk, i, rounds);
        int flags = fcntl(clients[i].fd, F_GETFL);
        if (flags < 0 || fcntl(clients[i].fd, F_SETFL, flags | O_NONBLOCK) != 0)
            el_bench_die("O_NONBLOCK", errno);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].fd, &event) != 0)
            el_bench_die("epoll_ctl", errno);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s PORT CONNECTIONS ROUNDS\n", argv[0]);
        return 2;
    }
    uint16_t port = (uint16_t)el_bench_number(argv[1], "PORT", 1, 65535);
    uint64_t count = el_bench_number(argv[2], "CONNECTIONS", 1, 60000);
    uint64_t rounds = el_bench_number(argv[3], "ROUNDS", 1, 1000000000);
    el_bench_deadline(600);
    el_bench_need_files(count + 16);

    struct client *clients = calloc(count, sizeof *clients);
    int poll = epoll_create1(EPOLL_CLOEXEC);
    if (clients == NULL || poll < 0)
        el_bench_die("start", errno);
    open_all(clients, count, rounds, port, poll);

    struct totals totals = {0};
    struct epoll_event events[EVENTS];
    uint64_t started_ns = el_bench_now_ns();
    for (uint64_t i = 0; i < count; i++)
        say(&clients[i]);
    for (uint64_t open = count; open > 0;) {
        int ready = epoll_wait(poll, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR)
            el_bench_die("epoll_wait", errno);
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            if (hear(client, &totals)) {
                close(client->fd);
                open--;
            }
        }
    }
    el_bench_report(totals.round_trips, totals.bytes, el_bench_now_ns() - started_ns);
    close(poll);
    free(clients);
    return 0;
}
