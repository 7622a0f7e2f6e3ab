/* SPDX-License-Identifier: Apache-2.0 */
/* Sums beyond the size of an amount, and their text. */
#include "core/sum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static struct money money(const char *text)
{
    struct money m = {0};
    struct err err = {0};
    assert_true(money_parse(slice_of(text), &m, &err));
    return m;
}

static void shows(struct sum sum, const char *text)
{
    char got[SUM_TEXT_MAX];
    struct sum back = {1, 1};
    assert_int_equal(sum_format(sum, got), strlen(text));
    assert_string_equal(got, text);
    assert_true(sum_parse(slice_of(text), &back));
    assert_int_equal(sum_cmp(sum, back), 0);
}

static void amounts_of_the_largest_size_have_a_sum(void **state)
{
    (void)state;
    struct sum sum = {0};
    for (int i = 0; i < 1000; i++)
        sum_add_money(&sum, money("99999999999999999999.999999999999999999"));
    shows(sum, "99999999999999999999999.999999999999999");
    for (int i = 0; i < 1001; i++)
        sum_add_money(&sum, money("-99999999999999999999.999999999999999999"));
    shows(sum, "-99999999999999999999.999999999999999999");
}

static void parts_of_either_sign_carry(void **state)
{
    (void)state;
    struct sum sum = sum_of(money("1"));
    sum_add_money(&sum, money("-0.000000000000000001"));
    shows(sum, "0.999999999999999999");
    sum_add_money(&sum, money("-1"));
    shows(sum, "-0.000000000000000001");
    sum_add_money(&sum, money("0.000000000000000001"));
    shows(sum, "0");
    shows(sum_less(sum_of(money("2.5")), sum_of(money("3"))), "-0.5");
    shows(sum_size(sum_of(money("-2.5"))), "2.5");
    assert_int_equal(sum_cmp(sum_of(money("-1.5")), sum_of(money("-1.25"))), -1);
}

static void what_is_no_sum_is_not_taken_for_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "-",
                                      ".5",
                                      "NaN",
                                      "Infinity",
                                      "1e5",
                                      "1.0000000000000000001",
                                      "12345678901234567890123456789012345678",
                                      "1 ",
                                      "0x1"};
    struct sum sum;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(sum_parse(slice_of(bad[i]), &sum));
    assert_true(sum_parse(SLICE("1.5000000000000000000000"), &sum));
    shows(sum, "1.5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_of_the_largest_size_have_a_sum),
        cmocka_unit_test(parts_of_either_sign_carry),
        cmocka_unit_test(what_is_no_sum_is_not_taken_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
