#include "match/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <assert.h>
#include <errno.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"

/* What one attempt may cost: a step or a few for each byte, and a fraction of a second beyond;
 * and no more memory than a worker can spare. */
#define STEPS_MIN 2000000u
#define STEPS_A_BYTE 16u
#define HEAP_LIMIT_KIB (128 * 1024)

#define CAPTURES_MAX 200

/* A subject that makes going back costly: PCRE2 keeps its places in the match data, and keeps
 * that memory. */
#define RELAX_BYTES ((size_t)4096)

/* Places that a search tries at first before it looks at its budget. */
#define WINDOW_MIN ((size_t)64)

struct el_regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    uint32_t captures;
    size_t longest; /* subject since it has last given back memory */
    bool by_place;
    bool utf;
};

/* One question. */
struct question {
    enum el_regex_mode mode;
    bool final;
    struct el_budget *budget;
    bool *ran_out;
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
        case 'u':
            *options |= PCRE2_UTF | PCRE2_UCP;
            break;
        default:
            return false;
        }
    }
    return true;
}

/* Whether `text` has a verb of backtracking, or a \G. A (* or \G that is no such thing (in a set, say)
 * only makes a search slower. */
static bool directs_search(const char *text, size_t n)
{
    static const char *const harmless[] = {"(*UTF)", "(*UCP)"};
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(harmless[i]);
        if (n >= len && memcmp(text, harmless[i], len) == 0) {
            text += len;
            n -= len;
        }
    }
    for (size_t i = 0; i + 1 < n; i++) {
        if ((text[i] == '(' && text[i + 1] == '*') ||
            (text[i] == '\\' && text[i + 1] == 'G'))
            return true;
    }
    return false;
}

