#include "net/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STANDARD_FILES 3

extern char **environ;

/* Linux 5.11; the C library's header may be older. */
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* What a child that could not become the program says of it. */
struct report {
    enum el_spawn_step step;
    int err;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* --- the child, between fork and exec: only calls that are allowed in a signal handler ------- */

static void __attribute__((noreturn)) give_up(int report_fd, enum el_spawn_step step)
{
    struct report r = {.step = step, .err = errno};
    ssize_t n = write(report_fd, &r, sizeof(r));
    _exit(n == (ssize_t)sizeof(r) ? 127 : 126);
}

/* Out of the way of the three that are going to be replaced. */
static int lift(int fd)
{
    return fd >= STANDARD_FILES ? fd : fcntl(fd, F_DUPFD_CLOEXEC, STANDARD_FILES);
}

/* What the script or its host has open, perhaps without the flag, is none of the program's. */
static void close_others_on_exec(void)
{
    struct rlimit limit;
    if (syscall(SYS_close_range, STANDARD_FILES, ~0U, CLOSE_RANGE_CLOEXEC) == 0 ||
        getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    for (int fd = STANDARD_FILES; (rlim_t)fd < limit.rlim_cur; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void reset_signals(void)
{
    struct sigaction act = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &act, NULL); /* some cannot be, and need not */
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn))
become(const struct el_spawn_options *options, const int *files, int report_fd,
       pid_t parent)
{
    int lifted[STANDARD_FILES];
    report_fd = lift(report_fd);
    for (int i = 0; i < STANDARD_FILES; i++)
        lifted[i] = lift(files[i]);
    for (int i = 0; i < STANDARD_FILES; i++) {
        if (dup2(lifted[i], i) < 0)
            give_up(report_fd, EL_SPAWN_SETUP);
    }
    close_others_on_exec();
    if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        give_up(report_fd, EL_SPAWN_SETUP);
    if (getppid() != parent) /* it has ended before we asked to be told */
        _exit(127);
    reset_signals();
    if (options->cwd != NULL && chdir(options->cwd) != 0)
        give_up(report_fd, EL_SPAWN_CWD);
    environ = (char **)options->envp;
    (void)execvp(options->argv[0], options->argv);
    give_up(report_fd, EL_SPAWN_EXEC);
}

/* --- the parent ------------------------------------------------------------------------------- */

static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? 0 : -errno;
}

/* A pipe of which `ours` is the end that does not block. */
static int open_pipe(int *theirs, int *ours, bool we_read)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return -errno;
    *ours = we_read ? fds[0] : fds[1];
    *theirs = we_read ? fds[1] : fds[0];
    return set_nonblocking(*ours);
}

/* A file without a name, so that any number of bytes can be given before the program runs. */
static int open_bytes(const char *bytes, size_t n, int *theirs)
{
    *theirs = memfd_create("stdin", MFD_CLOEXEC);
    if (*theirs < 0)
        return -errno;
    while (n > 0) {
        ssize_t written = write(*theirs, bytes, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        bytes += written;
        n -= (size_t)written;
    }
    return lseek(*theirs, 0, SEEK_SET) == 0 ? 0 : -errno;
}

static int open_files(const struct el_spawn_options *options, int *theirs,
                      struct el_spawned *out)
{
    int err = 0;
    switch (options->input) {
    case EL_INPUT_PIPE:
        err = open_pipe(&theirs[0], &out->input, false);
        break;
    case EL_INPUT_BYTES:
        err = open_bytes(options->bytes, options->bytes_len, &theirs[0]);
        break;
    default:
        theirs[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        err = theirs[0] >= 0 ? 0 : -errno;
    }
    if (err == 0)
        err = open_pipe(&theirs[1], &out->output, true);
    if (err == 0)
        err = open_pipe(&theirs[2], &out->errors, true);
    return err;
}

/* Waits until the child has become the program (the pipe has ended, as it closes on exec), or
 * said why not. */
static int hear(int fd, enum el_spawn_step *step)
{
    struct report r = {.err = 0};
    ssize_t n;
    do
        n = read(fd, &r, sizeof(r));
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof(r)) {
        *step = r.step;
        return -r.err;
    }
    return n < 0 ? -errno : 0;
}

static pid_t fork_quietly(const struct el_spawn_options *options, const int *theirs,
                          int report_fd)
{
    sigset_t all, before;
    pid_t parent = getpid();
    sigfillset(&all);
    /* so that no handler of ours runs in the child */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        become(options, theirs, report_fd, parent);
    int err = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid > 0 ? pid : -err;
}

static int start(const struct el_spawn_options *options, const int *theirs, int *report,
                 struct el_spawned *out, enum el_spawn_step *step)
{
    out->pid = fork_quietly(options, theirs, report[1]);
    close_fd(&report[1]);
    if (out->pid < 0)
        return out->pid;
    int err = hear(report[0], step);
    if (err == 0) {
        out->pidfd = (int)syscall(SYS_pidfd_open, out->pid, 0U); /* closes on exec */
        err = out->pidfd >= 0 ? 0 : -errno;
        if (err != 0)
            (void)kill(-out->pid, SIGKILL);
    }
    if (err != 0)
        (void)waitpid(out->pid, NULL, 0);
    return err;
}

int el_spawn_start(const struct el_spawn_options *options, struct el_spawned *out,
                   enum el_spawn_step *step)
{
    int theirs[STANDARD_FILES] = {-1, -1, -1};
    int report[2] = {-1, -1};
    struct el_spawned s = {.pidfd = -1, .input = -1, .output = -1, .errors = -1};
    *step = EL_SPAWN_SETUP;
    int err = open_files(options, theirs, &s);
    if (err == 0 && pipe2(report, O_CLOEXEC) != 0)
        err = -errno;
    if (err == 0)
        err = start(options, theirs, report, &s, step);
    for (int i = 0; i < STANDARD_FILES; i++)
        close_fd(&theirs[i]);
    close_fd(&report[0]);
    close_fd(&report[1]);
    if (err != 0) {
        close_fd(&s.input);
        close_fd(&s.output);
        close_fd(&s.errors);
        return err;
    }
    *out = s;
    return 0;
}
