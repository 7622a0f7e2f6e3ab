/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog.names_step() works in the database; this file calls it. */
#include "store/names.h"

#include "store/migrate.h"
#include "store/pg.h"

static bool step(struct pg *pg, bool *more, struct err *err)
{
    PGresult *res = pg_query(pg, "SELECT spendlog.names_step() IS NOT NULL", NULL, err);
    *more = res && pg_int(res, 0, 0) != 0;
    PQclear(res);
    return res != NULL;
}

bool names_make(const char *conninfo, const atomic_bool *stop, int64_t *steps, struct err *err)
{
    const struct pg_options options = {.conninfo = conninfo, .application_name = "spendlog names"};
    struct pg pg;
    bool more = true, ok = true;
    *steps = 0;
    if (!migrate_open(&pg, &options, err))
        return false;
    while (ok && more && !(stop && atomic_load(stop))) {
        ok = step(&pg, &more, err);
        *steps += more;
    }
    pg_close(&pg);
    return ok;
}
