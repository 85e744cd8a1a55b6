/* regex.h - regular expressions of PCRE2 over bytes that are still coming.
 * Owned by the caller; an attempt's captures stay in it until the next one. One thread. */
#ifndef EL_MATCH_REGEX_H
#define EL_MATCH_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "match/budget.h"
#include "match/verdict.h"

#define EL_REGEX_WHY_MAX 160
#define EL_REGEX_UNSET ((size_t)-1)

struct el_regex;

/* Compiles `n` bytes. `flags`: letters of i (case), m (^ and $ at each line), s (. matches line
 * ends), x (white space is none of it), u (UTF-8). On failure EL_EUSAGE with a text in `why`
 * and *where, the offset in the expression
 * (EL_REGEX_UNSET: in the flags); or -ENOMEM. */
int el_regex_compile(const char *text, size_t n, const char *flags, struct el_regex **out,
                     char why[EL_REGEX_WHY_MAX], size_t *where)
    __attribute__((warn_unused_result));

void el_regex_free(struct el_regex *r);

/* Whether EL_REGEX_SEARCH finds what EL_REGEX_HERE does at one place after the other, the earliest
 * first. It does not where the expression itself has a say in where a search goes on (^ at its
 * beginning, \G, (*COMMIT) and its like): such a one has to be tried place by place. */
bool el_regex_can_search(const struct el_regex *r);

enum el_regex_mode {
    EL_REGEX_HERE,   /* at `start` */
    EL_REGEX_WHOLE,  /* at `start`, and up to the end of the bytes */
    EL_REGEX_SEARCH, /* at `start` or anywhere behind it */
};

/* Asks about bytes [start, len). `final`: no more will come. EL_YES, EL_MORE, EL_NO with
 * *ran_out set where more bytes might have made it match; EL_ELIMIT. A search takes its time out of
 * `budget`. */
int el_regex_ask(struct el_regex *r, const char *data, size_t start, size_t len,
                 enum el_regex_mode mode, bool final, struct el_budget *budget,
                 bool *ran_out) __attribute__((warn_unused_result));

/* Gives back the memory that a question about many bytes may have taken, up to a hundred
 * mebibytes. The captures are gone then. */
void el_regex_relax(struct el_regex *r);

/* Groups, the whole match not counted. */
unsigned el_regex_captures(const struct el_regex *r);

/* Of the last EL_YES, or of the part of it that EL_MORE has found: group `k` (0: the whole)
 * is [*start, *end); EL_REGEX_UNSET where it took no part. */
void el_regex_capture(const struct el_regex *r, unsigned k, size_t *start, size_t *end);

#endif
