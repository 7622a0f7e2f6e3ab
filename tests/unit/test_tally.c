/* SPDX-License-Identifier: Apache-2.0 */
/* links: store */
/* The groups of a reprice report: sums of any size, the order of moves, what has no room. */
#include "store/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct tally tally;

static int setup(void **state)
{
    struct err err = {0};
    (void)state;
    return tally_init(&tally, &err) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    tally_free(&tally);
    return 0;
}

static void add(enum tally_dimension dimension, const char *value, int before, int after)
{
    tally_add(&tally, dimension, slice_of(value), 1, (struct sum){0, before},
              (struct sum){0, after});
}

static void a_group_is_its_dimension_and_value(void **state)
{
    (void)state;
    add(TALLY_MODEL, "x", 1, 2);
    add(TALLY_TEAM, "x", 3, 4);
    add(TALLY_MODEL, "", 5, 6);
    add(TALLY_MODEL, "x", 10, 20);
    assert_int_equal(tally.count, 3);
    assert_int_equal(tally.entry[0].rows, 2);
    assert_int_equal((int)tally.entry[0].before.atto, 11);
    assert_int_equal((int)tally.entry[0].after.atto, 22);
    assert_int_equal(tally.entry[2].value.bytes, 0);
}

static void the_greatest_move_comes_first_and_adding_goes_on(void **state)
{
    (void)state;
    add(TALLY_MODEL, "b", 0, 5);
    add(TALLY_MODEL, "a", 5, 0);
    add(TALLY_MODEL, "c", 100, 0);
    tally_sort(&tally);
    assert_true(slice_is(tally.entry[0].value, "c"));
    assert_true(slice_is(tally.entry[1].value, "a"));
    assert_true(slice_is(tally.entry[2].value, "b"));
    add(TALLY_MODEL, "a", 1, 1);
    assert_int_equal(tally.count, 3);
    assert_int_equal(tally.entry[1].rows, 2);
}

static void groups_beyond_the_limit_are_summed_as_others(void **state)
{
    char name[32];
    int64_t rows = 0;
    i128 sum = 0;
    (void)state;
    for (int i = 0; i < 2 * TALLY_ENTRIES_MAX; i++) {
        snprintf(name, sizeof(name), "model %d", i);
        add(i % 2 ? TALLY_MODEL : TALLY_TEAM, name, 1, 3);
    }
    assert_int_equal(tally.count, TALLY_ENTRIES_MAX - TALLY_DIMENSIONS + 2);
    for (size_t i = 0; i < tally.count; i++) {
        rows += tally.entry[i].rows;
        sum += tally.entry[i].after.atto;
    }
    assert_int_equal(rows, 2 * TALLY_ENTRIES_MAX);
    assert_true(sum == 6 * TALLY_ENTRIES_MAX);
    assert_true(slice_is(tally.entry[tally.count - 1].value, TALLY_OTHERS));
}

static void a_sum_beyond_the_range_of_an_amount_is_exact(void **state)
{
    const struct sum most =
        sum_of((struct money){(i128)1000000000000000000 * 1000000000000000000 * 99});
    char text[SUM_TEXT_MAX];
    (void)state;
    for (int i = 0; i < 1000; i++)
        tally_add(&tally, TALLY_DAY, SLICE("d"), 1, (struct sum){0}, most);
    sum_format(tally.entry[0].after, text);
    assert_string_equal(text, "99000000000000000000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_group_is_its_dimension_and_value, setup, teardown),
        cmocka_unit_test_setup_teardown(the_greatest_move_comes_first_and_adding_goes_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(groups_beyond_the_limit_are_summed_as_others, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_sum_beyond_the_range_of_an_amount_is_exact, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
