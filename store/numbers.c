/* SPDX-License-Identifier: Apache-2.0 */
/* A logical standby that was promoted, a backup restored in parts: its sequences are behind. */
#include "store/numbers.h"

#include "core/log.h"
#include "core/must.h"

bool numbers_forward(struct pg *pg, struct err *err)
{
    MUST(pg_outside(pg)); /* it locks, and is to be over at once */
    PGresult *res = pg_query(pg, "SELECT spendlog.sequences_forward()", NULL, err);
    if (!res)
        return false;
    int64_t moved = pg_int(res, 0, 0);
    PQclear(res);
    MUST(moved >= 0, moved);
    if (moved)
        log_warn("%lld sequences were behind the numbers in use and were set forward",
                 (long long)moved);
    return true;
}
