#include "match/match.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "match/captures.h"

/* Steps of a pattern in one attempt: what a linear one needs for all bytes, and a fraction of
 * a second beyond. */
#define STEPS_MIN 20000000u
#define STEPS_A_BYTE 64u

#define TOO_LONG "the search took too long"

/* Bytes that attempts may look at before the first rest: a short conversation never rests. */
#define FREE_WORK ((uint64_t)1 << 20)

static int ask(struct el_match *m, unsigned depth, const struct el_matcher *n,
               const struct el_match_region *r);

/* --- outcomes ---------------------------------------------------------------------------- */

static int fail(struct el_match *m, const struct el_matcher *n,
                const struct el_match_region *r, size_t at)
{
    m->failure.matcher = n;
    m->failure.at = at == EL_MATCH_NOWHERE ? at : r->base + at;
    m->failure.why[0] = '\0';
    return EL_NO;
}

/* The bytes end before the match does. Those of the stream might have gone on; those of a
 * frame could not. */
static int ends_early(struct el_match *m, const struct el_matcher *n,
                      const struct el_match_region *r)
{
    if (!r->final)
        return EL_MORE;
    m->ran_out = m->ran_out || !r->whole;
    return fail(m, n, r, r->len);
}

static int matched(struct el_match *m, const struct el_matcher *leaf,
                   const struct el_match_region *r, size_t len)
{
    m->leaf = leaf;
    m->leaf_base = r->base;
    m->text = r->base + r->start;
    m->text_len = len;
    m->taken = r->base + r->start + len;
    return EL_YES;
}

static struct el_match_level *level(struct el_match *m, unsigned depth)
{
    struct el_match_level *lv = &m->levels[depth];
    if (!lv->begun) {
        memset(lv, 0, sizeof(*lv));
        lv->begun = true;
        if (depth + 1 < EL_MATCHER_DEPTH)
            m->levels[depth + 1].begun = false;
    }
    return lv;
}

/* --- frames ------------------------------------------------------------------------------ */

/* Asks the matcher in a frame whose body begins at r->start + head; `len` bytes of it have
 * come, `total` in all (EL_MATCH_NOWHERE: not known yet). The frame itself takes `taken` bytes
 * then. */
static int ask_body(struct el_match *m, unsigned depth, const struct el_matcher *n,
                    const struct el_match_region *r, size_t head, size_t len,
                    size_t total, size_t taken)
{
    bool complete = total != EL_MATCH_NOWHERE && len >= total;
    struct el_match_region body = {
        .data = r->len > 0 ? r->data + r->start + head : r->data,
        .len = complete ? total : len,
        .base = r->base + r->start + head,
        .total = total,
        .whole = true,
        .final = complete,
    };
    if (n->inner != NULL) {
        int verdict = ask(m, depth + 1, n->inner, &body);
        if (verdict != EL_YES && verdict != EL_MORE)
            return verdict;
        if (verdict == EL_MORE && complete)
            return EL_MORE; /* an attempt that has to rest */
    } else if (complete) {
        m->leaf = NULL;
    }
    if (!complete)
        return ends_early(m, n, r);
    if (r->whole && r->len > r->start + taken)
        return fail(m, n, r, r->start + taken);
    if (r->whole && !r->final)
        return EL_MORE;
    if (n->inner == NULL) {
        m->text = body.base;
        m->text_len = total;
    }
    m->body = body.base;
    m->body_len = total;
    m->taken = r->base + r->start + taken;
    return EL_YES;
}

static int ask_line(struct el_match *m, unsigned depth, const struct el_matcher *n,
                    const struct el_match_region *r)
{
    struct el_match_level *lv = level(m, depth);
    const char *data = r->data + r->start;
    size_t len = r->len - r->start;
    if (!r->whole && r->start > 0 && data[-1] != '\n')
        return fail(m, n, r, r->start); /* found by a search within a line */
    if (!lv->found && lv->end < len) {
        const char *lf = memchr(data + lv->end, '\n', len - lv->end);
        lv->found = lf != NULL;
        lv->end = lf != NULL ? (size_t)(lf - data) : len;
    }
    /* The CR before the LF is the end's; one that came last may be. */
    size_t body = lv->end > 0 && data[lv->end - 1] == '\r' ? lv->end - 1 : lv->end;
    return ask_body(m, depth, n, r, 0, body, lv->found ? body : EL_MATCH_NOWHERE,
                    lv->end + 1);
}

