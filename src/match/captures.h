/* captures.h - the captures of an attempt's regular expression, between match and captures.
 * Kept in the el_match. */
#ifndef EL_MATCH_CAPTURES_H
#define EL_MATCH_CAPTURES_H

#include <stdbool.h>

#include "match/match.h"

/* Keeps the captures of the match just made: until they are asked for, the same expression may be
 * matched with other bytes. False without the memory for them. */
bool el_captures_keep(struct el_match *m, const struct el_regex *r);

#endif
