/* SPDX-License-Identifier: Apache-2.0 */
/* The table of flags: stored bits and printed names. */
#include "core/flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void bits_and_names_are_given_once(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (unsigned i = 0; i < flag_count; i++) {
        assert_int_equal(seen & flag_info[i].bit, 0);
        seen |= flag_info[i].bit;
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(flag_info[i].name, flag_info[j].name);
    }
}

/* What rows of version 0.1 hold. */
static void stored_bits_keep_their_meaning(void **state)
{
    (void)state;
    static const char *const name[] = {"text_repaired",  "part_clamped", "duplicate_key",
                                       "total_mismatch", "no_duration",  "key_hashed",
                                       "text_cut"};
    for (unsigned i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        assert_int_equal(flag_info[i].bit, 1u << i);
        assert_string_equal(flag_info[i].name, name[i]);
    }
}

static void sides_have_their_halves_of_the_word(void **state)
{
    (void)state;
    for (unsigned i = 0; i < flag_count; i++) {
        bool price = flag_info[i].side == FLAG_SIDE_PRICE;
        assert_int_equal(price, flag_info[i].bit >= 1u << 24);
        assert_int_equal(price, (flags_of_price & flag_info[i].bit) != 0);
        assert_int_equal(flag_info[i].doubt, (flags_of_doubt & flag_info[i].bit) != 0);
    }
}

static void a_reading_comes_back_from_the_word(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 8; code++) {
        struct reading in = {(enum reading_ground)(code & 3), code & 4};
        unsigned flags = reading_flags(in, READING_REASONING_BIT) | FLAG_RATE_MISSING;
        struct reading out = reading_of(flags, READING_REASONING_BIT);
        assert_int_equal(out.ground, in.ground);
        assert_int_equal(out.outside, in.outside);
        assert_int_equal(reading_of(flags, READING_CACHE_BIT).ground, GROUND_NONE);
        assert_int_equal(flags & ~READING_MASK, FLAG_RATE_MISSING);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_and_names_are_given_once),
        cmocka_unit_test(stored_bits_keep_their_meaning),
        cmocka_unit_test(sides_have_their_halves_of_the_word),
        cmocka_unit_test(a_reading_comes_back_from_the_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
