/* SPDX-License-Identifier: Apache-2.0 */
/* The database says what the query of a version is (spendlog.focus_query()); this sends it and
 * passes on what comes. */
#include "store/focus.h"

#include "store/copy.h"
#include "store/report_impl.h"

#define SQL_MAX 65536

/* $1 version, $2 and $3 the period, $4 the zone. Calls without a price are counted as
 * focus_unpriced does, by quarters of an hour. */
static const char sql_query[] =
    "SELECT spendlog.focus_query($1, p.since, p.until, $4), (SELECT coalesce(sum(s.calls), "
    "0)::bigint"
    " FROM spendlog.spend_sums s WHERE s.grain IN ('delta', 'slot') AND s.level = 'open'"
    " AND s.pricing_status = 'unpriced' AND s.day >= p.since::date AND s.day <= p.until::date"
    " AND s.day + make_interval(mins => 15 * s.slot) >= p.since"
    " AND s.day + make_interval(mins => 15 * s.slot) < p.until)"
    " FROM (SELECT coalesce($2::timestamp, '-infinity') AS since,"
    " coalesce($3::timestamp, 'infinity') AS until) p";

static PGresult *query_ask(struct pg *pg, const struct report_options *options, const char *version,
                           struct focus_beside *beside, struct err *err)
{
    struct report_period period;
    struct pg_args args;
    if (!report_period_find(pg, options, &period, err))
        return NULL;
    period.before_since_us = period.before_until_us = 0;
    if (!report_dropped_ask(pg, &period, false, &beside->dropped, err))
        return NULL;
    pg_args_init(&args);
    pg_arg_text(&args, slice_of(version));
    pg_arg_time_open(&args, period.since_us);
    pg_arg_time_open(&args, period.until_us);
    pg_arg_text(&args, slice_of(options->zone));
    PGresult *res = pg_query(pg, sql_query, &args, err);
    pg_args_free(&args);
    return res;
}

static bool lines_pass(struct pg *pg, struct slice query, const struct focus_sink *sink,
                       struct err *err)
{
    struct copy_out copy;
    struct slice line;
    struct buf sql;
    bool end = false;
    MUST(sink->take != NULL && query.bytes > 0, query.bytes);
    buf_init(&sql, SQL_MAX);
    buf_printf(&sql, "COPY (" SLICE_FMT ") TO STDOUT (FORMAT csv, HEADER)", SLICE_ARG(query));
    buf_add_char(&sql, '\0');
    bool ok = buf_ok(&sql) || err_set(err, ERR_FATAL, "focus: query too long");
    if (ok && (ok = copy_out_open(&copy, pg, sql.p, err))) {
        while ((ok = copy_out_text(&copy, &line, &end, err)) && !end)
            if (!sink->take(sink->context, line))
                break;
        copy_out_close(&copy);
    }
    buf_free(&sql);
    return ok;
}

bool focus_run(const char *conninfo, const struct report_options *options, const char *version,
               const struct focus_sink *sink, struct focus_beside *beside, struct err *err)
{
    struct pg pg = {0};
    if (!report_open(&pg, conninfo, err))
        return false;
    PGresult *res =
        pg_begin(&pg, PG_SNAPSHOT, err) ? query_ask(&pg, options, version, beside, err) : NULL;
    bool ok = res != NULL;
    if (ok && PQgetisnull(res, 0, 0))
        ok = err_set(err, ERR_USAGE, "--focus-version: \"%.16s\" is not 1.2 or 1.5", version);
    if (ok) {
        beside->unpriced = pg_int(res, 0, 1);
        ok = lines_pass(&pg, pg_text(res, 0, 0), sink, err);
    }
    PQclear(res);
    pg_close(&pg);
    return ok;
}
