/* clock.h - the two clocks: monotonic for every wait, wall time for reports only.
 * Stateless; any thread may call. */
#ifndef EL_BASE_CLOCK_H
#define EL_BASE_CLOCK_H

#include <stdint.h>

#define EL_NS_PER_S 1000000000ull
#define EL_NS_PER_MS 1000000ull

/* Monotonic nanoseconds from an arbitrary start; never 0. */
uint64_t el_clock_ns(void);

/* Processor time of this thread, in nanoseconds. */
uint64_t el_clock_cpu_ns(void);

/* Seconds since 1970-01-01 UTC. */
double el_clock_unix(void);

/* The moment `seconds` from now on the monotonic clock, or up to 10 ms later; 0 ("never") for infinity and for
 * what lies beyond 100 years. `seconds` is not negative and not NaN. */
uint64_t el_clock_deadline(double seconds);

#endif