/* Where the scan for a delimiter from `start` on stands, by what one from an earlier place has
 * seen. Whether it has found it. */
static bool go_on_scanning(const struct el_match *m, const struct el_matcher *n,
                           size_t start, struct el_scan *scan)
{
    const struct el_match_kept *kept = &m->kept;
    if (kept->scan.seen < start)
        return false;
    size_t held = kept->scan.held, behind = kept->scan.seen - start;
    if (kept->found && behind < n->len)
        return false; /* that one began before `start`: from there anew */
    while (held > behind)
        held = n->borders[held - 1];
    *scan = (struct el_scan){.seen = behind, .held = held};
    return kept->found;
}

static int ask_delimited(struct el_match *m, unsigned depth, const struct el_matcher *n,
                         const struct el_match_region *r)
{
    bool searches = m->searches && !r->whole;
    bool goes_on = searches && !m->levels[depth].begun && m->kept.of == n;
    struct el_match_level *lv = level(m, depth);
    if (goes_on)
        lv->found = go_on_scanning(m, n, r->start, &lv->scan);
    if (!lv->found)
        lv->found = el_scan_step(&lv->scan, n->bytes, n->len, n->borders,
                                 r->data + r->start, r->len - r->start);
    if (searches) {
        m->kept = (struct el_match_kept){.of = n, .scan = lv->scan, .found = lv->found};
        m->kept.scan.seen += r->start;
    }
    size_t body = lv->scan.seen - lv->scan.held;
    return ask_body(m, depth, n, r, 0, body, lv->found ? body : EL_MATCH_NOWHERE,
                    lv->scan.seen);
}

/* The length in front of a body, or SIZE_MAX where it is more than that. False where it is
 * negative. */
static bool read_prefix(const struct el_matcher_prefix *p, const char *data, size_t *out)
{
    const unsigned char *bytes = (const unsigned char *)data;
    size_t n = 0;
    if (p->is_signed && bytes[p->little ? p->size - 1 : 0] & 0x80)
        return false;
    for (size_t i = 0; i < p->size; i++) {
        if (n > SIZE_MAX >> CHAR_BIT) {
            n = SIZE_MAX;
            break;
        }
        n = n << CHAR_BIT | bytes[p->little ? p->size - 1 - i : i];
    }
    *out = n;
    return true;
}

static int ask_sized(struct el_match *m, unsigned depth, const struct el_matcher *n,
                     const struct el_match_region *r)
{
    bool counted = n->kind == EL_MATCHER_COUNTED;
    size_t head = counted ? n->prefix.size : 0, have = r->len - r->start, size = n->len;
    (void)level(m, depth);
    if (have < head)
        return ends_early(m, n, r);
    if (counted && !read_prefix(&n->prefix, r->data + r->start, &size)) {
        int verdict = fail(m, n, r, r->start);
        (void)strcpy(m->failure.why, "the length is negative");
        return verdict;
    }
    if (size > m->max - head || head > m->max) {
        (void)snprintf(m->failure.why, sizeof(m->failure.why),
                       "%zu bytes %swere asked for, and max_buffer is %zu", size,
                       size == SIZE_MAX ? "or more " : "", m->max);
        return EL_ELIMIT;
    }
    if (r->whole && r->total != EL_MATCH_NOWHERE && r->total - r->start != head + size)
        return fail(m, n, r,
                    r->total < r->start + head + size ? r->total
                                                      : r->start + head + size);
    size_t come = have - head < size ? have - head : size;
    return ask_body(m, depth, n, r, head, come, size, head + size);
}

/* --- leaves ------------------------------------------------------------------------------ */

