/* SPDX-License-Identifier: Apache-2.0 */
/* libpq over the simulated server: connections, their faults, transactions, results. */
#include "tests/sim/pq.h"

#include "tests/sim/member.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCK_TIMEOUT_MS 2000
#define IDLE_TIMEOUT_MS 15000
#define CELL_BYTES 8

struct cell {
    int bytes; /* -1 = NULL */
    char *p;
};

struct pg_result {
    ExecStatusType status;
    int columns, cells, capacity;
    struct cell *cell;
    char sqlstate[6], message[160], constraint[64], command[16], tuples[16];
};

struct server server;

void server_reset(void)
{
    server = (struct server){0};
}

/* --- answers -------------------------------------------------------------------------------- */

PGresult *answer_new(ExecStatusType status, int columns)
{
    PGresult *res = sim_alloc(sizeof(*res));
    res->status = status;
    res->columns = columns;
    server.results++;
    return res;
}

PGresult *answer_done(void)
{
    return answer_new(PGRES_COMMAND_OK, 0);
}

PGresult *answer_error(const char *sqlstate, const char *constraint, const char *fmt, ...)
{
    PGresult *res = answer_new(PGRES_FATAL_ERROR, 0);
    va_list args;
    va_start(args, fmt);
    vsnprintf(res->message, sizeof(res->message), fmt, args);
    va_end(args);
    snprintf(res->sqlstate, sizeof(res->sqlstate), "%s", sqlstate);
    snprintf(res->constraint, sizeof(res->constraint), "%s", constraint ? constraint : "");
    return res;
}

static void cell_add(PGresult *res, const void *p, int bytes)
{
    if (res->cells == res->capacity) {
        int capacity = res->capacity ? 2 * res->capacity : 16;
        struct cell *larger = sim_alloc((size_t)capacity * sizeof(*larger));
        if (res->cells)
            memcpy(larger, res->cell, (size_t)res->cells * sizeof(*larger));
        res->cell = larger;
        res->capacity = capacity;
    }
    struct cell *cell = &res->cell[res->cells++];
    cell->bytes = bytes;
    cell->p = sim_alloc((size_t)(bytes < 0 ? 0 : bytes) + 1);
    if (bytes > 0)
        memcpy(cell->p, p, (size_t)bytes);
}

static void cell_number(PGresult *res, uint64_t v, int bytes)
{
    char number[CELL_BYTES];
    for (int i = bytes; i-- > 0; v >>= 8)
        number[i] = (char)(v & 0xff);
    cell_add(res, number, bytes);
}

void answer_int8(PGresult *res, int64_t v)
{
    cell_number(res, (uint64_t)v, 8);
}

void answer_int4(PGresult *res, int32_t v)
{
    cell_number(res, (uint64_t)v, 4);
}

void answer_bool(PGresult *res, bool v)
{
    cell_number(res, v, 1);
}

void answer_text(PGresult *res, struct text text)
{
    cell_add(res, text.p, (int)text.bytes);
}

void answer_word(PGresult *res, const char *word)
{
    cell_add(res, word, (int)strlen(word));
}

void answer_null(PGresult *res)
{
    cell_add(res, NULL, -1);
}

void answer_count(PGresult *res, size_t tuples)
{
    snprintf(res->tuples, sizeof(res->tuples), "%zu", tuples);
}

bool answer_failed(const PGresult *res)
{
    return res->status == PGRES_FATAL_ERROR;
}

/* --- results: libpq's --------------------------------------------------------------------- */

void PQclear(PGresult *res)
{
    server.results -= res != NULL;
}

ExecStatusType PQresultStatus(const PGresult *res)
{
    return res ? res->status : PGRES_FATAL_ERROR;
}

int PQntuples(const PGresult *res)
{
    return res && res->columns ? res->cells / res->columns : 0;
}

int PQnfields(const PGresult *res)
{
    return res ? res->columns : 0;
}

static const struct cell *cell_at(const PGresult *res, int row, int column)
{
    if (row < 0 || row >= PQntuples(res) || column < 0 || column >= res->columns) {
        sim_fail("a cell is asked for that the answer has not: row %d, column %d", row, column);
        abort();
    }
    return &res->cell[row * res->columns + column];
}

char *PQgetvalue(const PGresult *res, int row, int column)
{
    return cell_at(res, row, column)->p;
}

