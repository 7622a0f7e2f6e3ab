/* SPDX-License-Identifier: Apache-2.0 */
/* One statement gives groups, the others and the total, of the period and of the one before, in one
 * snapshot. */
#include "store/report_impl.h"

#include "store/lock_holder.h"
#include "store/migrate.h"
#include "store/pg.h"

#include <stdlib.h>
#include <string.h>

/* What may stand after --by, and what it is in SQL, of a line of the sums (summed) or of a row. $1
 * is the zone. A call with two tags counts under both. */
static const struct {
    const char *name, *sql;
    bool summed;
} dimension[] = {
    {"model", "coalesce(s.model, '')", true},
    {"group", "coalesce(s.model_group, '')", true},
    {"provider", "coalesce(s.provider, '')", true},
    {"team", "coalesce(nullif(s.team_alias, ''), s.team_id, '')", true},
    {"user", "coalesce(s.user_id, '')", true},
    {"key", "coalesce(nullif(s.api_key_alias, ''), s.api_key, '')", true},
    {"org", "coalesce(s.organization_id, '')", true},
    {"end_user", "coalesce(s.end_user, '')", false},
    {"tag", "coalesce(t.tag, '')", true},
    {"day", "to_char(s.at AT TIME ZONE 'UTC' AT TIME ZONE $1, 'YYYY-MM-DD')", true},
    {"hour", "to_char(s.at AT TIME ZONE 'UTC' AT TIME ZONE $1, 'YYYY-MM-DD HH24:00')", true},
    {"month", "to_char(s.at AT TIME ZONE 'UTC' AT TIME ZONE $1, 'YYYY-MM')", true},
    {"call_type", "coalesce(s.call_type, '')", true},
    {"status", "coalesce(s.pricing_status, '')", true},
    {"reason", "coalesce(s.pricing_reason, '')", true},
    {"mapping", "coalesce(s.mapping, '')", false},
    {"meter", "CASE s.kind WHEN 'row' THEN coalesce(i.unit, '') ELSE 'correction' END", false},
};

#define DIMENSIONS (sizeof(dimension) / sizeof(dimension[0]))
#define SQL_MAX 16384
#define SUMS 11 /* of struct report_sums */
#define QUARTER_US INT64_C(900000000)

const char *const *report_dimensions(void)
{
    static const char *names[DIMENSIONS + 1];
    for (size_t i = 0; i < DIMENSIONS; i++)
        names[i] = dimension[i].name;
    return names;
}

static bool unknown_dimension(const char *name, struct err *err)
{
    struct buf known;
    buf_init(&known, SQL_MAX);
    for (size_t i = 0; i < DIMENSIONS; i++)
        buf_printf(&known, "%s%s", i ? ", " : "", dimension[i].name);
    err_set(err, ERR_USAGE, "--by: \"%.64s\" is not one of " SLICE_FMT, name,
            SLICE_ARG(buf_slice(&known)));
    buf_free(&known);
    return false;
}

static bool dimensions_find(const struct report_options *options, size_t found[REPORT_KEYS_MAX],
                            struct report_answer *answer, struct err *err)
{
    answer->keys = options->by_count;
    answer->summed = true;
    for (size_t k = 0; k < options->by_count; k++) {
        size_t i = 0;
        while (i < DIMENSIONS && strcmp(dimension[i].name, options->by[k]) != 0)
            i++;
        if (i == DIMENSIONS)
            return unknown_dimension(options->by[k], err);
        for (size_t before = 0; before < k; before++)
            if (found[before] == i)
                return err_set(err, ERR_USAGE, "--by: \"%s\" is named twice", dimension[i].name);
        found[k] = i;
        answer->summed &= dimension[i].summed;
        answer->overlaps |= strcmp(dimension[i].name, "tag") == 0;
        answer->metered |= strcmp(dimension[i].name, "meter") == 0;
    }
    return true;
}

bool report_names_known(const struct report_options *options, struct err *err)
{
    size_t found[REPORT_KEYS_MAX];
    struct report_answer unused = {0};
    return dimensions_find(options, found, &unused, err);
}

static bool on_quarters(const struct report_period *p)
{
    return (p->since_us == INT64_MIN || p->since_us % QUARTER_US == 0) &&
           (p->until_us == INT64_MAX || p->until_us % QUARTER_US == 0) &&
           p->before_since_us % QUARTER_US == 0 && p->before_until_us % QUARTER_US == 0;
}

/* --- the statement */

