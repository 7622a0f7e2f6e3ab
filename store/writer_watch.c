/* SPDX-License-Identifier: Apache-2.0 */
/* What is told to who watches the service: metrics and `spendlog status`. */
#include "store/writer_impl.h"

void writer_caches(const struct writer *w, struct writer_caches *caches)
{
    *caches = (struct writer_caches){
        .recent_keys = w->recent.generation[0].count + w->recent.generation[1].count,
        .calls = w->known.count[WORDS_CALL],
        .callers = w->known.count[WORDS_CALLER],
        .days = w->days.count,
    };
}

bool writer_database_state(struct writer *w, struct database_state *state, struct err *err)
{
    if (!w->pg.conn)
        return err_set(err, ERR_UNAVAILABLE, "not connected to PostgreSQL");
    PGresult *res =
        pg_query(&w->pg, "SELECT deltas, merged_age_us FROM spendlog.sums_state()", NULL, err);
    if (res)
        *state = (struct database_state){pg_int(res, 0, 0), pg_int(res, 0, 1)};
    PQclear(res);
    return res != NULL;
}
