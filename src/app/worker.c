#include "app/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "app/host.h"
#include "app/workers.h"
#include "app/vm.h"
#include "base/buf.h"

/* Reads up to and with the next LF. Its length, 0 at the end, or a negative errno. */
static ssize_t read_line(struct el_buf *in)
{
    for (size_t seen = 0;;) {
        const char *lf = in->len > seen
                             ? memchr(el_buf_data(in) + seen, '\n', in->len - seen)
                             : NULL;
        if (lf != NULL)
            return lf - el_buf_data(in) + 1;
        seen = in->len;
        int err = el_buf_reserve(in, 4096);
        if (err != 0)
            return err;
        ssize_t n = read(EL_WORKER_FD, el_buf_data(in) + in->len, el_buf_tail(in));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        in->len += (size_t)n;
    }
}

/* What C must know of a job before there is a Lua state; the rest is for its Lua. */
static size_t memory_limit_of(const char *job, size_t len)
{
    json_t *v = json_loadb(job, len, 0, NULL);
    json_int_t limit = json_integer_value(json_object_get(v, "memory_limit"));
    json_decref(v);
    return limit > 0 ? (size_t)limit : 0;
}

static int run_job(const char *job, size_t len)
{
    lua_State *L = el_vm_new(memory_limit_of(job, len), EL_WORKER_FD);
    if (L == NULL)
        return -1;
    luaL_requiref(L, "echolot.host", luaopen_echolot_host, 0);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "echolot.run.worker");
    int err = el_vm_call(L, 1);
    if (err == 0) {
        lua_pushlstring(L, job, len);
        err = el_vm_call(L, 1);
    }
    if (err != 0)
        fprintf(stderr, "echolot: internal error: %s\n", lua_tostring(L, -1));
    (void)fflush(stdout);
    el_vm_free(L);
    return err;
}

int el_worker_main(void)
{
    struct el_buf in = {0};
    ssize_t n;
    int err = 0;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* What a script starts shall not keep the channel open when the worker has ended. */
    (void)fcntl(EL_WORKER_FD, F_SETFD, FD_CLOEXEC);
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    while (err == 0 && (n = read_line(&in)) > 0) {
        err = run_job(el_buf_data(&in), (size_t)n);
        el_buf_consume(&in, (size_t)n);
    }
    el_buf_fini(&in);
    return err == 0 ? 0 : 3;
}
