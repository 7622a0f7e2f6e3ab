/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One PostgreSQL connection and how to talk over it: what every file of store/ needs of libpq, and
 * the one place where an SQLSTATE becomes an error kind. Results and parameters are binary
 * throughout.
 *
 *     struct pg_args args;
 *     pg_args_init(&args);
 *     pg_arg_int8(&args, partition_id);
 *     PGresult *res = pg_query(pg, "SELECT next_offset FROM ... WHERE partition_id = $1", &args,
 * err);
 *
 * Internal to store/: no other folder sees libpq.
 */
#ifndef STORE_PG_H
#define STORE_PG_H

#include "core/buf.h"
#include "core/must.h"
#include "core/sum.h"

#include <libpq-fe.h>
#include <stdatomic.h>

#define PG_ARGS_MAX 24
#define PG_ARGS_BYTES_MAX (64u << 20)

/* Types of array elements, as pg_type.h numbers them. */
enum pg_type {
    PG_BYTEA = 17,
    PG_INT8 = 20,
    PG_INT4 = 23,
    PG_TEXT = 25,
    PG_DATE = 1082,
    PG_TIMESTAMP = 1114,
    PG_UUID = 2950,
};

/* Microseconds from 1970 to 2000: PostgreSQL counts times from there. */
#define PG_EPOCH_US INT64_C(946684800000000)
#define US_PER_DAY INT64_C(86400000000)

struct pg_options {
    const char *conninfo;         /* libpq conninfo or URI */
    const char *application_name; /* overrides what conninfo says */
    unsigned lock_timeout_ms;     /* 0 = none, as for the next two */
    unsigned statement_timeout_ms;
    unsigned idle_in_transaction_timeout_ms;
    bool read_only;          /* nothing is written: transactions are read-only by default */
    const atomic_bool *stop; /* when it is set no answer is waited for long; may be NULL */
};

struct pg {
    PGconn *conn;        /* NULL when not connected */
    char sqlstate[6];    /* of the last failure; "" = the connection itself */
    char constraint[64]; /* of the last failure, "" = none named */
    char message[240];   /* of the last failure, without its place; cut at a character */
    char place[256];     /* user@host:port/database: for logs, without secrets */
    uint64_t prepared;   /* statements this connection has prepared, by number */
    int64_t patience_ms; /* how long an answer is waited for (store/pg_wait.h); 0: as libpq does */
    bool mute;           /* none came within that */
    const atomic_bool *stop;
};

/* ERR_UNAVAILABLE, or ERR_CONFIG for what only the operator can mend: authentication, no database.
 */
bool pg_open(struct pg *pg, const struct pg_options *options, struct err *err) MUST_CHECK;
/* The same without anything being asked or set in the session. */
bool pg_connect(struct pg *pg, const struct pg_options *options, struct err *err) MUST_CHECK;
void pg_close(struct pg *pg);

/* The first line of what libpq or the server says, cut at a character. */
void pg_field_copy(char *to, size_t capacity, const char *from);
/* Kind of a five-character SQLSTATE; "" is a lost connection. */
enum err_kind pg_err_kind(const char *sqlstate);
/* Records the failure of a result, or of the connection when `res` is NULL. what: in words, or
 * NULL; never SQL, which says nothing to users. Closes a dead connection. Always false. */
bool pg_fail(struct pg *pg, const PGresult *res, const char *what, struct err *err);

/* --- parameters */

struct pg_args {
    struct buf bytes;
    int count;
    size_t start[PG_ARGS_MAX];
    int length[PG_ARGS_MAX]; /* -1 = NULL */
    bool array;              /* one is open */
    size_t elements_left;    /* of it */
};

void pg_args_init(struct pg_args *args);
void pg_args_reset(struct pg_args *args);
void pg_args_free(struct pg_args *args);

void pg_arg_bool(struct pg_args *args, bool v);
void pg_arg_int4(struct pg_args *args, int32_t v);
void pg_arg_int8(struct pg_args *args, int64_t v);
void pg_arg_text(struct pg_args *args, struct slice v);
void pg_arg_time(struct pg_args *args, int64_t since_1970_us);
/* NULL for INT64_MIN and INT64_MAX: no limit on that side. */
void pg_arg_time_open(struct pg_args *args, int64_t since_1970_us);
void pg_arg_null(struct pg_args *args);

/* An array of one dimension: open, `count` elements, close. */
void pg_array_open(struct pg_args *args, enum pg_type type, size_t count);
void pg_array_int4(struct pg_args *args, int32_t v);
void pg_array_int8(struct pg_args *args, int64_t v);
void pg_array_bytes(struct pg_args *args, struct slice v); /* text, bytea, uuid */
void pg_array_null(struct pg_args *args);
void pg_array_close(struct pg_args *args);

/* --- statements */

/* A statement prepared on first use of a connection. Numbers are below 64 and unique in a process.
 */
struct pg_statement {
    unsigned number;
    const char *sql;
};

/* Each gives a result to PQclear(), NULL on failure. `args` may be NULL. */
PGresult *pg_query(struct pg *pg, const char *sql, const struct pg_args *args, struct err *err);
PGresult *pg_run(struct pg *pg, const struct pg_statement *statement, const struct pg_args *args,
                 struct err *err);
/* Row by row, for results that need not fit into memory: after pg_stream(), pg_stream_next() gives
 * one row at a time to PQclear(), and *row NULL after the last one. */
bool pg_stream(struct pg *pg, const char *sql, const struct pg_args *args,
               struct err *err) MUST_CHECK;
bool pg_stream_next(struct pg *pg, PGresult **row, struct err *err) MUST_CHECK;
/* pg_query() without parameters in two steps: the server works while the caller does something
 * else. */
bool pg_send(struct pg *pg, const char *sql, struct err *err) MUST_CHECK;
PGresult *pg_receive(struct pg *pg, const char *what, struct err *err);
/* One or several statements without parameters and results. */
bool pg_command(struct pg *pg, const char *sql, struct err *err) MUST_CHECK;
/* Begins a transaction. Its properties are said each time, whatever the session's defaults are. */
enum pg_transaction {
    PG_WRITE,    /* read committed: each statement sees what the locks before it let through */
    PG_SNAPSHOT, /* one snapshot, read only */
    PG_SNAPSHOT_WRITE, /* one snapshot */
};
bool pg_begin(struct pg *pg, enum pg_transaction kind, struct err *err) MUST_CHECK;
/* Whether the connection is in no transaction, or in one that has not failed, for MUST(): of one
 * that is lost neither is wrong. */
bool pg_outside(const struct pg *pg);
bool pg_inside(const struct pg *pg);
/* Ends a transaction that failed. When even that fails the connection is closed, which ends it too.
 */
void pg_rollback(struct pg *pg);

/* --- results */

static inline bool pg_null(const PGresult *res, int row, int column)
{
    return PQgetisnull(res, row, column);
}
int64_t pg_int(const PGresult *res, int row,
               int column); /* int2, int4, int8, date, timestamp, bool */
struct slice pg_text(const PGresult *res, int row, int column);
int64_t pg_time_us(const PGresult *res, int row, int column); /* since 1970 */
/* A sum that was asked for as text (numeric::text); NULL is 0. ERR_INPUT: it cannot be shown. */
bool pg_sum(const PGresult *res, int row, int column, struct sum *sum, struct err *err) MUST_CHECK;

#endif
