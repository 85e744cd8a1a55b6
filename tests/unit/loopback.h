/* loopback.h - a loop that cannot hang a test, and plain sockets as the other side.
 * Everything is on 127.0.0.1, on ports that the system chooses. */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "net/loop.h"
#include "unit.h"

/* Setup and teardown of a test: *state is its loop. */
int loopback_setup(void **state);
int loopback_teardown(void **state);

/* Runs the loop until *flag holds; fails the test after 20 seconds. */
void loopback_until(struct el_loop *loop, const bool *flag);

/* One turn of the loop that waits for nothing. */
void loopback_turn(struct el_loop *loop);

/* A listening socket; *address is where. */
int loopback_listen(int backlog, struct sockaddr_in *address);

/* A connected pair, both blocking. */
void loopback_pair(int *one, int *other);

void loopback_nonblocking(int fd);

/* Writes all of it, without the loop; fails the test if that is refused. */
void loopback_write(int fd, const void *data, size_t n);

/* Reads `n` bytes from a non-blocking socket while the loop runs. */
void loopback_read(struct el_loop *loop, int fd, void *data, size_t n);

/* Reads from a non-blocking socket while the loop runs, up to the end: the count of bytes that
 * were dropped, or -errno. */
ssize_t loopback_drain(struct el_loop *loop, int fd);

#endif
