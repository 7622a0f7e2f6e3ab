/* SPDX-License-Identifier: Apache-2.0 */
/* The buffer: appending, a failure that stays, JSON strings. */
#include "core/buf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void appends_follow_each_other(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1 << 16);
    buf_add_text(&buf, "a");
    buf_add_char(&buf, 'b');
    buf_add(&buf, SLICE("cd"));
    buf_printf(&buf, "%d", 42);
    assert_true(slice_is(buf_slice(&buf), "abcd42"));
    buf_reset(&buf);
    buf_add_be16(&buf, 0x0102);
    buf_add_be32(&buf, 0x03040506);
    buf_add_be64(&buf, 0x0708090a0b0c0d0e);
    assert_true(slice_eq(buf_slice(&buf), SLICE("\1\2\3\4\5\6\7\10\11\12\13\14\15\16")));
    buf_free(&buf);
}

static void a_failure_stays_and_ends_with_the_reset(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10);
    buf_add_text(&buf, "12345678");
    buf_add_text(&buf, "901");
    assert_false(buf_ok(&buf));
    buf_add_text(&buf, "9");
    assert_int_equal(buf.bytes, 8);
    assert_null(buf_reserve(&buf, 1));
    buf_reset(&buf);
    buf_add_text(&buf, "1234567890");
    assert_true(buf_ok(&buf));
    assert_true(slice_is(buf_slice(&buf), "1234567890"));
    buf_free(&buf);
}

static void json_strings_are_escaped(void **state)
{
    (void)state;
    static const struct {
        struct slice in;
        const char *out;
    } cases[] = {
        {{"", 0}, "\"\""},
        {{NULL, 0}, "\"\""},
        {SLICE("plain \xc3\xa4"), "\"plain \xc3\xa4\""},
        {SLICE("\"\\/"), "\"\\\"\\\\/\""},
        {SLICE("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        /* DEL and C1 need no escape in JSON, but a terminal obeys them. */
        {SLICE("x\x01\x1fy\x7f"), "\"x\\u0001\\u001fy\\u007f\""},
        {SLICE("\xc2\x9b\xc2\xa0"), "\"\\u009b\xc2\xa0\""},
        {SLICE("\0"), "\"\\u0000\""},
    };
    struct buf buf;
    buf_init(&buf, 1 << 10);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buf_reset(&buf);
        buf_add_json_string(&buf, cases[i].in);
        assert_true(slice_is(buf_slice(&buf), cases[i].out));
    }
    buf_free(&buf);
}

static void what_is_not_whole_stays_so_in_another(void **state)
{
    (void)state;
    struct buf part, whole;
    buf_init(&part, 8);
    buf_init(&whole, 64);
    buf_add_text(&part, "12345678");
    buf_add_buf(&whole, &part);
    assert_true(buf_ok(&whole));
    buf_add_char(&part, '9');
    buf_add_buf(&whole, &part);
    assert_false(buf_ok(&whole));
    buf_free(&part);
    buf_free(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_follow_each_other),
        cmocka_unit_test(a_failure_stays_and_ends_with_the_reset),
        cmocka_unit_test(what_is_not_whole_stays_so_in_another),
        cmocka_unit_test(json_strings_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
