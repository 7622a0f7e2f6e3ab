/* SPDX-License-Identifier: Apache-2.0 */
/* ldflags: -Wl,--wrap=malloc,--wrap=realloc */
/* An allocation that fails is noted where it is made; a ceiling that is reached is not. */
#include "core/shortage.h"

#include "core/arena.h"
#include "core/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool fails;

/* Named by the linker. */
void *__real_malloc(size_t bytes);
void *__real_realloc(void *p, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    return fails ? NULL : __real_malloc(bytes);
}

void *__wrap_realloc(void *p, size_t bytes)
{
    return fails ? NULL : __real_realloc(p, bytes);
}

static void a_failed_allocation_is_told_once(void **state)
{
    struct err err = {0};
    struct arena arena;
    struct buf buf;
    (void)state;
    arena_init(&arena, 1 << 20);
    buf_init(&buf, 1 << 20);
    assert_false(shortage_was(&err));
    fails = true;
    assert_null(arena_alloc(&arena, 100));
    fails = false;
    assert_true(shortage_was(&err));
    assert_int_equal(err.kind, ERR_FATAL);
    assert_false(shortage_was(NULL));
    fails = true;
    buf_add_text(&buf, "text");
    fails = false;
    assert_true(shortage_was(NULL));
    arena_free(&arena);
    buf_free(&buf);
}

static void a_ceiling_is_not_a_shortage(void **state)
{
    struct arena arena;
    struct buf buf;
    (void)state;
    arena_init(&arena, 1000);
    buf_init(&buf, 10);
    assert_null(arena_alloc(&arena, 2000));
    buf_add_text(&buf, "longer than that");
    assert_false(buf_ok(&buf));
    assert_false(shortage_was(NULL));
    arena_free(&arena);
    buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_allocation_is_told_once),
        cmocka_unit_test(a_ceiling_is_not_a_shortage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
