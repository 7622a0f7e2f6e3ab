/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A day is copied in pieces into the lean form, then swapped in one transaction in which the
 * database compares both forms. The work is done by functions of the schema; this file is their
 * loop.
 */
#include "store/carry.h"

#include "core/clock.h"
#include "core/fault.h"
#include "core/must.h"
#include "store/citus.h"
#include "store/pg.h"

#include <stdio.h>

#define SWAP_TRIES_MAX 120 /* of half a second of lock_timeout each, and a pause */
#define SWAP_PAUSE_MS 200

/* A claim of a day lasts as long as its session: each day has one. */
static bool session_open(struct pg *pg, const char *conninfo, struct err *err)
{
    const struct pg_options options = {.conninfo = conninfo,
                                       .application_name = "spendlog migrate"};
    return pg_open(pg, &options, err) && pg_command(pg, "SET ROLE spendlog_owner", err);
}

static PGresult *of_day(struct pg *pg, const char *sql, const char *day, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_text(&args, slice_of(day));
    PGresult *res = pg_query(pg, sql, &args, err);
    pg_args_free(&args);
    return res;
}

static bool do_day(struct pg *pg, const char *sql, const char *day, int64_t *count, struct err *err)
{
    PGresult *res = of_day(pg, sql, day, err);
    if (res && count)
        *count = pg_int(res, 0, 0);
    PQclear(res);
    return res != NULL;
}

/* Somebody's query or batch may hold the table: the swap gives way and comes again. */
static bool swap(struct pg *pg, struct carried_day *day, struct err *err)
{
    char sql[128];
    MUST(pg_outside(pg), day->wide); /* what was filled is committed */
    snprintf(sql, sizeof(sql), "SELECT spendlog.carry_swap($1::text::date, %lld)",
             (long long)day->wide);
    for (int tries = 1; !do_day(pg, sql, day->day, &day->rows, err); tries++) {
        if (err->kind != ERR_RETRY || tries == SWAP_TRIES_MAX || !pg->conn)
            return false;
        err_clear(err);
        clock_sleep_ms(SWAP_PAUSE_MS);
    }
    return true;
}

static bool day_carry(struct pg *pg, struct carried_day *day, struct err *err)
{
    if (!do_day(pg, "SELECT spendlog.carry_words($1::text::date)", day->day, NULL, err))
        return false;
    fault_point("carry_words");
    if (!pg_begin(pg, PG_SNAPSHOT_WRITE, err) ||
        !do_day(pg, "SELECT spendlog.carry_fill($1::text::date)", day->day, &day->wide, err) ||
        !do_day(pg, "SELECT spendlog.shadow_index($1::text::date)", day->day, NULL, err) ||
        !pg_command(pg, "COMMIT", err))
        return false;
    fault_point("carry_filled");
    return pg_command(pg, "SELECT spendlog.older_snapshots_wait()", err) && swap(pg, day, err);
}

static bool day_run(const char *conninfo, struct carried_day *day, carry_fn *told, void *context,
                    struct err *err)
{
    struct pg pg = {0};
    bool ok = session_open(&pg, conninfo, err);
    PGresult *res =
        ok ? of_day(&pg, "SELECT holder FROM spendlog.days_claim(ARRAY[$1::text::date])", day->day,
                    err)
           : NULL;
    ok = res != NULL;
    if (ok && PQntuples(res) > 0)
        day->held = PQgetvalue(res, 0, 0);
    else
        ok = ok && day_carry(&pg, day, err);
    if (ok)
        told(day, context);
    PQclear(res);
    pg_close(&pg);
    return ok ? true : err_prefix(err, "%s", day->day);
}

/* A day's table is exchanged as a whole, which Citus does not do with the pieces of one. */
static bool days_are_here(struct pg *pg, struct err *err)
{
    bool citus;
    return citus_find(pg, &citus, err) &&
           (!citus ||
            err_set(err, ERR_CONFIG,
                    "%s: the rows lie on the workers of a Citus cluster: days of 0.1.0 stay "
                    "as they are (docs/citus.md)",
                    pg->place));
}

bool carry_run(const char *conninfo, carry_fn *told, void *context, struct err *err)
{
    struct pg pg = {0};
    bool ok = session_open(&pg, conninfo, err) && days_are_here(&pg, err);
    PGresult *res =
        ok ? pg_query(&pg,
                      "SELECT to_char(c.day, 'YYYY-MM-DD') FROM spendlog.carried_days c"
                      " JOIN spendlog.stored_days() s USING (day) WHERE c.carried_at IS NULL"
                      " ORDER BY c.day DESC",
                      NULL, err)
           : NULL;
    ok = res != NULL;
    for (int i = 0; ok && i < PQntuples(res); i++) {
        struct carried_day day = {.held = NULL};
        snprintf(day.day, sizeof(day.day), "%.10s", PQgetvalue(res, i, 0));
        ok = day_run(conninfo, &day, told, context, err);
    }
    PQclear(res);
    pg_close(&pg);
    return ok;
}
