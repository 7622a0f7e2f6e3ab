/* SPDX-License-Identifier: Apache-2.0 */
/* What --last, --month and --tz mean is asked of the database: it knows the zones. */
#include "store/report_impl.h"

#include "core/clock.h"
#include "core/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* $1 the zone, $2 how many, $3 hour, day or month, $4 the month. A period that is under way is
 * compared with as much of the one before; now is the end of the quarter of an hour, as the sums
 * have it. Hours are hours, whatever clocks do meanwhile. */
static const char period_of_name[] =
    "SELECT since, CASE unit WHEN 'month' THEN until ELSE n.now END, before,"
    " CASE WHEN until <= n.now THEN since ELSE least(before + greatest(n.now - since, interval "
    "'0'), since) END"
    " FROM (SELECT date_bin('15 minutes', now() + interval '15 minutes' - interval '1 microsecond',"
    " timestamptz '2000-01-01 00:00+00') AT TIME ZONE 'UTC' AS now) n"
    " CROSS JOIN LATERAL (SELECT $3::text AS unit, CASE $3 WHEN 'month' THEN $4::text::timestamp"
    " ELSE date_trunc('day', now() AT TIME ZONE $1) - make_interval(days => $2::integer - 1) END"
    " AS at, CASE $3 WHEN 'month' THEN interval '1 month' ELSE make_interval(days => $2) END"
    " AS length) l"
    " CROSS JOIN LATERAL (SELECT spendlog.moment_of(l.at, $1) AS since,"
    " spendlog.moment_of(l.at + l.length, $1) AS until,"
    " spendlog.moment_of(l.at - l.length, $1) AS before WHERE $3 <> 'hour'"
    " UNION ALL SELECT n.now - h.length, n.now, n.now - 2 * h.length"
    " FROM make_interval(hours => $2) AS h (length) WHERE $3 = 'hour') p";

static bool last_parse(const char *text, int32_t *many, const char **unit)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (end == text || n < 1 || n > 3660 || !end[0] || end[1] || !strchr("hdw", *end))
        return false;
    *many = (int32_t)(*end == 'w' ? n * 7 : n);
    *unit = *end == 'h' ? "hour" : "day";
    return true;
}

/* "2026-10" */
static bool is_month(const char *text)
{
    return strlen(text) == 7 && strspn(text, "0123456789") == 4 && strncmp(text, "0000", 4) != 0 &&
           text[4] == '-' && strspn(text + 5, "0123456789") == 2 && strcmp(text + 5, "01") >= 0 &&
           strcmp(text + 5, "12") <= 0;
}

static bool period_ask(struct pg *pg, const struct report_options *options,
                       struct report_period *period, struct err *err)
{
    struct pg_args args;
    char month[16] = "";
    int32_t many = 1;
    const char *unit = "month";
    if (options->last && !last_parse(options->last, &many, &unit))
        return err_set(err, ERR_USAGE, "--last: \"%s\" is not a time as 24h, 7d or 4w",
                       options->last);
    if (options->month && !is_month(options->month))
        return err_set(err, ERR_USAGE, "--month: \"%s\" is not a month as 2026-10", options->month);
    if (options->month)
        snprintf(month, sizeof(month), "%s-01", options->month);
    pg_args_init(&args);
    pg_arg_text(&args, slice_of(options->zone));
    pg_arg_int4(&args, many);
    pg_arg_text(&args, slice_of(unit));
    pg_arg_text(&args, slice_of(month[0] ? month : "2000-01-01"));
    PGresult *res = pg_query(pg, period_of_name, &args, err);
    if (res)
        *period = (struct report_period){pg_time_us(res, 0, 0), pg_time_us(res, 0, 1),
                                         pg_time_us(res, 0, 2), pg_time_us(res, 0, 3)};
    pg_args_free(&args);
    PQclear(res);
    if (!res && pg->sqlstate[0] == '2') {
        err_clear(err);
        return err_set(err, ERR_USAGE, "--tz: \"%s\" is not a time zone", options->zone);
    }
    return res != NULL;
}

bool report_period_find(struct pg *pg, const struct report_options *options,
                        struct report_period *period, struct err *err)
{
    int64_t since = options->since_us, until = options->until_us;
    if (since >= until)
        return err_set(err, ERR_USAGE, "--since is not before --until");
    if (!period_ask(pg, options, period, err))
        return false;
    if (period->before_since_us >= period->before_until_us) /* a month to come */
        period->before_since_us = period->before_until_us = 0;
    if (options->last || options->month)
        return true;
    *period = (struct report_period){since, until, 0, 0};
    if (since != INT64_MIN && until != INT64_MAX && since - (until - since) > INT64_MIN / 2) {
        period->before_since_us = since - (until - since);
        period->before_until_us = since;
    }
    return true;
}

void report_args_period(struct pg_args *args, const struct report_period *p)
{
    MUST(p->since_us <= p->until_us && p->before_since_us <= p->before_until_us, p->since_us);
    pg_arg_time_open(args, p->since_us);
    pg_arg_time_open(args, p->until_us);
    pg_arg_time_open(args, p->before_until_us ? p->before_since_us : INT64_MIN);
    pg_arg_time_open(args, p->before_until_us ? p->before_until_us : INT64_MIN);
}