/* Whole days are read from what is merged per day, those in which a period begins or ends by
 * quarters of an hour; where days of a zone are asked for, all of them are. */
static void sql_add_summed(struct buf *sql, bool days)
{
    static const char lines[] =
        "SELECT l.provider, l.model, l.model_group, l.call_type, l.pricing_status, l.api_key, "
        "l.api_key_alias, l.user_id, l.team_id, l.team_alias, l.organization_id, l.request_tags, "
        "l.pricing_reason,"
        " l.day + make_interval(mins => 15 * coalesce(l.slot, 0)) AS at,"
        " CASE l.level WHEN 'doubt' THEN l.calls END AS doubtful,"
        " CASE WHEN l.level = 'all' AND l.pricing_status = 'unpriced' THEN l.calls END AS unpriced,"
        " CASE WHEN l.level = 'all' AND l.spent <> 0 THEN l.calls END AS priced,"
        " a.* FROM spendlog.spend_sums l LEFT JOIN LATERAL (SELECT l.entries, l.calls, l.spent, "
        "l.spend, l.gateway_calls, l.gateway_cost, l.input_tokens, l.output_tokens) a ON l.level = "
        "'all'"
        " WHERE l.level IN ('all', 'doubt') AND l.day >= coalesce(least($2::timestamp, "
        "$4::timestamp)::date, '-infinity')"
        " AND l.day <= coalesce($3::timestamp::date, 'infinity') AND l.grain =";
    static const char edges[] =
        "(coalesce((SELECT array_agg(t::date) FROM unnest(ARRAY[$2::timestamp, $3, $4, $5]) t"
        " WHERE isfinite(t) AND t <> date_trunc('day', t)), '{}'))";
    buf_printf(sql, "%s 'delta' UNION ALL %s 'slot'", lines, lines);
    if (days)
        buf_printf(sql, " AND l.day = ANY %s UNION ALL %s 'day' AND l.day <> ALL %s", edges, lines,
                   edges);
}

/* Lines s of what is summed: at, figures as counts and sums. $2 to $5: begin and end of the period
 * and of the one before, of which each may be NULL. */
static void sql_add_lines(struct buf *sql, const struct report_answer *answer, bool days)
{
    if (answer->summed) {
        buf_add_text(sql, "SELECT * FROM (");
        sql_add_summed(sql, days);
    } else {
        buf_add_text(
            sql,
            "SELECT *, 1 AS entries, CASE WHEN spend IS NOT NULL THEN way END AS spent, CASE WHEN "
            "spend IS NOT NULL THEN calls END AS priced, CASE WHEN gateway_cost IS NOT NULL THEN "
            "way END AS gateway_calls, CASE WHEN pricing_status = "
            "'unpriced' AND calls <> 0 "
            "THEN calls END AS unpriced FROM (SELECT e.*, e.start_time AS at, CASE e.calls WHEN 0 "
            "THEN 1 ELSE e.calls END AS way, CASE WHEN e.kind = "
            "'row' AND d.identity IS NOT NULL THEN e.calls END AS doubtful "
            "FROM spendlog.spend_entries e LEFT JOIN "
            "(SELECT r.start_time, r.identity FROM spendlog.doubtful_rows r WHERE r.start_time >= "
            "coalesce(least($2::timestamp, $4::timestamp), '-infinity') AND r.start_time < "
            "coalesce($3::timestamp, 'infinity')) d ON d.start_time = e.start_time AND d.identity "
            "= e.identity"
            " WHERE e.start_time >= coalesce(least($2::timestamp, $4::timestamp), '-infinity')"
            " AND e.start_time < coalesce($3::timestamp, 'infinity')");
    }
    buf_add_text(
        sql,
        ") l WHERE (at >= coalesce($2::timestamp, '-infinity') AND at < coalesce($3::timestamp,"
        " 'infinity') OR at >= $4::timestamp AND at < $5::timestamp)");
}

/* The figures f of a line s: its own, or those of each item i that its charge is made of, as often
 * as it is a call: of a row set aside once less. What an item is not told of, as the gateway's
 * figure, is none. */
static const char sql_of_line[] =
    " CROSS JOIN LATERAL (SELECT s.calls, s.unpriced, s.priced, s.doubtful, "
    "s.input_tokens::numeric, "
    "s.output_tokens::numeric, s.spend, s.spent, s.gateway_cost, s.gateway_calls, NULL::numeric AS "
    "quantity) f";
