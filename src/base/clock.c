#include "base/clock.h"

#include <time.h>

#define FOREVER_S 3.2e9

/* The coarse clock costs a tenth of the exact one and lags by up to a tick of the kernel, at
 * most 1/100 s: so much is added, and no deadline is early. */
#define COARSE_NS (10 * EL_NS_PER_MS)

uint64_t el_clock_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock on Linux */
    return (uint64_t)ts.tv_sec * EL_NS_PER_S + (uint64_t)ts.tv_nsec + 1;
}

uint64_t el_clock_cpu_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * EL_NS_PER_S + (uint64_t)ts.tv_nsec;
}

double el_clock_unix(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

uint64_t el_clock_deadline(double seconds)
{
    if (seconds >= FOREVER_S)
        return 0;
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return (uint64_t)ts.tv_sec * EL_NS_PER_S + (uint64_t)ts.tv_nsec + COARSE_NS +
           (uint64_t)(seconds * 1e9);
}
