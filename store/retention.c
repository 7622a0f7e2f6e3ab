/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one row of spendlog.retention, read, written, and held against what a process was told to
 * keep.
 */
#include "store/retention.h"

#include "core/clock.h"
#include "store/migrate.h"
#include "store/pg.h"

#include <stdio.h>

#define LOCK_TIMEOUT_MS 5000

static const char retention_select[] =
    "SELECT coalesce(r.keep_days, 0), coalesce(r.keep_sums_days, 0), r.days_per_day, r.set_by,"
    " r.set_at, (SELECT count(*) FROM spendlog.stored_days()), (SELECT count(*) FROM"
    " spendlog.stored_days() s WHERE s.day < (now() AT TIME ZONE 'UTC')::date - r.keep_days)"
    " FROM spendlog.retention r";

static bool take(struct pg *pg, struct retention *retention, struct err *err)
{
    PGresult *res = pg_query(pg, retention_select, NULL, err);
    if (!res)
        return false;
    *retention = (struct retention){
        .keep_days = pg_int(res, 0, 0),
        .keep_sums_days = pg_int(res, 0, 1),
        .days_per_day = pg_int(res, 0, 2),
        .set_at_us = pg_time_us(res, 0, 4),
        .days_stored = pg_int(res, 0, 5),
        .days_due = pg_int(res, 0, 6),
    };
    snprintf(retention->set_by, sizeof(retention->set_by), SLICE_FMT,
             SLICE_ARG(pg_text(res, 0, 3)));
    PQclear(res);
    return true;
}

static bool open_for_retention(struct pg *pg, const char *conninfo, bool read_only, struct err *err)
{
    const struct pg_options options = {.conninfo = conninfo,
                                       .application_name = "spendlog retention",
                                       .lock_timeout_ms = LOCK_TIMEOUT_MS,
                                       .read_only = read_only};
    return migrate_open(pg, &options, err);
}

bool retention_read(const char *conninfo, struct retention *retention, struct err *err)
{
    struct pg pg;
    if (!open_for_retention(&pg, conninfo, true, err))
        return false;
    bool ok = take(&pg, retention, err);
    pg_close(&pg);
    return ok;
}

static bool put(struct pg *pg, const struct retention *retention, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_int4(&args, (int32_t)retention->keep_days);
    pg_arg_int4(&args, (int32_t)retention->keep_sums_days);
    pg_arg_int4(&args, (int32_t)retention->days_per_day);
    PGresult *res =
        pg_query(pg,
                 "UPDATE spendlog.retention SET"
                 " keep_days = CASE WHEN $1 < 0 THEN keep_days ELSE nullif($1, 0) END,"
                 " keep_sums_days = CASE WHEN $2 < 0 THEN keep_sums_days ELSE nullif($2, 0) END,"
                 " days_per_day = CASE WHEN $3 < 0 THEN days_per_day ELSE $3 END,"
                 " set_by = session_user, set_at = now() AT TIME ZONE 'UTC'",
                 &args, err);
    pg_args_free(&args);
    PQclear(res);
    if (!res && strcmp(pg->constraint, "retention_sums_outlive_rows") == 0) {
        err_clear(err); /* in the server's words */
        return err_set(err, ERR_INPUT, "sums have to be kept as long as rows, at least");
    }
    return res != NULL;
}

bool retention_set(const char *conninfo, struct retention *retention, struct err *err)
{
    struct pg pg;
    if (!open_for_retention(&pg, conninfo, false, err))
        return false;
    bool ok = pg_command(&pg, "SET ROLE spendlog_owner", err) && put(&pg, retention, err) &&
              take(&pg, retention, err);
    pg_close(&pg);
    return ok;
}

static void days_compare(unsigned process_days, int64_t keep_days, char text[RETENTION_TEXT_MAX])
{
    if (process_days == keep_days)
        text[0] = '\0';
    else if (keep_days == 0)
        snprintf(text, RETENTION_TEXT_MAX,
                 "storage.retain_days is %u, but the database keeps rows for ever: nothing is"
                 " dropped until its owner says `spendlog retention set %u`",
                 process_days, process_days);
    else if (process_days == 0)
        snprintf(text, RETENTION_TEXT_MAX,
                 "storage.retain_days is 0 (for ever), the database keeps rows for %lld days: this"
                 " process drops none",
                 (long long)keep_days);
    else
        snprintf(text, RETENTION_TEXT_MAX,
                 "storage.retain_days is %u, the database keeps rows for %lld days: the longer of"
                 " the two holds for what this process drops",
                 process_days, (long long)keep_days);
}

bool retention_compare(struct pg *pg, unsigned process_days, char text[RETENTION_TEXT_MAX],
                       struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_time(&args, clock_now_us());
    PGresult *res = pg_query(pg,
                             "SELECT coalesce(keep_days, 0), coalesce(spendlog.clocks_differ("
                             "$1::timestamptz), '') FROM spendlog.retention",
                             &args, err);
    pg_args_free(&args);
    if (!res)
        return false;
    struct slice clocks = pg_text(res, 0, 1);
    if (clocks.bytes)
        snprintf(text, RETENTION_TEXT_MAX, SLICE_FMT ": no day is dropped meanwhile",
                 SLICE_ARG(clocks));
    else
        days_compare(process_days, pg_int(res, 0, 0), text);
    PQclear(res);
    return true;
}
