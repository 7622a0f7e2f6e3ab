/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments and arrays are encoded into one buffer, statements are prepared at their first use. A
 * connection that broke in the midst of something is closed, never used again.
 */
#include "store/pg.h"

#include "core/must.h"
#include "core/utf8.h"
#include "store/lock_holder.h"
#include "store/pg_count.h"
#include "store/pg_wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- errors --------------------------------------------------------------------------------- */

/* The longest prefix decides. PostgreSQL 15, appendix A. */
static const struct {
    const char *prefix;
    enum err_kind kind;
} kinds[] = {
    {"", ERR_FATAL},
    {"08", ERR_UNAVAILABLE},    /* connection exception */
    {"22", ERR_INPUT},          /* data exception */
    {"23", ERR_INPUT},          /* integrity constraint violation */
    {"25006", ERR_UNAVAILABLE}, /* read-only transaction: a standby, until it is promoted */
    {"25P03", ERR_UNAVAILABLE}, /* idle-in-transaction timeout */
    {"26000", ERR_UNAVAILABLE}, /* our prepared statement is not there: another session */
    {"28", ERR_CONFIG},         /* authorization */
    {"3D", ERR_CONFIG},         /* no such database */
    {"3F", ERR_CONFIG},         /* no such schema */
    {"40", ERR_RETRY},          /* serialization failure, deadlock */
    {"42", ERR_CONFIG},         /* no such table, privilege: another schema than ours */
    {"53", ERR_UNAVAILABLE},    /* disk full, memory, connections */
    {"54", ERR_INPUT},          /* program limit exceeded */
    {"55P03", ERR_RETRY},       /* lock timeout */
    {"55006", ERR_RETRY},       /* object in use */
    {"57014", ERR_RETRY},       /* statement timeout */
    {"57P", ERR_UNAVAILABLE},   /* shutdown, crash, starting up, terminated */
    {"58", ERR_UNAVAILABLE},    /* I/O error of the server's system */
};

enum err_kind pg_err_kind(const char *sqlstate)
{
    enum err_kind kind = ERR_UNAVAILABLE;
    if (!*sqlstate)
        return kind;
    for (size_t i = 0, best = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t bytes = strlen(kinds[i].prefix);
        if (bytes >= best && strncmp(sqlstate, kinds[i].prefix, bytes) == 0) {
            best = bytes;
            kind = kinds[i].kind;
        }
    }
    return kind;
}

/* Errors of another server come through an extension as XX000: what they are only their text says.
 */
static const struct {
    const char *text, *sqlstate;
} passed_on[] = {
    {"duplicate key value violates unique constraint", "23505"},
    {"failure on connection marked as essential", "08006"},
    {"connection to the remote node", "08006"},
    {"could not connect to any active placements", "08006"},
    {"connection not open", "08006"},
    {"no connection to the server", "08006"},
    {"server closed the connection unexpectedly", "08006"},
    {"could not receive data from server", "08006"},
    {"could not send data to server", "08006"},
    {"terminating connection due to", "57P01"},
    {"the database system is", "57P03"},
};

static void sqlstate_recognize(char sqlstate[6], const char *message)
{
    if (strcmp(sqlstate, "XX000") != 0)
        return;
    for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
        if (strncmp(message, passed_on[i].text, strlen(passed_on[i].text)) == 0)
            memcpy(sqlstate, passed_on[i].sqlstate, 6);
}

static int first_line(const char *text)
{
    return (int)strcspn(text, "\n");
}

void pg_field_copy(char *to, size_t capacity, const char *from)
{
    MUST(capacity > 0);
    utf8_copy(to, capacity, (struct slice){from, from ? (size_t)first_line(from) : 0});
}

/* A standby refuses what writes in three ways: by BEGIN, by a statement, by our own look at the
 * session. They become one, which says what it is. */
static void standby_recognize(struct pg *pg)
{
    static const char *const refusal[] = {"0A000", "25000", "25006"};
    const char *standby = pg->conn ? PQparameterStatus(pg->conn, "in_hot_standby") : NULL;
    for (size_t i = 0; standby && i < sizeof(refusal) / sizeof(refusal[0]); i++)
        if (strcmp(standby, "on") == 0 && strcmp(pg->sqlstate, refusal[i]) == 0) {
            memcpy(pg->sqlstate, "25006", sizeof(pg->sqlstate));
            snprintf(pg->message, sizeof(pg->message),
                     "the server is a standby: it takes no writes until it is promoted");
            return;
        }
}

