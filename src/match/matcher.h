/* matcher.h - matchers: what a conversation expects, as a tree of frames around leaves.
 * A matcher owns what it was initialised with, not the matchers inside it: those have to live
 * as long. Immutable afterwards; one thread. */
#ifndef EL_MATCH_MATCHER_H
#define EL_MATCH_MATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "match/pattern.h"
#include "match/regex.h"

/* Matchers within each other, at most. */
#define EL_MATCHER_DEPTH 16

#define EL_MATCHER_DELIMITER_MAX ((size_t)1 << 16)

enum el_matcher_kind {
    EL_MATCHER_LITERAL,
    EL_MATCHER_LINE,      /* up to LF, without it and a CR before it */
    EL_MATCHER_BYTES,     /* so many */
    EL_MATCHER_DELIMITED, /* up to a delimiter, without it */
    EL_MATCHER_COUNTED,   /* as many as a length in front of them says */
    EL_MATCHER_PATTERN,
    EL_MATCHER_REGEX,
    EL_MATCHER_EITHER,
    EL_MATCHER_HOST_PART,  /* the host says how many bytes fit: a function */
    EL_MATCHER_HOST_WHOLE, /* the host says whether a whole fits: LPeg */
    EL_MATCHER_HOST_LINE,  /* the same; where it is in no frame, a line: JSON */
};

/* An integer in front of a body, as string.unpack reads it. */
struct el_matcher_prefix {
    size_t size;
    bool little, is_signed;
};

struct el_matcher {
    enum el_matcher_kind kind;
    const char *bytes; /* LITERAL, DELIMITED */
    size_t len;        /* of `bytes`; of BYTES */
    struct el_matcher_prefix prefix;
    uint32_t *borders; /* of DELIMITED */
    struct el_pattern *pattern;
    struct el_regex *regex;
    const struct el_matcher *inner;         /* of a frame; NULL: anything */
    const struct el_matcher **alternatives; /* of EITHER, `count` of them */
    unsigned count;
    unsigned depth; /* levels from here on down */
    bool owns_bytes;
};

/* Frees what it owns; a zeroed one owns nothing. */
void el_matcher_fini(struct el_matcher *m);

/* A literal upon bytes that stay the caller's. */
void el_matcher_literal(struct el_matcher *m, const char *bytes, size_t len);

/* A frame around `inner` (or NULL). EL_EUSAGE: nested too deeply. */
int el_matcher_frame(struct el_matcher *m, enum el_matcher_kind kind,
                     const struct el_matcher *inner) __attribute__((warn_unused_result));

/* Gives it a copy of `bytes`: a literal's text; a delimiter, not empty. 0 or -ENOMEM. */
int el_matcher_set_bytes(struct el_matcher *m, const char *bytes, size_t len)
    __attribute__((warn_unused_result));

/* Room for `count` alternatives, to be filled in by el_matcher_add. 0 or -ENOMEM. */
int el_matcher_either(struct el_matcher *m, unsigned count)
    __attribute__((warn_unused_result));
int el_matcher_add(struct el_matcher *m, const struct el_matcher *alternative)
    __attribute__((warn_unused_result));

/* Bytes of the integer that a letter of string.pack stands for, where no size follows it; 0: it
 * stands for none. */
size_t el_matcher_integer_size(char c);

/* Reads a format of one integer such as ">I4". EL_EUSAGE where it is anything else. */
int el_matcher_parse_prefix(const char *fmt, size_t n, struct el_matcher_prefix *out)
    __attribute__((warn_unused_result));

/* Whether every match of it is a whole line. */
bool el_matcher_is_line(const struct el_matcher *m);

/* The HOST_WHOLE that stands in no frame, or NULL: such a matcher cannot be asked. */
const struct el_matcher *el_matcher_unframed(const struct el_matcher *m);

#endif
