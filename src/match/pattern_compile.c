/* From a pattern's text to its items. Lua reads a pattern anew with each match and finds a
 * mistake only when it comes by; here all of them are found at once, with their place. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "match/pattern.h"
#include "match/pattern_item.h"

struct compiler {
    const unsigned char *text;
    size_t n, at;
    struct el_pattern *out;
    bool closed[EL_PATTERN_CAPTURES];
    const char *why;
};

static bool fail(struct compiler *c, const char *why)
{
    c->why = why;
    return false;
}

static void add_byte(struct el_pattern_item *i, unsigned char byte)
{
    i->set[byte / 32] |= 1u << (byte % 32);
}

/* --- sets -------------------------------------------------------------------------------- */

static bool class_has(unsigned char class, int byte)
{
    switch (tolower(class)) {
    case 'a':
        return isalpha(byte);
    case 'c':
        return iscntrl(byte);
    case 'd':
        return isdigit(byte);
    case 'g':
        return isgraph(byte);
    case 'l':
        return islower(byte);
    case 'p':
        return ispunct(byte);
    case 's':
        return isspace(byte);
    case 'u':
        return isupper(byte);
    case 'w':
        return isalnum(byte);
    case 'x':
        return isxdigit(byte);
    case 'z': /* no longer in the manual, still in Lua 5.4 */
        return byte == 0;
    default:
        return false;
    }
}

/* What % and a letter stand for; % and anything else is that byte. */
static void add_class(struct el_pattern_item *i, unsigned char class)
{
    if (class >= 0x80 || strchr("acdglpsuwxz", tolower(class)) == NULL || class == 0) {
        add_byte(i, class);
        return;
    }
    for (int byte = 0; byte < 256; byte++) {
        if (class_has(class, byte) != (isupper(class) != 0))
            add_byte(i, (unsigned char)byte);
    }
}

static void invert(struct el_pattern_item *i)
{
    for (size_t w = 0; w < sizeof(i->set) / sizeof(i->set[0]); w++)
        i->set[w] = ~i->set[w];
}

/* The offset of the bracket that ends a set whose content begins at `from`: the first that
 * neither stands first nor is escaped. 0 where there is none. */
static size_t bracket_end(const struct compiler *c, size_t from)
{
    for (size_t at = from; at < c->n; at++) {
        if (c->text[at] == ']' && at > from)
            return at;
        if (c->text[at] == '%')
            at++;
    }
    return 0;
}

/* A set in brackets; `at` is behind the opening one. */
static bool bracket(struct compiler *c, struct el_pattern_item *i)
{
    bool inverted = c->at < c->n && c->text[c->at] == '^';
    if (inverted)
        c->at++;
    size_t end = bracket_end(c, c->at);
    if (end == 0)
        return fail(c, "malformed pattern (missing ']')");
    while (c->at < end) {
        unsigned char byte = c->text[c->at++];
        if (byte == '%') {
            add_class(i, c->text[c->at++]);
        } else if (c->text[c->at] == '-' && c->at + 1 < end) {
            for (unsigned b = byte; b <= c->text[c->at + 1]; b++)
                add_byte(i, (unsigned char)b);
            c->at += 2;
        } else {
            add_byte(i, byte);
        }
    }
    c->at = end + 1;
    if (inverted)
        invert(i);
    return true;
}

/* --- items ------------------------------------------------------------------------------- */

static bool open_capture(struct compiler *c, struct el_pattern_item *i)
{
    if (c->out->captures >= EL_PATTERN_CAPTURES)
        return fail(c, "too many captures");
    i->capture = (uint8_t)c->out->captures++;
    i->kind = EL_ITEM_OPEN;
    if (c->at < c->n && c->text[c->at] == ')') {
        c->at++;
        c->closed[i->capture] = true;
        i->kind = EL_ITEM_POSITION;
    }
    return true;
}

static bool close_capture(struct compiler *c, struct el_pattern_item *i)
{
    unsigned k = c->out->captures;
    while (k > 0 && c->closed[k - 1])
        k--;
    if (k == 0)
        return fail(c, "invalid pattern capture");
    c->closed[k - 1] = true;
    i->capture = (uint8_t)(k - 1);
    i->kind = EL_ITEM_CLOSE;
    return true;
}

