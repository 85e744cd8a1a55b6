/* The same conversation as epoll_client.c on plain libuv: what the event loop below
 * Echolot costs, and so how much of a ratio is Echolot's own.
 *
 *   uv_client PORT CONNECTIONS ROUNDS   (round trips of each connection) */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

struct run {
    uint64_t round_trips, bytes;
    char in[EL_BENCH_CHUNK]; /* one for all: it is emptied before the next read */
};

struct client {
    uv_tcp_t tcp; /* first, so that the handle is the client; its data is the run */
    uv_connect_t connect;
    struct el_bench_talk talk;
};

static void check(int status, const char *what)
{
    if (status >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, uv_strerror(status));
    exit(1);
}

static void say(struct client *client)
{
    uv_buf_t line = uv_buf_init(client->talk.line, EL_BENCH_LINE);
    int n = uv_try_write((uv_stream_t *)&client->tcp, &line, 1);
    check(n, "uv_try_write");
    if (n != EL_BENCH_LINE) /* nothing else is under way, so there is always room */
        el_bench_die("uv_try_write took part of a line", 0);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct run *run = handle->data;
    *buf = uv_buf_init(run->in, sizeof run->in);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *client = (struct client *)stream;
    struct run *run = stream->data;
    check((int)n, "uv_read");
    run->bytes += (uint64_t)n;
    if (!el_bench_talk_take(&client->talk, buf->base, (size_t)n))
        return;
    run->round_trips++;
    if (client->talk.left == 0)
        uv_close((uv_handle_t *)stream, NULL);
    else
        say(client);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct client *client = request->data;
    check(status, "uv_tcp_connect");
    check(uv_tcp_nodelay(&client->tcp, 1), "uv_tcp_nodelay");
    check(uv_read_start((uv_stream_t *)&client->tcp, on_alloc, on_read), "uv_read_start");
    say(client);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s PORT CONNECTIONS ROUNDS\n", argv[0]);
        return 2;
    }
    int port = (int)el_bench_number(argv[1], "PORT", 1, 65535);
    uint64_t count = el_bench_number(argv[2], "CONNECTIONS", 1, 60000);
    uint64_t rounds = el_bench_number(argv[3], "ROUNDS", 1, 1000000000);
    el_bench_deadline(600);
    el_bench_need_files(count + 16);

    struct client *clients = calloc(count, sizeof *clients);
    struct run *run = calloc(1, sizeof *run);
    if (clients == NULL || run == NULL)
        el_bench_die("calloc", errno);
    uv_loop_t loop;
    check(uv_loop_init(&loop), "uv_loop_init");
    struct sockaddr_in address;
    check(uv_ip4_addr("127.0.0.1", port, &address), "uv_ip4_addr");

    uint64_t started_ns = el_bench_now_ns();
    for (uint64_t i = 0; i < count; i++) {
        struct client *client = &clients[i];
        el_bench_talk_init(&client->talk, i, rounds);
        check(uv_tcp_init(&loop, &client->tcp), "uv_tcp_init");
        client->tcp.data = run;
        client->connect.data = client;
        check(uv_tcp_connect(&client->connect, &client->tcp,
                             (const struct sockaddr *)&address, on_connect),
              "uv_tcp_connect");
    }
    check(uv_run(&loop, UV_RUN_DEFAULT), "uv_run");
    el_bench_report(run->round_trips, run->bytes, el_bench_now_ns() - started_ns);
    check(uv_loop_close(&loop), "uv_loop_close");
    free(run);
    free(clients);
    return 0;
}
