#include "match/budget.h"

#include "base/clock.h"

#define STRIDE_MAX 4096u

/* Places that are free: bytes that come one by one need no look at the clock each. */
#define FREE_PLACES 8u

void el_budget_begin(struct el_budget *b)
{
    *b = (struct el_budget){.left = FREE_PLACES};
}

/* The clock is looked at the more rarely the less the places take. */
bool el_budget_take(struct el_budget *b)
{
    if (b->left > 0) {
        b->left--;
        return true;
    }
    uint64_t now_ns = el_clock_cpu_ns();
    if (b->began_ns == 0) {
        b->began_ns = now_ns;
        b->stride = 0;
    } else if (now_ns - b->looked_ns > EL_BUDGET_SHORT_NS) {
        b->stride /= 2;
    } else if (b->stride < STRIDE_MAX) {
        b->stride = 2 * b->stride + 1;
    }
    b->looked_ns = now_ns;
    b->left = b->stride;
    return now_ns - b->began_ns <= EL_BUDGET_S * EL_NS_PER_S;
}
