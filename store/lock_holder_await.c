/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for rows that somebody keeps to himself, and saying who. */
#include "store/lock_holder.h"

#include <string.h>

/* A lock that is let go of at once: what is to be learnt is that it could be had. */
static bool rows_try(struct pg *pg, struct err *err)
{
    if (pg_begin(pg, PG_SNAPSHOT, err) && pg_command(pg, "SET LOCAL lock_timeout = 2000", err) &&
        pg_command(pg, "LOCK TABLE spendlog.spend_logs IN ACCESS SHARE MODE", err) &&
        pg_command(pg, "COMMIT", err))
        return true;
    pg_rollback(pg);
    return false;
}

bool lock_holder_await_rows(struct pg *pg, struct err *err)
{
    struct lock_holder holder = {0};
    while (!rows_try(pg, err)) {
        if (!pg->conn || strcmp(pg->sqlstate, "55P03") != 0)
            return false;
        lock_holder_blame(pg, err);
        lock_holder_tell(&holder, err);
        err_clear(err);
    }
    return true;
}
