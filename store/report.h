/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spend by dimension over a period, beside the period before: from the sums where these tell the
 * dimensions apart, else from rows and corrections. A group without any priced row has no spend,
 * not 0.
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
    const char *last;           /* instead: "7d", "4w", "24h" up to now; or NULL */
    const char *month;          /* instead: "2026-10"; or NULL */
    const char *zone;           /* of days and months; "UTC" */
    bool gone;                  /* also groups that spent in the period before alone */
    int64_t limit;              /* groups, largest spend first, the others in one line; 0 = all */
};

/* Sums as the database writes them, plain decimals of any length: none is too large to be shown. */
struct report_sums {
    struct slice calls, unpriced;
    struct slice input_tokens, output_tokens;
    struct slice spend, gateway_cost; /* empty: none of it has one */
    struct slice share;               /* percent of what was spent in all; empty: not to be told */
    struct slice before;              /* spend of the period before; empty: there is none */
    struct slice change;              /* percent; empty: not to be told */
    struct slice doubtful;            /* calls (spendlog.doubtful_rows) */
    struct slice quantity;            /* of what is counted, by meter alone; else empty */
};

struct report_row {
    enum { REPORT_GROUP, REPORT_OTHER, REPORT_TOTAL } kind;
    int64_t groups; /* in it: of REPORT_OTHER, how many */
    struct slice key[REPORT_KEYS_MAX];
    struct report_sums sums;
};

/* UTC; INT64_MIN, INT64_MAX: open. No period before: both 0. */
struct report_period {
    int64_t since_us, until_us, before_since_us, before_until_us;
};

/* What retention dropped of the period and this report cannot read. Days that the period cuts count
 * as a whole. */
struct report_dropped {
    int64_t rows;             /* 0: all is in it */
    char spend[64];           /* US dollars; empty: not known */
    char first[16], last[16]; /* days, UTC */
    bool before;              /* some of the period before, which is therefore not compared with */
};

struct report_answer;

/* Names that `by` takes; NULL ends the list. */
const char *const *report_dimensions(void);

/* ERR_USAGE: no such dimension, since is not before until, no such zone or period. */
bool report_run(const char *conninfo, const struct report_options *options,
                struct report_answer **answer, struct err *err) MUST_CHECK;
void report_free(struct report_answer *answer);

/* Names of `by`, before anything is opened. ERR_USAGE. */
bool report_names_known(const struct report_options *options, struct err *err) MUST_CHECK;

/* Groups, then the others if they are cut off, then the total of all. Texts live as long as the
 * answer. */
size_t report_rows(const struct report_answer *answer);
struct report_row report_row(const struct report_answer *answer, size_t number);
struct report_period report_period(const struct report_answer *answer);
/* The groups overlap: a call with two tags counts under both. */
bool report_overlaps(const struct report_answer *answer);
/* By meter: a call is in each line that it paid for, with what it paid for it. */
bool report_metered(const struct report_answer *answer);
struct report_dropped report_dropped(const struct report_answer *answer);
/* What of the same time is doubtful (spendlog.doubtful_rows). */
struct slice report_doubtful_calls(const struct report_answer *answer);
struct slice report_doubtful_at_stake(const struct report_answer *answer);

#endif
