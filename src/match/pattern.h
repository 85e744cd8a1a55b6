/* pattern.h - Lua's patterns (manual section 6.4.1) over bytes that are still coming.
 * A pattern is compiled once and owned by the caller, and shared by any number of runs; a run
 * stops where it needs a byte that has not come and goes on from there. One thread a run. */
#ifndef EL_MATCH_PATTERN_H
#define EL_MATCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "match/verdict.h"

#define EL_PATTERN_CAPTURES 32 /* as many as Lua's */
#define EL_PATTERN_LENGTH_MAX ((size_t)1 << 16)

struct el_pattern;

/* Compiles `n` bytes; a '^' at the beginning is implied and may stand there. On failure
 * EL_EUSAGE with *why (a constant) and *where, the offset in the pattern; or -ENOMEM. */
int el_pattern_compile(const char *text, size_t n, struct el_pattern **out,
                       const char **why, size_t *where)
    __attribute__((warn_unused_result));

void el_pattern_free(struct el_pattern *p);

unsigned el_pattern_captures(const struct el_pattern *p);

/* A capture: bytes [start, start + len); `len` EL_PATTERN_POSITION: the position itself. */
#define EL_PATTERN_POSITION ((size_t)-1)

struct el_pattern_capture {
    size_t start, len;
};

struct el_pattern_choice {
    uint32_t item;
    size_t at, count;
};

/* One attempt. Zeroed before its first use; its storage serves later attempts. */
struct el_pattern_run {
    const struct el_pattern *pattern;
    struct el_pattern_choice *choices; /* where it can go back to, the last one first */
    size_t depth, room;
    uint32_t item;         /* what comes next, */
    size_t at;             /* at which offset, */
    size_t count, nesting; /* and how far into it */
    size_t begin;
    size_t farthest; /* the last offset at which something did not fit */
    uint64_t steps;  /* taken so far */
    bool whole;      /* has to reach the end of the bytes */
    bool ran_out;    /* needed a byte behind the final end */
    struct el_pattern_capture captures[EL_PATTERN_CAPTURES];
};

/* Begins an attempt at offset `begin`. 0 or -ENOMEM. */
int el_pattern_start(struct el_pattern_run *r, const struct el_pattern *p, size_t begin,
                     bool whole) __attribute__((warn_unused_result));

/* Goes on with the bytes [0, len), of which those seen before are unchanged; `final`: no more
 * will come. EL_YES (the match ends at r->at), EL_NO, EL_MORE, or EL_ELIMIT once more than
 * `steps_max` steps were taken. */
int el_pattern_step(struct el_pattern_run *r, const char *data, size_t len, bool final,
                    uint64_t steps_max) __attribute__((warn_unused_result));

void el_pattern_fini(struct el_pattern_run *r);

#endif