static const char sql_of_items[] =
    " LEFT JOIN LATERAL spendlog.items_of(s.items, s.pricing_status, s.calls * s.spend, s.calls * "
    "s.input_cost, s.calls * s.output_cost, s.calls * s.other_cost, s.calls * s.input_tokens, "
    "s.calls * s.output_tokens, s.calls * s.cache_read_tokens, s.calls * s.cache_write_tokens, "
    "s.calls * s.reasoning_tokens) i ON s.kind = 'row'"
    " CROSS JOIN LATERAL (SELECT CASE WHEN i.unit IS NULL THEN s.spend ELSE s.calls * i.amount END "
    "AS spend, s.calls * i.quantity AS quantity) p"
    " CROSS JOIN LATERAL (SELECT s.calls, s.unpriced, s.priced, s.doubtful, CASE WHEN i.side = "
    "'input' AND "
    "i.unit LIKE '%\\_tokens' THEN p.quantity END AS input_tokens, CASE WHEN i.side = 'output' AND "
    "i.unit LIKE '%\\_tokens' THEN p.quantity END AS output_tokens, p.spend, s.spent, "
    "NULL::numeric AS gateway_cost, 0 AS gateway_calls, p.quantity) f";

/* Sums over figures f of lines s by is_now. Where all that had a price is set aside, and what is
 * left has none, nothing is known: that is not 0. */
static const char sql_sums[] =
    "coalesce(sum(f.calls) FILTER (WHERE s.is_now), 0)::numeric AS calls,"
    " coalesce(sum(f.unpriced) FILTER (WHERE s.is_now), 0)::numeric AS unpriced,"
    " coalesce(sum(f.input_tokens) FILTER (WHERE s.is_now), 0)::numeric AS input,"
    " coalesce(sum(f.output_tokens) FILTER (WHERE s.is_now), 0)::numeric AS output,"
    " CASE WHEN sum(f.spent) FILTER (WHERE s.is_now) <> 0 AND (sum(f.priced) FILTER (WHERE "
    "s.is_now) <> 0 OR sum(f.spend) FILTER (WHERE s.is_now) <> 0) THEN sum(f.spend) FILTER (WHERE "
    "s.is_now) END AS spend,"
    " CASE WHEN sum(f.gateway_calls) FILTER (WHERE s.is_now) <> 0 THEN"
    " round(sum(f.gateway_cost) FILTER (WHERE s.is_now), 18) END AS gateway,"
    " sum(f.spend) FILTER (WHERE NOT s.is_now) AS before,"
    " coalesce(sum(f.doubtful) FILTER (WHERE s.is_now), 0)::numeric AS doubtful,"
    " sum(f.quantity) FILTER (WHERE s.is_now) AS quantity";

static const char sql_figures[] =
    ", trim_scale(calls)::text, trim_scale(unpriced)::text, trim_scale(input)::text, "
    "trim_scale(output)::text,"
    " trim_scale(spend)::text, trim_scale(gateway)::text,"
    " round(100 * spend / (SELECT spend FROM whole WHERE spend > 0), 1)::text,"
    " trim_scale(before)::text,"
    " round(100 * (coalesce(spend, 0) - before) / nullif(abs(before), 0), 1)::text,"
    " trim_scale(doubtful)::text, trim_scale(quantity)::text";

static void sql_add_keys(struct buf *sql, size_t keys, const char *before, const char *prefix)
{
    for (size_t k = 0; k < keys; k++)
        buf_printf(sql, "%s%s%zu", k ? ", " : before, prefix, k);
}

static void sql_add_groups(struct buf *sql, const struct report_answer *answer,
                           const size_t found[REPORT_KEYS_MAX])
{
    buf_add_text(sql, ", groups AS (SELECT ");
    for (size_t k = 0; k < answer->keys; k++)
        buf_printf(sql, "%s AS k%zu, ", dimension[found[k]].sql, k);
    buf_printf(sql, "%s FROM marked s%s%s GROUP BY ", sql_sums,
               answer->overlaps
                   ? " LEFT JOIN LATERAL spendlog.tags_of(s.request_tags) AS t (tag) ON true"
                   : "",
               answer->metered ? sql_of_items : sql_of_line);
    for (size_t k = 0; k < answer->keys; k++)
        buf_printf(sql, "%s%zu", k ? ", " : "", k + 1);
    buf_printf(
        sql,
        " HAVING coalesce(sum(s.entries) FILTER (WHERE s.is_now), 0) <> 0%s), placed AS (SELECT *,"
        " row_number() OVER (ORDER BY spend DESC NULLS LAST",
        answer->gone ? " OR coalesce(sum(s.spend) FILTER (WHERE NOT s.is_now), 0) <> 0" : "");
    sql_add_keys(sql, answer->keys, ", ", "k");
    buf_add_text(sql, ") AS place FROM groups)");
}

