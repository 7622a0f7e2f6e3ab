/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing over an array of entries; the table is never more than half full. */
#include "store/tally.h"

#include "core/must.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SLOTS (2u * TALLY_ENTRIES_MAX)
#define TEXTS_MAX_BYTES (8u << 20)

const char *const tally_dimension_name[TALLY_DIMENSIONS] = {
    "model",          "team",          "day",     "skipped",
    "price_lost",     "price_gained",  "what_if", "what_if_unpriced",
    "what_if_gained", "what_if_reason"};

bool tally_init(struct tally *tally, struct err *err)
{
    memset(tally, 0, sizeof(*tally));
    arena_init(&tally->texts, TEXTS_MAX_BYTES);
    tally->entry = calloc(TALLY_ENTRIES_MAX, sizeof(tally->entry[0]));
    tally->slot = calloc(SLOTS, sizeof(tally->slot[0]));
    if (tally->entry && tally->slot)
        return true;
    tally_free(tally);
    return err_set(err, ERR_FATAL, "out of memory");
}

void tally_reset(struct tally *tally)
{
    tally->count = 0;
    memset(tally->slot, 0, SLOTS * sizeof(tally->slot[0]));
    arena_reset(&tally->texts);
}

void tally_free(struct tally *tally)
{
    free(tally->entry);
    free(tally->slot);
    arena_free(&tally->texts);
    memset(tally, 0, sizeof(*tally));
}

static uint32_t *slot_of(struct tally *tally, enum tally_dimension dimension, struct slice value)
{
    size_t i = XXH3_64bits_withSeed(value.p, value.bytes, (XXH64_hash_t)dimension) % SLOTS;
    for (; tally->slot[i]; i = (i + 1) % SLOTS) {
        const struct tally_entry *entry = &tally->entry[tally->slot[i] - 1];
        if (entry->dimension == dimension && slice_eq(entry->value, value))
            break;
    }
    return &tally->slot[i];
}

static struct tally_entry *entry_make(struct tally *tally, enum tally_dimension dimension,
                                      struct slice value, uint32_t *slot)
{
    struct tally_entry *entry = &tally->entry[tally->count];
    MUST(tally->count < TALLY_ENTRIES_MAX && *slot == 0, tally->count);
    *entry = (struct tally_entry){.dimension = dimension, .value = value};
    if (value.bytes && !slice_is(value, TALLY_OTHERS))
        entry->value = arena_slice(&tally->texts, value);
    else
        entry->value = value.bytes ? slice_of(TALLY_OTHERS) : slice_of("");
    if (!entry->value.p)
        return NULL;
    *slot = (uint32_t)++tally->count;
    return entry;
}

/* The last entries are kept back for the "others" of each dimension. */
static struct tally_entry *entry_of(struct tally *tally, enum tally_dimension dimension,
                                    struct slice value)
{
    struct tally_entry *entry = NULL;
    uint32_t *slot = slot_of(tally, dimension, value);
    if (*slot)
        return &tally->entry[*slot - 1];
    if (tally->count < TALLY_ENTRIES_MAX - TALLY_DIMENSIONS)
        entry = entry_make(tally, dimension, value, slot);
    if (entry)
        return entry;
    slot = slot_of(tally, dimension, SLICE(TALLY_OTHERS));
    return *slot ? &tally->entry[*slot - 1]
                 : entry_make(tally, dimension, SLICE(TALLY_OTHERS), slot);
}

void tally_add(struct tally *tally, enum tally_dimension dimension, struct slice value,
               int64_t rows, struct sum before, struct sum after)
{
    struct tally_entry *entry = entry_of(tally, dimension, value);
    MUST(entry && entry->dimension == dimension && rows >= 0, dimension, rows);
    entry->rows += rows;
    sum_add(&entry->before, before);
    sum_add(&entry->after, after);
}

const struct tally_entry *tally_find(struct tally *tally, enum tally_dimension dimension,
                                     struct slice value)
{
    uint32_t slot = *slot_of(tally, dimension, value);
    return slot ? &tally->entry[slot - 1] : NULL;
}

static struct sum move_of(const struct tally_entry *entry)
{
    return sum_size(sum_less(entry->after, entry->before));
}

static int by_move(const void *a, const void *b)
{
    const struct tally_entry *x = a, *y = b;
    int moved = sum_cmp(move_of(y), move_of(x));
    if (moved != 0)
        return moved;
    size_t bytes = x->value.bytes < y->value.bytes ? x->value.bytes : y->value.bytes;
    int order = bytes ? memcmp(x->value.p, y->value.p, bytes) : 0;
    return order ? order : (x->value.bytes > y->value.bytes) - (x->value.bytes < y->value.bytes);
}

void tally_sort(struct tally *tally)
{
    MUST(tally->count <= TALLY_ENTRIES_MAX, tally->count);
    qsort(tally->entry, tally->count, sizeof(tally->entry[0]), by_move);
    memset(tally->slot, 0, SLOTS * sizeof(tally->slot[0]));
    for (size_t i = 0; i < tally->count; i++)
        *slot_of(tally, tally->entry[i].dimension, tally->entry[i].value) = (uint32_t)i + 1;
}