static int ask_literal(struct el_match *m, unsigned depth, const struct el_matcher *n,
                       const struct el_match_region *r)
{
    struct el_match_level *lv = level(m, depth);
    const char *data = r->data + r->start;
    size_t have = r->len - r->start, same = lv->end;
    size_t limit = have < n->len ? have : n->len;
    if (same < limit) {
        if (memcmp(data + same, n->bytes + same, limit - same) == 0)
            same = limit;
        while (same < limit && data[same] == n->bytes[same])
            same++;
    }
    lv->end = same;
    if (same < limit)
        return fail(m, n, r, r->start + same);
    if (r->whole && have > n->len)
        return fail(m, n, r, r->start + n->len);
    if (r->whole && r->total != EL_MATCH_NOWHERE && r->total - r->start != n->len)
        return fail(m, n, r, r->total < r->start + n->len ? r->total : r->start + n->len);
    if (have < n->len)
        return ends_early(m, n, r);
    if (r->whole && !r->final)
        return EL_MORE;
    return matched(m, n, r, n->len);
}

static int ask_pattern(struct el_match *m, unsigned depth, const struct el_matcher *n,
                       const struct el_match_region *r)
{
    struct el_match_level *lv = level(m, depth);
    if (!lv->found) {
        int err = el_pattern_start(&m->pattern, n->pattern, r->start, r->whole);
        if (err != 0)
            return err;
        lv->found = true;
    }
    int verdict = el_pattern_step(&m->pattern, r->data, r->len, r->final, m->steps_max);
    if (verdict == EL_YES)
        return matched(m, n, r, m->pattern.at - r->start);
    if (verdict == EL_ELIMIT)
        (void)snprintf(m->failure.why, sizeof(m->failure.why),
                       "the pattern took more than %llu steps",
                       (unsigned long long)m->steps_max);
    if (verdict != EL_NO)
        return verdict;
    m->ran_out = m->ran_out || (m->pattern.ran_out && !r->whole);
    return fail(m, n, r, m->pattern.farthest);
}

/* Whether a leaf that begins anew each time shall be asked now: EL_MORE where there is nothing
 * new, or where it has to rest. */
static int may_ask(struct el_match *m, struct el_match_level *lv,
                   const struct el_match_region *r, uint64_t *now_ns)
{
    if (!r->final && lv->found && lv->end == r->len)
        return EL_MORE;
    *now_ns = el_clock_ns();
    if (!r->final && *now_ns < m->rest_until_ns) {
        m->again_ns = m->rest_until_ns;
        return EL_MORE;
    }
    lv->found = true;
    lv->end = r->len;
    return EL_YES;
}

static void rest(struct el_match *m, uint64_t began_ns)
{
    uint64_t now_ns = el_clock_ns();
    m->work += m->came;
    if (m->work > FREE_WORK)
        m->rest_until_ns = now_ns + (now_ns - began_ns);
}

static int try_regex(struct el_match *m, unsigned depth, const struct el_matcher *n,
                     const struct el_match_region *r, enum el_regex_mode mode)
{
    uint64_t now_ns;
    bool ran_out;
    if (may_ask(m, level(m, depth), r, &now_ns) == EL_MORE)
        return EL_MORE;
    /* Where it is tried at one place, that is where its subject begins. */
    size_t skipped = mode == EL_REGEX_SEARCH ? 0 : r->start;
    int verdict = el_regex_ask(n->regex, r->data + skipped, r->start - skipped,
                               r->len - skipped, mode, r->final, &m->budget, &ran_out);
    if (!r->final)
        rest(m, now_ns);
    if (verdict == EL_ELIMIT)
        (void)strcpy(m->failure.why, mode == EL_REGEX_SEARCH
                                         ? TOO_LONG
                                         : "the regular expression took too many steps");
    if (verdict == EL_NO) {
        m->ran_out = m->ran_out || (ran_out && !r->whole);
        return fail(m, n, r, EL_MATCH_NOWHERE);
    }
    if (verdict < 0 || (verdict == EL_MORE && mode != EL_REGEX_SEARCH))
        return verdict;
    size_t from, to;
    el_regex_capture(n->regex, 0, &from, &to);
    struct el_match_region hit = *r;
    if (mode == EL_REGEX_SEARCH)
        hit.start = m->start = from;
    if (verdict == EL_MORE)
        return EL_MORE;
    matched(m, n, &hit, to + skipped - hit.start);
    m->leaf_base = r->base + skipped;
    return el_captures_keep(m, n->regex) ? EL_YES : -ENOMEM;
}

static int ask_regex(struct el_match *m, unsigned depth, const struct el_matcher *n,
                     const struct el_match_region *r, enum el_regex_mode mode)
{
    int verdict = try_regex(m, depth, n, r, mode);
    el_regex_relax(n->regex); /* what it has captured is kept by now */
    return verdict;
}

