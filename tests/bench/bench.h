/* bench.h - what the programs of the benchmark share: numbers, loopback sockets, the
 * clock, the line that goes round, the stream that is received, the line of results.
 *
 * Everything is the caller's storage. One thread. A failure ends the program with a
 * message and status 1: a client that went on after one would measure something else. */
#ifndef EL_BENCH_H
#define EL_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EL_BENCH_LINE = 32,     /* bytes of one line, its LF among them */
    EL_BENCH_PERIOD = 64,   /* the source repeats itself after so many bytes */
    EL_BENCH_CHUNK = 65536, /* bytes asked for in one receive */
};

/* One connection's side of the conversation: what it says, and what has come back of it.
 */
struct el_bench_talk {
    char line[EL_BENCH_LINE];
    char got[EL_BENCH_LINE];
    size_t have;   /* bytes of `got` that have arrived */
    uint64_t left; /* round trips still to do */
};

/* Prints the message, and the text of `error` where it is an errno, and ends the program.
 */
_Noreturn void el_bench_die(const char *what, int error);

/* A decimal number of lo to hi; anything else ends the program, naming `name`. */
uint64_t el_bench_number(const char *text, const char *name, uint64_t lo, uint64_t hi);

/* Monotonic. */
uint64_t el_bench_now_ns(void);

/* Ends the program by SIGALRM when it still runs after so long, whatever it waits for. A
 * deadline of each wait's own would cost the clients a system call a round trip. */
void el_bench_deadline(unsigned seconds);

/* Raises the limit of open files as far as it goes, returns it, and ends the program
 * where that is less than `count`. */
uint64_t el_bench_need_files(uint64_t count);

/* A listening TCP socket on a free port of 127.0.0.1, which it prints on standard output;
 * `flags` are of socket(). The caller closes it. */
int el_bench_listen(int flags);

/* Answers at once, as every socket of the benchmark does. */
void el_bench_nodelay(int fd);

/* A connected TCP socket to 127.0.0.1 with TCP_NODELAY, blocking; the caller closes it.
 */
int el_bench_connect(uint16_t port);

/* Each connection says a line of its own, so that a mix-up between them is noticed. */
void el_bench_talk_init(struct el_bench_talk *talk, uint64_t number, uint64_t rounds);

/* Takes bytes that arrived, and returns whether they complete the line. A line other than
 * the one that was said, or bytes behind it, end the program. */
bool el_bench_talk_take(struct el_bench_talk *talk, const char *data, size_t size);

/* The source's stream from its start. */
void el_bench_stream_fill(char *data, size_t size);

/* Ends the program unless `data` is how a stream of whole periods ends. */
void el_bench_stream_check_end(const char *data, size_t size);

/* What run.py reads. */
void el_bench_report(uint64_t round_trips, uint64_t bytes, uint64_t wall_ns);

#endif