bool pg_fail(struct pg *pg, const PGresult *res, const char *what, struct err *err)
{
    const char *message = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *hint = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_HINT) : NULL;

    pg_field_copy(pg->sqlstate, sizeof(pg->sqlstate),
                  res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL);
    pg_field_copy(pg->constraint, sizeof(pg->constraint),
                  res ? PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME) : NULL);
    if (!message)
        message = pg->conn ? PQerrorMessage(pg->conn) : "not connected";
    if (pg->mute && !*pg->sqlstate)
        message = "no answer in time, the connection is closed";
    pg_field_copy(pg->message, sizeof(pg->message), message);
    sqlstate_recognize(pg->sqlstate, pg->message);
    standby_recognize(pg);
    pg_count_failure(pg->sqlstate);
    err_set(err, pg_err_kind(pg->sqlstate), "%s: %s%s%s%s%s%s%s%s", pg->place, what ? what : "",
            what ? ": " : "", pg->message, *pg->sqlstate ? " [" : "", pg->sqlstate,
            *pg->sqlstate ? "]" : "", hint ? "; " : "", hint ? hint : "");
    /* A session that began read-only stays so when the database is writable again. Behind one that
     * lacks what we prepared, a pooler has put another server. */
    if (pg->conn && (PQstatus(pg->conn) == CONNECTION_BAD || strcmp(pg->sqlstate, "25006") == 0 ||
                     strcmp(pg->sqlstate, "26000") == 0))
        pg_close(pg);
    return false;
}

/* --- connection ----------------------------------------------------------------------------- */

void pg_close(struct pg *pg)
{
    PQfinish(pg->conn);
    pg->conn = NULL;
    pg->prepared = 0;
}

/* --- parameters ----------------------------------------------------------------------------- */

void pg_args_init(struct pg_args *args)
{
    buf_init(&args->bytes, PG_ARGS_BYTES_MAX);
    args->count = 0;
    args->array = false;
}

void pg_args_reset(struct pg_args *args)
{
    buf_reset(&args->bytes);
    args->count = 0;
    args->array = false;
}

void pg_args_free(struct pg_args *args)
{
    buf_free(&args->bytes);
}

static void arg_open(struct pg_args *args)
{
    MUST(args->count >= 0 && args->count < PG_ARGS_MAX, args->count);
    MUST(!args->array, args->count);
    args->start[args->count] = args->bytes.bytes;
}

static void arg_close(struct pg_args *args)
{
    MUST(args->bytes.bytes >= args->start[args->count], args->bytes.bytes,
         args->start[args->count]);
    args->length[args->count] = (int)(args->bytes.bytes - args->start[args->count]);
    args->count++;
}

void pg_arg_bool(struct pg_args *args, bool v)
{
    arg_open(args);
    buf_add_char(&args->bytes, v ? 1 : 0);
    arg_close(args);
}

void pg_arg_int4(struct pg_args *args, int32_t v)
{
    arg_open(args);
    buf_add_be32(&args->bytes, (uint32_t)v);
    arg_close(args);
}

void pg_arg_int8(struct pg_args *args, int64_t v)
{
    arg_open(args);
    buf_add_be64(&args->bytes, (uint64_t)v);
    arg_close(args);
}

void pg_arg_time(struct pg_args *args, int64_t since_1970_us)
{
    pg_arg_int8(args, since_1970_us - PG_EPOCH_US);
}

void pg_arg_time_open(struct pg_args *args, int64_t since_1970_us)
{
    if (since_1970_us == INT64_MIN || since_1970_us == INT64_MAX)
        pg_arg_null(args);
    else
        pg_arg_time(args, since_1970_us);
}

void pg_arg_text(struct pg_args *args, struct slice v)
{
    arg_open(args);
    buf_add(&args->bytes, v);
    arg_close(args);
}

void pg_arg_null(struct pg_args *args)
{
    arg_open(args);
    args->length[args->count++] = -1;
}

void pg_array_open(struct pg_args *args, enum pg_type type, size_t count)
{
    arg_open(args);
    args->array = true;
    args->elements_left = count;
    buf_add_be32(&args->bytes, count ? 1 : 0); /* dimensions */
    buf_add_be32(&args->bytes, 1);             /* may hold NULL */
    buf_add_be32(&args->bytes, (uint32_t)type);
    if (count) {
        buf_add_be32(&args->bytes, (uint32_t)count);
        buf_add_be32(&args->bytes, 1); /* lower bound */
    }
}

/* As many as the array said when it was opened: the server reads by that number. */
static void element_open(struct pg_args *args)
{
    MUST(args->array && args->elements_left > 0, args->count, args->elements_left);
    args->elements_left--;
}