static void sql_build(struct buf *sql, const struct report_answer *answer, bool days,
                      const size_t found[REPORT_KEYS_MAX], int64_t limit)
{
    char kept[64] = "";
    MUST(answer->keys > 0 && answer->keys <= REPORT_KEYS_MAX, answer->keys);
    MUST(!(answer->summed && answer->metered)); /* no sum tells meters apart */
    if (limit > 0)
        snprintf(kept, sizeof(kept), " WHERE place <= %lld", (long long)limit);
    buf_add_text(
        sql,
        "WITH marked AS MATERIALIZED (SELECT s.*, s.at >= coalesce($2::timestamp, '-infinity') AND"
        " s.at < coalesce($3::timestamp, 'infinity') AS is_now FROM (");
    sql_add_lines(sql, answer, days);
    buf_printf(sql, ") s WHERE $1::text IS NOT NULL), whole AS (SELECT %s FROM marked s%s)",
               sql_sums, sql_of_line);
    sql_add_groups(sql, answer, found);
    buf_add_text(sql, " SELECT 0 AS kind, 1::bigint AS groups, place");
    sql_add_keys(sql, answer->keys, ", ", "k");
    buf_printf(sql, "%s FROM placed%s", sql_figures, kept);
    if (limit > 0) { /* the others count seconds and tokens: no sum of them is a quantity */
        buf_add_text(sql, " UNION ALL SELECT 1, groups, 0");
        for (size_t k = 0; k < answer->keys; k++)
            buf_add_text(sql, ", ''");
        buf_printf(sql,
                   "%s FROM (SELECT count(*) AS groups, sum(calls) AS calls, sum(unpriced) AS "
                   "unpriced, sum(input) AS"
                   " input, sum(output) AS output, sum(spend) AS spend, sum(gateway) AS gateway, "
                   "sum(before) AS before, sum(doubtful) AS doubtful, NULL::numeric AS quantity"
                   " FROM placed WHERE place > %lld) o WHERE groups > 0",
                   sql_figures, (long long)limit);
    }
    buf_add_text(sql, " UNION ALL SELECT 2, (SELECT count(*) FROM placed), 0");
    for (size_t k = 0; k < answer->keys; k++)
        buf_add_text(sql, ", ''");
    buf_printf(sql, "%s FROM whole ORDER BY 1, 3", sql_figures);
    buf_add_char(sql, '\0');
}

/* --- asking */

/* Hours are in no line of a day. */
static bool of_hours(const struct report_answer *answer, const size_t found[REPORT_KEYS_MAX])
{
    for (size_t k = 0; k < answer->keys; k++)
        if (strcmp(dimension[found[k]].name, "hour") == 0)
            return true;
    return false;
}

/* Days or months are asked for. */
static bool of_days(const struct report_answer *answer, const size_t found[REPORT_KEYS_MAX])
{
    for (size_t k = 0; k < answer->keys; k++)
        if (strstr(dimension[found[k]].sql, "s.at"))
            return true;
    return false;
}

static bool rows_ask(struct pg *pg, const struct report_options *options,
                     const size_t found[REPORT_KEYS_MAX], struct report_answer *answer,
                     struct err *err)
{
    struct pg_args args;
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    bool days =
        (strcmp(options->zone, "UTC") == 0 || !of_days(answer, found)) && !of_hours(answer, found);
    sql_build(&sql, answer, days, found, options->limit);
    pg_args_init(&args);
    pg_arg_text(&args, slice_of(options->zone));
    report_args_period(&args, &answer->period);
    if (!buf_ok(&sql))
        err_set(err, ERR_FATAL, "report: query too long");
    else
        answer->rows = pg_query(pg, sql.p, &args, err);
    buf_free(&sql);
    pg_args_free(&args);
    return answer->rows != NULL;
}