static int ask_host(struct el_match *m, unsigned depth, const struct el_matcher *n,
                    const struct el_match_region *r)
{
    uint64_t now_ns;
    if (r->whole && !r->final)
        return EL_MORE;
    if (!r->whole && r->len == r->start)
        return ends_early(m, n, r); /* nothing to be asked about */
    /* An answer that more is needed speaks of what had come when the host was asked. */
    if (!m->answered || (m->answer == EL_MORE && r->len > m->asked.len)) {
        m->answered = false;
        if (may_ask(m, level(m, depth), r, &now_ns) == EL_MORE)
            return EL_MORE;
        m->leaf = n;
        m->asked = *r;
        return EL_HOST;
    }
    m->answered = false;
    int verdict = m->answer;
    if (verdict == EL_YES && r->whole && m->answer_taken != r->len - r->start) {
        (void)snprintf(m->failure.why, sizeof(m->failure.why),
                       "it took %zu of the frame's %zu bytes", m->answer_taken,
                       r->len - r->start);
        verdict = EL_NO;
    }
    if (verdict == EL_YES)
        return matched(m, n, r, m->answer_taken);
    if (verdict == EL_MORE)
        return ends_early(m, n, r);
    m->failure.matcher = n;
    m->failure.at = EL_MATCH_NOWHERE;
    return EL_NO;
}

/* --- the tree ---------------------------------------------------------------------------- */

/* Remembers why an alternative of the top failed. Without memory for it, it is not told. */
static void tell_failure(struct el_match *m, const struct el_matcher *top, unsigned k)
{
    if (m->searches || k >= EL_MATCH_ALTERNATIVES)
        return;
    if (m->failures == NULL) {
        unsigned n = top->count < EL_MATCH_ALTERNATIVES ? top->count
                                                        : EL_MATCH_ALTERNATIVES;
        m->failures = calloc(n, sizeof(*m->failures));
    }
    if (m->failures != NULL)
        m->failures[k] = m->failure;
}

static int ask_either(struct el_match *m, unsigned depth, const struct el_matcher *n,
                      const struct el_match_region *r)
{
    struct el_match_level *lv = level(m, depth);
    size_t farthest = EL_MATCH_NOWHERE;
    for (; lv->alternative < n->count; lv->alternative++) {
        int verdict = ask(m, depth + 1, n->alternatives[lv->alternative], r);
        if (verdict != EL_NO) {
            if (depth == 0)
                m->alternative = lv->alternative;
            return verdict;
        }
        if (depth == 0)
            tell_failure(m, n, lv->alternative);
        m->levels[depth + 1].begun = false;
        if (m->failure.at != EL_MATCH_NOWHERE &&
            (farthest == EL_MATCH_NOWHERE || m->failure.at > farthest))
            farthest = m->failure.at;
    }
    fail(m, n, r, EL_MATCH_NOWHERE);
    m->failure.at = farthest;
    return EL_NO;
}

static int ask(struct el_match *m, unsigned depth, const struct el_matcher *n,
               const struct el_match_region *r)
{
    switch (n->kind) {
    case EL_MATCHER_LITERAL:
        return ask_literal(m, depth, n, r);
    case EL_MATCHER_LINE:
        return ask_line(m, depth, n, r);
    case EL_MATCHER_DELIMITED:
        return ask_delimited(m, depth, n, r);
    case EL_MATCHER_BYTES:
    case EL_MATCHER_COUNTED:
        return ask_sized(m, depth, n, r);
    case EL_MATCHER_PATTERN:
        return ask_pattern(m, depth, n, r);
    case EL_MATCHER_REGEX:
        return ask_regex(m, depth, n, r, r->whole ? EL_REGEX_WHOLE : EL_REGEX_HERE);
    case EL_MATCHER_EITHER:
        return ask_either(m, depth, n, r);
    case EL_MATCHER_HOST_LINE:
        if (!r->whole) { /* in no frame: a line is its frame */
            struct el_matcher line = {.kind = EL_MATCHER_LINE, .inner = n};
            int verdict = ask_line(m, depth, &line, r);
            m->failure.matcher = n;
            return verdict;
        }
        return ask_host(m, depth, n, r);
    default:
        return ask_host(m, depth, n, r);
    }
}

