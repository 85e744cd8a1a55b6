/* budget.h - how much of the processor's time a search may take before it is given up.
 * A search tries a place behind every byte; that each of them is cheap does not make all of them
 * so. Values only. */
#ifndef EL_MATCH_BUDGET_H
#define EL_MATCH_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define EL_BUDGET_S 1

/* What is too short to be worth a look at the clock. */
#define EL_BUDGET_SHORT_NS 1000000u

struct el_budget {
    uint64_t began_ns, looked_ns; /* 0: the clock was not looked at yet */
    uint32_t stride;              /* places between two looks at the clock, */
    uint32_t left;                /* and those that are left of them */
};

/* Begins anew. */
void el_budget_begin(struct el_budget *b);

/* Notes another place. False once the time is up. */
bool el_budget_take(struct el_budget *b);

#endif
