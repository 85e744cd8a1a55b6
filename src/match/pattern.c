/* Runs a pattern. A pattern is a list of items without nesting, so each item has at most one
 * place to go back to: what a recursive matcher keeps on its stack is here one entry an item,
 * and a run can stop at any byte and go on when more have come. */
#include "match/pattern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "match/pattern_item.h"

/* What an item says: it holds and the next one's turn it is; it does not hold; it needs the
 * byte at the end. */
enum outcome { HOLDS, FAILS, NEEDS };

struct bytes {
    const unsigned char *data;
    size_t len;
    bool final;
};

int el_pattern_start(struct el_pattern_run *r, const struct el_pattern *p, size_t begin,
                     bool whole)
{
    if (p->choices > r->room) {
        struct el_pattern_choice *more = realloc(r->choices, p->choices * sizeof(*more));
        if (more == NULL)
            return -ENOMEM;
        r->choices = more;
        r->room = p->choices;
    }
    r->pattern = p;
    r->depth = 0;
    r->item = 0;
    r->at = r->begin = r->farthest = begin;
    r->count = r->nesting = 0;
    r->whole = whole;
    r->ran_out = false;
    return 0;
}

void el_pattern_fini(struct el_pattern_run *r)
{
    free(r->choices);
    memset(r, 0, sizeof(*r));
}

/* The offset `at` is behind the last byte. */
static enum outcome past(struct el_pattern_run *r, const struct bytes *b)
{
    if (!b->final)
        return NEEDS;
    r->ran_out = true;
    return FAILS;
}

static enum outcome single(struct el_pattern_run *r, const struct el_pattern_item *i,
                           const struct bytes *b)
{
    if (r->at >= b->len)
        return past(r, b);
    if (!el_pattern_item_has(i, b->data[r->at]))
        return FAILS;
    r->at++;
    return HOLDS;
}

static void can_go_back(struct el_pattern_run *r, size_t at, size_t count)
{
    r->choices[r->depth++] =
        (struct el_pattern_choice){.item = r->item, .at = at, .count = count};
}

static enum outcome optional(struct el_pattern_run *r, const struct el_pattern_item *i,
                             const struct bytes *b)
{
    size_t at = r->at;
    enum outcome o = single(r, i, b);
    if (o == HOLDS)
        can_go_back(r, at, 1);
    else if (o == FAILS && at > r->farthest)
        r->farthest = at;
    return o == NEEDS ? NEEDS : HOLDS;
}

static enum outcome greedy(struct el_pattern_run *r, const struct el_pattern_item *i,
                           const struct bytes *b)
{
    size_t at = r->at, n = r->count;
    while (at + n < b->len && el_pattern_item_has(i, b->data[at + n]))
        n++;
    r->steps += n - r->count;
    r->count = n;
    if (at + n >= b->len && past(r, b) == NEEDS)
        return NEEDS;
    if (at + n > r->farthest)
        r->farthest = at + n;
    if (n > 0)
        can_go_back(r, at, n);
    r->at = at + n;
    return HOLDS;
}

static enum outcome back_reference(struct el_pattern_run *r,
                                   const struct el_pattern_item *i, const struct bytes *b)
{
    const struct el_pattern_capture *c = &r->captures[i->capture];
    size_t len = c->len;
    if (len == EL_PATTERN_POSITION)
        return FAILS; /* a position is no text, here as in Lua */
    for (; r->count < len; r->count++, r->steps++) {
        if (r->at + r->count >= b->len)
            return past(r, b);
        if (b->data[c->start + r->count] != b->data[r->at + r->count])
            return FAILS;
    }
    r->at += len;
    return HOLDS;
}

static enum outcome balance(struct el_pattern_run *r, const struct el_pattern_item *i,
                            const struct bytes *b)
{
    for (;; r->steps++) {
        if (r->at + r->count >= b->len)
            return past(r, b);
        unsigned char byte = b->data[r->at + r->count];
        if (r->count == 0 && byte != i->x)
            return FAILS;
        r->count++;
        if (r->count == 1) {
            r->nesting = 1;
        } else if (byte == i->y) {
            if (--r->nesting == 0)
                break;
        } else if (byte == i->x) {
            r->nesting++;
        }
    }
    r->at += r->count;
    return HOLDS;
}

