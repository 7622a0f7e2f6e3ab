/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection half of libpq, function by function. Results are made by PQmakeEmptyPGresult() and
 * PQsetvalue(), so that the reading half is libpq's own.
 */
#include "tests/fakes/libpq.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 128
#define PREPARED_MAX 64

struct pg_conn {
    bool lost, copying;
    unsigned copy_results;
    const char *sent;
    PGTransactionStatusType transaction;
    PGresult *pending[4]; /* what PQgetResult() gives next */
    int pending_count;
    char *prepared[PREPARED_MAX];
};

struct fake_libpq fake_libpq;
static char failed_with[6]; /* of the result that failed last */

void fake_libpq_reset(void)
{
    fake_libpq = (struct fake_libpq){0};
}

/* --- connections ---------------------------------------------------------------------------- */

PGconn *PQconnectStartParams(const char *const *names, const char *const *values, int expand)
{
    (void)names, (void)values, (void)expand;
    PGconn *conn = calloc(1, sizeof(*conn));
    fake_libpq.connects++;
    fake_libpq.open++;
    conn->lost = fake_libpq.refuses;
    return conn;
}

/* No connect_timeout: nothing is begun anew. */
PQconninfoOption *PQconninfo(PGconn *conn)
{
    (void)conn;
    return NULL;
}

PostgresPollingStatusType PQconnectPoll(PGconn *conn)
{
    return conn->lost ? PGRES_POLLING_FAILED : PGRES_POLLING_OK;
}

void PQfinish(PGconn *conn)
{
    if (!conn)
        return;
    while (conn->pending_count > 0)
        PQclear(conn->pending[--conn->pending_count]);
    for (int i = 0; i < PREPARED_MAX; i++)
        free(conn->prepared[i]);
    fake_libpq.open--;
    free(conn);
}

ConnStatusType PQstatus(const PGconn *conn)
{
    return conn->lost ? CONNECTION_BAD : CONNECTION_OK;
}

/* Always ready to be written to. */
int PQsocket(const PGconn *conn)
{
    (void)conn;
    return 2;
}

PGTransactionStatusType PQtransactionStatus(const PGconn *conn)
{
    return conn->transaction;
}

char *PQerrorMessage(const PGconn *conn)
{
    static char text[] = "server closed the connection unexpectedly";
    (void)conn;
    return text;
}

char *PQuser(const PGconn *conn)
{
    static char text[] = "u";
    (void)conn;
    return text;
}

char *PQhost(const PGconn *conn)
{
    return PQuser(conn);
}

char *PQport(const PGconn *conn)
{
    return PQuser(conn);
}

char *PQdb(const PGconn *conn)
{
    return PQuser(conn);
}

int PQserverVersion(const PGconn *conn)
{
    (void)conn;
    return 150000;
}

int PQbackendPID(const PGconn *conn)
{
    (void)conn;
    return 1;
}

const char *PQparameterStatus(const PGconn *conn, const char *name)
{
    (void)conn;
    return strstr(name, "encoding") ? "UTF8" : "on";
}

PGVerbosity PQsetErrorVerbosity(PGconn *conn, PGVerbosity verbosity)
{
    (void)conn;
    return verbosity;
}

PQnoticeReceiver PQsetNoticeReceiver(PGconn *conn, PQnoticeReceiver receiver, void *context)
{
    (void)conn, (void)context;
    return receiver;
}

char *PQescapeLiteral(PGconn *conn, const char *text, size_t bytes)
{
    char *out = malloc(bytes + 3);
    (void)conn;
    snprintf(out, bytes + 3, "'%.*s'", (int)bytes, text);
    return out;
}

/* --- results -------------------------------------------------------------------------------- */

static void value_set(PGresult *res, int row, int column, const char *text)
{
    char number[8];
    if (text && text[0] != '#') {
        PQsetvalue(res, row, column, (char *)(uintptr_t)text, (int)strlen(text));
        return;
    }
    uint64_t v = text ? strtoull(text + 1, NULL, 10) : 0;
    for (int i = 8; i-- > 0; v >>= 8)
        number[i] = (char)(v & 0xff);
    PQsetvalue(res, row, column, number, text ? 8 : -1);
}

