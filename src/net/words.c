#include "net/words.h"

#include <stdbool.h>
#include <string.h>

#include "base/err.h"

static size_t words_max(size_t n)
{
    return n / 2 + 1; /* of one byte each, with one between them */
}

size_t el_words_room(size_t n)
{
    /* a word's end takes the place of what parts it from the next */
    return (words_max(n) + 1) * sizeof(char *) + n + 1;
}

/* Where the words go; `to` is NULL where they are counted only. */
struct out {
    char **argv;
    char *to;
    size_t count;
    bool in_word;
};

static void put(struct out *o, char c)
{
    if (o->to != NULL)
        *o->to++ = c;
}

static void begin_word(struct out *o)
{
    if (o->in_word)
        return;
    if (o->to != NULL)
        o->argv[o->count] = o->to;
    o->count++;
    o->in_word = true;
}

static void end_word(struct out *o)
{
    if (o->in_word)
        put(o, '\0');
    o->in_word = false;
}

/* Takes what stands in quotes, which `text` is just behind. Behind their end, or NULL. */
static const char *take_quoted(struct out *o, const char *text, const char *end,
                               char quote)
{
    for (; text < end && *text != quote; text++) {
        if (quote == '"' && *text == '\\' && text + 1 < end && text[1] != '\0' &&
            strchr("\"\\$`", text[1]) != NULL)
            text++;
        put(o, *text);
    }
    return text < end ? text + 1 : NULL;
}

static int fail(const char **why, const char *text)
{
    *why = text;
    return EL_EUSAGE;
}

int el_words_split(const char *text, size_t n, void *room, char ***argv, const char **why)
{
    const char *end = text + n;
    struct out o = {.argv = room};
    if (memchr(text, '\0', n) != NULL)
        return fail(why, "the command holds a NUL byte");
    if (room != NULL)
        o.to = (char *)(o.argv + words_max(n) + 1);
    while (text < end) {
        char c = *text++;
        if (c == ' ' || c == '\t' || c == '\n') {
            end_word(&o);
            continue;
        }
        begin_word(&o);
        if (c == '\'' || c == '"') {
            text = take_quoted(&o, text, end, c);
            if (text == NULL)
                return fail(why, "a quote in the command is not closed");
        } else if (c == '\\') {
            if (text == end)
                return fail(why, "nothing follows the command's last backslash");
            put(&o, *text++);
        } else {
            put(&o, c);
        }
    }
    end_word(&o);
    if (o.count == 0)
        return fail(why, "the command is empty");
    if (room != NULL) {
        o.argv[o.count] = NULL;
        *argv = o.argv;
    }
    return 0;
}
