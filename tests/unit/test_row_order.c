/* SPDX-License-Identifier: Apache-2.0 */
/* links: store
 * rows_sort() against what it must do: nothing lost, keys ascend, equal keys in order of arrival.
 */
#include "store/row_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ROWS_MAX 5000

static uint64_t seed = 88172645463325252;

static uint64_t random_below(uint64_t end)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % end;
}

static void fill(struct batch_row *rows, size_t count, int64_t first_us, uint64_t span_us,
                 unsigned identities)
{
    for (size_t i = 0; i < count; i++) {
        rows[i] = (struct batch_row){.start_time_us = first_us + (int64_t)random_below(span_us),
                                     .offset = i,
                                     .content_hash = i * 7};
        rows[i].identity[random_below(16)] = (uint8_t)random_below(identities);
    }
}

static void expect_sorted(size_t count, int64_t first_us, uint64_t span_us, unsigned identities)
{
    static struct batch_row rows[ROWS_MAX];
    static bool seen[ROWS_MAX];
    fill(rows, count, first_us, span_us, identities);
    memset(seen, 0, sizeof(seen));
    rows_sort(rows, count);
    for (size_t i = 0; i < count; i++) {
        int order = i ? row_key_compare(&rows[i - 1], &rows[i]) : -1;
        assert_true(order < 0 || (order == 0 && rows[i - 1].offset < rows[i].offset));
        assert_false(seen[rows[i].offset]);
        assert_int_equal(rows[i].content_hash, rows[i].offset * 7);
        seen[rows[i].offset] = true;
    }
    rows_sort(rows, count); /* a batch that is begun again */
    for (size_t i = 1; i < count; i++)
        assert_true(row_key_compare(&rows[i - 1], &rows[i]) <= 0);
}

static void rows_come_by_time_then_identity_then_arrival(void **state)
{
    static const uint64_t span[] = {1, 2, 255, 256, 257, 70000, UINT64_C(1) << 31};
    (void)state;
    for (size_t i = 0; i < sizeof(span) / sizeof(span[0]); i++)
        for (size_t count = 0; count <= ROWS_MAX; count = count * 3 + 1)
            expect_sorted(count, INT64_C(1795500000000000), span[i], 3);
}

static void times_may_lie_years_apart_and_before_1970(void **state)
{
    (void)state;
    expect_sorted(ROWS_MAX, -INT64_C(62135596800000000), UINT64_C(315537897600000000), 256);
    expect_sorted(ROWS_MAX, -1000, 2000, 256);
    expect_sorted(ROWS_MAX, 0, (UINT64_C(1) << 44) - 1, 256);
    expect_sorted(ROWS_MAX, 0, UINT64_C(1) << 46, 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_by_time_then_identity_then_arrival),
        cmocka_unit_test(times_may_lie_years_apart_and_before_1970),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
