/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's side of connections: what statements.c sees of one, how it answers, and what the
 * faults do to it. pq.c has libpq's own functions over it, in place of the library's.
 */
#ifndef TESTS_SIM_PQ_H
#define TESTS_SIM_PQ_H

#include "tests/sim/db.h"
#include "tests/sim/task.h"

#include <libpq-fe.h>

#define PREPARED_MAX 64

struct params {
    int count;
    const char *const *value; /* NULL = NULL */
    const int *length;
};

typedef PGresult *statement_fn(struct pg_conn *conn, const struct params *params);

struct statement {
    const char *begins, *holds; /* holds: or NULL */
    statement_fn *run;
};

/* What the server has of a connection: it may outlive it. */
struct backend {
    struct backend *next;
    int pid;
    char name[64]; /* application_name */
    struct tx *tx; /* NULL: in none */
    const void *owner;
    bool failed;     /* in a transaction that has failed */
    bool ended;      /* by pg_terminate_backend, or with its server */
    bool busy;       /* with a statement */
    int64_t idle_ms; /* since then it waits for its client */
    unsigned marked; /* 1 + server.replaced when it set spendlog.repricing; 0: never */
};

#define COPY_HEADER_BYTES 19
struct copy {
    const char *sql;
    char *p;
    size_t bytes, capacity;
};

struct pg_conn {
    struct backend *backend;
    const void *owner; /* the member */
    unsigned replaced; /* of the server that it was made to */
    bool lost;
    const char *words; /* why */
    const struct statement *prepared[PREPARED_MAX];
    PGresult *pending;
    bool row_by_row; /* ... is given so */
    int row;
    struct copy *copy;
    struct copy_out *out;
    const char *sql; /* of the statement at hand, when it is sent as a text */
};

/* Rows on their way to the client. */
struct copy_out {
    struct text *message;
    size_t count, next;
};

/* --- answers */
PGresult *answer_new(ExecStatusType status, int columns);
PGresult *answer_done(void);
PGresult *answer_error(const char *sqlstate, const char *constraint, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void answer_int8(PGresult *res, int64_t v); /* cells, row by row */
void answer_int4(PGresult *res, int32_t v);
void answer_bool(PGresult *res, bool v);
void answer_text(PGresult *res, struct text text);
void answer_word(PGresult *res, const char *word);
void answer_null(PGresult *res);
void answer_count(PGresult *res, size_t tuples); /* "INSERT 0 n" */
bool answer_failed(const PGresult *res);

/* --- statements.c */
const struct statement *statement_of(const char *sql);
/* The rows of a COPY that has ended. */
PGresult *copy_rows(struct pg_conn *conn, const struct copy *copy);

PGresult *wait_for_tx_ms(struct pg_conn *conn, const struct tx *other, int64_t timeout_ms);
/* Waits until a transaction has ended. NULL: it has; else why the statement fails. */
PGresult *wait_for_tx(struct pg_conn *conn, const struct tx *other);
/* Ends a backend: what it was at is taken back. */
void backend_end(struct backend *backend);

/* --- the server */
struct server {
    struct backend *backends;
    int pids;
    int64_t down_ms, read_only_ms, full_ms; /* until then */
    size_t results;                         /* that were not cleared */
    unsigned statements;
    unsigned replaced; /* times */
};
extern struct server server;

void server_reset(void);
void server_crash(int64_t down_ms);
/* Another server behind connections that do not break; without the last transactions. */
void server_replace(size_t transactions);
/* The server has noticed that a member is gone. */
void server_member_gone(const void *owner);
bool server_is_down(void);
void server_reap(void); /* transactions whose client is silent */

#endif
