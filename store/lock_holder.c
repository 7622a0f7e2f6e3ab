/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One query over pg_locks and pg_stat_activity, run after the transaction that waited is over; what
 * it finds is added to the error or logged.
 */
#include "store/lock_holder.h"

#include "core/clock.h"
#include "core/log.h"
#include "store/pg_wait.h"

#include <stdio.h>
#include <string.h>

#define TELL_EVERY_MS 10000

/* The strongest locks on our tables and indexes first; then who has locked our offset rows. Behind
 * one that waits for ACCESS EXCLUSIVE all others queue: it is named as well. */
static const char holders[] =
    "SELECT string_agg(h.what, ', ') FROM ("
    " SELECT format('%s%s on %s by %s (user %s, pid %s)', CASE WHEN l.granted THEN '' ELSE"
    "   'wait for ' END, l.mode, c.relname, coalesce(nullif(a.application_name, ''), 'a session'),"
    "   coalesce(a.usename, '?'), l.pid) AS what"
    "  FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
    "  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'spendlog'"
    "  LEFT JOIN pg_stat_activity a ON a.pid = l.pid"
    "  WHERE l.pid <> pg_backend_pid()"
    "   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    "   AND NOT starts_with(coalesce(a.application_name, ''), 'spendlog lane')"
    "   AND (l.granted OR l.mode = 'AccessExclusiveLock')"
    "  ORDER BY l.granted DESC, array_position(ARRAY['AccessExclusiveLock', 'ExclusiveLock',"
    "   'ShareRowExclusiveLock', 'ShareLock', 'ShareUpdateExclusiveLock', 'RowExclusiveLock',"
    "   'RowShareLock', 'AccessShareLock'], l.mode), c.relkind = 'i', c.relname LIMIT 2) h";

/* libpq itself: an error here is not the caller's. */
static bool lock_holder_find(struct pg *pg, char text[HOLDER_TEXT_MAX])
{
    PGresult *res = pg_exec(pg, holders);
    bool found =
        PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) == 1 && !PQgetisnull(res, 0, 0);
    if (found)
        snprintf(text, HOLDER_TEXT_MAX, "%s", PQgetvalue(res, 0, 0));
    PQclear(res);
    return found;
}

void lock_holder_blame(struct pg *pg, struct err *err)
{
    char text[HOLDER_TEXT_MAX];
    if (!err || err->kind == ERR_NONE || strcmp(pg->sqlstate, "55P03") != 0 || !pg->conn ||
        PQtransactionStatus(pg->conn) != PQTRANS_IDLE || strstr(err->text, "; in the way: "))
        return;
    if (lock_holder_find(pg, text)) {
        size_t bytes = strlen(err->text);
        snprintf(err->text + bytes, sizeof(err->text) - bytes, "; in the way: %s", text);
    }
}

void lock_holder_tell(struct lock_holder *holder, const struct err *why)
{
    int64_t now_ms = clock_monotonic_ms();
    if (holder->told_ms && now_ms - holder->told_ms < TELL_EVERY_MS &&
        strncmp(holder->text, why->text, sizeof(holder->text) - 1) == 0)
        return;
    holder->told_ms = now_ms;
    snprintf(holder->text, sizeof(holder->text), "%.*s", HOLDER_TEXT_MAX - 1, why->text);
    log_warn("paused: %s", why->text);
}
