/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the writer share: writer.c (life, offset rows, books), writer_commit.c (the
 * transaction), writer_rows.c (rows into the table), writer_rejects.c and writer_counts.c
 * (what is written beside them). */
#ifndef STORE_WRITER_IMPL_H
#define STORE_WRITER_IMPL_H

#include "store/days_known.h"
#include "store/lock_holder.h"
#include "store/pg.h"
#include "store/recent_keys.h"
#include "store/writer.h"

#define WORDS_KNOWN_SLOTS (words_known_mask + 1)
#define REFUSAL_TEXT_MAX 256

/* What a batch did to a range, as the transaction has it; moved into the range after COMMIT. */
struct range_counts {
    int64_t rows, duplicates, rejected, conflicts;
    int64_t by_status[CHARGE_STATUS_COUNT], flagged, doubtful; /* of the rows */
    uint64_t digest;                                           /* exclusive or over the rows */
};

struct refusal {
    size_t row;       /* index into batch->rows */
    bool has_payload; /* of its message: the others of the message go without */
    char text[REFUSAL_TEXT_MAX];
};

/* Rejected records whose row was refused, and why the last one was. */
struct reject_refused {
    size_t count;
    char message[104], sqlstate[6];
};

/* Entries of the dictionaries that are in the database, as this writer saw when it last committed:
 * in the transaction of that batch. While the batch's record is there, so are they. */
struct words_known {
    struct words_known_entry {
        uint8_t hash[16]; /* of the content */
        int64_t number;
        bool used;
    } * slot[WORDS_COUNT];
    size_t count[WORDS_COUNT];
    int64_t batch_id, written_at; /* as ingest_batches has it; 0: nothing is known */
};

struct writer {
    char *conninfo, *group_id, *cluster_id, *application_name, *member;
    unsigned lock_timeout_ms, statement_timeout_ms;
    struct pg pg;
    struct pg_args args;                /* of the statement being run */
    struct buf copy_sql, copy_lean_sql; /* of wide and of lean rows */
    struct buf sums;                    /* lines of spend_deltas */
    int64_t deltas;                     /* appended since they were merged, by this writer */
    int64_t merged_us;                  /* when it merged last, monotonic */

    /* What is believed of the database: writer_forget() drops all of it. */
    struct recent_keys recent;
    char book_hash[65]; /* of the book stored last; "" = none */
    int32_t book_id;
    struct days_known days;
    struct words_known known; /* what the dictionaries have */
    bool numbers_stand;       /* its sequences are not behind the numbers in use */

    bool tell_retention; /* not compared with the database's yet */
    unsigned retain_days;
    const atomic_bool *stop;     /* or NULL */
    const struct seal_key *seal; /* of rejected messages; NULL: in the clear */
    struct buf sealed, place;
    bool house_due; /* a day has begun: what is old goes when the batch is stored */

    bool look_first;           /* ask which keys are there before the COPY */
    unsigned batches_clean;    /* since then, without a stored duplicate */
    struct lock_holder holder; /* who kept us waiting */
    /* of the batch being written */
    size_t sum_lines;
    bool bisect, copying, fenced, guard_again;
    bool bisect_rejects, rejecting;
    struct reject_refused reject_refused;
    int64_t batch_id, written_at;
    struct range_counts *counts;
    size_t counts_capacity;
    struct refusal *refusal;
    size_t refusal_count, refusal_capacity;
};

enum writer_statement {
    STATEMENT_LOCK,
    STATEMENT_LOOK,
    STATEMENT_GUARD,
    STATEMENT_GUARDED,
    STATEMENT_ADVANCE,
    STATEMENT_REJECT,
    STATEMENT_CONFLICT,
    STATEMENT_COUNT_UP,
    STATEMENT_RESOLVE,
    STATEMENT_STAND,
    STATEMENT_SAMPLE,
    STATEMENT_WORDS_ADD, /* one for each dictionary */
    STATEMENT_WORDS_APART = STATEMENT_WORDS_ADD + WORDS_COUNT,
};

/* Runs a statement that gives nothing back, with writer->args. */
static inline bool writer_run(struct writer *w, const struct pg_statement *statement,
                              struct err *err)
{
    PGresult *res = pg_run(&w->pg, statement, &w->args, err);
    PQclear(res);
    return res != NULL;
}

/* writer_rows.c */
/* Sorts the rows by key and marks the duplicates that need no database to be known; forgets what a
 * transaction that was rolled back found out. */
void rows_mark_near(struct writer *writer, struct batch *batch);
bool rows_guard(struct writer *writer, struct batch *batch, struct err *err) MUST_CHECK;
bool rows_look(struct writer *writer, struct batch *batch, struct err *err) MUST_CHECK;
bool rows_copy(struct writer *writer, struct batch *batch, struct err *err) MUST_CHECK;
/* After the COPY. false: the batch is to be begun again, which guards other identities. */
bool rows_guard_stands(struct writer *writer, struct batch *batch) MUST_CHECK;
/* What the rows that are new come to, after all of them are in the table. */
bool rows_sum(struct writer *writer, struct batch *batch, struct err *err) MUST_CHECK;
/* After COMMIT. */
void rows_learn(struct writer *writer, const struct batch *batch);
/* Whether it is what was sent that PostgreSQL, or a trigger, does not want. */
bool record_refused(const struct writer *writer);
bool row_refusable(const struct writer *writer);

/* writer_words.c */
bool words_known_init(struct words_known *known);
void words_known_free(struct words_known *known);
void words_known_forget(struct words_known *known);
/* Sees to it that the dictionaries have the words of the new lean rows of [from, to), and gives
 * these their numbers. */
bool words_write(struct writer *writer, struct batch *batch, size_t from, size_t to,
                 struct err *err) MUST_CHECK;
/* After COMMIT. */
void words_learn(struct writer *writer, const struct batch *batch);

/* writer_rejects.c */
bool rejects_write(struct writer *writer, const struct batch *batch, struct err *err) MUST_CHECK;
bool rejects_resolve(struct writer *writer, struct batch *batch, struct err *err) MUST_CHECK;

/* writer_counts.c */
bool counts_tally(struct writer *writer, const struct batch *batch, struct err *err) MUST_CHECK;
bool counts_write(struct writer *writer, struct batch *batch, struct err *err) MUST_CHECK;

#endif
