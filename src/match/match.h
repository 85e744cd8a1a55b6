/* match.h - an attempt to match a matcher with the bytes that come, going on where it stopped.
 * Owned by the caller; the matcher and the bytes are borrowed. Never waits. One thread. */
#ifndef EL_MATCH_MATCH_H
#define EL_MATCH_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "match/budget.h"
#include "match/matcher.h"
#include "match/scan.h"
#include "match/verdict.h"

/* Alternatives of which a failure is told. */
#define EL_MATCH_ALTERNATIVES 16

#define EL_MATCH_WHY_MAX 160

#define EL_MATCH_NOWHERE ((size_t)-1)

/* How far one level of the tree has come. Cleared when it begins anew. */
struct el_match_level {
    bool begun;
    bool found; /* a frame: its end */
    size_t end; /* a frame: where its body ends; a leaf: bytes that it was asked about */
    struct el_scan scan;
    unsigned alternative;
};

/* Bytes a level is asked about. Offsets count from `data`. */
struct el_match_region {
    const char *data;
    size_t start, len;
    size_t base;  /* offset of `data` in the top's bytes */
    size_t total; /* len once all have come, or EL_MATCH_NOWHERE */
    bool whole;   /* the match has to reach the end */
    bool final;   /* no more will come */
};

struct el_match_failure {
    const struct el_matcher *matcher;
    size_t at; /* offset of the first byte that cannot fit, or EL_MATCH_NOWHERE */
    char why[EL_MATCH_WHY_MAX];
};

/* How far a search has looked for a frame's end: the places behind the first one go on there. */
struct el_match_kept {
    const struct el_matcher *of; /* NULL: nothing is known */
    struct el_scan scan;         /* offsets from the top's first byte */
    bool found;
};

struct el_match {
    uint64_t serial; /* tells the attempts apart: el_match_begin counts it */
    const struct el_matcher *top;
    bool searches;
    struct el_budget budget; /* of a search, until it needs more bytes */
    struct el_match_kept kept;
    size_t max; /* more bytes than this never come */
    struct el_match_level levels[EL_MATCHER_DEPTH];
    size_t start;      /* where the attempt begins; > 0 in a search */
    uint32_t *borders; /* of a literal that is searched */
    bool skipping;     /* a search for lines: to the end of one that does not fit */
    struct el_pattern_run pattern;
    uint64_t steps_max;

    /* Attempts that begin from the first byte each time (regular expressions, the host's) are
     * spaced: after one that took t, the next one has to wait as long. However many pieces
     * the bytes come in, matching takes no more than half of the time. */
    uint64_t again_ns; /* EL_MORE: ask again then, even if nothing came; 0: no need */
    uint64_t rest_until_ns;
    uint64_t work; /* bytes looked at in all attempts */
    size_t came;   /* bytes of the last ask */

    /* EL_YES */
    size_t taken; /* bytes from the first one on, skipped ones included */
    const struct el_matcher *leaf; /* whose captures are asked for; NULL: none */
    size_t leaf_base;              /* its region's offset */
    size_t text, text_len;         /* the matched text; a frame's: its body */
    size_t body, body_len;         /* of the outermost frame */
    unsigned alternative;          /* of the top, from 0 */
    size_t *
        groups; /* of a regular expression: it may match elsewhere before they are asked for */
    unsigned groups_room;

    /* EL_NO */
    struct el_match_failure failure;
    bool ran_out; /* more bytes might have made it match, and none will come */
    struct el_match_failure *failures; /* of the top's alternatives; NULL: not told */

    /* EL_HOST: `leaf` is to be asked about [asked.start, asked.len) */
    struct el_match_region asked;
    bool answered;
    int answer;
    size_t answer_taken;
    uint64_t asked_ns;
};

/* Begins. Zeroed before its first use; later ones reuse its storage. `searches`: the match may
 * begin at any byte, that of a line at any line. 0, or -ENOMEM. */
int el_match_begin(struct el_match *m, const struct el_matcher *top, bool searches,
                   size_t max) __attribute__((warn_unused_result));

/* Asks about all bytes that have come so far, those of the last time unchanged in front.
 * `final`: no more will come. `host`: whether the host can be asked now; else EL_HOST comes
 * only once there is something to ask about. Returns a verdict; EL_ELIMIT or -ENOMEM, with
 * failure.why. */
int el_match_ask(struct el_match *m, const char *data, size_t len, bool final)
    __attribute__((warn_unused_result));

/* After EL_HOST: what the host said, `taken` bytes for EL_YES; then ask again. `why` (may be
 * NULL) says why it cannot fit. */
void el_match_answer(struct el_match *m, int verdict, size_t taken, const char *why);

/* Captures of the leaf of an EL_YES: bytes [*start, *start + *len) of the top's, *start from 0.
 * *len is EL_PATTERN_POSITION for a position, which counts from the match's beginning, and
 * EL_REGEX_UNSET for a group that took no part. */
unsigned el_match_captures(const struct el_match *m);
void el_match_capture(const struct el_match *m, unsigned k, size_t *start, size_t *len);

void el_match_fini(struct el_match *m);

#endif
