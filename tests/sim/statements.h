/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of statements share: parameters, the fields of a COPY, rows that are waited for.
 */
#ifndef TESTS_SIM_STATEMENTS_H
#define TESTS_SIM_STATEMENTS_H

#include "tests/sim/pq.h"

#define STATEMENT(name) static PGresult *name(struct pg_conn *conn, const struct params *params)

#define EPOCH_US INT64_C(946684800000000) /* 1970 to 2000 */
#define DAY_US INT64_C(86400000000)

/* --- parameters, counted from 1 */
int64_t int_at(const char *p, int bytes);
bool param_is_null(const struct params *params, int n);
int64_t param_int(const struct params *params, int n);
struct text text_copy(const char *p, size_t bytes);
/* For all seeds. */
char *text_lasting(const char *p, size_t bytes);
struct text param_text(const struct params *params, int n);
bool text_eq(struct text a, struct text b);
/* Elements of an array, each a text; p NULL: NULL. */
struct text *param_array(const struct params *params, int n, size_t *count);
int64_t *param_ints(const struct params *params, int n, size_t *count);

/* --- a row of a COPY */
struct fields {
    const struct columns *columns;
    const char *p[COPY_COLUMNS_MAX];
    int bytes[COPY_COLUMNS_MAX];
};

/* Names of columns are numbers: these, and those that statements bring. */
#define FIELDS(X)                                                                                  \
    X(about)                                                                                       \
    X(batch_id)                                                                                    \
    X(call_no)                                                                                     \
    X(caller_no)                                                                                   \
    X(content_hash)                                                                                \
    X(entries)                                                                                     \
    X(identity)                                                                                    \
    X(input_tokens)                                                                                \
    X(kafka_offset)                                                                                \
    X(kind)                                                                                        \
    X(model)                                                                                       \
    X(new_flags)                                                                                   \
    X(new_price_book_id)                                                                           \
    X(new_spend)                                                                                   \
    X(old_price_book_id)                                                                           \
    X(old_reason)                                                                                  \
    X(old_spend)                                                                                   \
    X(old_status)                                                                                  \
    X(partition_id)                                                                                \
    X(price_book_id)                                                                               \
    X(record_index)                                                                                \
    X(request_id)                                                                                  \
    X(request_tags)                                                                                \
    X(run_id)                                                                                      \
    X(spend)                                                                                       \
    X(start_time)                                                                                  \
    X(team_id)                                                                                     \
    X(flags)                                                                                       \
    X(pricing_status)                                                                              \
    X(pricing_reason)                                                                              \
    X(usage)
enum field {
#define X(name) FIELD_##name,
    FIELDS(X)
#undef X
        FIELDS_COUNT
};
/* The number of a name, up to what ends it. */
int name_number(const char *name);

const struct columns *columns_of(const char *sql);
/* false: the end. */
bool fields_next(struct fields *f, const char **p);
/* -1: there is none, or it is NULL. */
int field_of(const struct fields *f, int name);
int64_t field_int(const struct fields *f, int name);
/* Where it stands. */
struct text field_text(const struct fields *f, int name);
/* numeric, in 10^-18; false: NULL. */
bool field_numeric(const struct fields *f, int name, __int128 *atto);
int32_t day_of(int64_t start);

/* --- rows */
typedef bool row_is_fn(const struct row *row, int64_t which);
/* Waits for who holds a row of this hash that is the one. NULL: *row is the version that is seen
 * and free, or NULL. */
PGresult *row_free(struct pg_conn *conn, enum table table, uint64_t hash, row_is_fn *is,
                   int64_t which, struct row **row);
PGresult *day_free(struct pg_conn *conn, int32_t of, struct row **day);
struct row *key_find(const struct tx *tx, int64_t start, const char *identity,
                     const struct tx **in_way);
struct row *words_find(const struct tx *tx, enum table table, int64_t number,
                       const struct tx **in_way);

/* --- statements_reprice.c */
/* NULL: it is none of repricing. */
const struct statement *statement_of_reprice(const char *sql);
PGresult *adjustments_copy(struct pg_conn *conn, const struct copy *copy);
/* Whether a session that lives reprices the day. */
bool day_is_claimed(int32_t day);
bool day_is_closed(const struct tx *tx, int32_t day);

#endif
