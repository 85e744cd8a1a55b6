#include "base/text.h"

#include "unit.h"

/* --- UTF-8 (RFC 3629) ---------------------------------------------------------------------- */

static const struct {
    const char *bytes;
    size_t n;
    size_t length; /* 0: not well formed */
    uint32_t code;
} sequences[] = {
    {"A", 1, 1, 'A'},
    {"\x00", 1, 1, 0},
    {"\x7f", 1, 1, 0x7f},
    {"\xc2\x80", 2, 2, 0x80},
    {"\xdf\xbf", 2, 2, 0x7ff},
    {"\xe0\xa0\x80", 3, 3, 0x800},
    {"\xe2\x82\xac", 3, 3, 0x20ac},
    {"\xed\x9f\xbf", 3, 3, 0xd7ff},
    {"\xee\x80\x80", 3, 3, 0xe000},
    {"\xef\xbf\xbd", 3, 3, 0xfffd},
    {"\xef\xbf\xbf", 3, 3, 0xffff},
    {"\xf0\x90\x80\x80", 4, 4, 0x10000},
    {"\xf0\x9f\x98\x80", 4, 4, 0x1f600},
    {"\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff},
    {"Ab", 2, 1, 'A'}, /* what follows does not matter */
    {"\xc2\x80x", 3, 2, 0x80},
    {"", 0, 0, 0},     /* nothing */
    {"\x80", 1, 0, 0}, /* a continuation alone */
    {"\xbf", 1, 0, 0},
    {"\xc2", 1, 0, 0}, /* cut short */
    {"\xe2\x82", 2, 0, 0},
    {"\xf0\x9f\x98", 3, 0, 0},
    {"\xc2"
     "A",
     2, 0, 0}, /* continued by what is none */
    {"\xe2\x28\xa1", 3, 0, 0},
    {"\xe2\x82\x28", 3, 0, 0},
    {"\xf0\x28\x8c\xbc", 4, 0, 0},
    {"\xf0\x90\x28\xbc", 4, 0, 0},
    {"\xf0\x90\x8c\xc0", 4, 0, 0},
    {"\xc0\x80", 2, 0, 0}, /* longer than needed */
    {"\xc1\xbf", 2, 0, 0},
    {"\xe0\x80\x80", 3, 0, 0},
    {"\xe0\x9f\xbf", 3, 0, 0},
    {"\xf0\x80\x80\x80", 4, 0, 0},
    {"\xf0\x8f\xbf\xbf", 4, 0, 0},
    {"\xed\xa0\x80", 3, 0, 0}, /* surrogates */
    {"\xed\xaf\xbf", 3, 0, 0},
    {"\xed\xbf\xbf", 3, 0, 0},
    {"\xf4\x90\x80\x80", 4, 0, 0}, /* beyond U+10FFFF */
    {"\xf5\x80\x80\x80", 4, 0, 0},
    {"\xf8\x88\x80\x80\x80", 5, 0, 0},
    {"\xfc\x84\x80\x80\x80\x80", 6, 0, 0},
    {"\xfe", 1, 0, 0},
    {"\xff", 1, 0, 0},
};

static void test_decode(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sequences); i++) {
        uint32_t code = 0xdead;
        size_t length = el_text_decode(sequences[i].bytes, sequences[i].n, &code);
        if (length != sequences[i].length || (length > 0 && code != sequences[i].code))
            fail_msg("row %zu: length %zu, U+%04X", i, length, (unsigned)code);
    }
}

/* Encodes by the book, for the round trip. */
static size_t encode(uint32_t cp, char *out)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, cp >>= 6)
        out[i] = (char)(0x80 | (cp & 0x3f));
    out[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | cp);
    return n;
}

static void test_decode_takes_every_character_back(void **state)
{
    char bytes[4];
    (void)state;
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        uint32_t back = ~cp;
        size_t n = encode(cp, bytes);
        bool surrogate = cp >= 0xd800 && cp <= 0xdfff;
        if (el_text_decode(bytes, n, &back) != (surrogate ? 0 : n) ||
            (!surrogate && back != cp))
            fail_msg("U+%04X came back as U+%04X", (unsigned)cp, (unsigned)back);
        if (n > 1 && el_text_decode(bytes, n - 1, &back) != 0)
            fail_msg("U+%04X was taken without its last byte", (unsigned)cp);
    }
}

