#include "match/scan.h"

#include <string.h>

void el_scan_prepare(const char *delimiter, size_t n, uint32_t *borders)
{
    uint32_t k = 0;
    borders[0] = 0;
    for (size_t i = 1; i < n; i++) {
        while (k > 0 && delimiter[i] != delimiter[k])
            k = borders[k - 1];
        if (delimiter[i] == delimiter[k])
            k++;
        borders[i] = k;
    }
}

bool el_scan_step(struct el_scan *s, const char *delimiter, size_t n,
                  const uint32_t *borders, const char *data, size_t len)
{
    while (s->seen < len) {
        if (s->held == 0) { /* nothing begun: to the next byte that may begin it */
            const char *first = memchr(data + s->seen, delimiter[0], len - s->seen);
            if (first == NULL) {
                s->seen = len;
                return false;
            }
            s->seen = (size_t)(first - data) + 1;
            s->held = 1;
        } else {
            char c = data[s->seen];
            while (s->held > 0 && c != delimiter[s->held])
                s->held = borders[s->held - 1];
            if (s->held == 0)
                continue;
            s->seen++;
            s->held++;
        }
        if (s->held == n)
            return true;
    }
    return false;
}
