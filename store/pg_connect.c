/* SPDX-License-Identifier: Apache-2.0 */
/* A connection, opened within a time; its failures in words that quote no secret. */
#include "store/pg.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/must.h"
#include "store/conninfo.h"
#include "store/pg_count.h"
#include "store/pg_wait.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_TRY_MS 3000
#define ONLY_TRY_MS 10000
#define CONNECT_TIMEOUT_S "10" /* of each host and address, unless the operator says another */

static void on_notice(void *context, const PGresult *res)
{
    const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    (void)context;
    if (severity && strcmp(severity, "WARNING") == 0)
        log_warn("postgres: %s", message ? message : "");
    else
        log_debug("postgres: %s", message ? message : "");
}

/* PQconnectPoll() with a deadline: connect_timeout counts for the blocking call only. */
static bool connect_within(PGconn *conn, int64_t ms)
{
    int64_t deadline_ms = clock_monotonic_ms() + ms;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
        int64_t left_ms = deadline_ms - clock_monotonic_ms();
        struct pollfd fd = {PQsocket(conn), status == PGRES_POLLING_WRITING ? POLLOUT : POLLIN, 0};
        if (left_ms <= 0 || poll(&fd, 1, (int)left_ms) == 0)
            return false;
        status = PQconnectPoll(conn);
    }
    return status == PGRES_POLLING_OK;
}

/* connect_timeout=0: the blocking call would have none. */
static bool has_timeout(PGconn *conn)
{
    bool has = false;
    PQconninfoOption *options = PQconninfo(conn);
    for (const PQconninfoOption *o = options; o && o->keyword; o++)
        if (strcmp(o->keyword, "connect_timeout") == 0)
            has = o->val && strtol(o->val, NULL, 10) > 0;
    PQconninfoFree(options);
    return has;
}

/* Of several hosts or addresses one may be mute, and only the blocking call goes on to the next. It
 * begins anew here, as only a connection that was begun can be told to be verbose. */
static bool connect_wait(PGconn *conn)
{
    bool again = has_timeout(conn);
    if (connect_within(conn, again ? FIRST_TRY_MS : ONLY_TRY_MS))
        return true;
    if (PQstatus(conn) == CONNECTION_BAD || !again)
        return false;
    PQreset(conn);
    return PQstatus(conn) == CONNECTION_OK;
}

/* libpq has no SQLSTATE for a refused connection but in its verbose text: "FATAL:  28P01: ...". */
static void connect_sqlstate(struct pg *pg, const char *message)
{
    pg->sqlstate[0] = '\0';
    for (const char *p = strstr(message, ":  "); p; p = strstr(p + 3, ":  "))
        if (strspn(p + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && p[8] == ':') {
            pg_field_copy(pg->sqlstate, sizeof(pg->sqlstate), p + 3);
            pg->sqlstate[5] = '\0';
        }
}

static void place_set(struct pg *pg)
{
    const char *user = PQuser(pg->conn), *host = PQhost(pg->conn), *port = PQport(pg->conn),
               *database = PQdb(pg->conn);
    snprintf(pg->place, sizeof(pg->place), "%s@%s:%s/%s", user ? user : "", host ? host : "",
             port ? port : "", database ? database : "");
}

/* From "... FATAL:  28P01: password authentication failed ..." what the server says. */
static const char *server_words(struct pg *pg, const char *message)
{
    const char *code = strstr(message, pg->sqlstate);
    pg_field_copy(pg->message, sizeof(pg->message), code ? code + strlen(pg->sqlstate) + 2 : "");
    return pg->message;
}

/* With an SQLSTATE the server says it; without one the words are libpq's, which may quote. */
static bool connect_fail(struct pg *pg, bool timed_out, struct err *err)
{
    const char *message = PQerrorMessage(pg->conn);
    connect_sqlstate(pg, message);
    pg_count_failure(pg->sqlstate);
    enum err_kind kind = pg_err_kind(pg->sqlstate);
    if (kind != ERR_CONFIG) /* no connections allowed just now, too many of them, starting up */
        kind = ERR_UNAVAILABLE;
    place_set(pg);
    if (timed_out)
        err_set(err, ERR_UNAVAILABLE, "postgres: %s: no answer in time", pg->place);
    else if (!*pg->sqlstate)
        err_set(err, ERR_UNAVAILABLE, "postgres: %s: %s", pg->place, conninfo_trouble(message));
    else
        err_set(err, kind, "postgres: %s: %s", pg->place, server_words(pg, message));
    pg_close(pg);
    return false;
}

bool pg_connect(struct pg *pg, const struct pg_options *options, struct err *err)
{
    /* What stands before dbname is a default that conninfo overrides, what stands behind overrides
     * it. A cut that no packet announces is noticed after tcp_user_timeout. */
    const char *const names[] = {"keepalives_idle",
                                 "keepalives_interval",
                                 "tcp_user_timeout",
                                 "connect_timeout",
                                 "dbname",
                                 "application_name",
                                 NULL};
    const char *const values[] = {
        "10", "5", "30000", CONNECT_TIMEOUT_S, options->conninfo, options->application_name, NULL};

    memset(pg, 0, sizeof(*pg));
    if (!conninfo_check(options->conninfo, err))
        return false;
    pg->conn = PQconnectStartParams(names, values, 1);
    if (!pg->conn)
        return err_set(err, ERR_FATAL, "out of memory");
    if (PQstatus(pg->conn) == CONNECTION_BAD)
        return connect_fail(pg, false, err);
    PQsetErrorVerbosity(pg->conn, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(pg->conn, on_notice, NULL);
    if (!connect_wait(pg->conn) || !pg_wait_begin(pg, options))
        return connect_fail(pg, PQstatus(pg->conn) != CONNECTION_BAD, err);
    PQsetErrorVerbosity(pg->conn, PQERRORS_DEFAULT);
    MUST(pg_outside(pg) && pg->prepared == 0);
    place_set(pg);
    pg_count_connect();
    return true;
}
