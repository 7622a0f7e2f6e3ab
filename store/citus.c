/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is particular to Citus is in citus.sql, which is said after the migrations, over what they
 * made: a database without the extension has nothing of it.
 */
#include "store/citus.h"

#include "core/embed.h"
#include "core/must.h"
#include "store/pg.h"

#define TRIES 3

bool citus_find(struct pg *pg, bool *there, struct err *err)
{
    PGresult *res = pg_query(pg, "SELECT FROM pg_extension WHERE extname = 'citus'", NULL, err);
    *there = res && PQntuples(res) > 0;
    PQclear(res);
    return res != NULL;
}

bool citus_begin(struct pg *pg, struct err *err)
{
    MUST(pg_outside(pg)); /* a setting of the session, not of a transaction */
    PGresult *res = pg_query(pg, "SELECT to_regclass('spendlog.stored_rows') IS NULL", NULL, err);
    bool empty = res && pg_int(res, 0, 0);
    PQclear(res);
    return res && (!empty || pg_command(pg, "SET citus.enable_ddl_propagation = off", err));
}

/* Workers are reached as the current role. */
static bool owner_may_log_in(struct pg *pg, struct err *err)
{
    return pg_command(pg,
                      "DO $$ BEGIN IF NOT (SELECT rolcanlogin FROM pg_roles"
                      " WHERE rolname = 'spendlog_owner') THEN"
                      " ALTER ROLE spendlog_owner LOGIN; END IF; END $$",
                      err) ||
           err_prefix(err, "Citus reaches its workers as spendlog_owner, which has to be a login "
                           "(ALTER ROLE spendlog_owner LOGIN)");
}

static bool spread(struct pg *pg, struct err *err)
{
    MUST(pg_outside(pg));
    MUST(embedded_citus[0].name && !embedded_citus[1].name); /* one file, said whole */
    if (pg_begin(pg, PG_WRITE, err) && pg_command(pg, embedded_citus[0].text, err) &&
        pg_command(pg, "COMMIT", err))
        return true;
    pg_rollback(pg);
    return false;
}

/* Citus's own daemon takes locks on the workers too. */
bool citus_spread(struct pg *pg, struct err *err)
{
    if (!owner_may_log_in(pg, err))
        return false;
    for (int i = 1; i < TRIES; i++) {
        struct err again = {0};
        if (spread(pg, &again))
            return true;
        if (again.kind != ERR_RETRY)
            return err_set(err, again.kind, "%s", again.text);
    }
    return spread(pg, err);
}
