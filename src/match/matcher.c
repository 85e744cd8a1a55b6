#include "match/matcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "match/scan.h"

#define PREFIX_SIZE_MAX 16 /* string.unpack's own limit */

void el_matcher_fini(struct el_matcher *m)
{
    if (m->owns_bytes)
        free((char *)m->bytes);
    free(m->borders);
    el_pattern_free(m->pattern);
    el_regex_free(m->regex);
    free(m->alternatives);
    memset(m, 0, sizeof(*m));
}

void el_matcher_literal(struct el_matcher *m, const char *bytes, size_t len)
{
    *m = (struct el_matcher){
        .kind = EL_MATCHER_LITERAL, .bytes = bytes, .len = len, .depth = 1};
}

static int contain(struct el_matcher *m, const struct el_matcher *inner)
{
    unsigned below = inner != NULL ? inner->depth : 0;
    if (below + 1 > EL_MATCHER_DEPTH)
        return EL_EUSAGE;
    if (m->depth < below + 1)
        m->depth = below + 1;
    return 0;
}

int el_matcher_frame(struct el_matcher *m, enum el_matcher_kind kind,
                     const struct el_matcher *inner)
{
    *m = (struct el_matcher){.kind = kind, .inner = inner};
    return contain(m, inner);
}

int el_matcher_set_bytes(struct el_matcher *m, const char *bytes, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL)
        return -ENOMEM;
    if (len > 0)
        memcpy(copy, bytes, len);
    m->bytes = copy;
    m->len = len;
    m->owns_bytes = true;
    if (m->kind != EL_MATCHER_DELIMITED || len == 0)
        return 0;
    m->borders = malloc(len * sizeof(*m->borders));
    if (m->borders == NULL)
        return -ENOMEM;
    el_scan_prepare(copy, len, m->borders);
    return 0;
}

int el_matcher_either(struct el_matcher *m, unsigned count)
{
    *m = (struct el_matcher){.kind = EL_MATCHER_EITHER, .depth = 1};
    m->alternatives = calloc(count, sizeof(struct el_matcher *));
    return m->alternatives != NULL ? 0 : -ENOMEM;
}

int el_matcher_add(struct el_matcher *m, const struct el_matcher *alternative)
{
    m->alternatives[m->count++] = alternative;
    return contain(m, alternative);
}

/* --- length prefixes --------------------------------------------------------------------- */

size_t el_matcher_integer_size(char c)
{
    switch (c) {
    case 'b':
    case 'B':
        return 1;
    case 'h':
    case 'H':
        return sizeof(short);
    case 'i':
    case 'I':
        return sizeof(int);
    case 'l':
    case 'L':
        return sizeof(long);
    case 'j': /* lua_Integer and lua_Unsigned, in a Lua 5.4 as it comes */
    case 'J':
        return sizeof(long long);
    case 'T':
        return sizeof(size_t);
    default:
        return 0;
    }
}

int el_matcher_parse_prefix(const char *fmt, size_t n, struct el_matcher_prefix *out)
{
    bool native_little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    struct el_matcher_prefix p = {.little = native_little};
    size_t at = 0;
    for (; at < n && strchr("<>= ", fmt[at]) != NULL && fmt[at] != '\0'; at++) {
        if (fmt[at] != ' ')
            p.little = fmt[at] == '<' || (fmt[at] == '=' && native_little);
    }
    if (at == n)
        return EL_EUSAGE;
    char c = fmt[at++];
    p.size = el_matcher_integer_size(c);
    p.is_signed = c >= 'a';
    if ((c == 'i' || c == 'I') && at < n && fmt[at] >= '0' && fmt[at] <= '9') {
        p.size = 0;
        for (; at < n && fmt[at] >= '0' && fmt[at] <= '9' && p.size <= PREFIX_SIZE_MAX;
             at++)
            p.size = p.size * 10 + (size_t)(fmt[at] - '0');
    }
    while (at < n && fmt[at] == ' ')
        at++;
    if (at < n || p.size == 0 || p.size > PREFIX_SIZE_MAX)
        return EL_EUSAGE;
    *out = p;
    return 0;
}

/* --- questions --------------------------------------------------------------------------- */

bool el_matcher_is_line(const struct el_matcher *m)
{
    if (m->kind == EL_MATCHER_LINE || m->kind == EL_MATCHER_HOST_LINE)
        return true;
    if (m->kind != EL_MATCHER_EITHER)
        return false;
    for (unsigned i = 0; i < m->count; i++) {
        if (!el_matcher_is_line(m->alternatives[i]))
            return false;
    }
    return true;
}

const struct el_matcher *el_matcher_unframed(const struct el_matcher *m)
{
    if (m->kind == EL_MATCHER_HOST_WHOLE)
        return m;
    const struct el_matcher *found = NULL;
    for (unsigned i = 0; m->kind == EL_MATCHER_EITHER && i < m->count && found == NULL;
         i++)
        found = el_matcher_unframed(m->alternatives[i]);
    return found;
}
