/* signals.h - SIGINT and SIGTERM: the first ends the run in order, the second at once.
 * One user a process, the main thread. */
#ifndef EL_APP_SIGNALS_H
#define EL_APP_SIGNALS_H

#include "bind/ctx.h"

/* From now on the first signal stops the context's scheduler (el_sched_drive ends with
 * EL_ECANCELLED) and, where the script computes without waiting, raises an error in it; a
 * second, or two seconds, end the process with 128 + its number. 0 or a negative errno. */
int el_signals_install(struct el_ctx *ctx) __attribute__((warn_unused_result));

/* The signal that came, or 0. */
int el_signals_caught(void);

/* The context is about to end: a signal ends the process from now on. */
void el_signals_release(void);

#endif
