/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums per group: how many rows a reprice moved, and from what to what, by model, team and day.
 * Bounded: groups beyond the limit are summed under TALLY_OTHERS of their dimension.
 */
#ifndef STORE_TALLY_H
#define STORE_TALLY_H

#include "core/arena.h"
#include "core/sum.h"

#define TALLY_ENTRIES_MAX 16384
#define TALLY_OTHERS "(others)"

enum tally_dimension {
    TALLY_MODEL,
    TALLY_TEAM,
    TALLY_DAY,
    TALLY_SKIPPED,
    TALLY_LOST,             /* rows that had a price and have none now, by the reason */
    TALLY_GAINED,           /* rows that had none, by the reason of then */
    TALLY_WHAT_IF,          /* all rows that have a price either way, by what was asked */
    TALLY_WHAT_IF_UNPRICED, /* those that would have none */
    TALLY_WHAT_IF_GAINED,   /* those that have none now */
    TALLY_WHAT_IF_REASON,   /* why there would be none */
    TALLY_DIMENSIONS
};

extern const char *const tally_dimension_name[TALLY_DIMENSIONS];

struct tally_entry {
    enum tally_dimension dimension;
    struct slice value;
    int64_t rows;
    struct sum before, after;
};

struct tally {
    struct tally_entry *entry; /* in the order of first sight */
    size_t count;
    uint32_t *slot; /* hash table: index + 1, 0 = free */
    struct arena texts;
};

bool tally_init(struct tally *tally, struct err *err) MUST_CHECK;
void tally_reset(struct tally *tally);
void tally_free(struct tally *tally);

void tally_add(struct tally *tally, enum tally_dimension dimension, struct slice value,
               int64_t rows, struct sum before, struct sum after);

/* NULL: nothing was added to it. */
const struct tally_entry *tally_find(struct tally *tally, enum tally_dimension dimension,
                                     struct slice value);

/* By the size of the move, greatest first; then by value. */
void tally_sort(struct tally *tally);

#endif
