/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: the first one wins, prefixes leave room for the text, each kind has its exit code. */
#include "core/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void the_first_error_wins(void **state)
{
    (void)state;
    struct err err = {0};
    assert_false(err_prefix(&err, "nothing to prefix"));
    assert_string_equal(err.text, "");
    assert_false(err_set(&err, ERR_INPUT, "first %d", 1));
    assert_false(err_set(&err, ERR_FATAL, "second"));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_string_equal(err.text, "first 1");
    err_prefix(&err, "file %s", "a");
    assert_string_equal(err.text, "file a: first 1");
    err_clear(&err);
    assert_int_equal(err.kind, ERR_NONE);
    assert_false(err_set(NULL, ERR_FATAL, "nobody listens"));
}

static void long_texts_are_cut_and_a_prefix_leaves_room_for_the_reason(void **state)
{
    (void)state;
    struct err err = {0};
    char text[2 * sizeof(err.text)];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    err_set(&err, ERR_CONFIG, "reason %s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    err_prefix(&err, "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_non_null(strstr(err.text, "xx: reason xx"));
}

static void kinds_have_the_exit_codes_of_the_manual(void **state)
{
    (void)state;
    assert_int_equal(err_exit_code(ERR_NONE), 0);
    assert_int_equal(err_exit_code(ERR_USAGE), 64);
    assert_int_equal(err_exit_code(ERR_INPUT), 65);
    assert_int_equal(err_exit_code(ERR_UNAVAILABLE), 69);
    assert_int_equal(err_exit_code(ERR_FATAL), 70);
    assert_int_equal(err_exit_code(ERR_RETRY), 75);
    assert_int_equal(err_exit_code(ERR_CONFIG), 78);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_error_wins),
        cmocka_unit_test(long_texts_are_cut_and_a_prefix_leaves_room_for_the_reason),
        cmocka_unit_test(kinds_have_the_exit_codes_of_the_manual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
