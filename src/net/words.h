/* words.h - splits a command line into words as a shell does, of which there is none.
 * Writes into the caller's room and owns nothing. Stateless. */
#ifndef EL_NET_WORDS_H
#define EL_NET_WORDS_H

#include <stddef.h>

/* Bytes of room (aligned for pointers) that the words of `n` bytes take at most. */
size_t el_words_room(size_t n);

/* Splits at blanks, tabs and line feeds. '...' keeps everything, "..." all but \ before ", \, $
 * and `, a \ outside of quotes the next byte; nothing else has a meaning. *argv, NULL-ended, and its
 * strings lie in `room`; where that is NULL the text is checked only. 0, or EL_EUSAGE with *why set
 * to a constant sentence that names the mistake. */
int el_words_split(const char *text, size_t n, void *room, char ***argv, const char **why)
    __attribute__((warn_unused_result));

#endif
