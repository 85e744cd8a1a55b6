/* session.h - ends what a worker and its scripts have started, in whatever process group.
 * Stateless; any thread. */
#ifndef EL_APP_SESSION_H
#define EL_APP_SESSION_H

#include <sys/types.h>

/* Sends SIGKILL to every process of the session. Its number stays taken as long as it has a
 * member, so that nobody else is meant. */
void el_session_kill(pid_t session);

#endif
