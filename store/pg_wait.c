/* SPDX-License-Identifier: Apache-2.0 */
/* One wait for the socket, and what of libpq needs it. */
#include "store/pg_wait.h"

#include "core/clock.h"
#include "core/must.h"

#include <poll.h>
#include <sys/socket.h>

/* The server's own timeout comes first, and its answer takes its time. */
#define MARGIN_MS 5000
#define STOP_MS 5000
/* So often a stop is looked for, and what TLS holds back of bytes that the socket has given. */
#define SLICE_MS 100

bool pg_wait_begin(struct pg *pg, const struct pg_options *options)
{
    MUST(pg->conn != NULL);
    pg->stop = options->stop;
    pg->patience_ms = options->statement_timeout_ms ? options->statement_timeout_ms + MARGIN_MS : 0;
    return !pg->patience_ms || PQsetnonblocking(pg->conn, 1) == 0;
}

static int64_t shortened(const struct pg *pg, int64_t until_ms)
{
    int64_t soon_ms = clock_monotonic_ms() + STOP_MS;
    return pg->stop && atomic_load(pg->stop) && soon_ms < until_ms ? soon_ms : until_ms;
}

/* Waits for the server, to be read or (sending) to take more; false when the connection is lost, or
 * until_ms is over, which makes it so. */
static bool server_wait(struct pg *pg, bool sending, int64_t *until_ms)
{
    short events = sending ? POLLIN | POLLOUT : POLLIN;
    struct pollfd fd = {PQsocket(pg->conn), events, 0};
    MUST(pg->patience_ms > 0);
    *until_ms = shortened(pg, *until_ms);
    if (PQstatus(pg->conn) == CONNECTION_BAD)
        return false;
    if (clock_monotonic_ms() < *until_ms) {
        poll(&fd, 1, SLICE_MS);
        return PQconsumeInput(pg->conn) == 1;
    }
    pg->mute = true;
    shutdown(fd.fd, SHUT_RDWR);
    return PQconsumeInput(pg->conn) == 1;
}

/* Until PQgetResult() does not wait, or (sent_only) all is sent. */
static void wait_for_result(struct pg *pg, bool sent_only)
{
    if (!pg->patience_ms)
        return;
    int64_t until_ms = clock_monotonic_ms() + pg->patience_ms;
    for (int left; (left = PQflush(pg->conn)) == 1 || (!sent_only && PQisBusy(pg->conn));)
        if (!server_wait(pg, left == 1, &until_ms))
            return;
}

PGresult *pg_result(struct pg *pg)
{
    if (!pg->conn)
        return NULL;
    wait_for_result(pg, false);
    return PQgetResult(pg->conn);
}

static bool is_copy(const PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

PGresult *pg_result_last(struct pg *pg)
{
    PGresult *res, *last = NULL;
    while ((res = pg_result(pg)) != NULL) {
        PQclear(last);
        last = res;
        if (is_copy(res) || PQstatus(pg->conn) == CONNECTION_BAD)
            break;
    }
    return last;
}

bool pg_results_discard(struct pg *pg)
{
    PGresult *res;
    while ((res = pg_result(pg)) != NULL) {
        bool copy = is_copy(res);
        PQclear(res);
        if (copy || PQstatus(pg->conn) == CONNECTION_BAD)
            return false;
    }
    return pg->conn != NULL;
}

PGresult *pg_exec(struct pg *pg, const char *sql)
{
    return pg_results_discard(pg) && PQsendQuery(pg->conn, sql) == 1 ? pg_result_last(pg) : NULL;
}

bool pg_copy_put(struct pg *pg, const char *p, size_t bytes)
{
    MUST(pg->conn != NULL && bytes <= INT32_MAX, bytes);
    if (PQputCopyData(pg->conn, p, (int)bytes) != 1)
        return false;
    wait_for_result(pg, true);
    return true;
}

int pg_copy_get(struct pg *pg, char **message)
{
    int bytes;
    MUST(pg->conn != NULL);
    int64_t until_ms = clock_monotonic_ms() + pg->patience_ms;
    while ((bytes = PQgetCopyData(pg->conn, message, pg->patience_ms > 0)) == 0)
        if (!server_wait(pg, false, &until_ms))
            return -2;
    return bytes;
}