/* What follows a %; `at` is at it. 1 where that was an item of its own, 0 where it is a single
 * byte's set, -1 on failure. */
static int escaped(struct compiler *c, struct el_pattern_item *i)
{
    if (c->at >= c->n)
        return fail(c, "malformed pattern (ends with '%')") - 1;
    unsigned char byte = c->text[c->at++];
    if (byte == 'b') {
        if (c->at + 2 > c->n)
            return fail(c, "malformed pattern (missing arguments to '%b')") - 1;
        i->kind = EL_ITEM_BALANCE;
        i->x = c->text[c->at++];
        i->y = c->text[c->at++];
        return 1;
    }
    if (byte == 'f') {
        if (c->at >= c->n || c->text[c->at] != '[')
            return fail(c, "missing '[' after '%f' in pattern") - 1;
        c->at++;
        i->kind = EL_ITEM_FRONTIER;
        return bracket(c, i) ? 1 : -1;
    }
    if (isdigit(byte)) {
        unsigned k = (unsigned)(byte - '0');
        if (k == 0 || k > c->out->captures || !c->closed[k - 1])
            return fail(c, "invalid capture index") - 1;
        i->kind = EL_ITEM_BACK;
        i->capture = (uint8_t)(k - 1);
        return 1;
    }
    add_class(i, byte);
    return 0;
}

static struct el_pattern_item *next_item(struct compiler *c)
{
    return &c->out->items[c->out->count++];
}

/* The *, +, - or ? behind a single byte's set. */
static void quantify(struct compiler *c, struct el_pattern_item *i)
{
    unsigned char q = c->at < c->n ? c->text[c->at] : 0;
    switch (q) {
    case '*':
    case '+':
        if (q == '+') { /* one, then any number */
            i = next_item(c);
            *i = i[-1];
        }
        i->kind = EL_ITEM_GREEDY;
        break;
    case '-':
        i->kind = EL_ITEM_LAZY;
        break;
    case '?':
        i->kind = EL_ITEM_OPTIONAL;
        break;
    default:
        return;
    }
    c->at++;
    c->out->choices++;
}

static bool item(struct compiler *c)
{
    struct el_pattern_item *i = next_item(c);
    unsigned char byte = c->text[c->at++];
    switch (byte) {
    case '(':
        return open_capture(c, i);
    case ')':
        return close_capture(c, i);
    case '$':
        if (c->at == c->n) {
            i->kind = EL_ITEM_END;
            return true;
        }
        add_byte(i, byte);
        break;
    case '%': {
        int own = escaped(c, i);
        if (own != 0)
            return own > 0;
        break;
    }
    case '[':
        if (!bracket(c, i))
            return false;
        break;
    case '.':
        invert(i);
        break;
    default:
        add_byte(i, byte);
    }
    quantify(c, i);
    return true;
}

int el_pattern_compile(const char *text, size_t n, struct el_pattern **out,
                       const char **why, size_t *where)
{
    struct compiler c = {.text = (const unsigned char *)text, .n = n};
    *where = 0;
    if (n > EL_PATTERN_LENGTH_MAX) {
        *why = "pattern too long";
        return EL_EUSAGE;
    }
    /* No byte makes more than two items: x+ is x and x*. */
    c.out = calloc(1, sizeof(*c.out) + (n + 1) * sizeof(c.out->items[0]));
    if (c.out == NULL)
        return -ENOMEM;
    if (n > 0 && text[0] == '^')
        c.at = 1;
    bool ok = true;
    while (ok && c.at < n) {
        *where = c.at;
        ok = item(&c);
    }
    for (unsigned k = 0; ok && k < c.out->captures; k++) {
        if (!c.closed[k])
            ok = fail(&c, "unfinished capture");
    }
    if (!ok) {
        *why = c.why;
        free(c.out);
        return EL_EUSAGE;
    }
    *out = c.out;
    return 0;
}

void el_pattern_free(struct el_pattern *p)
{
    free(p);
}

unsigned el_pattern_captures(const struct el_pattern *p)
{
    return p->captures;
}
