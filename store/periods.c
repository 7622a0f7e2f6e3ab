/* SPDX-License-Identifier: Apache-2.0 */
/* Closing takes the locks of all days of the month, so that it never comes between the slices of a
 * run; a run that starts later sees the month closed. */
#include "store/periods.h"

#include "store/pg.h"

#include <stdio.h>

#define LOCK_TIMEOUT_MS 5000

static bool connect(struct pg *pg, const char *conninfo, struct err *err)
{
    struct pg_options options = {.conninfo = conninfo,
                                 .application_name = "spendlog periods",
                                 .lock_timeout_ms = LOCK_TIMEOUT_MS};
    return pg_open(pg, &options, err);
}

/* Runs a statement whose only parameter is the month; *ok is its first column. */
static bool ask(struct pg *pg, const char *sql, const char *month, bool *ok, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_text(&args, slice_of(month));
    PGresult *res = pg_query(pg, sql, &args, err);
    *ok = res && PQntuples(res) == 1 && pg_int(res, 0, 0) != 0;
    PQclear(res);
    pg_args_free(&args);
    return res != NULL;
}

static bool close_in(struct pg *pg, const char *month, struct err *err)
{
    bool ok;
    if (!ask(pg, "SELECT $1::text::date + interval '1 month' <= now() AT TIME ZONE 'UTC'", month,
             &ok, err))
        return false;
    if (!ok)
        return err_set(err, ERR_INPUT, "%.7s is not over", month);
    if (!ask(pg,
             "SELECT bool_and(pg_try_advisory_xact_lock(spendlog.day_lock_class(),"
             " spendlog.day_lock_key(day::date))) FROM generate_series($1::text::date,"
             " $1::text::date + interval '1 month' - interval '1 day', interval '1 day') AS day",
             month, &ok, err))
        return false;
    if (!ok)
        return err_set(err, ERR_RETRY,
                       "a day of %.7s is being worked on: try again when that is done", month);
    if (!ask(pg,
             "INSERT INTO spendlog.closed_periods (month, rows, spend)"
             " SELECT $1::text::date, coalesce(sum(calls), 0), coalesce(sum(spend), 0)"
             " FROM spendlog.spend_entries WHERE day >= $1::text::date"
             " AND start_time >= $1::text::timestamp"
             " AND start_time < $1::text::timestamp + interval '1 month'"
             " ON CONFLICT ON CONSTRAINT closed_periods_pkey DO NOTHING RETURNING true",
             month, &ok, err))
        return false;
    return ok ? true : err_set(err, ERR_INPUT, "%.7s is closed already", month);
}

bool period_close(const char *conninfo, int year, unsigned month, struct err *err)
{
    struct pg pg;
    char first[24];
    snprintf(first, sizeof(first), "%04d-%02u-01", year, month);
    if (!connect(&pg, conninfo, err))
        return false;
    bool ok = pg_command(&pg, "BEGIN", err) && close_in(&pg, first, err) &&
              pg_command(&pg, "COMMIT", err);
    pg_close(&pg);
    return ok;
}

static void copy_text(char *to, size_t capacity, struct slice text)
{
    size_t bytes = text.bytes < capacity ? text.bytes : capacity - 1;
    memcpy(to, text.p, bytes);
    to[bytes] = '\0';
}

static bool period_take(const PGresult *res, int row, struct period *period, struct err *err)
{
    copy_text(period->month, sizeof(period->month), pg_text(res, row, 0));
    period->rows = pg_int(res, row, 1);
    period->rows_now = pg_int(res, row, 4);
    period->closed_at_us = pg_time_us(res, row, 5);
    copy_text(period->closed_by, sizeof(period->closed_by), pg_text(res, row, 6));
    return pg_sum(res, row, 2, &period->spend, err) && pg_sum(res, row, 3, &period->posted, err);
}

bool period_list(const char *conninfo, period_fn *each, void *context, struct err *err)
{
    struct pg pg;
    struct period period;
    if (!connect(&pg, conninfo, err))
        return false;
    PGresult *res = pg_query(
        &pg,
        "SELECT to_char(c.month, 'YYYY-MM'), c.rows, c.spend::text, (SELECT"
        " coalesce(sum(coalesce(a.new_spend, 0) - coalesce(a.old_spend, 0)), 0)::text"
        " FROM spendlog.spend_adjustments a WHERE a.kind = 'posted' AND a.start_time >= c.month"
        " AND a.start_time < c.month + interval '1 month'), (SELECT count(*) FROM"
        " spendlog.spend_logs l WHERE l.start_time >= c.month"
        " AND l.start_time < c.month + interval '1 month'), c.closed_at, c.closed_by"
        " FROM spendlog.closed_periods c ORDER BY c.month",
        NULL, err);
    bool ok = res != NULL;
    for (int i = 0; ok && i < PQntuples(res); i++) {
        ok = period_take(res, i, &period, err);
        if (ok)
            each(&period, context);
    }
    PQclear(res);
    pg_close(&pg);
    return ok;
}
