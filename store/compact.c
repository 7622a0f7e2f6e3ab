/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spendlog.sums_compact() merges in the database; this file calls it until there is nothing left to
 * take.
 */
#include "store/compact.h"

#include "store/migrate.h"
#include "store/pg.h"

#define AT_ONCE "200000" /* the more, the fewer lines are merged twice */

static bool open_for(struct pg *pg, const char *conninfo, struct err *err)
{
    const struct pg_options options = {.conninfo = conninfo,
                                       .application_name = "spendlog compact"};
    return migrate_open(pg, &options, err);
}

bool compact_status(const char *conninfo, struct compact_status *status, struct err *err)
{
    struct pg pg;
    if (!open_for(&pg, conninfo, err))
        return false;
    PGresult *res = pg_query(
        &pg, "SELECT deltas, merged_lines::bigint, days_due FROM spendlog.sums_status", NULL, err);
    if (res)
        *status = (struct compact_status){pg_int(res, 0, 0), pg_int(res, 0, 1), pg_int(res, 0, 2)};
    PQclear(res);
    pg_close(&pg);
    return res != NULL;
}

/* *more: there may be something left. */
static bool pass(struct pg *pg, int64_t *taken, int64_t *made, bool *more, struct err *err)
{
    PGresult *res = pg_query(pg,
                             "SELECT taken, made, merged IS NOT NULL OR taken = " AT_ONCE
                             " FROM spendlog.sums_compact(" AT_ONCE ")",
                             NULL, err);
    if (!res)
        return false;
    bool alone = !pg_null(res, 0, 0);
    if (alone) {
        *taken += pg_int(res, 0, 0);
        *made += pg_int(res, 0, 1);
        *more = pg_int(res, 0, 2) != 0;
    }
    PQclear(res);
    return alone ? true : err_set(err, ERR_RETRY, "another session merges the sums");
}

bool compact_run(const char *conninfo, int64_t *taken, int64_t *made, struct err *err)
{
    struct pg pg;
    bool more = true, ok = true;
    *taken = *made = 0;
    if (!open_for(&pg, conninfo, err))
        return false;
    while (ok && more)
        ok = pass(&pg, taken, made, &more, err);
    pg_close(&pg);
    return ok;
}
