/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One priced event as a row of stored_rows in COPY's binary form. Which columns there are, and how
 * each is written, follows core/facts.def and core/labels.def: a new STORE_USAGE fact needs no
 * change here. Reading back: store/row_read.h.
 *
 * A row has one of two forms (docs/storage.md). Lean: what many rows say alike is a number of a
 * dictionary (store/row_words.h), ids are uuids when they are some, what is absent is NULL, JSON is
 * text. Wide: all words in the row, label texts '' when absent; for what does not fit the lean
 * form.
 */
#ifndef STORE_ROW_H
#define STORE_ROW_H

#include "core/buf.h"
#include "core/charge.h"
#include "core/event.h"
#include "store/row_words.h"

struct row_place {
    int64_t partition_id;
    int64_t kafka_offset;
    unsigned record_index;
};

/* "batch_id, price_book_id, ...": the columns of a row of either form, in the order of its bytes.
 */
void row_columns(struct buf *sql);
void row_columns_lean(struct buf *sql);
/* The column of a fact that has one: its name, but for the two times. */
const char *row_fact_column(enum fact fact);
extern const char *const row_time_source[]; /* by enum time_source */

/* Finds or adds the words of an event in both dictionaries. false: its row is to be a wide one. */
bool row_words_take(struct row_words *words, const struct event *event,
                    unsigned place[WORDS_COUNT]) MUST_CHECK;

/* Appends one row; what is known only when it is written is left 0. ERR_INPUT: no start time, or a
 * time no timestamp holds; ERR_FATAL: no room. Nothing is appended then. */
bool row_encode(struct buf *rows, const struct event *event, const struct charge *charge,
                const struct row_place *place, struct err *err) MUST_CHECK;
bool row_encode_lean(struct buf *rows, const struct event *event, const struct charge *charge,
                     const struct row_place *place, struct err *err) MUST_CHECK;

/* What is known only when the row is written. `row` is where its bytes start. */
void row_patch(char *row, int64_t batch_id, int32_t price_book_id);
void row_patch_lean(char *row, int64_t batch_id, int32_t price_book_id, int64_t call_no,
                    int64_t caller_no);

#endif