static void test_is_plain(void **state)
{
    (void)state;
    assert_true(el_text_is_plain("", 0));
    assert_true(el_text_is_plain("a\tb\r\nc", 6));
    assert_true(el_text_is_plain("gr\xc3\xbc\xc3\x9f", 6));
    assert_true(el_text_is_plain("\xf0\x9f\x98\x80", 4));
    assert_false(el_text_is_plain("a\0b", 3));
    assert_false(el_text_is_plain("\xff", 1));
    assert_false(el_text_is_plain("caf\xc3", 4));
    for (int c = 0; c < 0x20; c++) {
        char byte = (char)c;
        bool plain = c == '\t' || c == '\r' || c == '\n';
        assert_int_equal(el_text_is_plain(&byte, 1), plain);
    }
    assert_false(el_text_is_plain("\x7f", 1));
    for (int c = 0x80; c <= 0x9f; c++) { /* C1, as UTF-8 */
        char bytes[] = {'\xc2', (char)c};
        assert_false(el_text_is_plain(bytes, 2));
    }
    assert_true(el_text_is_plain("\xc2\xa0", 2));
}

/* --- what goes out -------------------------------------------------------------------------- */

typedef int encoder(struct el_buf *out, const char *s, size_t n);

static void assert_encodes(encoder *f, const char *s, size_t n, const char *expected)
{
    struct el_buf out = {0};
    assert_int_equal(f(&out, s, n), 0);
    assert_int_equal(el_buf_append(&out, "", 1), 0);
    assert_string_equal(el_buf_data(&out), expected);
    assert_int_equal(out.len, strlen(expected) + 1);
    el_buf_fini(&out);
}

static void test_to_utf8(void **state)
{
    (void)state;
    assert_encodes(el_text_to_utf8, "", 0, "");
    assert_encodes(el_text_to_utf8, "plain", 5, "plain");
    assert_encodes(el_text_to_utf8, "\x1b[0m", 4, "\x1b[0m"); /* valid, if not nice */
    assert_encodes(el_text_to_utf8,
                   "a\xff"
                   "b",
                   3, "a\\xffb");
    assert_encodes(el_text_to_utf8, "\xe2\x82", 2, "\\xe2\\x82");
    assert_encodes(el_text_to_utf8, "\xed\xa0\x80!", 4, "\\xed\\xa0\\x80!");
    assert_encodes(el_text_to_utf8, "\xe2\x82\xac\xc3", 4, "\xe2\x82\xac\\xc3");
}

static void test_every_byte_becomes_valid_utf8(void **state)
{
    (void)state;
    for (int i = 0; i < 65536; i++) {
        struct el_buf out = {0};
        char bytes[] = {'<', (char)(i >> 8), (char)i, '>'};
        uint32_t code;
        assert_int_equal(el_text_to_utf8(&out, bytes, sizeof(bytes)), 0);
        for (size_t at = 0, step; at < out.len; at += step) {
            step = el_text_decode(el_buf_data(&out) + at, out.len - at, &code);
            assert_true(step > 0);
        }
        el_buf_fini(&out);
    }
}

static int one_line(struct el_buf *out, const char *s, size_t n)
{
    return el_text_for_terminal(out, s, n, false);
}

static int many_lines(struct el_buf *out, const char *s, size_t n)
{
    return el_text_for_terminal(out, s, n, true);
}

static const struct {
    const char *bytes, *shown;
} terminal[] = {
    {"", ""},
    {"plain text", "plain text"},
    {"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"},
    {"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"},
    {"\x1b]0;title\x07", "\\x1b]0;title\\a"},
    {"\a\b\v\f\r", "\\a\\b\\v\\f\\r"},
    {"\x01\x1f\x7f", "\\x01\\x1f\\x7f"},
    {"\xc2\x9b"
     "31m",
     "\\u{9b}31m"}, /* CSI in C1 */
    {"\xc2\x80\xc2\x9f", "\\u{80}\\u{9f}"},
    {"\x9b"
     "31m",
     "\\x9b31m"}, /* the same byte alone is no UTF-8 */
    {"\xc2\xa0|", "\xc2\xa0|"},
    {"\xc2\xad|", "\\u{ad}|"},                          /* soft hyphen */
    {"\xd8\x9c", "\\u{61c}"},                           /* Arabic letter mark */
    {"\xe2\x80\x8b\xe2\x80\x8d", "\\u{200b}\\u{200d}"}, /* zero width */
    {"\xe2\x80\x8e\xe2\x80\x8f", "\\u{200e}\\u{200f}"}, /* marks of direction */
    {"\xe2\x80\xa8\xe2\x80\xa9", "\\u{2028}\\u{2029}"}, /* separators */
    {"\xe2\x80\xaa\xe2\x80\xae", "\\u{202a}\\u{202e}"}, /* embedding, override */
    {"\xe2\x81\xa6\xe2\x81\xa9", "\\u{2066}\\u{2069}"}, /* isolates */
    {"\xe2\x81\xa0", "\\u{2060}"},
    {"\xef\xbb\xbf"
     "x",
     "\\u{feff}x"},                     /* byte order mark */
    {"\xef\xbf\xb9", "\\u{fff9}"},      /* interlinear annotation */
    {"\xf3\xa0\x81\x81", "\\u{e0041}"}, /* a tag */
    {"\xf3\xa0\x81\xbf", "\\u{e007f}"},
    {"\xe2\x80\x90", "\xe2\x80\x90"}, /* a hyphen is to be seen */
    {"\xff\xfe", "\\xff\\xfe"},
    {"back\\slash \"quote\"", "back\\slash \"quote\""},
};

