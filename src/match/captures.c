/* What the leaf of a match has captured. */
#include "match/captures.h"

#include <stdlib.h>

bool el_captures_keep(struct el_match *m, const struct el_regex *r)
{
    unsigned n = el_regex_captures(r);
    if (n > m->groups_room) {
        size_t *more = realloc(m->groups, (size_t)n * 2 * sizeof(*more));
        if (more == NULL)
            return false;
        m->groups = more;
        m->groups_room = n;
    }
    for (unsigned k = 0; k < n; k++)
        el_regex_capture(r, k + 1, &m->groups[2 * (size_t)k],
                         &m->groups[2 * (size_t)k + 1]);
    return true;
}

unsigned el_match_captures(const struct el_match *m)
{
    if (m->leaf == NULL)
        return 0;
    switch (m->leaf->kind) {
    case EL_MATCHER_PATTERN:
        return el_pattern_captures(m->leaf->pattern);
    case EL_MATCHER_REGEX:
        return el_regex_captures(m->leaf->regex);
    default:
        return 0;
    }
}

void el_match_capture(const struct el_match *m, unsigned k, size_t *start, size_t *len)
{
    if (m->leaf->kind == EL_MATCHER_PATTERN) {
        const struct el_pattern_capture *c = &m->pattern.captures[k];
        *start = m->leaf_base + c->start;
        *len = c->len;
        if (c->len == EL_PATTERN_POSITION)
            *start = c->start - m->pattern.begin;
        return;
    }
    size_t from = m->groups[2 * (size_t)k], to = m->groups[2 * (size_t)k + 1];
    *start = m->leaf_base + from;
    *len = from == EL_REGEX_UNSET ? EL_REGEX_UNSET : to - from;
}