void pg_array_int4(struct pg_args *args, int32_t v)
{
    element_open(args);
    buf_add_be32(&args->bytes, 4);
    buf_add_be32(&args->bytes, (uint32_t)v);
}

void pg_array_int8(struct pg_args *args, int64_t v)
{
    element_open(args);
    buf_add_be32(&args->bytes, 8);
    buf_add_be64(&args->bytes, (uint64_t)v);
}

void pg_array_bytes(struct pg_args *args, struct slice v)
{
    element_open(args);
    buf_add_be32(&args->bytes, (uint32_t)v.bytes);
    buf_add(&args->bytes, v);
}

void pg_array_null(struct pg_args *args)
{
    element_open(args);
    buf_add_be32(&args->bytes, UINT32_MAX);
}

void pg_array_close(struct pg_args *args)
{
    MUST(args->array && args->elements_left == 0, args->count, args->elements_left);
    args->array = false;
    arg_close(args);
}

/* --- statements ----------------------------------------------------------------------------- */

struct wire_args {
    const char *value[PG_ARGS_MAX];
    int format[PG_ARGS_MAX];
};

static int wire_args_of(const struct pg_args *args, struct wire_args *wire)
{
    if (!args)
        return 0;
    for (int i = 0; i < args->count; i++) {
        MUST(args->length[i] < 0 || args->start[i] + (size_t)args->length[i] <= args->bytes.bytes,
             i, args->start[i], args->length[i]);
        wire->value[i] = args->length[i] < 0 ? NULL : args->bytes.p + args->start[i];
        if (args->length[i] == 0)
            wire->value[i] = ""; /* the empty text is not NULL */
        wire->format[i] = 1;
    }
    return args->count;
}

static PGresult *checked(struct pg *pg, PGresult *res, const char *what, struct err *err)
{
    ExecStatusType status = PQresultStatus(res);
    if (res && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_COPY_IN))
        return res;
    pg_fail(pg, res, what, err);
    lock_holder_blame(pg, err);
    PQclear(res);
    return NULL;
}

static bool args_ready(struct pg *pg, const struct pg_args *args, struct err *err)
{
    MUST(!args || !args->array, args->count);
    if (!pg->conn)
        return err_set(err, ERR_UNAVAILABLE, "postgres: not connected");
    if (args && !buf_ok(&args->bytes))
        return err_set(err, ERR_FATAL, "postgres: parameters larger than %u bytes",
                       PG_ARGS_BYTES_MAX);
    return true;
}

static bool ready(struct pg *pg, const struct pg_args *args, struct err *err)
{
    if (!args_ready(pg, args, err))
        return false;
    if (pg_results_discard(pg))
        return true;
    pg_fail(pg, NULL, NULL, err);
    pg_close(pg);
    return false;
}

/* sent: what PQsend...() gives */
static PGresult *answer(struct pg *pg, int sent, struct err *err)
{
    return checked(pg, sent == 1 ? pg_result_last(pg) : NULL, NULL, err);
}

PGresult *pg_query(struct pg *pg, const char *sql, const struct pg_args *args, struct err *err)
{
    struct wire_args wire;
    if (!ready(pg, args, err))
        return NULL;
    int count = wire_args_of(args, &wire);
    return answer(pg,
                  PQsendQueryParams(pg->conn, sql, count, NULL, wire.value,
                                    args ? args->length : NULL, wire.format, 1),
                  err);
}

static bool prepare(struct pg *pg, const struct pg_statement *statement, const char *name,
                    struct err *err)
{
    if (pg->prepared >> statement->number & 1)
        return true;
    PGresult *res = answer(pg, PQsendPrepare(pg->conn, name, statement->sql, 0, NULL), err);
    if (!res)
        return false;
    PQclear(res);
    pg->prepared |= UINT64_C(1) << statement->number;
    return true;
}

PGresult *pg_run(struct pg *pg, const struct pg_statement *statement, const struct pg_args *args,
                 struct err *err)
{
    struct wire_args wire;
    char name[16];
    MUST(statement->number < 64, statement->number);
    if (!ready(pg, args, err))
        return NULL;
    snprintf(name, sizeof(name), "s%u", statement->number);
    if (!prepare(pg, statement, name, err))
        return NULL;
    int count = wire_args_of(args, &wire);
    return answer(pg,
                  PQsendQueryPrepared(pg->conn, name, count, wire.value, args ? args->length : NULL,
                                      wire.format, 1),
                  err);
}

