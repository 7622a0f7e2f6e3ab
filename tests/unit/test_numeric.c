/* SPDX-License-Identifier: Apache-2.0 */
/* links: store
 * PostgreSQL's binary numeric. Expected bytes: numeric_send() of PostgreSQL 15, by hand from its
 * layout. */
#include "store/numeric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct decimal dec(const char *text)
{
    struct decimal d;
    struct err err = {0};
    if (!decimal_parse(slice_of(text), &d, &err))
        fail_msg("%s: %s", text, err.text);
    return d;
}

static void expect_bytes(const char *text, unsigned scale, const char *bytes, size_t count)
{
    struct decimal d = dec(text);
    char out[NUMERIC_BYTES_MAX];
    while (d.scale < scale) {
        d.coef *= 10;
        d.scale++;
    }
    assert_int_equal(numeric_encode(out, d.coef, d.scale, d.negative), count);
    assert_memory_equal(out, bytes, count);
}

static void digits_are_groups_of_four_around_the_point(void **state)
{
    (void)state;
    expect_bytes("1.5", 1, "\0\2\0\0\0\0\0\1\0\1\x13\x88", 12);
    expect_bytes("12345.678", 3, "\0\3\0\1\0\0\0\3\0\1\x09\x29\x1a\x7c", 14);
    expect_bytes("-0.0001", 4, "\0\1\xff\xff\x40\0\0\4\0\1", 10);
    expect_bytes("1e-40", 40, "\0\1\xff\xf6\0\0\0\x28\0\1", 10);
}

static void zeros_at_either_end_are_left_out(void **state)
{
    (void)state;
    expect_bytes("0", 0, "\0\0\0\0\0\0\0\0", 8);
    expect_bytes("0", 18, "\0\0\0\0\0\0\0\x12", 8);
    expect_bytes("20000", 0, "\0\1\0\1\0\0\0\0\0\2", 10);
    expect_bytes("3", 18, "\0\1\0\0\0\0\0\x12\0\3", 10);
}

static void a_decimal_comes_back_as_it_was(void **state)
{
    static const char *const texts[] = {
        "0",
        "1",
        "-1",
        "10000",
        "9999.9999",
        "0.00000044",
        "1.100000000000000000000000000000000001",
        "99999999999999999999999999999999999999",
        "-99999999999999999999999999999999999999",
        "0.0000000000000000000000000000000000000001",
        "0.9999999999999999999999999999999999999",
        "123456789012345678901234567890.12345678",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char bytes[NUMERIC_BYTES_MAX], text[DECIMAL_TEXT_MAX];
        struct decimal d = dec(texts[i]), back;
        size_t count = numeric_encode(bytes, d.coef, d.scale, d.negative);
        assert_in_range(count, 8, NUMERIC_BYTES_MAX);
        assert_true(numeric_decode(bytes, count, &back));
        decimal_format(&back, text);
        assert_string_equal(text, texts[i]);
    }
}

static void money_comes_back_at_its_limits(void **state)
{
    static const char *const texts[] = {"0.012640980000000000", "0.000000000000000001", "-12345.6",
                                        "99999999999999999999.999999999999999999",
                                        "-99999999999999999999.999999999999999999"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct money m;
        struct err err = {0};
        struct decimal back, expected = dec(texts[i]);
        char bytes[NUMERIC_BYTES_MAX];
        assert_true(money_parse(slice_of(texts[i]), &m, &err));
        assert_true(numeric_decode(bytes, numeric_encode_money(bytes, m), &back));
        assert_int_equal(decimal_cmp(&back, &expected), 0);
    }
}

static void what_is_no_finite_number_is_not_read(void **state)
{
    struct decimal d;
    (void)state;
    assert_false(numeric_decode("\0\0\0\0\xc0\0\0\0", 8, &d)); /* NaN */
    assert_false(numeric_decode("\0\0\0\0\xd0\0\0\0", 8, &d)); /* Infinity */
    assert_false(numeric_decode("\0\0\0\0\xf0\0\0\0", 8, &d)); /* -Infinity */
    assert_false(numeric_decode("\0\1\0\0\0\0\0\0", 8, &d));   /* cut */
    assert_false(numeric_decode("\0\0\0", 3, &d));
    assert_false(numeric_decode("\0\1\0\x0a\0\0\0\0\0\1", 10, &d)); /* 10^40 */
}

static void sum_is(struct sum sum, i128 deep, const char *text)
{
    char out[NUMERIC_SUM_BYTES_MAX], shown[DECIMAL_TEXT_MAX];
    struct decimal d;
    size_t bytes = numeric_encode_sum(out, sum, deep, 0);
    if (!numeric_decode(out, bytes, &d))
        fail_msg("%s is not a numeric", text);
    decimal_format(&d, shown);
    assert_string_equal(shown, text);
}

#define DEEP_ONE ((i128)10000000000 * 1000000000000) /* 10^-18 in 10^-40 */

static void a_sum_is_exact_to_forty_decimals(void **state)
{
    (void)state;
    sum_is((struct sum){0, 0}, 0, "0");
    sum_is((struct sum){12345, 0}, 0, "12345");
    sum_is((struct sum){0, 1}, 0, "0.000000000000000001");
    sum_is((struct sum){0, -1}, 0, "-0.000000000000000001");
    sum_is((struct sum){7, 100000000000000000}, 0, "7.1");
    sum_is((struct sum){0, 0}, 1, "0.0000000000000000000000000000000000000001");
    sum_is((struct sum){0, 0}, 123 * DEEP_ONE + 5, "0.0000000000000001230000000000000000000005");
    sum_is((struct sum){2, 0}, -1 * DEEP_ONE, "1.999999999999999999");
    sum_is((struct sum){-2, 0}, 100000000000, "-1.99999999999999999999999999999");
    sum_is((struct sum){0, 1}, -DEEP_ONE - 3, "-0.0000000000000000000000000000000000000003");
}

static void a_sum_shows_as_many_decimals_as_it_has_or_is_asked_for(void **state)
{
    char out[NUMERIC_SUM_BYTES_MAX];
    (void)state;
    numeric_encode_sum(out, (struct sum){3, 0}, 0, 18);
    assert_memory_equal(out, "\0\1\0\0\0\0\0\x12\0\3", 10);
    numeric_encode_sum(out, (struct sum){0, 500000000000000000}, 0, 0);
    assert_memory_equal(out, "\0\1\xff\xff\0\0\0\1\x13\x88", 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sum_is_exact_to_forty_decimals),
        cmocka_unit_test(a_sum_shows_as_many_decimals_as_it_has_or_is_asked_for),
        cmocka_unit_test(digits_are_groups_of_four_around_the_point),
        cmocka_unit_test(zeros_at_either_end_are_left_out),
        cmocka_unit_test(a_decimal_comes_back_as_it_was),
        cmocka_unit_test(money_comes_back_at_its_limits),
        cmocka_unit_test(what_is_no_finite_number_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
