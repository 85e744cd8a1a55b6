/* worker.h - the worker process: runs test files for a supervisor, each in a fresh Lua
 * state. One thread. */
#ifndef EL_APP_WORKER_H
#define EL_APP_WORKER_H

/* Serves jobs from EL_WORKER_FD, one JSON object a line, until it ends. The exit status. */
int el_worker_main(void);

#endif
