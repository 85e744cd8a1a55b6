/* text.h - what a sink may show of bytes that a stranger sent.
 * Stateless; any thread may call. Outputs are appended to a buffer of the caller's. */
#ifndef EL_BASE_TEXT_H
#define EL_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Length (1 to 4) of the UTF-8 sequence at `s`, its code point in *out; 0 where the bytes
 * are no well-formed UTF-8 (RFC 3629: shortest form, no surrogates, up to U+10FFFF). */
size_t el_text_decode(const char *s, size_t n, uint32_t *out);

/* True for valid UTF-8 without control characters other than TAB, CR and LF: what a
 * report may carry as text; everything else goes as base64. */
bool el_text_is_plain(const char *s, size_t n);

/* Appends `s` as valid UTF-8: each byte that is part of none becomes \xNN.
 * Returns 0 or -ENOMEM. */
int el_text_to_utf8(struct el_buf *out, const char *s, size_t n)
    __attribute__((warn_unused_result));

/* Appends `s` made inert for a terminal: control bytes, C1, DEL, bidirectional and other
 * invisible characters and invalid UTF-8 as escapes; LF and TAB stay where `multiline`.
 * Returns 0 or -ENOMEM. */
int el_text_for_terminal(struct el_buf *out, const char *s, size_t n, bool multiline)
    __attribute__((warn_unused_result));

/* Appends the base64 (RFC 4648 section 4) of `s`. Returns 0 or -ENOMEM. */
int el_text_base64(struct el_buf *out, const void *s, size_t n)
    __attribute__((warn_unused_result));

#endif