int el_regex_compile(const char *text, size_t n, const char *flags, struct el_regex **out,
                     char why[EL_REGEX_WHY_MAX], size_t *where)
{
    uint32_t options = PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT, overall = 0;
    int error = 0;
    *where = 0;
    if (!parse_flags(flags, &options)) {
        (void)strcpy(why, "unknown flag (i, m, s, x and u are known)");
        *where = EL_REGEX_UNSET;
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
    r->by_place = overall & PCRE2_ANCHORED || directs_search(text, n);
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

bool el_regex_can_search(const struct el_regex *r)
{
    return !r->by_place;
}

void el_regex_relax(struct el_regex *r)
{
    if (r->longest < RELAX_BYTES)
        return;
    pcre2_match_data *fresh = pcre2_match_data_create_from_pattern(r->code, NULL);
    if (fresh == NULL)
        return; /* there is always another time */
    pcre2_match_data_free(r->data);
    r->data = fresh;
    r->longest = 0;
}

unsigned el_regex_captures(const struct el_regex *r)
{
    return r->captures;
}

void el_regex_capture(const struct el_regex *r, unsigned k, size_t *start, size_t *end)
{
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->data);
    *start = v[2 * (size_t)k];
    *end = v[2 * (size_t)k + 1];
}

static int run(struct el_regex *r, const char *data, size_t start, size_t len,
               uint32_t options)
{
    size_t steps = STEPS_MIN + (len - start) * STEPS_A_BYTE;
    (void)pcre2_set_match_limit(r->limits,
                                steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
    int n = pcre2_match(r->code, (PCRE2_SPTR)data, len, start,
                        options | PCRE2_NO_UTF_CHECK, r->data, r->limits);
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

/* Searches in windows that grow as long as they take no time: PCRE2 bounds what one place takes,
 * not what all of them do. */
static int run_search(struct el_regex *r, const char *data, size_t start, size_t len,
                      uint32_t options, struct el_budget *budget)
{
    size_t window = WINDOW_MIN;
    for (;;) {
        size_t last = len - start > window ? start + window : len;
        (void)pcre2_set_offset_limit(r->limits, last < len ? last : PCRE2_UNSET);
        int verdict = run(r, data, start, len, options);
        (void)pcre2_set_offset_limit(r->limits, PCRE2_UNSET);
        if (verdict != EL_NO || last == len)
            return verdict;
        uint64_t looked_ns = budget->looked_ns;
        budget->left = 0;
        if (!el_budget_take(budget))
            return EL_ELIMIT;
        window = budget->looked_ns - looked_ns < EL_BUDGET_SHORT_NS ? window * 2
                 : window > WINDOW_MIN                              ? window / 2
                                                                    : window;
        start = last + 1;
        while (r->utf && start < len && ((unsigned char)data[start] & 0xc0) == 0x80)
            start++; /* within a character */
    }
}

static int run_mode(struct el_regex *r, const char *data, size_t start, size_t len,
                    uint32_t options, const struct question *q)
{
    if (q->mode == EL_REGEX_SEARCH)
        return run_search(r, data, start, len, options, q->budget);
    return run(r, data, start, len, options | PCRE2_ANCHORED);
}

/* Asks about a subject that PCRE2 can read; `q->final`: nothing that matches comes behind it. */
static int ask(struct el_regex *r, const char *data, size_t start, size_t len,
               const struct question *q)
{
    if (q->mode == EL_REGEX_WHOLE && q->final)
        return run_mode(r, data, start, len, PCRE2_ENDANCHORED, q);
    int verdict = run_mode(r, data, start, len, PCRE2_PARTIAL_HARD, q);
    if (!q->final) {
        /* Of no bytes at all PCRE2 finds no partial match; a search that has found nothing goes
         * on behind what has come. What matches the beginning of a whole that is not complete
         * may match all of it (PCRE2 cannot be asked for a part of a match that ends there). */
        if (verdict == EL_NO && (len == start || q->mode == EL_REGEX_SEARCH)) {
            pcre2_get_ovector_pointer(r->data)[0] = len; /* where a match may yet begin */
            return EL_MORE;
        }
        return verdict == EL_YES && q->mode == EL_REGEX_WHOLE ? EL_MORE : verdict;
    }
    if (verdict != EL_MORE && len > start)
        return verdict;
    verdict = run_mode(r, data, start, len, 0, q);
    *q->ran_out = verdict == EL_NO;
    return verdict;
}

/* --- UTF-8 ------------------------------------------------------------------------------- */

/* Whether `n` bytes, no character as they are, may be the beginning of one (RFC 3629). */
static bool begins_character(const char *data, size_t n)
{
    char tail[4];
    uint32_t code;
    if (n == 0 || n >= sizeof(tail))
        return false;
    memcpy(tail, data, n);
    /* Any continuation will do that the second byte leaves open: the lowest or the highest. */
    for (int high = 0; high <= 1; high++) {
        memset(tail + n, high ? 0xbf : 0x80, sizeof(tail) - n);
        for (size_t whole = n + 1; whole <= sizeof(tail); whole++) {
            if (el_text_decode(tail, whole, &code) == whole)
                return true;
        }
    }
    return false;
}

/* Where the characters that begin at `from` end. */
static size_t characters(const char *data, size_t from, size_t len)
{
    uint32_t code;
    size_t n;
    while ((n = el_text_decode(data + from, len - from, &code)) > 0)
        from += n;
    return from;
}

/* The same for characters. A byte that is part of none matches nothing, so that the text before
 * it and the text behind it are subjects of their own. */
static int ask_utf8(struct el_regex *r, const char *data, size_t start, size_t len,
                    const struct question *q)
{
    size_t from = q->mode == EL_REGEX_SEARCH ? 0 : start;
    struct question part = *q;
    for (;;) {
        size_t to = characters(data, from, len);
        bool open = !q->final && (to == len || begins_character(data + to, len - to));
        if (to < len && !open && q->mode == EL_REGEX_WHOLE)
            return EL_NO;
        if (to >= start) {
            size_t begin = start > from ? start - from : 0;
            part.final = !open;
            int verdict = ask(r, data + from, begin, to - from, &part);
            PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->data);
            for (size_t k = 0; verdict > 0 && k < 2 * ((size_t)r->captures + 1); k++)
                v[k] += v[k] != EL_REGEX_UNSET ? from : 0;
            *q->ran_out = *q->ran_out && to == len;
            if (verdict != EL_NO || q->mode != EL_REGEX_SEARCH || to == len)
                return verdict;
            if (!el_budget_take(q->budget))
                return EL_ELIMIT;
        }
        from = to + 1;
    }
}

int el_regex_ask(struct el_regex *r, const char *data, size_t start, size_t len,
                 enum el_regex_mode mode, bool final, struct el_budget *budget,
                 bool *ran_out)
{
    const char *subject = data != NULL ? data : "";
    struct question q = {
        .mode = mode, .final = final, .budget = budget, .ran_out = ran_out};
    *ran_out = false;
    if (len - start > r->longest)
        r->longest = len - start;
    return (r->utf ? ask_utf8 : ask)(r, subject, start, len, &q);
}