static void test_for_terminal(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(terminal); i++) {
        assert_encodes(one_line, terminal[i].bytes, strlen(terminal[i].bytes),
                       terminal[i].shown);
        assert_encodes(many_lines, terminal[i].bytes, strlen(terminal[i].bytes),
                       terminal[i].shown);
    }
    assert_encodes(one_line, "a\0b", 3, "a\\x00b");
}

static void test_for_terminal_line_ends(void **state)
{
    (void)state;
    assert_encodes(one_line, "a\tb\nc", 5, "a\\tb\\nc");
    assert_encodes(many_lines, "a\tb\nc", 5, "a\tb\nc");
    assert_encodes(many_lines, "over\rwritten\r\n", 14, "over\\rwritten\\r\n");
}

static void test_nothing_that_moves_the_cursor_is_left(void **state)
{
    (void)state;
    for (int i = 0; i < 65536; i++) {
        struct el_buf out = {0};
        char bytes[] = {(char)(i >> 8), (char)i};
        uint32_t code;
        assert_int_equal(el_text_for_terminal(&out, bytes, 2, false), 0);
        for (size_t at = 0, step; at < out.len; at += step) {
            step = el_text_decode(el_buf_data(&out) + at, out.len - at, &code);
            assert_true(step > 0);
            assert_true(code >= 0x20 && !(code >= 0x7f && code <= 0x9f));
        }
        el_buf_fini(&out);
    }
}

/* --- base64 ----------------------------------------------------------------------------------- */

static int base64(struct el_buf *out, const char *s, size_t n)
{
    return el_text_base64(out, s, n);
}

static void test_base64_of_rfc_4648_section_10(void **state)
{
    static const char *const vectors[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++)
        assert_encodes(base64, vectors[i][0], strlen(vectors[i][0]), vectors[i][1]);
}

static void test_base64_of_all_digits(void **state)
{
    static const unsigned char bytes[] = {
        0x00, 0x10, 0x83, 0x10, 0x51, 0x87, 0x20, 0x92, 0x8b, 0x30, 0xd3, 0x8f,
        0x41, 0x14, 0x93, 0x51, 0x55, 0x97, 0x61, 0x96, 0x9b, 0x71, 0xd7, 0x9f,
        0x82, 0x18, 0xa3, 0x92, 0x59, 0xa7, 0xa2, 0x9a, 0xab, 0xb2, 0xdb, 0xaf,
        0xc3, 0x1c, 0xb3, 0xd3, 0x5d, 0xb7, 0xe3, 0x9e, 0xbb, 0xf3, 0xdf, 0xbf,
    };
    (void)state;
    assert_encodes(base64, (const char *)bytes, sizeof(bytes),
                   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    assert_encodes(base64, "\xff\xff\xff", 3, "////");
    assert_encodes(base64, "\0\0", 2, "AAA=");
}

static void test_outputs_are_appended(void **state)
{
    struct el_buf out = {0};
    (void)state;
    assert_int_equal(el_buf_append(&out, "> ", 2), 0);
    assert_int_equal(el_text_base64(&out, "foo", 3), 0);
    assert_int_equal(el_text_to_utf8(&out, " \xff", 2), 0);
    assert_int_equal(el_text_for_terminal(&out, " \n", 2, false), 0);
    assert_int_equal(out.len, strlen("> Zm9v \\xff \\n"));
    assert_memory_equal(el_buf_data(&out), "> Zm9v \\xff \\n", out.len);
    el_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_decode_takes_every_character_back),
        cmocka_unit_test(test_is_plain),
        cmocka_unit_test(test_to_utf8),
        cmocka_unit_test(test_every_byte_becomes_valid_utf8),
        cmocka_unit_test(test_for_terminal),
        cmocka_unit_test(test_for_terminal_line_ends),
        cmocka_unit_test(test_nothing_that_moves_the_cursor_is_left),
        cmocka_unit_test(test_base64_of_rfc_4648_section_10),
        cmocka_unit_test(test_base64_of_all_digits),
        cmocka_unit_test(test_outputs_are_appended),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
