/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spend by dimension: sums over spend_entries (rows and posted adjustments), in PostgreSQL. A group
 * without any priced row has no spend, not 0.
 */
#ifndef STORE_REPORT_H
#define STORE_REPORT_H

#include "core/err.h"
#include "core/slice.h"

#include <stdint.h>

#define REPORT_KEYS_MAX 4

struct report_options {
    const char *by[REPORT_KEYS_MAX]; /* names of report_dimensions(), at least one */
    size_t by_count;
    int64_t since_us, until_us; /* start time in [since, until); INT64_MIN, INT64_MAX: open */
    int64_t limit;              /* groups, largest spend first; 0 = all */
};

/* Sums as the database writes them, plain decimals of any length: none is too large to be shown. */
struct report_sums {
    struct slice calls, unpriced;
    struct slice input_tokens, output_tokens;
    struct slice spend, gateway_cost; /* empty: none of it has one */
};

struct report_row {
    struct slice key[REPORT_KEYS_MAX];
    struct report_sums sums;
    struct report_sums
        total; /* of all rows that the report shows; costs are 0 when there are none */
};

/* Texts live until the callback returns. */
typedef void report_fn(const struct report_row *row, void *context);

/* Names that `by` takes; NULL ends the list. */
const char *const *report_dimensions(void);

/* What of the same time is doubtful (spendlog.doubtful_rows), into texts of the caller's. */
struct report_doubt {
    char calls[32], at_stake[64];
};
bool report_doubtful(const char *conninfo, const struct report_options *options,
                     struct report_doubt *doubt, struct err *err) MUST_CHECK;

/* ERR_USAGE: no such dimension, or since is not before until. */
bool report_run(const char *conninfo, const struct report_options *options, report_fn *on_row,
                void *context, struct err *err) MUST_CHECK;

#endif
