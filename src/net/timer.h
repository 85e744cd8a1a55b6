/* timer.h - one-shot timers on the monotonic clock.
 * A timer lives on the heap and is its maker's. One thread: the loop's. */
#ifndef EL_NET_TIMER_H
#define EL_NET_TIMER_H

#include <stdint.h>

#include "net/loop.h"

/* `fire` is called from the loop, never from start. */
struct el_timer;
typedef void el_timer_fn(void *arg);

/* NULL when memory is out. */
struct el_timer *el_timer_new(struct el_loop *loop, el_timer_fn *fire, void *arg);

/* (Re)starts it to fire at the monotonic moment `due_ns` or up to 3 ms later. */
void el_timer_start(struct el_timer *t, uint64_t due_ns);
void el_timer_stop(struct el_timer *t);

/* `fire` is not called any more. NULL is allowed. */
void el_timer_free(struct el_timer *t);

#endif
