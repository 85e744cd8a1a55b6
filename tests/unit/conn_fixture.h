/* conn_fixture.h - a connection under test, and the plain socket at its other end.
 * fixture_close ends both; the loop is the test's. */
#ifndef CONN_FIXTURE_H
#define CONN_FIXTURE_H

#include "loopback.h"
#include "net/conn.h"

struct fixture {
    struct el_loop *loop;
    struct el_conn *conn; /* NULL: freed by the test */
    int peer;             /* -1: closed by the test; otherwise not blocking */
};

/* Somebody that waits; the await comes first. */
struct waiter {
    struct el_await await;
    bool done;
    int status, calls;
    struct el_conn *conn; /* for the test's own use */
};

struct fixture fixture_open(struct el_loop *loop, size_t max_buffer);
void fixture_close(struct fixture *f);

/* Closes the peer with RST. */
void fixture_reset_peer(struct fixture *f);

/* For el_await.done. */
void note_done(struct el_await *a, int status);

/* An el_ready_fn that fails with EL_EMISMATCH. */
el_ready_fn never_matches;

/* Begins the wait, which has to succeed. */
void wait_for(struct fixture *f, struct waiter *w);

/* Runs the loop until the wait is over; its status has to be this one. */
void until_done(struct fixture *f, struct waiter *w, int status);
void until_over(struct fixture *f, struct waiter *w);

/* Runs the loop until at least `n` bytes are unread. */
void until_rx(struct fixture *f, size_t n);

/* The unread bytes are these, all of them having come. */
void assert_rx(struct fixture *f, const char *bytes);

#endif
