/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a reprice run share: reprice.c (its life), reprice_plan.c (days, locks,
 * record), reprice_sql.c (what is read), reprice_day.c (reading, pricing, comparing),
 * reprice_write.c (slices), reprice_swap.c (days that are rewritten), reprice_report.c. */
#ifndef STORE_REPRICE_IMPL_H
#define STORE_REPRICE_IMPL_H

#include "store/copy.h"
#include "store/reprice.h"
#include "store/row_items.h"

/* What a run reads of a row beside the facts. The ones from BOOK on are what pricing makes. */
enum reprice_column {
    COLUMN_START_TIME,
    COLUMN_IDENTITY,
    COLUMN_TEAM,
    COLUMN_BOOK,
    COLUMN_STATUS,
    COLUMN_REASON,
    COLUMN_SPEND,
    COLUMN_INPUT,
    COLUMN_OUTPUT,
    COLUMN_OTHER,
    COLUMN_FLAGS,
    COLUMN_ITEMS,
    COLUMN_COUNT
};

/* usage twice, excluded, newer, group, done */
#define REPRICE_COLUMNS_MAX (COLUMN_COUNT + FACT_COUNT + 6)

enum reprice_method { METHOD_UPDATE, METHOD_REWRITE, METHOD_POST };
extern const char *const reprice_method_name[];

/* What a row comes to now; the amount is 0 when there is none. */
struct stored_spend {
    bool has;
    struct money amount;
};

enum reprice_skip {
    SKIP_REPORTED,
    SKIP_UNREADABLE,
    SKIP_BOOK,
    SKIP_EXCLUDED,
    SKIP_NEWER,
    SKIP_COUNT
};
extern const char *const reprice_skip_name[SKIP_COUNT];

struct reprice_day {
    int32_t day;        /* days since 2000-01-01 */
    char text[11];      /* 2026-10-03 */
    bool closed;        /* lies in a closed period */
    bool there;         /* false: retention dropped it */
    int64_t expected;   /* rows, estimated */
    int64_t table_rows; /* of the whole day, estimated */
    int64_t changed;    /* rows this run has changed in it already */
};

/* Where in a stream of rows what is. */
struct reprice_shape {
    int count;
    int column[COLUMN_COUNT];
    int fact[FACT_COUNT + 1], fact_count;
    int usage;    /* the part of it that the dictionary has */
    int excluded; /* marks rows that are set aside; -1 = not read */
    int newer;    /* marks rows that a run begun later has posted for; -1 = not read */
    int done;     /* marks rows that this run has changed before; -1 = not read */
    int group;    /* what options.by names; -1 = not read */
};

#define BOOKS_SEEN 64

struct reprice {
    char *conninfo;
    struct reprice_options options;
    struct reprice_filter filter;
    void *filter_json; /* what the texts of a resumed filter belong to */
    struct pg read;    /* rows out */
    struct pg write;   /* holds the locks; all that counts happens here */
    struct pg shadow;  /* a table that nobody sees yet is filled here */

    int64_t run_id;
    bool resumed;
    int32_t book_id;
    int32_t filter_book_id;
    int32_t row_book_id; /* options.book: of the row read last; 0 = none yet */
    bool row_book_there;
    struct {
        int32_t id; /* 0 = nothing yet */
        bool stored;
    } book_seen[BOOKS_SEEN]; /* by number, modulo: whether the books of rows are stored */
    struct reprice_day *day;
    size_t day_count;
    int64_t expected; /* rows of all days left, estimated */

    struct reprice_totals total; /* so far, uncommitted ones included */
    /* Of the slice being gathered: changed rows only. */
    struct reprice_totals slice;
    struct tally tally; /* of the slice; of everything in a dry run */
    struct buf staged;
    size_t staged_rows;
    int64_t staged_first, staged_last; /* start times, microseconds since 2000 */
    char posted_on[4];                 /* date field, METHOD_POST */
    char adjusted_at[8];               /* timestamp field */
    /* Counted when the day is done. */
    struct reprice_totals rest;
    int64_t skip_rows[SKIP_COUNT];
    struct sum skip_spend[SKIP_COUNT];

    struct arena call;
    struct buf sql;
    /* METHOD_REWRITE: the day goes piece by piece. */
    struct {
        int64_t from, until, end, blocks; /* this piece, of the table, usual; in blocks */
        bool filling;                     /* the shadow's connection is at the piece before */
        int64_t rows;                     /* in the shadow */
        int64_t staged_block;             /* where the records of the next piece will begin */
    } piece;
    struct reprice_report report;
};