/* Quarters of an hour of the sums, else the rows. */
static bool doubtful_ask(struct pg *pg, struct report_answer *answer, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_time_open(&args, answer->period.since_us);
    pg_arg_time_open(&args, answer->period.until_us);
    answer->doubtful = pg_query(
        pg,
        on_quarters(&answer->period)
            ? "SELECT coalesce(sum(calls), 0)::text, trim_scale(coalesce(sum(CASE "
              "pricing_status WHEN 'unpriced' THEN"
              " gateway_cost ELSE spend END), 0))::text FROM spendlog.spend_sums WHERE "
              "level = 'doubt' AND grain IN"
              " ('delta', 'slot') AND day >= coalesce($1::timestamp, '-infinity')::date"
              " AND day <= coalesce($2::timestamp, 'infinity')::date"
              " AND day + make_interval(mins => 15 * slot) >= coalesce($1::timestamp, '-infinity')"
              " AND day + make_interval(mins => 15 * slot) < coalesce($2::timestamp, 'infinity')"
            : "SELECT count(*)::text, trim_scale(coalesce(sum(at_stake), 0))::text FROM "
              "spendlog.doubtful_rows WHERE"
              " start_time >= coalesce($1::timestamp, '-infinity') AND start_time < "
              "coalesce($2::timestamp, 'infinity')",
        &args, err);
    pg_args_free(&args);
    return answer->doubtful != NULL;
}

bool report_open(struct pg *pg, const char *conninfo, struct err *err)
{
    const struct pg_options options = {
        .conninfo = conninfo, .application_name = "spendlog report", .read_only = true};
    if (!migrate_open(pg, &options, err))
        return false;
    if (pg_command(pg, "SET jit = off", err) && lock_holder_await_rows(pg, err))
        return true;
    pg_close(pg);
    return false;
}

/* Of a period before that is not there as a whole there is no change to be told. */
static bool dropped_ask(struct pg *pg, struct report_answer *answer, struct err *err)
{
    answer->summed &= on_quarters(&answer->period);
    if (!report_dropped_ask(pg, &answer->period, answer->summed, &answer->dropped, err))
        return false;
    if (answer->dropped.before)
        answer->period.before_since_us = answer->period.before_until_us = 0;
    return true;
}

bool report_ask(struct pg *pg, const struct report_options *options, struct report_answer **out,
                struct err *err)
{
    size_t found[REPORT_KEYS_MAX];
    struct report_answer *answer = calloc(1, sizeof(*answer));
    if (!answer)
        return err_set(err, ERR_FATAL, "out of memory");
    answer->gone = options->gone;
    bool ok = dimensions_find(options, found, answer, err) &&
              report_period_find(pg, options, &answer->period, err) &&
              dropped_ask(pg, answer, err) && rows_ask(pg, options, found, answer, err) &&
              doubtful_ask(pg, answer, err);
    if (ok)
        *out = answer;
    else
        report_free(answer);
    return ok;
}

bool report_run(const char *conninfo, const struct report_options *options,
                struct report_answer **out, struct err *err)
{
    struct pg pg = {0};
    if (!report_names_known(options, err) || !report_open(&pg, conninfo, err))
        return false;
    bool ok = pg_begin(&pg, PG_SNAPSHOT, err) && report_ask(&pg, options, out, err);
    pg_close(&pg);
    return ok;
}

void report_free(struct report_answer *answer)
{
    if (!answer)
        return;
    PQclear(answer->rows);
    PQclear(answer->doubtful);
    free(answer);
}

/* --- the answer */

size_t report_rows(const struct report_answer *answer)
{
    return (size_t)PQntuples(answer->rows);
}

struct report_row report_row(const struct report_answer *answer, size_t number)
{
    const PGresult *res = answer->rows;
    int i = (int)number, at = 3 + (int)answer->keys;
    struct report_row row = {.groups = pg_int(res, i, 1)};
    row.kind = (int)pg_int(res, i, 0);
    for (size_t k = 0; k < answer->keys; k++)
        row.key[k] = pg_text(res, i, 3 + (int)k);
    struct slice text[SUMS];
    for (int s = 0; s < SUMS; s++)
        text[s] = pg_text(res, i, at + s);
    row.sums = (struct report_sums){text[0], text[1], text[2], text[3], text[4], text[5],
                                    text[6], text[7], text[8], text[9], text[10]};
    return row;
}

struct report_period report_period(const struct report_answer *answer)
{
    return answer->period;
}

bool report_overlaps(const struct report_answer *answer)
{
    return answer->overlaps;
}

struct report_dropped report_dropped(const struct report_answer *answer)
{
    return answer->dropped;
}

bool report_metered(const struct report_answer *answer)
{
    return answer->metered;
}

struct slice report_doubtful_calls(const struct report_answer *answer)
{
    return pg_text(answer->doubtful, 0, 0);
}

struct slice report_doubtful_at_stake(const struct report_answer *answer)
{
    return pg_text(answer->doubtful, 0, 1);
}
