/* pattern_item.h - a compiled pattern: a list of items, shared by the compiler and the runner.
 * Owned by its el_pattern. */
#ifndef EL_MATCH_PATTERN_ITEM_H
#define EL_MATCH_PATTERN_ITEM_H

#include <stdbool.h>
#include <stdint.h>

enum el_pattern_kind {
    EL_ITEM_SINGLE,   /* one byte of the set */
    EL_ITEM_OPTIONAL, /* ? one or none */
    EL_ITEM_GREEDY,   /* * as many as there are, then fewer */
    EL_ITEM_LAZY,     /* - none, then more */
    EL_ITEM_OPEN,     /* ( */
    EL_ITEM_CLOSE,    /* ) */
    EL_ITEM_POSITION, /* () */
    EL_ITEM_BACK,     /* %1 */
    EL_ITEM_BALANCE,  /* %bxy */
    EL_ITEM_FRONTIER, /* %f[set] */
    EL_ITEM_END,      /* $ */
};

struct el_pattern_item {
    uint8_t kind;
    uint8_t capture;        /* OPEN, CLOSE, POSITION, BACK */
    unsigned char x, y;     /* BALANCE */
    uint32_t set[256 / 32]; /* a bit a byte: SINGLE, OPTIONAL, GREEDY, LAZY, FRONTIER */
};

struct el_pattern {
    uint32_t count;
    uint32_t choices; /* at most: one for each item that can go back */
    unsigned captures;
    struct el_pattern_item items[];
};

static inline bool el_pattern_item_has(const struct el_pattern_item *i, unsigned char c)
{
    return i->set[c / 32] >> (c % 32) & 1;
}

#endif