/* reprice.c: whether there is such a price book; true when that cannot be asked now. */
bool reprice_book_stored(struct reprice *run, int32_t book_id);

/* reprice_sql.c: the statement is left in run->sql, NUL-terminated. */
bool reprice_sql_read(struct reprice *run, const struct reprice_day *day,
                      enum reprice_method method, double sample_percent,
                      struct reprice_shape *shape, struct err *err) MUST_CHECK;
/* Whether the filter takes every row of the day. */
bool reprice_takes_all(const struct reprice *run, const struct reprice_day *day);
const char *reprice_sql_text(struct reprice *run); /* NULL: it did not fit */

/* reprice_plan.c */
bool reprice_plan_new(struct reprice *run, const char *book_hash, struct err *err) MUST_CHECK;
bool reprice_plan_dry(struct reprice *run, struct err *err) MUST_CHECK;
bool reprice_plan_load(struct reprice *run, struct err *err) MUST_CHECK;
bool reprice_find_unfinished(struct reprice *run, int64_t *run_id, struct err *err) MUST_CHECK;
/* The session is the one that has claimed the days: else the database may be another, and older. */
#define REPRICE_IN_SESSION " AND current_setting('spendlog.repricing', true) = 'on'"
/* The record of the run, or of one of its days, was there, in the session. ERR_RETRY: it was not.
 */
bool reprice_recorded(const struct reprice *run, int64_t rows, struct err *err) MUST_CHECK;
bool reprice_run_load(struct reprice *run, struct err *err) MUST_CHECK;
bool reprice_run_finish(struct reprice *run, struct err *err) MUST_CHECK;
bool reprice_day_dropped(struct reprice *run, const struct reprice_day *day,
                         struct err *err) MUST_CHECK;

/* reprice_day.c */
bool reprice_day_run(struct reprice *run, const struct reprice_day *day,
                     struct err *err) MUST_CHECK;

/* reprice_what_if.c: what a row comes to and what it would, by options.by. */
const char *reprice_group_column(const char *by); /* NULL: the day */
/* A row that would be priced so. */
void reprice_what_if(struct reprice *run, struct slice group, const struct stored_spend *stored,
                     const struct charge *charge);
/* A row that is left out, and why. */
void reprice_what_if_skipped(struct reprice *run, struct slice group,
                             const struct stored_spend *stored, enum reprice_skip why);

/* reprice_write.c */
/* A row's flags as they will be: what reading remarked, and what pricing remarks now. */
int32_t reprice_flags(const struct row_field *stored, const struct charge *charge);
/* Adds a changed row to the slice. */
void reprice_stage(struct reprice *run, enum reprice_method method,
                   const struct reprice_shape *shape, const struct row_field *field,
                   const struct facts *facts, const struct charge *charge);
/* The slice in one transaction; with the last one the day is done. */
bool reprice_slice_write(struct reprice *run, const struct reprice_day *day,
                         enum reprice_method method, bool last, struct err *err) MUST_CHECK;
/* The day's last slice also counts what did not change. Once, before its transaction. */
void reprice_slice_close(struct reprice *run);
/* Inside a transaction: the slice's counts and tallies. */
bool reprice_slice_count(struct reprice *run, const struct reprice_day *day,
                         enum reprice_method method, bool last, struct err *err) MUST_CHECK;
/* After COMMIT. */
void reprice_slice_reset(struct reprice *run);
void reprice_stage_reset(struct reprice *run);
/* Inside a transaction: the records of the slice into spend_adjustments, or a table of its form. */
bool reprice_staged_copy(struct reprice *run, struct pg *pg, const char *table,
                         struct err *err) MUST_CHECK;

/* reprice_swap.c: open, then each piece is read and written, then close. */
bool reprice_swap_open(struct reprice *run, const struct reprice_day *day,
                       struct err *err) MUST_CHECK;
bool reprice_swap_next(struct reprice *run); /* false: there is no piece left */
bool reprice_swap_write(struct reprice *run, const struct reprice_day *day,
                        struct err *err) MUST_CHECK;
bool reprice_swap_close(struct reprice *run, const struct reprice_day *day,
                        struct err *err) MUST_CHECK;
void reprice_swap_abandon(struct reprice *run);

/* reprice_report.c */
void reprice_move_note(struct reprice *run, const struct row_field *start_time,
                       const struct row_field *identity, bool had_spend, struct money before,
                       const struct charge *charge);

#endif