int PQgetlength(const PGresult *res, int row, int column)
{
    int bytes = cell_at(res, row, column)->bytes;
    return bytes < 0 ? 0 : bytes;
}

int PQgetisnull(const PGresult *res, int row, int column)
{
    return cell_at(res, row, column)->bytes < 0;
}

char *PQresultErrorField(const PGresult *res, int field)
{
    PGresult *of = (PGresult *)(uintptr_t)res;
    switch (field) {
    case PG_DIAG_SQLSTATE:
        return of->sqlstate[0] ? of->sqlstate : NULL;
    case PG_DIAG_MESSAGE_PRIMARY:
        return of->message[0] ? of->message : NULL;
    case PG_DIAG_CONSTRAINT_NAME:
        return of->constraint[0] ? of->constraint : NULL;
    default:
        return NULL;
    }
}

char *PQcmdStatus(PGresult *res)
{
    return res->command;
}

char *PQcmdTuples(PGresult *res)
{
    return res->tuples;
}

static bool owner_is_dead(const PGconn *conn)
{
    return conn->owner && member_is_dead(conn->owner);
}

/* --- backends ------------------------------------------------------------------------------- */

static struct backend *backend_new(const char *name, const void *owner)
{
    struct backend *backend = sim_alloc(sizeof(*backend));
    backend->owner = owner;
    backend->pid = 100 + ++server.pids;
    snprintf(backend->name, sizeof(backend->name), "%s", name);
    backend->next = server.backends;
    server.backends = backend;
    return backend;
}

void backend_end(struct backend *backend)
{
    if (backend->tx && backend->tx->state == TX_OPEN)
        tx_abort(backend->tx);
    backend->tx = NULL;
    backend->ended = true;
    task_wake_waiting();
}

void server_crash(int64_t down_ms)
{
    for (struct backend *b = server.backends; b; b = b->next)
        backend_end(b);
    server.backends = NULL;
    server.down_ms = sim.now_ms + down_ms;
}

bool server_is_down(void)
{
    return server.down_ms > sim.now_ms;
}

void server_replace(size_t transactions)
{
    for (struct backend *b = server.backends; b; b = b->next)
        if (b->tx)
            backend_end(b);
    db_go_back(transactions);
    server.replaced++;
}

void server_reap(void)
{
    for (struct backend *b = server.backends; b; b = b->next)
        if (b->tx && !b->busy && sim.now_ms - b->idle_ms > IDLE_TIMEOUT_MS) {
            sim_happened(HAPPENED_REAPED);
            sim_trace("server: backend %d idle in its transaction for too long", b->pid);
            backend_end(b);
        }
}

/* A chain of waiting that comes back to its beginning. */
static bool is_deadlock(const struct tx *tx)
{
    const struct tx *at = tx->waits_for;
    for (int i = 0; at && i < 64; i++, at = at->waits_for)
        if (at == tx)
            return true;
    return false;
}

PGresult *wait_for_tx(struct pg_conn *conn, const struct tx *other)
{
    return wait_for_tx_ms(conn, other, LOCK_TIMEOUT_MS);
}

PGresult *wait_for_tx_ms(struct pg_conn *conn, const struct tx *other, int64_t timeout_ms)
{
    struct tx *tx = conn->backend->tx;
    int64_t until_ms = sim.now_ms + timeout_ms;
    PGresult *failed = NULL;
    tx->waits_for = (struct tx *)(uintptr_t)other;
    sim_trace("backend %d waits for %d", conn->backend->pid, other->pid);
    while (other->state == TX_OPEN && !conn->backend->ended && !owner_is_dead(conn) && !failed) {
        if (is_deadlock(tx)) {
            sim_happened(HAPPENED_DEADLOCK);
            failed = answer_error("40P01", NULL, "deadlock detected");
        } else if (sim.now_ms >= until_ms) {
            sim_happened(HAPPENED_LOCK_TIMEOUT);
            failed = answer_error("55P03", NULL, "canceling statement due to lock timeout");
        } else {
            task_await(until_ms);
        }
    }
    tx->waits_for = NULL;
    if (!failed && (conn->backend->ended || owner_is_dead(conn)))
        failed = answer_error("57P01", NULL, "terminating connection due to administrator command");
    return failed;
}

/* --- connections ---------------------------------------------------------------------------- */

