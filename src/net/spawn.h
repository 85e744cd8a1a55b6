/* spawn.h - starts a program with pipes for its standard files, in a process group of its own.
 * What comes of it is the caller's: nothing is kept. Any thread; the program is killed
 * when the thread that started it ends. */
#ifndef EL_NET_SPAWN_H
#define EL_NET_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

enum el_spawn_input {
    EL_INPUT_PIPE,  /* what we write */
    EL_INPUT_BYTES, /* a file that holds `bytes` */
    EL_INPUT_NONE,  /* /dev/null */
};

struct el_spawn_options {
    char *const *argv; /* NULL-ended; argv[0] is looked for in the PATH of `envp` */
    char *const *envp; /* NULL-ended */
    const char *cwd;   /* NULL: ours */
    enum el_spawn_input input;
    const char *bytes;
    size_t bytes_len;
};

/* Descriptors close on exec; our ends of the pipes do not block. */
struct el_spawned {
    pid_t pid;  /* of its group, too */
    int pidfd;  /* readable once it has ended */
    int input;  /* -1 but for EL_INPUT_PIPE */
    int output; /* standard output */
    int errors; /* standard error */
};

/* At what it failed. */
enum el_spawn_step { EL_SPAWN_SETUP, EL_SPAWN_CWD, EL_SPAWN_EXEC };

/* Returns once the program runs: 0, or a negative errno with *step set. It begins with every
 * signal at its default, and with no descriptor but the three. */
int el_spawn_start(const struct el_spawn_options *options, struct el_spawned *out,
                   enum el_spawn_step *step) __attribute__((warn_unused_result));

#endif