bool pg_stream(struct pg *pg, const char *sql, const struct pg_args *args, struct err *err)
{
    struct wire_args wire;
    if (!ready(pg, args, err))
        return false;
    int count = wire_args_of(args, &wire);
    if (PQsendQueryParams(pg->conn, sql, count, NULL, wire.value, args ? args->length : NULL,
                          wire.format, 1) == 1 &&
        PQsetSingleRowMode(pg->conn) == 1)
        return true;
    return pg_fail(pg, NULL, NULL, err);
}

bool pg_stream_next(struct pg *pg, PGresult **row, struct err *err)
{
    *row = NULL;
    MUST(pg->conn != NULL);
    for (;;) {
        PGresult *res = pg_result(pg);
        if (!res || PQresultStatus(res) == PGRES_SINGLE_TUPLE) {
            *row = res;
            return true;
        }
        bool end = PQresultStatus(res) == PGRES_TUPLES_OK; /* no rows: the last result */
        if (!end)
            pg_fail(pg, res, "reading a result", err);
        PQclear(res);
        if (!end)
            return false;
    }
}

bool pg_send(struct pg *pg, const char *sql, struct err *err)
{
    if (!ready(pg, NULL, err))
        return false;
    return PQsendQuery(pg->conn, sql) == 1 || pg_fail(pg, NULL, NULL, err);
}

PGresult *pg_receive(struct pg *pg, const char *what, struct err *err)
{
    if (!args_ready(pg, NULL, err))
        return NULL;
    return checked(pg, pg_result_last(pg), what, err);
}

bool pg_command(struct pg *pg, const char *sql, struct err *err)
{
    if (!ready(pg, NULL, err))
        return false;
    PGresult *res = answer(pg, PQsendQuery(pg->conn, sql), err);
    PQclear(res);
    return res != NULL;
}

bool pg_begin(struct pg *pg, enum pg_transaction kind, struct err *err)
{
    static const char *const begin[] = {
        [PG_WRITE] = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE NOT DEFERRABLE",
        [PG_SNAPSHOT] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        [PG_SNAPSHOT_WRITE] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE",
    };
    struct err why = {0};
    MUST((size_t)kind < sizeof(begin) / sizeof(begin[0]), kind);
    MUST(pg_outside(pg), kind); /* a BEGIN within a transaction is only warned of */
    if (pg_command(pg, begin[kind], &why)) {
        MUST(pg_inside(pg), kind);
        return true;
    }
    if (strcmp(pg->sqlstate, "0A000") != 0)
        return err_set(err, why.kind, "%s", why.text);
    /* Nothing else of a BEGIN is not supported. */
    pg_close(pg);
    return err_set(err, ERR_UNAVAILABLE,
                   "%s: the server is a standby: it takes no writes until it is promoted",
                   pg->place);
}

static PGTransactionStatusType transaction_of(const struct pg *pg)
{
    return pg->conn ? PQtransactionStatus(pg->conn) : PQTRANS_UNKNOWN;
}

bool pg_outside(const struct pg *pg)
{
    PGTransactionStatusType status = transaction_of(pg);
    return status == PQTRANS_IDLE || status == PQTRANS_UNKNOWN;
}

bool pg_inside(const struct pg *pg)
{
    PGTransactionStatusType status = transaction_of(pg);
    return status == PQTRANS_INTRANS || status == PQTRANS_UNKNOWN;
}

void pg_rollback(struct pg *pg)
{
    if (pg->conn && PQtransactionStatus(pg->conn) != PQTRANS_IDLE &&
        !pg_command(pg, "ROLLBACK", NULL))
        pg_close(pg);
    MUST(pg_outside(pg));
}

/* --- results -------------------------------------------------------------------------------- */

int64_t pg_int(const PGresult *res, int row, int column)
{
    const unsigned char *p = (const unsigned char *)PQgetvalue(res, row, column);
    int bytes = PQgetlength(res, row, column);
    MUST(column < PQnfields(res) && bytes <= 8, row, column, bytes);
    uint64_t v = bytes > 1 && p[0] & 0x80 ? UINT64_MAX : 0; /* sign; bool has one byte */
    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

struct slice pg_text(const PGresult *res, int row, int column)
{
    return (struct slice){PQgetvalue(res, row, column), (size_t)PQgetlength(res, row, column)};
}

int64_t pg_time_us(const PGresult *res, int row, int column)
{
    return pg_int(res, row, column) + PG_EPOCH_US;
}

bool pg_sum(const PGresult *res, int row, int column, struct sum *sum, struct err *err)
{
    struct slice text = pg_text(res, row, column);
    *sum = (struct sum){0};
    if (pg_null(res, row, column) || sum_parse(text, sum))
        return true;
    return err_set(err, ERR_INPUT, "a stored sum cannot be shown: %.60s", text.p);
}
