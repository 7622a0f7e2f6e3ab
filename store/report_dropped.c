/* SPDX-License-Identifier: Apache-2.0 */
/* Who reads rows knows nothing of days that retention dropped, who reads sums nothing of those that
 * no sum has (docs/storage.md); dropped_partitions knows what both held. */
#include "store/report_impl.h"

#include <string.h>

/* $1 from sums, $2 to $5 begin and end of the period and of the one before. A day that the period
 * cuts counts as a whole. */
static const char sql_dropped[] =
    "SELECT coalesce(sum(d.gone) FILTER (WHERE d.is_now), 0)::bigint,"
    " trim_scale(sum(d.spend) FILTER (WHERE d.is_now))::text,"
    " min(d.day) FILTER (WHERE d.is_now)::text, max(d.day) FILTER (WHERE d.is_now)::text,"
    " coalesce(bool_or(d.is_before), false)::integer"
    " FROM (SELECT p.day, CASE WHEN NOT $1 OR p.rows_unsummed = p.rows THEN p.spend END AS spend, "
    "CASE WHEN $1 THEN p.rows_unsummed ELSE p.rows END AS gone,"
    " p.day + 1 > coalesce($2::timestamp, '-infinity') AND p.day < coalesce($3::timestamp,"
    " 'infinity') AS is_now, p.day + 1 > $4::timestamp AND p.day < $5::timestamp AS is_before"
    " FROM spendlog.dropped_partitions p) d WHERE d.gone > 0 AND (d.is_now OR d.is_before)";

static void text_keep(char *to, size_t size, struct slice text)
{
    size_t bytes = text.bytes < size ? text.bytes : size - 1;
    memcpy(to, text.p, bytes);
    to[bytes] = '\0';
}

bool report_dropped_ask(struct pg *pg, const struct report_period *period, bool summed,
                        struct report_dropped *dropped, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_bool(&args, summed);
    report_args_period(&args, period);
    PGresult *res = pg_query(pg, sql_dropped, &args, err);
    pg_args_free(&args);
    if (!res)
        return false;
    dropped->rows = pg_int(res, 0, 0);
    text_keep(dropped->spend, sizeof(dropped->spend), pg_text(res, 0, 1));
    text_keep(dropped->first, sizeof(dropped->first), pg_text(res, 0, 2));
    text_keep(dropped->last, sizeof(dropped->last), pg_text(res, 0, 3));
    dropped->before = pg_int(res, 0, 4) != 0;
    PQclear(res);
    return true;
}
