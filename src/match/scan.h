/* scan.h - finds a delimiter in bytes that are still coming, looking at each once
 * (Knuth, Morris, Pratt 1977). The caller owns all memory. */
#ifndef EL_MATCH_SCAN_H
#define EL_MATCH_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fills borders[0..n): borders[i] is the length of the longest proper prefix of the delimiter
 * that ends at i. */
void el_scan_prepare(const char *delimiter, size_t n, uint32_t *borders);

/* Where a scan stands: `seen` bytes were looked at, the last `held` of which begin the
 * delimiter. */
struct el_scan {
    size_t seen, held;
};

/* Goes on up to `len`. True when the delimiter ends at s->seen. `borders` may be NULL for a
 * delimiter of one byte. */
bool el_scan_step(struct el_scan *s, const char *delimiter, size_t n,
                  const uint32_t *borders, const char *data, size_t len);

#endif
