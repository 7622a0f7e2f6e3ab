/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of core/drift.h once more, as a query over the rows: one line for each way of pricing
 * that is apart.
 */
#include "store/stored_drift.h"

#include "store/migrate.h"
#include "store/pg.h"

#include <stdio.h>

#define TOLD_MAX 100

/* The same rules as drift_of(). A gateway's 0 is not a figure; a way is told from its first silent
 * 0, else from `events` on. */
static const char query[] =
    "SELECT format('%s %s (%s): %s rows, %s of them 0 here; ours %s, the gateway''s %s USD',"
    "  provider, model, call_type, events, zeros, trim_scale(round(ours, 9)),"
    "  trim_scale(round(gateway, 9))), count(*) OVER ()"
    " FROM (SELECT coalesce(provider, '') AS provider, coalesce(model, '') AS model,"
    "   coalesce(call_type, '') AS call_type, count(*) AS events,"
    "   count(*) FILTER (WHERE spend = 0) AS zeros, sum(spend) AS ours, sum(gateway_cost) AS "
    "gateway"
    "  FROM spendlog.spend_logs"
    "  WHERE gateway_cost > 0 AND pricing_status IN ('priced', 'free')"
    "   AND pricing_reason NOT IN ('failure', 'cache_hit', 'management_call',"
    "    'batch_without_output')"
    "   AND abs(spend - gateway_cost) * 10000 > gateway_cost * $1::integer"
    "   AND ($3::timestamp IS NULL OR start_time >= $3)"
    "   AND ($4::timestamp IS NULL OR start_time < $4)"
    "  GROUP BY 1, 2, 3) w"
    " WHERE zeros > 0 OR events >= $2::bigint"
    " ORDER BY abs(ours - gateway) DESC, 1 LIMIT $5::integer";

bool drift_stored(const char *conninfo, const struct config_drift *limits, int64_t since_us,
                  int64_t until_us, void (*each)(const char *text, void *context), void *context,
                  struct err *err)
{
    const struct pg_options options = {.conninfo = conninfo, .application_name = "spendlog drift"};
    struct pg pg = {0};
    struct pg_args args;
    char text[1024];
    if (limits->events == 0)
        return true;
    if (!migrate_open(&pg, &options, err))
        return false;
    pg_args_init(&args);
    pg_arg_int4(&args, (int32_t)limits->tolerance);
    pg_arg_int8(&args, limits->events);
    pg_arg_time_open(&args, since_us);
    pg_arg_time_open(&args, until_us);
    pg_arg_int4(&args, TOLD_MAX);
    PGresult *res = pg_query(&pg, query, &args, err);
    for (int i = 0; res && i < PQntuples(res); i++) {
        snprintf(text, sizeof(text), SLICE_FMT, SLICE_ARG(pg_text(res, i, 0)));
        each(text, context);
    }
    int64_t more = res && PQntuples(res) == TOLD_MAX ? pg_int(res, 0, 1) - TOLD_MAX : 0;
    if (more > 0) {
        snprintf(text, sizeof(text), "and %lld more that differ by less", (long long)more);
        each(text, context);
    }
    PQclear(res);
    pg_args_free(&args);
    pg_close(&pg);
    return res != NULL;
}
