/* Fuzzes framing and matching: the input is a matcher and the bytes that a peer sends. Whatever
 * they are, the verdict has to be the same all at once, one byte at a time, and cut in two. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "match/match.h"

#define MATCHERS 24
#define MAX_BUFFER 4096
#define FIRST_HOST EL_MATCHER_HOST_PART

struct input {
    const unsigned char *data;
    size_t len;
};

static unsigned take(struct input *in)
{
    if (in->len == 0)
        return 0;
    in->len--;
    return *in->data++;
}

/* Up to `most` bytes, as many as the next one says. */
static size_t take_bytes(struct input *in, size_t most, const char **out)
{
    size_t n = take(in) % (most + 1);
    if (n > in->len)
        n = in->len;
    *out = (const char *)in->data;
    in->data += n;
    in->len -= n;
    return n;
}

struct tree {
    struct el_matcher all[MATCHERS];
    unsigned used;
};

static const struct el_matcher *build(struct tree *t, struct input *in, unsigned depth);

static void build_leaf(struct el_matcher *m, struct input *in, bool pattern)
{
    const char *text, *why;
    char regex_why[EL_REGEX_WHY_MAX];
    static const char *const flags[] = {"", "i", "m", "s", "x", "u", "us", "im"};
    size_t n = take_bytes(in, 40, &text), where;
    memset(m, 0, sizeof(*m));
    m->kind = pattern ? EL_MATCHER_PATTERN : EL_MATCHER_REGEX;
    m->depth = 1;
    int err = pattern ? el_pattern_compile(text, n, &m->pattern, &why, &where)
                      : el_regex_compile(text, n, flags[take(in) % 8], &m->regex,
                                         regex_why, &where);
    if (err != 0) {
        assert(where <= n);
        el_matcher_literal(m, text, n);
    }
}

static void build_frame(struct tree *t, struct el_matcher *m, struct input *in,
                        enum el_matcher_kind kind, unsigned depth)
{
    static const char *const prefixes[] = {"B", "b", ">I2", "<i3", "<I4", ">I8", "I16"};
    const char *text = NULL;
    size_t n = kind == EL_MATCHER_DELIMITED ? take_bytes(in, 5, &text) : take(in) % 40;
    const char *fmt = prefixes[take(in) % 7];
    const struct el_matcher *inner = take(in) % 3 > 0 ? build(t, in, depth + 1) : NULL;
    assert(el_matcher_frame(m, kind, inner) == 0);
    if (kind == EL_MATCHER_DELIMITED)
        assert(el_matcher_set_bytes(m, n > 0 ? text : ";", n > 0 ? n : 1) == 0);
    else
        m->len = n;
    if (kind == EL_MATCHER_COUNTED)
        assert(el_matcher_parse_prefix(fmt, strlen(fmt), &m->prefix) == 0);
}

static const struct el_matcher *build(struct tree *t, struct input *in, unsigned depth)
{
    if (t->used + 5 > MATCHERS || depth + 2 > EL_MATCHER_DEPTH)
        return NULL;
    struct el_matcher *m = &t->all[t->used++];
    const char *text;
    size_t n;
    switch (take(in) % 9) {
    case 0:
        n = take_bytes(in, 12, &text);
        el_matcher_literal(m, text, n);
        break;
    case 1:
        build_leaf(m, in, true);
        break;
    case 2:
        build_leaf(m, in, false);
        break;
    case 3:
        build_frame(t, m, in, EL_MATCHER_LINE, depth);
        break;
    case 4:
        build_frame(t, m, in, EL_MATCHER_BYTES, depth);
        break;
    case 5:
        build_frame(t, m, in, EL_MATCHER_DELIMITED, depth);
        break;
    case 6:
        build_frame(t, m, in, EL_MATCHER_COUNTED, depth);
        break;
    case 7:
        *m = (struct el_matcher){.kind = FIRST_HOST + take(in) % 3, .depth = 2};
        break;
    default: {
        unsigned count = 1 + take(in) % 3;
        assert(el_matcher_either(m, count) == 0);
        for (unsigned i = 0; i < count; i++) {
            const struct el_matcher *one = build(t, in, depth + 1);
            if (one != NULL)
                assert(el_matcher_add(m, one) == 0);
        }
    }
    }
    return m;
}

struct outcome {
    int verdict;
    size_t taken, start, text, text_len;
    unsigned alternative, captures;
    size_t sum; /* of where the captures are */
};

