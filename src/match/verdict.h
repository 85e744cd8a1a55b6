/* verdict.h - what a matcher says of the bytes that have come so far.
 * Values only. */
#ifndef EL_MATCH_VERDICT_H
#define EL_MATCH_VERDICT_H

/* A verdict, or a negative EL_E*. Once it is EL_NO or EL_YES, no further byte changes it:
 * that is what makes a match independent of how its bytes were cut into segments. */
enum el_verdict {
    EL_NO,   /* cannot fit, whatever comes */
    EL_YES,  /* fits */
    EL_MORE, /* undecided: it looks past the last byte that has come */
    EL_HOST, /* the host has to be asked: see match/match.h */
};

#endif
