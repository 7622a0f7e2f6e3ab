/* SPDX-License-Identifier: Apache-2.0 */
/* links: store */
/* Keys written lately: found again, forgotten in turn. */
#include "core/hash.h"
#include "store/recent_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct key {
    uint8_t identity[16];
};

/* As a mapping makes them: hashed, so that slots are spread evenly. */
static struct key key_of(uint64_t n)
{
    struct key key;
    struct hash128 hash;
    hash128_init(&hash);
    hash128_add_int(&hash, (int64_t)n);
    hash128_final(&hash, key.identity);
    return key;
}

static void learn(struct recent_keys *recent, uint64_t n)
{
    recent_keys_learn(recent, 1000 + (int64_t)n, key_of(n).identity);
}

static bool knows(const struct recent_keys *recent, uint64_t n)
{
    return recent_keys_has(recent, 1000 + (int64_t)n, key_of(n).identity);
}

static void a_key_is_known_once_learnt(void **state)
{
    struct recent_keys recent;
    (void)state;
    assert_true(recent_keys_init(&recent));
    assert_false(knows(&recent, 7));
    learn(&recent, 7);
    assert_true(knows(&recent, 7));
    assert_false(knows(&recent, 8));
    recent_keys_free(&recent);
}

static void the_same_identity_at_another_time_is_another_key(void **state)
{
    struct recent_keys recent;
    (void)state;
    assert_true(recent_keys_init(&recent));
    recent_keys_learn(&recent, 5, key_of(1).identity);
    assert_false(recent_keys_has(&recent, 6, key_of(1).identity));
    assert_true(recent_keys_has(&recent, 5, key_of(1).identity));
    recent_keys_free(&recent);
}

static void keys_whose_slots_collide_are_told_apart(void **state)
{
    struct recent_keys recent;
    struct key a = {{1}}, b = {{1}};
    (void)state;
    a.identity[15] = 1; /* the slot comes from the first bytes and the time */
    b.identity[15] = 2;
    assert_true(recent_keys_init(&recent));
    recent_keys_learn(&recent, 1, a.identity);
    assert_false(recent_keys_has(&recent, 1, b.identity));
    recent_keys_learn(&recent, 1, b.identity);
    assert_true(recent_keys_has(&recent, 1, a.identity));
    assert_true(recent_keys_has(&recent, 1, b.identity));
    recent_keys_free(&recent);
}

static void a_generation_at_least_is_remembered_and_two_at_most(void **state)
{
    struct recent_keys recent;
    const uint64_t total = 3 * RECENT_GENERATION + 10;
    size_t known = 0;
    (void)state;
    assert_true(recent_keys_init(&recent));
    for (uint64_t n = 0; n < total; n++)
        learn(&recent, n);
    for (uint64_t n = total - RECENT_GENERATION; n < total; n++)
        assert_true(knows(&recent, n));
    for (uint64_t n = 0; n < total; n++)
        known += knows(&recent, n);
    assert_in_range(known, RECENT_GENERATION, 2 * RECENT_GENERATION);
    assert_false(knows(&recent, 0));
    recent_keys_free(&recent);
}

static void what_was_forgotten_is_not_known(void **state)
{
    struct recent_keys recent;
    const uint64_t total = RECENT_GENERATION + 10; /* both generations hold some */
    (void)state;
    assert_true(recent_keys_init(&recent));
    for (uint64_t n = 0; n < total; n++)
        learn(&recent, n);
    recent_keys_forget(&recent);
    for (uint64_t n = 0; n < total; n++)
        assert_false(knows(&recent, n));
    learn(&recent, 3);
    assert_true(knows(&recent, 3));
    recent_keys_free(&recent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_known_once_learnt),
        cmocka_unit_test(the_same_identity_at_another_time_is_another_key),
        cmocka_unit_test(keys_whose_slots_collide_are_told_apart),
        cmocka_unit_test(a_generation_at_least_is_remembered_and_two_at_most),
        cmocka_unit_test(what_was_forgotten_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
