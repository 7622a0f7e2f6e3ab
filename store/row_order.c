/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a batch have times close to each other, nearly all different: times are sorted by radix,
 * and only rows of one time are compared. Against qsort() alone, for 10,000 rows: a third of the
 * instructions, 0.1 us less per row.
 */
#include "store/row_order.h"

#include "core/must.h"

#include <stdlib.h>

/* A row's time since the first one and, in the lowest bits, its place among the rows. */
#define PLACE_BITS 20
#define PLACE_END (UINT64_C(1) << PLACE_BITS)
#define SPAN_END (UINT64_C(1) << (64 - PLACE_BITS)) /* microseconds: 203 days */

#define RADIX_BITS 8
#define RADIX_END (1u << RADIX_BITS)

_Static_assert(BATCH_RECORDS_MAX <= PLACE_END, "a place fits");

int row_key_compare(const struct batch_row *a, const struct batch_row *b)
{
    if (a->start_time_us != b->start_time_us)
        return a->start_time_us < b->start_time_us ? -1 : 1;
    return memcmp(a->identity, b->identity, sizeof(a->identity));
}

static int compare(const void *a, const void *b)
{
    const struct batch_row *x = a, *y = b;
    int order = row_key_compare(x, y);
    return order ? order : x->offset < y->offset ? -1 : 1;
}

/* One pass for each digit of a time below `end`, the lowest first; places are in order to begin
 * with. Returns which of the two arrays holds the result. */
static uint64_t *radix_sort(uint64_t *key, uint64_t *other, size_t count, uint64_t end)
{
    for (unsigned shift = PLACE_BITS; end; shift += RADIX_BITS, end >>= RADIX_BITS) {
        uint32_t at[RADIX_END + 1] = {0};
        for (size_t i = 0; i < count; i++)
            at[(key[i] >> shift) % RADIX_END + 1]++;
        for (size_t digit = 1; digit < RADIX_END; digit++)
            at[digit] += at[digit - 1];
        for (size_t i = 0; i < count; i++)
            other[at[(key[i] >> shift) % RADIX_END]++] = key[i];
        uint64_t *swap = key;
        key = other;
        other = swap;
    }
    return key;
}

/* false: the times lie too far apart, or there is no memory. */
static bool sort_times(struct batch_row *rows, size_t count)
{
    int64_t first = rows[0].start_time_us, last = first;
    for (size_t i = 1; i < count; i++) {
        int64_t time = rows[i].start_time_us;
        first = time < first ? time : first;
        last = time > last ? time : last;
    }
    uint64_t span = (uint64_t)last - (uint64_t)first;
    MUST(count <= PLACE_END && first <= last, count);
    struct batch_row *copy = malloc(count * (sizeof(*copy) + 2 * sizeof(uint64_t)));
    if (!copy || span >= SPAN_END) {
        free(copy);
        return false;
    }
    uint64_t *key = (uint64_t *)(copy + count);
    for (size_t i = 0; i < count; i++)
        key[i] = ((uint64_t)rows[i].start_time_us - (uint64_t)first) << PLACE_BITS | i;
    memcpy(copy, rows, count * sizeof(*copy));
    key = radix_sort(key, key + count, count, span);
    for (size_t i = 0; i < count; i++)
        rows[i] = copy[key[i] % PLACE_END];
    free(copy);
    return true;
}

void rows_sort(struct batch_row *rows, size_t count)
{
    if (count < 2)
        return;
    if (!sort_times(rows, count)) {
        qsort(rows, count, sizeof(*rows), compare);
        return;
    }
    for (size_t i = 0, end; i < count; i = end) {
        end = i + 1;
        while (end < count && rows[end].start_time_us == rows[i].start_time_us)
            end++;
        if (end - i > 1)
            qsort(rows + i, end - i, sizeof(*rows), compare);
    }
}
