/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One priced event as a row of spend_logs in COPY's binary form. Which columns there are, and how
 * each is written, follows core/facts.def and core/labels.def: a new STORE_USAGE fact needs no
 * change here. Facts are NULL when absent; label texts are '' when absent. Reading back:
 * store/row_read.h.
 */
#ifndef STORE_ROW_H
#define STORE_ROW_H

#include "core/buf.h"
#include "core/charge.h"
#include "core/event.h"

struct row_place {
    int64_t partition_id;
    int64_t kafka_offset;
    unsigned record_index;
};

/* "batch_id, price_book_id, ...": the columns of a row, in the order of its bytes. */
void row_columns(struct buf *sql);
/* The column of a fact that has one: its name, but for the two times. */
const char *row_fact_column(enum fact fact);

/* Appends one row; batch_id and price_book_id are left 0 for row_patch(). ERR_INPUT: no start time,
 * or a time no timestamp holds; ERR_FATAL: no room. Nothing is appended then. */
bool row_encode(struct buf *rows, const struct event *event, const struct charge *charge,
                const struct row_place *place, struct err *err) MUST_CHECK;

/* What is known only when the row is written. `row` is where its bytes start. */
void row_patch(char *row, int64_t batch_id, int32_t price_book_id);

#endif
