/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rows of a batch come to: added up in memory, exactly, by quarter of an hour and what
 * tells the rows apart, and appended to spendlog.spend_deltas in the transaction of the rows
 * (migrations/0080_sums.sql does the same for what changes rows afterwards).
 *
 * A row's figures are kept until the batch is written: only then is it known which rows are
 * not duplicates.
 */
#ifndef STORE_SUMS_H
#define STORE_SUMS_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/charge.h"
#include "core/event.h"
#include "store/row_words.h"

struct sums_figures;
struct sums_group;
struct sums_meter;
struct sums_row;
struct sums_text;

struct sums {
    struct arena texts;
    struct buf words;       /* of the wide row that is taken down */
    struct sums_text *text; /* distinct ones; number 0 is none */
    size_t text_count, text_capacity;
    uint32_t *text_slot; /* hash table: number, 0 = free */
    size_t text_slots;
    struct sums_group *group;
    size_t group_count, group_capacity;
    struct sums_figures *figures; /* of the groups that have a line */
    size_t figures_count, figures_capacity;
    uint32_t *group_slot; /* hash table: index + 1, 0 = free */
    size_t group_slots;
    struct sums_row *row;
    size_t row_count, row_capacity;
    struct sums_meter *meter; /* of the rows, in turn */
    size_t meter_count, meter_capacity;
    uint32_t unit_text[UNIT_COUNT]; /* numbers of the names of meters; 0: none yet */
    uint32_t *counted;              /* numbers of the rows that are written */
    size_t rows_counted, counted_capacity;
    bool untold; /* the end users are not told apart */
};

void sums_init(struct sums *sums, size_t ceiling_bytes); /* of texts */
void sums_reset(struct sums *sums);
void sums_free(struct sums *sums);

/* Takes a row down; *number is what sums_count() knows it by. `words`: the places of its words in
 * the batch's dictionaries; NULL: the row is wide, and so will be its line. The event has a start
 * time. false: out of memory. */
bool sums_take(struct sums *sums, const struct event *event, const struct charge *charge,
               const unsigned words[WORDS_COUNT], unsigned *number) MUST_CHECK;

/* Begins the counting of a transaction; then each row that is written, once; then what is too fine
 * is made coarser, and all is added up. false: out of memory. */
bool sums_begin(struct sums *sums) MUST_CHECK;
void sums_count(struct sums *sums, unsigned number);
bool sums_fold(struct sums *sums) MUST_CHECK;

/* The lines of one form as binary COPY, after its header; *lines of them. Lean ones get the numbers
 * that the words have by now. A piece of some megabytes: of the groups from *from on, which is then
 * where the next piece begins, at the end sums->group_count. false: out of memory. */
bool sums_encode(const struct sums *sums, const struct row_words *words, bool wide,
                 struct buf *copy, size_t *from, size_t *lines) MUST_CHECK;
extern const char sums_columns_lean[], sums_columns_wide[];

#endif
