#include "match/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <assert.h>
#include <errno.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* What one attempt may cost: an expression that explodes is stopped after a fraction of a
 * second, and before it has taken much of a worker's memory. */
#define MATCH_LIMIT 2000000
#define HEAP_LIMIT_KIB (128 * 1024)

#define CAPTURES_MAX 200

struct el_regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    uint32_t captures;
    bool anchored;
    bool utf;
};

static bool parse_flags(const char *flags, uint32_t *options)
{
    for (; *flags != '\0'; flags++) {
        switch (*flags) {
        case 'i':
            *options |= PCRE2_CASELESS;
            break;
        case 'm':
            *options |= PCRE2_MULTILINE;
            break;
        case 's':
            *options |= PCRE2_DOTALL;
            break;
        case 'x':
            *options |= PCRE2_EXTENDED;
            break;
        case 'u': /* a peer's bytes may be no UTF-8: those then match nothing */
            *options |= PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF;
            break;
        default:
            return false;
        }
    }
    return true;
}

int el_regex_compile(const char *text, size_t n, const char *flags, struct el_regex **out,
                     char why[EL_REGEX_WHY_MAX], size_t *where)
{
    uint32_t options = PCRE2_NEVER_BACKSLASH_C, overall = 0;
    int error = 0;
    *where = 0;
    if (!parse_flags(flags, &options)) {
        (void)strcpy(why, "unknown flag (i, m, s, x and u are known)");
        return EL_EUSAGE;
    }
    struct el_regex *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    r->code = pcre2_compile((PCRE2_SPTR)text, n, options, &error, where, NULL);
    if (r->code == NULL) {
        (void)pcre2_get_error_message(error, (PCRE2_UCHAR *)why, EL_REGEX_WHY_MAX);
        el_regex_free(r);
        return EL_EUSAGE;
    }
    (void)pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &r->captures);
    (void)pcre2_pattern_info(r->code, PCRE2_INFO_ALLOPTIONS, &overall);
    r->anchored = overall & PCRE2_ANCHORED;
    r->utf = overall & PCRE2_UTF;
    if (r->captures > CAPTURES_MAX) {
        (void)strcpy(why, "too many groups");
        el_regex_free(r);
        return EL_EUSAGE;
    }
    r->data = pcre2_match_data_create_from_pattern(r->code, NULL);
    r->limits = pcre2_match_context_create(NULL);
    if (r->data == NULL || r->limits == NULL) {
        el_regex_free(r);
        return -ENOMEM;
    }
    (void)pcre2_set_match_limit(r->limits, MATCH_LIMIT);
    (void)pcre2_set_heap_limit(r->limits, HEAP_LIMIT_KIB);
    *out = r;
    return 0;
}

void el_regex_free(struct el_regex *r)
{
    if (r == NULL)
        return;
    pcre2_match_context_free(r->limits);
    pcre2_match_data_free(r->data);
    pcre2_code_free(r->code);
    free(r);
}

bool el_regex_is_anchored(const struct el_regex *r)
{
    return r->anchored;
}

unsigned el_regex_captures(const struct el_regex *r)
{
    return r->captures;
}

void el_regex_capture(const struct el_regex *r, unsigned k, size_t *start, size_t *end)
{
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->data);
    *start = v[2 * k];
    *end = v[2 * k + 1];
}

/* Length without a character at the end whose last bytes are still to come (RFC 3629). */
static size_t whole_characters(const char *data, size_t start, size_t len)
{
    size_t back = 0;
    while (back < 3 && back < len - start) {
        unsigned char c = (unsigned char)data[len - 1 - back];
        back++;
        if ((c & 0xc0) == 0x80)
            continue;
        size_t whole = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        return whole > back ? len - back : len;
    }
    return len;
}

static int run(struct el_regex *r, const char *data, size_t start, size_t len,
               uint32_t options)
{
    int n = pcre2_match(r->code, (PCRE2_SPTR)data, len, start, options, r->data,
                        r->limits);
    if (n == PCRE2_ERROR_NOMATCH)
        return EL_NO;
    if (n == PCRE2_ERROR_PARTIAL)
        return EL_MORE;
    if (n >= 0) {
        size_t from, to;
        el_regex_capture(r, 0, &from, &to);
        return to >= from && from >= start ? EL_YES : EL_NO; /* \K can turn them around */
    }
    assert(n != PCRE2_ERROR_BADOPTION);
    return n == PCRE2_ERROR_NOMEMORY ? -ENOMEM : EL_ELIMIT;
}

int el_regex_ask(struct el_regex *r, const char *data, size_t start, size_t len,
                 enum el_regex_mode mode, bool final, bool *ran_out)
{
    uint32_t options = mode == EL_REGEX_SEARCH ? 0 : PCRE2_ANCHORED;
    const char *subject = data != NULL ? data : "";
    *ran_out = false;
    if (mode == EL_REGEX_WHOLE && final)
        return run(r, subject, start, len, options | PCRE2_ENDANCHORED);
    size_t known = r->utf && !final ? whole_characters(data, start, len) : len;
    int verdict = run(r, subject, start, known, options | PCRE2_PARTIAL_HARD);
    if (!final) {
        /* Of no bytes at all PCRE2 finds no partial match; a search that has found nothing goes
         * on behind what has come. What matches the beginning of a whole that is not complete
         * may match all of it (PCRE2 cannot be asked for a part of a match that ends there). */
        if (verdict == EL_NO && (known == start || mode == EL_REGEX_SEARCH)) {
            pcre2_get_ovector_pointer(r->data)[0] =
                known; /* where a match may yet begin */
            return EL_MORE;
        }
        return verdict == EL_YES && mode == EL_REGEX_WHOLE ? EL_MORE : verdict;
    }
    if (verdict != EL_MORE && len > start)
        return verdict;
    verdict = run(r, subject, start, len, options);
    *ran_out = verdict == EL_NO;
    return verdict;
}