PGconn *PQconnectStartParams(const char *const *names, const char *const *values, int expand)
{
    const char *name = "";
    (void)expand;
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], "application_name") == 0)
            name = values[i];
    task_sleep(sim_below(3));
    PGconn *conn = sim_alloc(sizeof(*conn));
    conn->owner = member_self();
    conn->replaced = server.replaced;
    conn->words = "connection refused";
    conn->lost = owner_is_dead(conn) || server_is_down() || sim_fault(sim.dials.cut);
    if (!conn->lost)
        conn->backend = backend_new(name, conn->owner);
    sim_trace("connect: %s", conn->lost ? conn->words : "done");
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

/* The server hears of it now, or when it next speaks to nobody. */
static void conn_lose(PGconn *conn, const char *words)
{
    sim_happened(HAPPENED_CUT);
    conn->lost = true;
    conn->words = words;
    if (conn->backend && !(sim_fault(300) && conn->backend->tx))
        backend_end(conn->backend);
    if (conn->backend) {
        conn->backend->busy = false;
        conn->backend->idle_ms = sim.now_ms;
    }
    conn->backend = NULL;
}

void PQfinish(PGconn *conn)
{
    if (!conn)
        return;
    PQclear(conn->pending);
    conn->pending = NULL;
    if (conn->backend && !(owner_is_dead(conn) && conn->backend->tx && sim_fault(300)))
        backend_end(conn->backend);
    conn->backend = NULL;
    conn->lost = true;
}

void server_member_gone(const void *owner)
{
    for (struct backend *b = server.backends; b; b = b->next)
        if (b->owner == owner && !b->ended && !(b->tx && sim_fault(300)))
            backend_end(b);
}

ConnStatusType PQstatus(const PGconn *conn)
{
    return conn->lost ? CONNECTION_BAD : CONNECTION_OK;
}

/* Always ready to be written to. */
int PQsocket(const PGconn *conn)
{
    static int fd = -1;
    (void)conn;
    if (fd < 0)
        fd = open("/dev/null", O_WRONLY);
    return fd;
}

PGTransactionStatusType PQtransactionStatus(const PGconn *conn)
{
    if (conn->lost)
        return PQTRANS_UNKNOWN;
    return conn->backend->failed ? PQTRANS_INERROR
           : conn->backend->tx   ? PQTRANS_INTRANS
                                 : PQTRANS_IDLE;
}

char *PQerrorMessage(const PGconn *conn)
{
    return (char *)(uintptr_t)(conn->words ? conn->words : "");
}

static char *a_word(void)
{
    static char word[] = "sim";
    return word;
}

char *PQuser(const PGconn *conn)
{
    (void)conn;
    return a_word();
}

char *PQhost(const PGconn *conn)
{
    (void)conn;
    return a_word();
}

char *PQport(const PGconn *conn)
{
    (void)conn;
    return a_word();
}

char *PQdb(const PGconn *conn)
{
    (void)conn;
    return a_word();
}

int PQserverVersion(const PGconn *conn)
{
    (void)conn;
    return 150000;
}

