/* SPDX-License-Identifier: Apache-2.0 */
/* What is shown to people steers nothing. */
#include "core/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <string.h>

static void shows(void (*add)(struct buf *, struct slice), struct slice name, const char *text)
{
    struct buf out;
    buf_init(&out, 1024);
    add(&out, name);
    buf_add_char(&out, '\0');
    assert_true(buf_ok(&out));
    assert_string_equal(out.p, text);
    buf_free(&out);
}

static void what_steers_a_terminal_is_shown_escaped(void **state)
{
    (void)state;
    shows(show_add, SLICE("gpt-4o"), "gpt-4o");
    shows(show_add, SLICE("caf\xc3\xa9 \xe6\xa8\xa1 \xf0\x9f\x98\x80"),
          "caf\xc3\xa9 \xe6\xa8\xa1 \xf0\x9f\x98\x80");
    shows(show_add, SLICE("a\x1b[2Jb\r\n\x7f"), "a\\x1b[2Jb\\x0d\\x0a\\x7f");
    shows(show_add,
          SLICE("\xc2\x9b"
                "2J"),
          "\\u009b2J");
    shows(show_add,
          SLICE("a\xe2\x80\xae"
                "b"),
          "a\\u202eb");
    shows(show_add, SLICE("\xff\xc3"), "\\xff\\xc3");
    shows(show_add, SLICE("\xc0\x9b\xed\xa0\x80"), "\\xc0\\x9b\\xed\\xa0\\x80");
    shows(show_add, ((struct slice){"a\0b", 3}), "a\\x00b");
}

static void every_code_point_that_is_shown_steers_nothing(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 0x800; c++) {
        char name[2] = {(char)(c < 0x80 ? c : 0xc0 | c >> 6), (char)(0x80 | (c & 0x3f))};
        struct buf out;
        buf_init(&out, 64);
        show_add(&out, (struct slice){name, c < 0x80 ? 1 : 2});
        bool control = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c;
        assert_true((out.bytes > 2) == control);
        buf_free(&out);
    }
}

static void a_cell_is_no_formula(void **state)
{
    (void)state;
    static const char *const formulas[] = {"=1+1", "+1", "-1", "@SUM(A1)"};
    char want[32];
    for (size_t i = 0; i < sizeof(formulas) / sizeof(formulas[0]); i++) {
        snprintf(want, sizeof(want), "\"'%s\"", formulas[i]);
        shows(show_add_csv, slice_of(formulas[i]), want);
    }
    shows(show_add_csv, SLICE("\t=1"), "\"'\\x09=1\"");
    shows(show_add_csv, SLICE("\r=1"), "\"'\\x0d=1\"");
    shows(show_add_csv, SLICE("a\"b,c"), "\"a\"\"b,c\"");
    shows(show_add_csv, SLICE(""), "\"\"");
}

static void a_page_shows_markup_as_text(void **state)
{
    (void)state;
    shows(show_add_html, SLICE("<b a=\"'\">&\x1b"), "&#60;b a=&#34;&#39;&#34;&#62;&#38;\\x1b");
}

static void columns_are_cut_and_filled_by_characters(void **state)
{
    (void)state;
    static const struct {
        struct slice name;
        const char *shown;
    } rows[] = {
        {{"ab", 2}, "ab   "},
        {{"\xc3\xa9"
          "b",
          3},
         "\xc3\xa9"
         "b   "},
        {{"abcdefg", 7}, "abcdefg"},
        {{"abc\x1b", 4}, "abc\\x1b"},
        {{"", 0}, "-    "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out;
        buf_init(&out, 64);
        show_add_column(&out, rows[i].name, 5);
        buf_add_char(&out, '\0');
        assert_string_equal(out.p, rows[i].shown);
        buf_free(&out);
    }
}

static void a_text_in_place_keeps_its_length(void **state)
{
    (void)state;
    char text[] = "a\x1b[m\xc2\x9b\xff\xc3\xa9";
    show_blank(text);
    assert_string_equal(text, "a [m???\xc3\xa9");
}

static void a_text_is_printed_whole_or_not_at_all(void **state)
{
    (void)state;
    char shown[32] = "";
    FILE *out = fmemopen(shown, sizeof(shown), "w");
    struct buf text;
    assert_non_null(out);
    buf_init(&text, 8);
    show_buf(out, &text);
    buf_add_text(&text, "1234567\n");
    show_buf(out, &text);
    assert_false(show_left_out());
    buf_add_char(&text, '8');
    show_buf(out, &text);
    assert_true(show_left_out());
    fclose(out);
    buf_free(&text);
    assert_string_equal(shown, "1234567\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_steers_a_terminal_is_shown_escaped),
        cmocka_unit_test(every_code_point_that_is_shown_steers_nothing),
        cmocka_unit_test(a_cell_is_no_formula),
        cmocka_unit_test(a_page_shows_markup_as_text),
        cmocka_unit_test(columns_are_cut_and_filled_by_characters),
        cmocka_unit_test(a_text_is_printed_whole_or_not_at_all),
        cmocka_unit_test(a_text_in_place_keeps_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