static struct outcome outcome_of(const struct el_match *m, int verdict)
{
    struct outcome o = {.verdict = verdict};
    if (verdict != EL_YES)
        return o;
    o.taken = m->taken;
    o.start = m->start;
    o.text = m->text;
    o.text_len = m->text_len;
    o.alternative = m->alternative;
    o.captures = el_match_captures(m);
    for (unsigned k = 0; k < o.captures; k++) {
        size_t start, len;
        el_match_capture(m, k, &start, &len);
        o.sum = o.sum * 31 + start * 7 + len;
    }
    return o;
}

/* Answers for the host, as one whose answers depend on the bytes alone and do not change once
 * they are given: a part ends at a semicolon, a whole has an even length or begins with a brace. */
static int ask_with_host(struct el_match *m, const char *data, size_t len, bool final)
{
    int verdict;
    while ((verdict = el_match_ask(m, data, len, final)) == EL_HOST) {
        const char *from = m->asked.data + m->asked.start;
        size_t n = m->asked.len - m->asked.start;
        assert(from >= data && from + n <= data + len);
        if (m->leaf->kind == EL_MATCHER_HOST_PART) {
            const char *end = n > 0 ? memchr(from, ';', n) : NULL;
            size_t taken = end != NULL ? (size_t)(end - from) + 1 : 0;
            bool never = n > 0 && *from == 'n';
            el_match_answer(m, never ? EL_NO : end != NULL ? EL_YES : EL_MORE, taken, "");
        } else {
            bool fits = n % 2 == 0 || *from == '{';
            el_match_answer(m, fits ? EL_YES : EL_NO, n, NULL);
        }
    }
    return verdict;
}

/* Delivers the bytes in pieces of `first`, then `piece`, each time in memory of exactly their
 * length, then the end. */
static struct outcome deliver(const struct el_matcher *top, bool searches,
                              const struct input *in, size_t first, size_t piece)
{
    struct el_match m = {0};
    int verdict = el_match_begin(&m, top, searches, MAX_BUFFER);
    assert(verdict == 0);
    verdict = EL_MORE;
    for (size_t n = first; verdict == EL_MORE; n += piece) {
        size_t come = n < in->len ? n : in->len;
        char *copy = malloc(come > 0 ? come : 1);
        if (come > 0)
            memcpy(copy, in->data, come);
        m.rest_until_ns = 0; /* every attempt counts here */
        verdict = ask_with_host(&m, copy, come, false);
        struct outcome o = outcome_of(&m, verdict);
        if (verdict == EL_YES) {
            assert(o.taken <= come && o.text + o.text_len <= come && o.start <= o.taken);
            el_match_fini(&m);
            free(copy);
            return o;
        }
        if (verdict == EL_MORE && come == in->len) {
            verdict = ask_with_host(&m, copy, come, true);
            assert(verdict != EL_MORE && verdict != EL_HOST);
            o = outcome_of(&m, verdict);
            free(copy);
            el_match_fini(&m);
            return o;
        }
        free(copy);
    }
    struct outcome o = outcome_of(&m, verdict);
    el_match_fini(&m);
    return o;
}

static void check_same(const struct outcome *a, const struct outcome *b)
{
    /* How many steps an attempt takes until a limit depends on how often it is made. */
    if (a->verdict < 0 || b->verdict < 0)
        return;
    if (memcmp(a, b, sizeof(*a)) != 0) {
        fprintf(stderr, "%d %zu %zu+%zu, %d %zu %zu+%zu\n", a->verdict, a->taken, a->text,
                a->text_len, b->verdict, b->taken, b->text, b->text_len);
        abort();
    }
}

static void fini(struct tree *t)
{
    for (unsigned i = t->used; i > 0; i--)
        el_matcher_fini(&t->all[i - 1]);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
    struct tree t = {0};
    struct input in = {.data = data, .len = len};
    bool searches = take(&in) % 3 == 0;
    size_t cut = take(&in);
    const struct el_matcher *top = build(&t, &in, 0);
    if (top == NULL || el_matcher_unframed(top) != NULL) {
        fini(&t);
        return 0; /* the calls refuse such a one */
    }
    struct input sent = in; /* the rest is what the peer sends */
    if (sent.len > 600)
        sent.len = 600;
    struct outcome whole = deliver(top, searches, &sent, sent.len, 1);
    struct outcome single = deliver(top, searches, &sent, 1, 1);
    check_same(&whole, &single);
    struct outcome halves = deliver(top, searches, &sent,
                                    cut <= sent.len ? cut : sent.len, sent.len + 1);
    check_same(&whole, &halves);
    fini(&t);
    return 0;
}
