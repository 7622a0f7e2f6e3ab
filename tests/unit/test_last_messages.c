/* SPDX-License-Identifier: Apache-2.0 */
/* links: store */
/* The messages of a partition that were stored last. */
#include "store/last_messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct last_messages upto(int64_t newest)
{
    struct last_messages last = {0};
    for (int64_t offset = 0; offset <= newest; offset += 2)
        last_messages_add(&last, offset, (uint64_t)offset + 100);
    return last;
}

static void of_none_nothing_is_known(void **state)
{
    (void)state;
    struct last_messages last = {.from = 8};
    assert_false(last_messages_contradict(&last, 7, 1));
    assert_true(last_messages_contradict(&last, 8, 1)); /* it is known that there was none */
}

static void one_between_or_behind_them_is_of_another_log(void **state)
{
    (void)state;
    struct last_messages last = upto(6);
    assert_false(last_messages_contradict(&last, 4, 104));
    assert_true(last_messages_contradict(&last, 4, 105));
    assert_true(last_messages_contradict(&last, 3, 103));
    assert_true(last_messages_contradict(&last, 7, 107)); /* a mark had been there */
}

static void the_oldest_make_room(void **state)
{
    (void)state;
    struct last_messages last = upto(2 * LAST_MESSAGES_MAX);
    assert_int_equal(last.count, LAST_MESSAGES_MAX);
    assert_int_equal(last.offset[0], 2);
    assert_int_equal(last.from, 1);
    assert_false(last_messages_contradict(&last, 0, 1)); /* not known any more */
    assert_true(last_messages_contradict(&last, 1, 1));
    assert_true(last_messages_contradict(&last, 2, 1));
    assert_false(
        last_messages_contradict(&last, 2 * LAST_MESSAGES_MAX, 100 + 2 * LAST_MESSAGES_MAX));
}

static void one_that_comes_again_replaces_itself_and_what_follows(void **state)
{
    (void)state;
    struct last_messages last = upto(6);
    last_messages_add(&last, 6, 1);
    assert_int_equal(last.count, 4);
    assert_false(last_messages_contradict(&last, 6, 1));
    last_messages_add(&last, 2, 2); /* an operator has set the offset back */
    assert_int_equal(last.count, 2);
    assert_int_equal(last.offset[1], 2);
    last = (struct last_messages){.from = 4, .count = 1, .offset = {5}};
    last_messages_add(&last, 1, 1);
    assert_int_equal(last.from, 1);
    assert_int_equal(last.count, 1);
}

static void bytes_are_what_was_put(void **state)
{
    (void)state;
    char bytes[LAST_MESSAGES_BYTES + 16] = {0};
    struct last_messages last = upto(100), again = {0};
    last_messages_take(&again, last_messages_put(&last, bytes), 101);
    assert_int_equal(again.count, LAST_MESSAGES_MAX);
    assert_int_equal(again.from, last.from);
    assert_memory_equal(again.offset, last.offset, sizeof(last.offset));
    assert_memory_equal(again.hash, last.hash, sizeof(last.hash));
}

static void bytes_of_another_form_say_nothing(void **state)
{
    (void)state;
    const size_t wrong[] = {0, 7, 16, 40 /* offsets that do not rise */, LAST_MESSAGES_BYTES + 16};
    char bytes[LAST_MESSAGES_BYTES + 16] = {0};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct last_messages last = upto(100);
        last_messages_take(&last, (struct slice){bytes, wrong[i]}, 9);
        assert_int_equal(last.count, 0);
        assert_int_equal(last.from, 9);
    }
    struct last_messages last = upto(100);
    struct slice put = last_messages_put(&last, bytes);
    last_messages_take(&last, put, 50); /* of beyond the stored offset */
    assert_int_equal(last.count, 0);
    assert_int_equal(last.from, 50);
}

/* A message with another time is another one, whatever its content. */
static void the_time_is_a_part_of_it(void **state)
{
    (void)state;
    assert_true(last_messages_hash(5, 1) != last_messages_hash(5, 2));
    assert_true(last_messages_hash(5, 1) != last_messages_hash(6, 1));
    assert_true(last_messages_hash(5, -1) == last_messages_hash(5, -1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_none_nothing_is_known),
        cmocka_unit_test(one_between_or_behind_them_is_of_another_log),
        cmocka_unit_test(the_oldest_make_room),
        cmocka_unit_test(one_that_comes_again_replaces_itself_and_what_follows),
        cmocka_unit_test(bytes_are_what_was_put),
        cmocka_unit_test(bytes_of_another_form_say_nothing),
        cmocka_unit_test(the_time_is_a_part_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
