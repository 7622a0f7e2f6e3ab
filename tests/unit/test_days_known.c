/* SPDX-License-Identifier: Apache-2.0 */
/* links: store */
/* Days whose partition is known: found again, and all forgotten when there is no room. */
#include "store/days_known.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_day_that_was_added_is_known_until_all_are_forgotten(void **state)
{
    static struct days_known known;
    (void)state;
    assert_false(days_known_has(&known, 0));
    days_known_add(&known, 20000);
    days_known_add(&known, -5);
    assert_true(days_known_has(&known, 20000) && days_known_has(&known, -5));
    assert_false(days_known_has(&known, 20001));
    days_known_forget(&known);
    assert_false(days_known_has(&known, 20000));
}

static void more_days_than_are_remembered_are_asked_for_again(void **state)
{
    static struct days_known known;
    (void)state;
    for (int32_t day = 0; day < DAYS_KNOWN_MAX; day++)
        days_known_add(&known, day);
    assert_true(days_known_has(&known, 0) && days_known_has(&known, DAYS_KNOWN_MAX - 1));
    days_known_add(&known, DAYS_KNOWN_MAX);
    assert_true(days_known_has(&known, DAYS_KNOWN_MAX));
    assert_false(days_known_has(&known, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_that_was_added_is_known_until_all_are_forgotten),
        cmocka_unit_test(more_days_than_are_remembered_are_asked_for_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
