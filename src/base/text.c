#include "base/text.h"

#include <stdio.h>
#include <string.h>

size_t el_text_decode(const char *s, size_t n, uint32_t *out)
{
    const unsigned char *p = (const unsigned char *)s;
    if (n == 0)
        return 0;
    if (p[0] < 0x80) {
        *out = p[0];
        return 1;
    }
    size_t len;
    uint32_t cp, least;
    if ((p[0] & 0xe0) == 0xc0) {
        len = 2, cp = p[0] & 0x1fu, least = 0x80;
    } else if ((p[0] & 0xf0) == 0xe0) {
        len = 3, cp = p[0] & 0x0fu, least = 0x800;
    } else if ((p[0] & 0xf8) == 0xf0) {
        len = 4, cp = p[0] & 0x07u, least = 0x10000;
    } else {
        return 0;
    }
    if (n < len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        cp = cp << 6 | (p[i] & 0x3fu);
    }
    if (cp < least || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return 0;
    *out = cp;
    return len;
}

static bool is_control(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp <= 0x9f);
}

bool el_text_is_plain(const char *s, size_t n)
{
    while (n > 0) {
        uint32_t cp;
        size_t len = el_text_decode(s, n, &cp);
        if (len == 0)
            return false;
        if (is_control(cp) && cp != '\t' && cp != '\r' && cp != '\n')
            return false;
        s += len;
        n -= len;
    }
    return true;
}

static int append_byte_escape(struct el_buf *out, unsigned char byte)
{
    char esc[8];
    int len = snprintf(esc, sizeof(esc), "\\x%02x", byte);
    return el_buf_append(out, esc, (size_t)len);
}

int el_text_to_utf8(struct el_buf *out, const char *s, size_t n)
{
    size_t start = 0, i = 0;
    int err;
    while (i < n) {
        uint32_t cp;
        size_t len = el_text_decode(s + i, n - i, &cp);
        if (len > 0) {
            i += len;
            continue;
        }
        err = el_buf_append(out, s + start, i - start);
        if (err == 0)
            err = append_byte_escape(out, (unsigned char)s[i]);
        if (err != 0)
            return err;
        start = ++i;
    }
    return el_buf_append(out, s + start, n - start);
}

/* Characters that change what a reader sees without being seen: bidirectional controls
 * (Unicode UAX #9), zero-width ones, line and paragraph separators, the byte order mark,
 * soft hyphen, fillers, variation selectors and tags. */
static bool is_invisible(uint32_t cp)
{
    return cp == 0xad || cp == 0x61c || cp == 0x180e || (cp >= 0x200b && cp <= 0x200f) ||
           (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2060 && cp <= 0x206f) ||
           cp == 0xfeff || (cp >= 0xfff9 && cp <= 0xfffb) ||
           (cp >= 0xe0000 && cp <= 0xe01ef) || (cp >= 0xfe00 && cp <= 0xfe0f) ||
           cp == 0x34f || cp == 0x115f || cp == 0x1160 || cp == 0x3164 || cp == 0xffa0;
}

static int append_code_escape(struct el_buf *out, uint32_t cp)
{
    static const char *const short_escapes[] = {
        ['\a'] = "\\a", ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n",
        ['\v'] = "\\v", ['\f'] = "\\f", ['\r'] = "\\r",
    };
    char esc[16];
    if (cp < sizeof(short_escapes) / sizeof(short_escapes[0]) && short_escapes[cp])
        return el_buf_append(out, short_escapes[cp], 2);
    if (cp < 0x80)
        return append_byte_escape(out, (unsigned char)cp);
    int len = snprintf(esc, sizeof(esc), "\\u{%x}", (unsigned)cp);
    return el_buf_append(out, esc, (size_t)len);
}

int el_text_for_terminal(struct el_buf *out, const char *s, size_t n, bool multiline)
{
    size_t start = 0, i = 0;
    while (i < n) {
        uint32_t cp = 0;
        size_t len = el_text_decode(s + i, n - i, &cp);
        bool plain = len > 0 && !is_control(cp) && !is_invisible(cp);
        if (plain || (len == 1 && multiline && (cp == '\n' || cp == '\t'))) {
            i += len;
            continue;
        }
        int err = el_buf_append(out, s + start, i - start);
        if (err == 0)
            err = len > 0 ? append_code_escape(out, cp)
                          : append_byte_escape(out, (unsigned char)s[i]);
        if (err != 0)
            return err;
        i += len > 0 ? len : 1;
        start = i;
    }
    return el_buf_append(out, s + start, n - start);
}

int el_text_base64(struct el_buf *out, const void *s, size_t n)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = s;
    if (n == 0)
        return 0;
    int err = el_buf_reserve(out, (n + 2) / 3 * 4);
    if (err != 0)
        return err;
    char *o = el_buf_data(out) + out->len;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                     (left > 2 ? p[i + 2] : 0);
        *o++ = digits[v >> 18];
        *o++ = digits[v >> 12 & 63];
        *o++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *o++ = left > 2 ? digits[v & 63] : '=';
    }
    out->len += (n + 2) / 3 * 4;
    return 0;
}
