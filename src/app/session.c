#include "app/session.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* One that forks meanwhile is met again; one that makes new groups for ever is not followed. */
#define ROUNDS 20

/* The group of a living process, where it belongs to the session; else 0. */
static pid_t group_within(const char *pid, pid_t session)
{
    char path[64], text[512];
    char state;
    int parent, group, its_session;
    (void)snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    const char *rest = strrchr(text, ')'); /* the name before it may hold anything */
    if (rest == NULL ||
        sscanf(rest + 1, " %c %d %d %d", &state, &parent, &group, &its_session) != 4)
        return 0;
    return its_session == session && strchr("ZX", state) == NULL ? group : 0;
}

/* Whether there was anybody. */
static bool kill_groups(pid_t session)
{
    bool found = false;
    DIR *d = opendir("/proc");
    if (d == NULL)
        return false;
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (e->d_name[0] < '0' || e->d_name[0] > '9')
            continue;
        pid_t group = group_within(e->d_name, session);
        if (group > 0) {
            (void)kill(-group, SIGKILL);
            found = true;
        }
    }
    (void)closedir(d);
    return found;
}

void el_session_kill(pid_t session)
{
    /* The leader's group first, at once and as a whole: what it could still start is in it. */
    (void)kill(-session, SIGKILL);
    for (int i = 0; i < ROUNDS && kill_groups(session); i++)
        continue;
}
