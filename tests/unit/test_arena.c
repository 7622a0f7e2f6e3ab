/* SPDX-License-Identifier: Apache-2.0 */
/* The arena: alignment, reuse after a reset, the ceiling. */
#include "core/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void allocations_are_aligned_and_apart(void **state)
{
    (void)state;
    struct arena batch;
    arena_init(&batch, 1 << 20);
    char *previous = NULL;
    for (size_t bytes = 0; bytes < 100; bytes++) {
        char *p = arena_alloc(&batch, bytes);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, 0xff, bytes);
        assert_ptr_not_equal(p, previous);
        previous = p;
    }
    arena_free(&batch);
}

static void a_reset_reuses_the_blocks(void **state)
{
    (void)state;
    struct arena batch;
    arena_init(&batch, 8 << 20);
    for (int i = 0; i < 1000; i++)
        assert_non_null(arena_alloc(&batch, 1000));
    size_t held = batch.held_bytes;
    for (int round = 0; round < 10; round++) {
        arena_reset(&batch);
        for (int i = 0; i < 1000; i++)
            assert_non_null(arena_alloc(&batch, 1000));
    }
    assert_int_equal(batch.held_bytes, held);
    arena_free(&batch);
}

static void the_ceiling_latches_full_until_the_reset(void **state)
{
    (void)state;
    struct arena batch;
    arena_init(&batch, 4096);
    assert_non_null(arena_alloc(&batch, 4000));
    assert_null(arena_alloc(&batch, 4000));
    assert_true(batch.full);
    assert_non_null(arena_alloc(&batch, 16));
    assert_true(batch.full);
    arena_reset(&batch);
    assert_false(batch.full);
    assert_non_null(arena_alloc(&batch, 4096));
    assert_null(arena_alloc(&batch, SIZE_MAX));
    assert_null(arena_text(&batch, SLICE("x")));
    assert_null(arena_slice(&batch, SLICE("x")).p);
    arena_free(&batch);
}

static void a_large_request_between_small_ones_gets_a_block_of_its_own(void **state)
{
    (void)state;
    struct arena batch;
    arena_init(&batch, 16 << 20);
    size_t held = 0;
    for (int round = 0; round < 3; round++) {
        char *small = arena_zalloc(&batch, 100);
        char *large = arena_zalloc(&batch, 5 << 20);
        char *next = arena_zalloc(&batch, 100);
        assert_true(small && large && next);
        memset(large, 1, 5 << 20);
        assert_int_equal(small[99], 0);
        assert_int_equal(next[0], 0);
        assert_true(round == 0 || batch.held_bytes == held);
        held = batch.held_bytes;
        arena_reset(&batch);
    }
    arena_free(&batch);
}

static void copies_are_equal_and_texts_end_in_nul(void **state)
{
    (void)state;
    struct arena batch;
    arena_init(&batch, 4096);
    assert_true(slice_is(arena_slice(&batch, SLICE("abc")), "abc"));
    assert_string_equal(arena_text(&batch, (struct slice){"abcdef", 3}), "abc");
    assert_string_equal(arena_text(&batch, (struct slice){NULL, 0}), "");
    arena_free(&batch);
}

/* What decides whether a batch is full: a large one must not make all that follow look full. */
static void what_is_used_begins_anew_with_each_reset(void **state)
{
    (void)state;
    struct arena batch;
    arena_init(&batch, 8 << 20);
    assert_non_null(arena_alloc(&batch, 5 << 20));
    assert_in_range(batch.used_bytes, 5 << 20, 6 << 20);
    arena_reset(&batch);
    assert_int_equal(batch.used_bytes, 0);
    assert_non_null(arena_alloc(&batch, 1000));
    assert_in_range(batch.used_bytes, 1000, 100000);
    assert_non_null(arena_alloc(&batch, 100 << 10)); /* what small blocks cannot hold is used up */
    assert_true(batch.held_bytes <= 8 << 20 && batch.used_bytes <= batch.held_bytes);
    arena_free(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(a_reset_reuses_the_blocks),
        cmocka_unit_test(what_is_used_begins_anew_with_each_reset),
        cmocka_unit_test(the_ceiling_latches_full_until_the_reset),
        cmocka_unit_test(a_large_request_between_small_ones_gets_a_block_of_its_own),
        cmocka_unit_test(copies_are_equal_and_texts_end_in_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
