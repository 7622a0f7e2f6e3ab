/* SPDX-License-Identifier: Apache-2.0 */
/* A function of the database closes: it checks that the month is over, and that nobody works on a
 * day of it, so that it never comes between the slices of a run; a run that starts later sees the
 * month closed. */
#include "store/periods.h"

#include "core/clock.h"
#include "store/migrate.h"
#include "store/pg.h"

#include <stdio.h>

#define LOCK_TIMEOUT_MS 5000

static bool connect(struct pg *pg, const char *conninfo, struct err *err)
{
    struct pg_options options = {.conninfo = conninfo,
                                 .application_name = "spendlog periods",
                                 .lock_timeout_ms = LOCK_TIMEOUT_MS};
    return migrate_open(pg, &options, err);
}

bool period_close(const char *conninfo, int year, unsigned month, struct err *err)
{
    struct pg pg;
    struct pg_args args;
    char first[24];
    snprintf(first, sizeof(first), "%04d-%02u-01", year, month);
    if (!connect(&pg, conninfo, err))
        return false;
    pg_args_init(&args);
    pg_arg_text(&args, slice_of(first));
    pg_arg_time(&args, clock_now_us());
    PGresult *res =
        pg_query(&pg, "SELECT spendlog.period_close($1::text::date, $2::timestamptz)", &args, err);
    PQclear(res);
    pg_args_free(&args);
    pg_close(&pg);
    return res != NULL;
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
    period->closed_at_us = pg_time_us(res, row, 4);
    copy_text(period->closed_by, sizeof(period->closed_by), pg_text(res, row, 5));
    return pg_sum(res, row, 2, &period->spend, err) && pg_sum(res, row, 3, &period->posted, err);
}

/* By the sums, as it was closed: they have the days that retention dropped, and not the rows that
 * were set aside before. Where days are in no sum any more nobody knows. */
static bool period_count(struct pg *pg, struct period *period, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_text(&args, slice_of(period->month));
    PGresult *res = pg_query(pg,
                             "WITH m AS (SELECT ($1::text || '-01')::date AS first,"
                             " (($1::text || '-01')::date + interval '1 month')::date AS past)"
                             " SELECT coalesce(sum(s.calls), 0)::bigint, NOT EXISTS (SELECT FROM"
                             " spendlog.dropped_partitions p, m WHERE p.rows_unsummed > 0"
                             " AND p.day >= m.first AND p.day < m.past)"
                             " FROM spendlog.stored_sums s, m WHERE s.grain IN ('delta', 'day')"
                             " AND s.about & 1 <> 0 AND s.day >= m.first AND s.day < m.past",
                             &args, err);
    period->late_known = res && pg_int(res, 0, 1) != 0;
    period->late_rows = period->late_known ? pg_int(res, 0, 0) - period->rows : 0;
    PQclear(res);
    pg_args_free(&args);
    return res != NULL;
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
        " AND a.start_time < c.month + interval '1 month'), c.closed_at, c.closed_by"
        " FROM spendlog.closed_periods c ORDER BY c.month",
        NULL, err);
    bool ok = res != NULL;
    for (int i = 0; ok && i < PQntuples(res); i++) {
        ok = period_take(res, i, &period, err) && period_count(&pg, &period, err);
        if (ok)
            each(&period, context);
    }
    PQclear(res);
    pg_close(&pg);
    return ok;
}