static PGresult *rows_of(const struct fake_answer *answer, ExecStatusType status)
{
    static char name[] = "c";
    PGresAttDesc columns[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        columns[i] = (PGresAttDesc){.name = name, .format = 1, .typid = 20, .typlen = 8};
    PGresult *res = PQmakeEmptyPGresult(NULL, status);
    PQsetResultAttrs(res, answer && answer->columns ? answer->columns : COLUMNS, columns);
    for (int row = 0; row < (answer ? answer->rows : 1); row++)
        for (int c = 0; c < (answer ? answer->columns : COLUMNS); c++)
            value_set(res, row, c, answer ? answer->row[row * answer->columns + c] : "#1");
    return res;
}

static bool begins(const char *sql, const char *word)
{
    while (isspace((unsigned char)*sql))
        sql++;
    return strncasecmp(sql, word, strlen(word)) == 0;
}

static void transaction_follow(PGconn *conn, const char *sql)
{
    if (begins(sql, "BEGIN"))
        conn->transaction = PQTRANS_INTRANS;
    else if (begins(sql, "COMMIT") || (begins(sql, "ROLLBACK") && !strstr(sql, "TO ")))
        conn->transaction = PQTRANS_IDLE;
}

static PGresult *failure(PGconn *conn)
{
    snprintf(failed_with, sizeof(failed_with), "%s", fake_libpq.sqlstate);
    conn->lost = fake_libpq.sqlstate[0] == '\0';
    if (conn->transaction == PQTRANS_INTRANS)
        conn->transaction = PQTRANS_INERROR;
    return PQmakeEmptyPGresult(NULL, PGRES_FATAL_ERROR);
}

static PGresult *copy_begun(PGconn *conn, bool in)
{
    conn->copying = in;
    return PQmakeEmptyPGresult(NULL, in ? PGRES_COPY_IN : PGRES_COPY_OUT);
}

static PGresult *rows_for(const char *sql, ExecStatusType status)
{
    for (const struct fake_answer *a = fake_libpq.answer; a && a->part; a++)
        if (strstr(sql, a->part))
            return rows_of(a, status);
    return rows_of(NULL, status);
}

static PGresult *answer_to(PGconn *conn, const char *sql, ExecStatusType status)
{
    snprintf(fake_libpq.last, sizeof(fake_libpq.last), "%s", sql);
    conn->sent = sql;
    if (++fake_libpq.statements == fake_libpq.fail_at || conn->lost)
        return failure(conn);
    transaction_follow(conn, sql);
    if (begins(sql, "COPY") || strstr(sql, " FROM STDIN") || strstr(sql, " TO STDOUT"))
        return copy_begun(conn, !strstr(sql, "STDOUT"));
    return rows_for(sql, status);
}

char *PQresultErrorField(const PGresult *res, int field)
{
    static char message[] = "as the test asks for";
    (void)res;
    if (field == PG_DIAG_SQLSTATE)
        return failed_with;
    return field == PG_DIAG_MESSAGE_PRIMARY ? message : NULL;
}

char *PQcmdTuples(PGresult *res)
{
    static char one[] = "1";
    (void)res;
    return one;
}

char *PQcmdStatus(PGresult *res)
{
    static char commit[] = "COMMIT"; /* asked of a COMMIT alone */
    (void)res;
    return commit;
}

/* --- statements ----------------------------------------------------------------------------- */

PGresult *PQexec(PGconn *conn, const char *sql)
{
    return answer_to(conn, sql, PGRES_TUPLES_OK);
}

PGresult *PQexecParams(PGconn *conn, const char *sql, int count, const Oid *types,
                       const char *const *values, const int *lengths, const int *formats,
                       int format)
{
    (void)count, (void)types, (void)values, (void)lengths, (void)formats, (void)format;
    return answer_to(conn, sql, PGRES_TUPLES_OK);
}

static unsigned number_of(const char *name)
{
    return (unsigned)strtoul(name + 1, NULL, 10) % PREPARED_MAX;
}

PGresult *PQprepare(PGconn *conn, const char *name, const char *sql, int count, const Oid *types)
{
    (void)count, (void)types;
    free(conn->prepared[number_of(name)]);
    conn->prepared[number_of(name)] = strdup(sql);
    return PQmakeEmptyPGresult(NULL, PGRES_COMMAND_OK);
}

PGresult *PQexecPrepared(PGconn *conn, const char *name, int count, const char *const *values,
                         const int *lengths, const int *formats, int format)
{
    (void)count, (void)values, (void)lengths, (void)formats, (void)format;
    return answer_to(conn, conn->prepared[number_of(name)], PGRES_TUPLES_OK);
}

int PQsendQueryParams(PGconn *conn, const char *sql, int count, const Oid *types,
                      const char *const *values, const int *lengths, const int *formats, int format)
{
    (void)count, (void)types, (void)values, (void)lengths, (void)formats, (void)format;
    conn->pending[conn->pending_count++] = answer_to(conn, sql, PGRES_TUPLES_OK);
    return 1;
}

/* What was sent last is answered by one result of all rows, and one without any. */
int PQsetSingleRowMode(PGconn *conn)
{
    PGresult **sent = &conn->pending[conn->pending_count - 1];
    if (PQresultStatus(*sent) != PGRES_TUPLES_OK || PQntuples(*sent) == 0)
        return 1;
    PQclear(*sent);
    *sent = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    conn->pending[conn->pending_count++] = rows_for(conn->sent, PGRES_SINGLE_TUPLE);
    return 1;
}

int PQsetnonblocking(PGconn *conn, int on)
{
    (void)conn, (void)on;
    return 0;
}

int PQflush(PGconn *conn)
{
    (void)conn;
    return 0;
}

int PQisBusy(PGconn *conn)
{
    (void)conn;
    return 0;
}

int PQconsumeInput(PGconn *conn)
{
    return !conn->lost;
}

int PQsendPrepare(PGconn *conn, const char *name, const char *sql, int count, const Oid *types)
{
    conn->pending[conn->pending_count++] = PQprepare(conn, name, sql, count, types);
    return 1;
}

int PQsendQueryPrepared(PGconn *conn, const char *name, int count, const char *const *values,
                        const int *lengths, const int *formats, int format)
{
    conn->pending[conn->pending_count++] =
        PQexecPrepared(conn, name, count, values, lengths, formats, format);
    return 1;
}

int PQsendQuery(PGconn *conn, const char *sql)
{
    conn->pending[conn->pending_count++] = answer_to(conn, sql, PGRES_TUPLES_OK);
    return 1;
}

static void fail_if(bool wrong, const char *why)
{
    if (!wrong)
        return;
    fprintf(stderr, "%s\n", why);
    abort();
}

PGresult *PQgetResult(PGconn *conn)
{
    if (conn->pending_count == 0 &&
        conn->copying) { /* as libpq: until the data have ended, and as often as it is asked */
        fail_if(++conn->copy_results > 100, "PQgetResult() asked for ever");
        return PQmakeEmptyPGresult(NULL, PGRES_COPY_IN);
    }
    return conn->pending_count > 0 ? conn->pending[--conn->pending_count] : NULL;
}

static bool memory_fails(void)
{
    return ++fake_libpq.puts >= fake_libpq.puts_end && fake_libpq.puts_end;
}

int PQputCopyData(PGconn *conn, const char *bytes, int count)
{
    (void)bytes;
    if (memory_fails())
        return -1;
    fake_libpq.copied += (size_t)count;
    return conn->lost ? -1 : 1;
}

int PQputCopyEnd(PGconn *conn, const char *error)
{
    (void)error;
    if (memory_fails())
        return -1;
    conn->copying = false;
    if (++fake_libpq.statements == fake_libpq.fail_at || conn->lost)
        conn->pending[conn->pending_count++] = failure(conn);
    else
        conn->pending[conn->pending_count++] = PQmakeEmptyPGresult(NULL, PGRES_COMMAND_OK);
    return 1;
}

int PQgetCopyData(PGconn *conn, char **bytes, int async)
{
    (void)conn, (void)async;
    *bytes = NULL;
    return -1;
}