static enum outcome frontier(struct el_pattern_run *r, const struct el_pattern_item *i,
                             const struct bytes *b)
{
    if (r->at >= b->len && past(r, b) == NEEDS)
        return NEEDS;
    unsigned char before = r->at > 0 ? b->data[r->at - 1] : 0;
    unsigned char here = r->at < b->len ? b->data[r->at] : 0;
    return !el_pattern_item_has(i, before) && el_pattern_item_has(i, here) ? HOLDS
                                                                           : FAILS;
}

static enum outcome try_item(struct el_pattern_run *r, const struct bytes *b)
{
    const struct el_pattern_item *i = &r->pattern->items[r->item];
    switch (i->kind) {
    case EL_ITEM_SINGLE:
        return single(r, i, b);
    case EL_ITEM_OPTIONAL:
        return optional(r, i, b);
    case EL_ITEM_GREEDY:
        return greedy(r, i, b);
    case EL_ITEM_LAZY:
        can_go_back(r, r->at, 0);
        return HOLDS;
    case EL_ITEM_OPEN:
        r->captures[i->capture].start = r->at;
        return HOLDS;
    case EL_ITEM_CLOSE:
        r->captures[i->capture].len = r->at - r->captures[i->capture].start;
        return HOLDS;
    case EL_ITEM_POSITION:
        r->captures[i->capture] = (struct el_pattern_capture){.start = r->at,
                                                              .len = EL_PATTERN_POSITION};
        return HOLDS;
    case EL_ITEM_BACK:
        return back_reference(r, i, b);
    case EL_ITEM_BALANCE:
        return balance(r, i, b);
    case EL_ITEM_FRONTIER:
        return frontier(r, i, b);
    default: /* EL_ITEM_END */
        if (r->at < b->len)
            return FAILS;
        return b->final ? HOLDS : NEEDS;
    }
}

/* Goes back to the last choice that has something else to offer, and takes it: then the item
 * behind it is next. FAILS where there is none. */
static enum outcome go_back(struct el_pattern_run *r, const struct bytes *b)
{
    while (r->depth > 0) {
        struct el_pattern_choice *c = &r->choices[r->depth - 1];
        const struct el_pattern_item *i = &r->pattern->items[c->item];
        r->steps++;
        r->count = 0;
        if (i->kind == EL_ITEM_LAZY) { /* one more */
            if (c->at >= b->len) {
                if (past(r, b) == NEEDS)
                    return NEEDS;
            } else if (el_pattern_item_has(i, b->data[c->at])) {
                r->at = ++c->at;
                r->item = c->item + 1;
                return HOLDS;
            }
            if (c->at > r->farthest)
                r->farthest = c->at;
            r->depth--;
            continue;
        }
        c->count--; /* one fewer */
        r->at = c->at + c->count;
        r->item = c->item + 1;
        if (c->count == 0)
            r->depth--;
        return HOLDS;
    }
    return FAILS;
}

/* The items are through. */
static enum outcome at_end(const struct el_pattern_run *r, const struct bytes *b)
{
    if (!r->whole)
        return HOLDS;
    if (r->at < b->len)
        return FAILS;
    return b->final ? HOLDS : NEEDS;
}

/* A run that waits stands at an item that needs a byte (`item` below the count, or at it where
 * the whole has to be covered), or goes back to a lazy choice that does: `backing` is told by an
 * item past the count. */
#define BACKING(p) ((p)->count + 1)

int el_pattern_step(struct el_pattern_run *r, const char *data, size_t len, bool final,
                    uint64_t steps_max)
{
    const struct el_pattern *p = r->pattern;
    struct bytes b = {.data = (const unsigned char *)data, .len = len, .final = final};
    for (;;) {
        enum outcome o = FAILS;
        if (r->item == p->count) {
            o = at_end(r, &b);
            if (o == HOLDS)
                return EL_YES;
        } else if (r->item < p->count) {
            o = try_item(r, &b);
            if (o == HOLDS) {
                r->item++;
                r->count = 0;
                if (++r->steps > steps_max)
                    return EL_ELIMIT;
                continue;
            }
        }
        if (o == NEEDS)
            return EL_MORE;
        if (r->item <= p->count && r->at + r->count > r->farthest)
            r->farthest = r->at + r->count;
        o = go_back(r, &b);
        if (o == NEEDS) {
            r->item = BACKING(p);
            return EL_MORE;
        }
        if (o == FAILS)
            return EL_NO;
        if (r->steps > steps_max)
            return EL_ELIMIT;
    }
}
