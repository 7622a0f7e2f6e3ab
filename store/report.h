/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spend by dimension: sums over spend_entries (rows and posted adjustments), in PostgreSQL. A group
 * without any priced row has no spend, not 0.
 */
#ifndef STORE_REPORT_H
#define STORE_REPORT_H

#include "core/decimal.h"

#define REPORT_KEYS_MAX 4

struct report_options {
    const char *by[REPORT_KEYS_MAX]; /* names of report_dimensions(), at least one */
    size_t by_count;
    int64_t since_us, until_us; /* start time in [since, until); INT64_MIN, INT64_MAX: open */
    int64_t limit;              /* groups, largest spend first; 0 = all */
};

struct report_row {
    struct slice key[REPORT_KEYS_MAX]; /* until the callback returns */
    int64_t calls, unpriced;
    int64_t input_tokens, output_tokens;
    bool has_spend, has_gateway_cost;
    struct money spend, gateway_cost;
};

typedef void report_fn(const struct report_row *row, void *context);

/* Names that `by` takes; NULL ends the list. */
const char *const *report_dimensions(void);

/* ERR_USAGE: no such dimension, or since is not before until. */
bool report_run(const char *conninfo, const struct report_options *options, report_fn *on_row,
                void *context, struct err *err) MUST_CHECK;

#endif
