/* SPDX-License-Identifier: Apache-2.0 */
/* Characters: all of them there and back, everything that is not one, and where a text is cut. */
#include "core/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void every_code_point_comes_back(void **state)
{
    (void)state;
    for (unsigned point = 0; point <= 0x10ffff; point++) {
        char text[8];
        if (point >= 0xd800 && point < 0xe000)
            continue;
        char *end = utf8_put(text, point);
        size_t length = utf8_length(text, end);
        assert_int_equal(length, end - text);
        assert_int_equal(length, point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4);
        assert_int_equal(utf8_point(text, length), point);
        for (size_t cut = 1; cut < length; cut++)
            assert_int_equal(utf8_length(text, text + cut), 0);
    }
}

static void what_is_not_a_character_has_no_length(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2\x20",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xef\xbf\x20",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf0\x9f\x98\x20",
        "\xff\xff\xff\xff",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(utf8_length(bad[i], bad[i] + strlen(bad[i])), 0);
        assert_false(utf8_valid(slice_of(bad[i])));
    }
    assert_true(utf8_valid(SLICE("")));
    assert_true(utf8_valid(SLICE("plain, plain, plain \xe2\x82\xac")));
    assert_false(utf8_valid(SLICE("plain, plain, plain \xe2\x82")));
}

static void a_text_is_cut_between_characters(void **state)
{
    (void)state;
    struct slice text = SLICE("a\xc3\xa4\xe2\x82\xac");
    static const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6};
    for (size_t most = 0; most < sizeof(kept) / sizeof(kept[0]); most++) {
        char to[9];
        assert_int_equal(utf8_cut(text, most).bytes, kept[most]);
        utf8_copy(to, most + 1, text);
        assert_int_equal(strlen(to), kept[most]);
    }
    char one[1] = {'x'};
    utf8_copy(one, 1, text);
    assert_int_equal(one[0], '\0');
    utf8_copy(one, 1, (struct slice){NULL, 0});
}

static void any_bytes_become_a_text(void **state)
{
    (void)state;
    static const struct {
        struct slice bytes;
        const char *text;
    } cases[] = {
        {SLICE(""), ""},
        {SLICE("m\xc3\xbcller"), "m\xc3\xbcller"},
        {SLICE("m\xfcller"), "m?ller"},
        {SLICE("a\0b"), "a?b"},
        {SLICE("\xe2\x82"), "??"},
        {SLICE("1234567\xc3\xa4"), "1234567"}, /* it would end beyond */
        {SLICE("12345678\xc3\xa4"), "12345678"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char to[9];
        utf8_mend(to, sizeof(to), cases[i].bytes);
        assert_string_equal(to, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_comes_back),
        cmocka_unit_test(what_is_not_a_character_has_no_length),
        cmocka_unit_test(a_text_is_cut_between_characters),
        cmocka_unit_test(any_bytes_become_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
