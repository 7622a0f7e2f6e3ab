/* SPDX-License-Identifier: Apache-2.0 */
/* A stored row with everything that explains it: its facts, what it was charged, by which book. */
#ifndef STORE_LOOKUP_H
#define STORE_LOOKUP_H

#include "core/charge.h"
#include "core/event.h"

#define LOOKUP_ROWS_MAX 100

struct stored_row {
    struct facts facts;
    int64_t start_time_us;
    char identity[37]; /* uuid */
    struct slice request_id, call_id, mapping, time_source;
    struct slice topic;
    int32_t partition, incarnation;
    int64_t kafka_offset, batch_id;
    unsigned record_index, flags;
    bool has_spend;
    struct money spend, side[3];
    struct slice pricing_status, pricing_reason; /* reason: "" when there is none */
    struct slice book_hash;
    struct slice book_json; /* empty when that book is not stored */
};

/* Valid until the callback returns. */
typedef void stored_row_fn(const struct stored_row *row, void *context);

/* Rows whose request id, call id or identity (uuid) is `id`, newest first, at most LOOKUP_ROWS_MAX.
 * Says how many. No index serves this: every day is read, unless since/until (INT64_MIN, INT64_MAX:
 * open) name some. ERR_INPUT: a row that cannot be read back. */
bool lookup_rows(const char *conninfo, const char *id, int64_t since_us, int64_t until_us,
                 stored_row_fn *row, void *context, int *count, struct err *err) MUST_CHECK;

#endif
