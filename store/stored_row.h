/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row as it is stored, for people: its facts, its money, where it came from, what happened to it
 * since. What a lookup gives lives until the next one, or stored_rows_close().
 */
#ifndef STORE_STORED_ROW_H
#define STORE_STORED_ROW_H

#include "core/buf.h"
#include "core/event.h"
#include "store/exclude.h"

#define STORED_ROWS_MAX 20 /* of one request */

struct stored_rows;

struct stored_row {
    struct event event; /* facts; request and call id of the labels */
    struct slice status, reason;
    bool has_spend;
    struct money spend;
    int32_t book_id;
    struct slice book_hash;
    struct slice topic; /* empty: the partition's record is gone */
    int64_t partition, kafka_offset, record_index;
};

struct stored_adjustment {
    int64_t run_id;
    int64_t adjusted_at_us;
    struct slice kind;      /* audit, posted */
    struct slice posted_on; /* 2026-11-24; empty unless posted */
    bool had_spend, has_spend;
    struct money before, after;
    struct slice status_before, status_after;
    int32_t book_id;                      /* the new one */
    struct slice book_before, book_after; /* hashes */
    struct slice started_by;
};

struct stored_rows *stored_rows_open(const char *conninfo, struct err *err);
void stored_rows_close(struct stored_rows *rows);

/* Rows of a request, by the provider's or the gateway's id of the call; *count may be 0, and
 * STORED_ROWS_MAX + 1 when there are more than can be had. */
bool stored_rows_find(struct stored_rows *rows, const char *request_id, int *count,
                      struct err *err) MUST_CHECK;
bool stored_rows_get(struct stored_rows *rows, int index, struct stored_row *row,
                     struct err *err) MUST_CHECK;
/* Calls back for each adjustment of a row, oldest first. */
bool stored_rows_adjustments(struct stored_rows *rows, int index,
                             void (*each)(const struct stored_adjustment *adjustment,
                                          void *context),
                             void *context, struct err *err) MUST_CHECK;
/* Calls back for each time a row was set aside or put back, oldest first. */
bool stored_rows_exclusions(struct stored_rows *rows, int index, exclusion_fn *each, void *context,
                            struct err *err) MUST_CHECK;
/* The text of a book; `json` is emptied first. */
bool stored_rows_book(struct stored_rows *rows, int32_t book_id, struct buf *json,
                      struct err *err) MUST_CHECK;

#endif
