/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pricing stored rows again. A run reads, per day, the columns that pricing needs, prices each row,
 * and changes only those that come out different, each with its record in spend_adjustments. What
 * prices is the caller's: store/ knows no rules.
 *
 *     struct reprice *run = reprice_open(&options, &err);
 *     reprice_begin(run, &filter, book_id, book_json, &err);   // or reprice_resume()
 *     reprice_run(run, &err);
 *     const struct reprice_report *report = reprice_report(run);
 *
 * A run can be killed at any point: each of its transactions changes rows, records them and counts
 * them together, and reprice_resume() goes on from what was committed. While it lasts it has
 * claimed its days (day_claims), which keeps other runs, retention and the closing of a month out.
 */
#ifndef STORE_REPRICE_H
#define STORE_REPRICE_H

#include "core/buf.h"
#include "core/charge.h"
#include "core/event.h"
#include "store/tally.h"

#define REPRICE_LIST_MAX 64
#define REPRICE_TOP_MAX 10

struct reprice_list {
    size_t count; /* 0: any */
    const char *value[REPRICE_LIST_MAX];
};

struct reprice_filter {
    int64_t since_us, until_us; /* start time in [since, until); INT64_MIN, INT64_MAX: open */
    struct reprice_list model;  /* as stored, as requested, or the group's name */
    struct reprice_list provider, team, key, mapping;
    const char *book; /* rows priced by this book: its hash or the start of it; NULL: any */
    bool unpriced;    /* only rows without a price */
    bool include_reported;
};

struct reprice_totals {
    int64_t considered, changed, unchanged, skipped;
    int64_t posted;           /* those of the changed rows that lie in closed periods */
    struct sum before, after; /* spend of all rows considered */
};

/* One of the rows that moved most. */
struct reprice_move {
    int64_t start_time_us;
    uint8_t identity[16];
    bool had_spend, has_spend; /* false: NULL before resp. after */
    struct money before, after;
    char request_id[128], model[128], team[128]; /* cut to size */
};

struct reprice_report {
    int64_t run_id; /* 0: dry run */
    struct reprice_totals totals;
    struct tally *tally; /* sorted */
    size_t move_count;
    struct reprice_move move[REPRICE_TOP_MAX]; /* greatest first */
    unsigned days, days_dropped;
    unsigned days_rewritten;
};

typedef void reprice_price_fn(const struct facts *facts, struct charge *charge, void *context);
/* The book of the rows that follow, when each row is to be priced by its own (rederiving). false:
 * it cannot be restored, these rows are skipped. Called when the book changes. */
typedef bool reprice_book_fn(int32_t book_id, void *context);
/* Called about once per thousand rows; `expected` is an estimate. */
typedef void reprice_progress_fn(const struct reprice_totals *totals, int64_t expected,
                                 void *context);

struct reprice_options {
    const char *conninfo;
    bool dry_run; /* reads only: no locks, no run record */
    /* Dry runs: every row is tallied by this (TALLY_WHAT_IF and the ones after it), a name of
     * reprice_groups(). NULL: only changes are, as ever. */
    const char *by;
    reprice_price_fn *price;
    reprice_progress_fn *progress; /* or NULL */
    reprice_book_fn *book;         /* or NULL: all rows by the same book; dry runs only */
    void *context;                 /* of all three */
    size_t slice_rows;             /* changed rows per transaction; 0 = 25,000 */
    int64_t rewrite_rows_min;      /* a smaller day is never rewritten; 0 = 20,000 */
};

struct reprice;

/* What `by` may be; NULL ends the list. */
const char *const *reprice_groups(void);

/* Connects. */
struct reprice *reprice_open(const struct reprice_options *options, struct err *err);
void reprice_close(struct reprice *run);

/* What a run without a filter would read: days, and rows as the catalogue estimates them. */
bool reprice_extent(struct reprice *run, unsigned *days, int64_t *rows, struct err *err) MUST_CHECK;

/* A new run over what the filter says, priced by the book (stored if it is not yet). ERR_INPUT: the
 * filter's book is unknown. ERR_RETRY: another run has some of the days. */
bool reprice_begin(struct reprice *run, const struct reprice_filter *filter, const char *book_hash,
                   struct slice book_json, struct err *err) MUST_CHECK;

/* The newest run that did not end, on from where it was; *found false: there is none. `book_json`
 * receives its book, which the caller restores before reprice_run(). */
bool reprice_resume(struct reprice *run, bool *found, struct buf *book_json,
                    struct err *err) MUST_CHECK;

/* The text of a stored book, also in the middle of a dry run; `json` is emptied first. */
bool reprice_book(struct reprice *run, int32_t book_id, struct buf *json,
                  struct err *err) MUST_CHECK;

/* Another run that did not end, for a warning; 0 = none. */
bool reprice_unfinished(struct reprice *run, int64_t *run_id, struct err *err) MUST_CHECK;

/* All days that are left. After an error the run can be resumed. */
bool reprice_run(struct reprice *run, struct err *err) MUST_CHECK;

/* What the run did, or would do; borrowed until reprice_close(). NULL on failure. */
const struct reprice_report *reprice_report(struct reprice *run, struct err *err);

#endif
