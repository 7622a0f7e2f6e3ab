/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rows of a batch come to: added up in memory, exactly, by quarter of an hour and
 * attribution, and appended to spendlog.spend_sums in the transaction of the rows
 * (migrations/0080_sums.sql does the same for what changes rows afterwards).
 *
 * A row's figures are kept until the batch is written: only then is it known which rows are not
 * duplicates.
 */
#ifndef STORE_SUMS_H
#define STORE_SUMS_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/charge.h"
#include "core/event.h"

struct sums_group;
struct sums_row;
struct sums_text;

struct sums {
    struct arena texts;
    struct sums_text *text; /* distinct ones; number 0 is the empty text */
    size_t text_count, text_capacity;
    uint32_t *text_slot; /* hash table: number, 0 = free */
    size_t text_slots;
    struct sums_group *group;
    size_t group_count, group_capacity;
    uint32_t *group_slot; /* hash table: index + 1, 0 = free */
    size_t group_slots;
    struct sums_row *row;
    size_t row_count, row_capacity;
    uint32_t *member; /* groups of the rows, those of a row together */
    size_t member_count, member_capacity;
};

void sums_init(struct sums *sums, size_t ceiling_bytes); /* of texts */
void sums_reset(struct sums *sums);
void sums_free(struct sums *sums);

/* Takes a row down; *number is what sums_count() knows it by. The event has a start time. false:
 * out of memory. */
bool sums_take(struct sums *sums, const struct event *event, const struct charge *charge,
               unsigned *number) MUST_CHECK;

/* Begins the counting of a transaction; then each row that is written, once. */
void sums_begin(struct sums *sums);
void sums_count(struct sums *sums, unsigned number);
/* The lines as binary COPY of sums_columns, without its header; *lines of them. false: out of
 * memory. */
bool sums_encode(struct sums *sums, struct buf *copy, size_t *lines) MUST_CHECK;

extern const char sums_columns[];

#endif