int PQbackendPID(const PGconn *conn)
{
    return conn->backend ? conn->backend->pid : 0;
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

/* --- statements ----------------------------------------------------------------------------- */

static PGresult *lost(PGconn *conn, const char *words)
{
    conn_lose(conn, words);
    return answer_error("", NULL, "%s", words);
}

/* What the server says no to, whatever the statement. */
static PGresult *refusal(PGconn *conn)
{
    static const struct {
        enum happening what;
        const char *sqlstate, *message;
    } kinds[] = {
        {HAPPENED_DEADLOCK, "40P01", "deadlock detected"},
        {HAPPENED_LOCK_TIMEOUT, "55P03", "canceling statement due to lock timeout"},
        {HAPPENED_STATEMENT_TIMEOUT, "57014", "canceling statement due to statement timeout"},
        {HAPPENED_NOT_SERIAL, "40001", "could not serialize access"},
        {HAPPENED_FULL, "53100", "could not extend file: No space left on device"},
        {HAPPENED_SERVER_STARVED, "53200", "out of memory"},
        {HAPPENED_SERVER_IO, "58030", "could not read block"}};
    if (conn->backend->tx && server.read_only_ms > sim.now_ms)
        return answer_error("25006", NULL, "cannot execute in a read-only transaction");
    if (conn->backend->tx && server.full_ms > sim.now_ms)
        return answer_error("53100", NULL, "No space left on device");
    if (!sim_fault(sim.dials.refused))
        return NULL;
    unsigned kind = sim_below(sizeof(kinds) / sizeof(kinds[0]));
    sim_happened(kinds[kind].what);
    return answer_error(kinds[kind].sqlstate, NULL, "%s", kinds[kind].message);
}

static PGresult *failed(PGconn *conn, PGresult *res)
{
    if (conn->backend && conn->backend->tx)
        conn->backend->failed = true;
    return res;
}

/* Before a statement gets to work: NULL, it may. */
static PGresult *hindered(PGconn *conn, const char *sql)
{
    if (conn->lost)
        return answer_error("", NULL, "no connection to the server");
    if (owner_is_dead(conn))
        return lost(conn, "the member is dead");
    if (conn->backend->ended)
        return lost(conn, "terminating connection due to administrator command");
    if (sim_fault(sim.dials.cut))
        return lost(conn, "server closed the connection unexpectedly");
    bool ends = (sql[0] == 'R' && strncmp(sql, "ROLLBACK", 8) == 0) ||
                (sql[0] == 'C' && strncmp(sql, "COMMIT", 6) == 0);
    if (conn->backend->failed && !ends)
        return answer_error("25P02", NULL, "current transaction is aborted");
    PGresult *no = ends ? NULL : refusal(conn);
    return no ? failed(conn, no) : NULL;
}

static void tx_leave(PGconn *conn)
{
    conn->backend->tx = NULL;
    conn->backend->failed = false;
}

static PGresult *commit(PGconn *conn)
{
    struct backend *backend = conn->backend;
    PGresult *res = answer_done();
    bool fails = backend->failed || !backend->tx;
    bool unanswered = sim_fault(sim.dials.commit_lost),
         done = !fails && !(unanswered && sim_below(2));
    if (unanswered)
        sim_happened(done ? HAPPENED_COMMIT_DONE : HAPPENED_COMMIT_UNDONE);
    if (unanswered)
        sim_trace("the answer to COMMIT is lost; it is %s", done ? "done" : "not done");
    snprintf(res->command, sizeof(res->command), "%s", fails ? "ROLLBACK" : "COMMIT");
    if (backend->tx && done)
        tx_commit(backend->tx);
    else if (backend->tx)
        tx_abort(backend->tx);
    tx_leave(conn);
    if (done)
        sim_committed();
    if (!unanswered)
        return res;
    PQclear(res);
    return lost(conn, "server closed the connection unexpectedly");
}

static PGresult *rollback(PGconn *conn)
{
    if (conn->backend->tx)
        tx_abort(conn->backend->tx);
    tx_leave(conn);
    return answer_done();
}

/* BEGIN, COMMIT, ROLLBACK, savepoints. NULL: none of these. */
static PGresult *control(PGconn *conn, const char *sql)
{
    struct backend *backend = conn->backend;
    if (strncmp(sql, "BEGIN", 5) == 0) {
        backend->tx = tx_begin(conn, backend->pid);
        if (strstr(sql, "REPEATABLE READ"))
            backend->tx->snapshot = db.tx_seq;
        return answer_done();
    }
    if (strcmp(sql, "COMMIT") == 0)
        return commit(conn);
    if (strcmp(sql, "ROLLBACK") == 0)
        return rollback(conn);
    if (strncmp(sql, "SAVEPOINT ", 10) == 0) {
        tx_savepoint(backend->tx);
        return answer_done();
    }
    if (strncmp(sql, "RELEASE SAVEPOINT ", 18) == 0) {
        tx_release(backend->tx);
        return answer_done();
    }
    if (strncmp(sql, "ROLLBACK TO ", 12) == 0) {
        tx_back_to_savepoint(backend->tx);
        backend->failed = false;
        if (strstr(sql, "; RELEASE SAVEPOINT "))
            tx_release(backend->tx);
        return answer_done();
    }
    return NULL;
}

/* A statement outside of a transaction is one. */
static PGresult *run(PGconn *conn, statement_fn *statement, const struct params *params)
{
    struct backend *backend = conn->backend;
    bool alone = !backend->tx;
    if (alone)
        backend->tx = tx_begin(conn, backend->pid);
    PGresult *res = statement(conn, params);
    if (backend->ended) {
        PQclear(res);
        return lost(conn, "terminating connection due to administrator command");
    }
    if (!alone)
        return answer_failed(res) ? failed(conn, res) : res;
    if (answer_failed(res)) {
        tx_abort(backend->tx);
    } else {
        bool wrote = backend->tx->count > 0;
        tx_commit(backend->tx);
        if (wrote)
            sim_committed();
    }
    backend->tx = NULL;
    return res;
}

static void turn(PGconn *conn)
{
    if (owner_is_dead(conn))
        return;
    operator_kill_self();
    if (conn->backend && !conn->backend->tx && operator_is_self() &&
        sim_fault(sim.dials.replace_run))
        sim_replace();
    if (!sim.quiet && operator_is_self() && sim_below(16) == 0) /* what he asks for takes longer */
        task_sleep(sim_below(400));
    if (conn->backend && conn->backend->tx && sim_fault(sim.dials.freeze / 20))
        member_freeze_self(1 + sim_below(40000)); /* with all its locks */
    if (sim_below(4) == 0)
        task_sleep(1 + sim_below(3));
    else
        task_yield();
}

static PGresult *execute(PGconn *conn, const char *sql, const struct statement *statement,
                         const struct params *params)
{
    turn(conn);
    conn->sql = sql;
    server.statements++;
    PGresult *res = hindered(conn, sql);
    if (!res) {
        struct backend *backend = conn->backend;
        backend->busy = true;
        res = statement ? NULL : control(conn, sql);
        if (!res)
            res = run(conn, statement ? statement->run : statement_of(sql)->run, params);
        backend->busy = false;
        backend->idle_ms = sim.now_ms;
    }
    if (res->status == PGRES_FATAL_ERROR)
        sim_trace("%.60s: %s [%s]", sql, res->message, res->sqlstate);
    else
        sim_trace("%.60s", sql);
    if (!conn->lost && res->status != PGRES_COPY_IN && res->status != PGRES_COPY_OUT &&
        sim_fault(sim.dials.cut / 2)) {
        PQclear(res);
        res = lost(conn, "server closed the connection unexpectedly");
    }
    return res;
}

static bool is_copy(const char *sql)
{
    return strncmp(sql, "COPY spendlog.", 14) == 0;
}

static PGresult *copy_start(struct pg_conn *conn, const struct params *params)
{
    (void)conn, (void)params;
    return answer_new(PGRES_COPY_IN, 0);
}

PGresult *PQexec(PGconn *conn, const char *sql)
{
    static const struct statement copy = {"COPY ", NULL, copy_start};
    const struct params none = {0};
    PGresult *res = execute(conn, sql, is_copy(sql) ? &copy : NULL, &none);
    if (res->status == PGRES_COPY_IN) {
        conn->copy = sim_alloc(sizeof(*conn->copy));
        conn->copy->sql = sql;
    }
    return res;
}

PGresult *PQexecParams(PGconn *conn, const char *sql, int count, const Oid *types,
                       const char *const *values, const int *lengths, const int *formats,
                       int format)
{
    const struct params params = {count, values, lengths};
    (void)types, (void)formats, (void)format;
    return execute(conn, sql, NULL, &params);
}

static unsigned number_of(const char *name)
{
    return (unsigned)strtoul(name + 1, NULL, 10) % PREPARED_MAX;
}

static PGresult *prepare_done(struct pg_conn *conn, const struct params *params)
{
    (void)conn, (void)params;
    return answer_done();
}

PGresult *PQprepare(PGconn *conn, const char *name, const char *sql, int count, const Oid *types)
{
    static const struct statement prepares = {"", NULL, prepare_done};
    const struct params none = {0};
    (void)count, (void)types;
    PGresult *res = execute(conn, "PREPARE", &prepares, &none);
    if (res->status == PGRES_COMMAND_OK)
        conn->prepared[number_of(name)] = statement_of(sql);
    return res;
}

static PGresult *not_prepared(struct pg_conn *conn, const struct params *params)
{
    (void)conn, (void)params;
    return answer_error("26000", NULL, "prepared statement does not exist");
}

PGresult *PQexecPrepared(PGconn *conn, const char *name, int count, const char *const *values,
                         const int *lengths, const int *formats, int format)
{
    static const struct statement unknown = {"prepared", NULL, not_prepared};
    const struct params params = {count, values, lengths};
    const struct statement *statement = conn->prepared[number_of(name)];
    (void)formats, (void)format;
    if (!statement || (conn->replaced != server.replaced && !sim.dials.keeps_prepared))
        statement = &unknown;
    return execute(conn, statement->begins, statement, &params);
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
    conn->pending = PQprepare(conn, name, sql, count, types);
    return 1;
}

int PQsendQueryPrepared(PGconn *conn, const char *name, int count, const char *const *values,
                        const int *lengths, const int *formats, int format)
{
    conn->pending = PQexecPrepared(conn, name, count, values, lengths, formats, format);
    return 1;
}

int PQsendQuery(PGconn *conn, const char *sql)
{
    conn->pending = PQexec(conn, sql);
    return 1;
}

static PGresult *row_of(const PGresult *all, int row)
{
    PGresult *res = answer_new(PGRES_SINGLE_TUPLE, all->columns);
    res->cell = &all->cell[row * all->columns];
    res->cells = all->columns;
    return res;
}

PGresult *PQgetResult(PGconn *conn)
{
    if (!conn)
        return NULL; /* who asked has closed it */
    PGresult *res = conn->pending;
    if (res && conn->row_by_row && PQresultStatus(res) == PGRES_TUPLES_OK) {
        bool cut = conn->lost || sim_fault(sim.dials.cut);
        if (!cut && conn->row < PQntuples(res))
            return row_of(res, conn->row++);
        if (cut && !conn->lost)
            conn_lose(conn, "server closed the connection unexpectedly");
        res->cells = 0;
        res->status = cut ? PGRES_FATAL_ERROR : PGRES_TUPLES_OK;
    }
    conn->row_by_row = false;
    conn->pending = NULL;
    return res;
}

int PQputCopyData(PGconn *conn, const char *bytes, int count)
{
    struct copy *copy = conn->copy;
    if (conn->lost || owner_is_dead(conn))
        return -1;
    if (copy->bytes + (size_t)count > copy->capacity) {
        size_t capacity = 2 * (copy->bytes + (size_t)count);
        char *larger = sim_alloc(capacity);
        if (copy->bytes)
            memcpy(larger, copy->p, copy->bytes);
        copy->p = larger;
        copy->capacity = capacity;
    }
    memcpy(copy->p + copy->bytes, bytes, (size_t)count);
    copy->bytes += (size_t)count;
    return 1;
}

static PGresult *copy_run(struct pg_conn *conn, const struct params *params)
{
    (void)params;
    return copy_rows(conn, conn->copy);
}

int PQputCopyEnd(PGconn *conn, const char *error)
{
    static const struct statement end = {"end of COPY", NULL, copy_run};
    const struct params none = {0};
    (void)error;
    conn->pending = execute(conn, end.begins, &end, &none);
    conn->copy = NULL;
    return conn->lost ? -1 : 1;
}

int PQsendQueryParams(PGconn *conn, const char *sql, int count, const Oid *types,
                      const char *const *values, const int *lengths, const int *formats, int format)
{
    conn->pending = PQexecParams(conn, sql, count, types, values, lengths, formats, format);
    return 1;
}

int PQsetSingleRowMode(PGconn *conn)
{
    conn->row_by_row = true;
    conn->row = 0;
    return 1;
}

/* --- COPY to the client --------------------------------------------------------------------- */

static int copy_out_lost(PGconn *conn)
{
    if (!conn->lost)
        conn_lose(conn, "server closed the connection unexpectedly");
    conn->out = NULL;
    return -2;
}

/* Others have their turn while rows come. */
int PQgetCopyData(PGconn *conn, char **bytes, int async)
{
    struct copy_out *out = conn->out;
    (void)async;
    *bytes = NULL;
    if (sim_below(8) == 0)
        turn(conn);
    if (conn->lost || owner_is_dead(conn) || conn->backend->ended || sim_fault(sim.dials.cut / 4))
        return copy_out_lost(conn);
    PGresult *no = out->next == out->count ? answer_done() : refusal(conn);
    if (no) {
        conn->pending = answer_failed(no) ? failed(conn, no) : no;
        conn->out = NULL;
        return -1;
    }
    const struct text *message = &out->message[out->next++];
    *bytes = sim_malloc(message->bytes);
    memcpy(*bytes, message->p, message->bytes);
    return (int)message->bytes;
}