/* --- searching --------------------------------------------------------------------------- */

/* A literal anywhere: each byte is looked at once. */
static int search_literal(struct el_match *m, const struct el_match_region *r)
{
    struct el_match_level *lv = level(m, 0);
    struct el_match_region hit = *r;
    size_t n = m->top->len;
    bool found = n == 0 || lv->found ||
                 el_scan_step(&lv->scan, m->top->bytes, n, m->borders, r->data, r->len);
    if (!found)
        return ends_early(m, m->top, r);
    lv->found = true;
    hit.start = m->start = lv->scan.seen - n;
    return matched(m, m->top, &hit, n);
}

/* To the line behind the one at m->start. */
static bool next_line(struct el_match *m, const char *data, size_t len)
{
    const char *lf = m->start < len ? memchr(data + m->start, '\n', len - m->start)
                                    : NULL;
    m->skipping = lf == NULL;
    m->start = lf != NULL ? (size_t)(lf - data) + 1 : len;
    return lf != NULL;
}

static int search(struct el_match *m, struct el_match_region *r)
{
    const struct el_matcher *top = m->top;
    if (top->kind == EL_MATCHER_LITERAL)
        return search_literal(m, r);
    if (top->kind == EL_MATCHER_REGEX && el_regex_can_search(top->regex)) {
        r->start = m->start;
        return ask_regex(m, 0, top, r, EL_REGEX_SEARCH);
    }
    for (;;) {
        if (m->skipping && !next_line(m, r->data, r->len))
            return ends_early(m, top, r);
        r->start = m->start;
        int verdict = ask(m, 0, top, r);
        if (verdict != EL_NO)
            return verdict;
        m->levels[0].begun = false;
        if (m->start >= r->len)
            return ends_early(m, top, r);
        if (!el_budget_take(&m->budget)) {
            (void)snprintf(m->failure.why, sizeof(m->failure.why), TOO_LONG);
            return EL_ELIMIT;
        }
        m->skipping = el_matcher_is_line(top);
        m->start += !m->skipping;
    }
}

/* --- the whole --------------------------------------------------------------------------- */

int el_match_begin(struct el_match *m, const struct el_matcher *top, bool searches,
                   size_t max)
{
    m->serial++;
    m->top = top;
    m->searches = searches;
    el_budget_begin(&m->budget);
    m->kept.of = NULL;
    free(m->failures);
    m->failures = NULL;
    m->max = max;
    m->start = 0;
    m->skipping = false;
    m->levels[0].begun = false;
    m->again_ns = m->rest_until_ns = m->work = 0;
    m->leaf = NULL;
    m->answered = false;
    m->alternative = 0;
    m->pattern.steps = 0;
    free(m->borders);
    m->borders = NULL;
    if (searches && top->kind == EL_MATCHER_LITERAL && top->len > 1) {
        m->borders = malloc(top->len * sizeof(*m->borders));
        if (m->borders == NULL)
            return -ENOMEM;
        el_scan_prepare(top->bytes, top->len, m->borders);
    }
    return 0;
}

int el_match_ask(struct el_match *m, const char *data, size_t len, bool final)
{
    struct el_match_region r = {
        .data = data != NULL ? data : "",
        .len = len,
        .total = EL_MATCH_NOWHERE,
        .final = final,
    };
    m->again_ns = 0;
    m->came = len;
    m->ran_out = false;
    m->steps_max = STEPS_MIN + (uint64_t)len * STEPS_A_BYTE;
    if (!m->searches)
        return ask(m, 0, m->top, &r);
    int verdict = search(m, &r);
    if (verdict == EL_MORE)
        el_budget_begin(&m->budget);
    return verdict;
}

void el_match_answer(struct el_match *m, int verdict, size_t taken, const char *why)
{
    m->answered = true;
    m->answer = verdict;
    m->answer_taken = taken;
    (void)snprintf(m->failure.why, sizeof(m->failure.why), "%s", why != NULL ? why : "");
    if (!m->asked.final)
        rest(m, m->asked_ns);
}

void el_match_fini(struct el_match *m)
{
    free(m->borders);
    free(m->groups);
    free(m->failures);
    el_pattern_fini(&m->pattern);
    memset(m, 0, sizeof(*m));
}
