/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The query is put together from the rows of a table of dimensions; values go in as parameters.
 * Each group comes with the totals, so that what --limit leaves out can be told.
 */
#include "store/report.h"

#include "store/lock_holder.h"
#include "store/migrate.h"
#include "store/pg.h"

#include <stdio.h>
#include <string.h>

/* What may stand after --by, and what it is in SQL. A call with two tags counts under both. */
static const struct {
    const char *name, *sql;
} dimension[] = {
    {"model", "coalesce(model, '')"},
    {"group", "coalesce(model_group, '')"},
    {"provider", "coalesce(provider, '')"},
    {"team", "coalesce(nullif(team_alias, ''), team_id)"},
    {"user", "user_id"},
    {"key", "coalesce(nullif(api_key_alias, ''), api_key)"},
    {"org", "organization_id"},
    {"end_user", "end_user"},
    {"tag", "tag"},
    {"day", "to_char(day, 'YYYY-MM-DD')"},
    {"month", "to_char(day, 'YYYY-MM')"},
    {"call_type", "coalesce(call_type, '')"},
    {"status", "pricing_status"},
    {"reason", "pricing_reason"},
    {"mapping", "mapping"},
};

#define DIMENSIONS (sizeof(dimension) / sizeof(dimension[0]))
#define SQL_MAX 8192
#define SUMS 6 /* of struct report_sums */

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

static bool sql_add_keys(struct buf *sql, const struct report_options *options, bool *tags,
                         struct err *err)
{
    for (size_t k = 0; k < options->by_count; k++) {
        size_t i = 0;
        while (i < DIMENSIONS && strcmp(dimension[i].name, options->by[k]) != 0)
            i++;
        if (i == DIMENSIONS)
            return unknown_dimension(options->by[k], err);
        buf_printf(sql, "%s AS k%zu, ", dimension[i].sql, k);
        *tags |= strcmp(dimension[i].name, "tag") == 0;
    }
    return true;
}

static void sql_add_time(struct buf *sql, struct pg_args *args, const char *operator, int64_t us)
{
    pg_arg_time(args, us);
    buf_printf(sql, " AND start_time %s $%d", operator, args->count);
}

/* The groups as texts, each with the total of all groups that are left by the limit. */
static void sql_add_outside(struct buf *sql, const struct report_options *options)
{
    static const char *const sum[] = {"calls", "unpriced", "input", "output", "spend", "gateway"};
    buf_add_text(sql, "SELECT ");
    for (size_t k = 0; k < options->by_count; k++)
        buf_printf(sql, "k%zu, ", k);
    for (size_t i = 0; i < SUMS; i++)
        buf_printf(sql, "trim_scale(%s)::text, ", sum[i]);
    for (size_t i = 0; i < SUMS; i++)
        buf_printf(sql, "trim_scale(coalesce(sum(%s) OVER (), 0))::text%s", sum[i],
                   i + 1 < SUMS ? ", " : " FROM (SELECT *, row_number() OVER () AS place FROM (");
    buf_add_text(sql, "SELECT ");
}

static bool sql_build(struct buf *sql, struct pg_args *args, const struct report_options *options,
                      struct err *err)
{
    bool tags = false;
    sql_add_outside(sql, options);
    if (!sql_add_keys(sql, options, &tags, err))
        return false;
    buf_add_text(sql, "sum(calls)::numeric AS calls, count(*) FILTER (WHERE"
                      " pricing_status = 'unpriced' AND calls > 0)::numeric AS unpriced,"
                      " coalesce(sum(input_tokens), 0) AS input,"
                      " coalesce(sum(output_tokens), 0) AS output, sum(spend) AS spend,"
                      " round(sum(gateway_cost), 18) AS gateway FROM spendlog.spend_entries");
    if (tags)
        buf_add_text(sql, " LEFT JOIN LATERAL unnest(request_tags) AS tag ON true");
    buf_add_text(sql, " WHERE true");
    if (options->since_us != INT64_MIN)
        sql_add_time(sql, args, ">=", options->since_us);
    if (options->until_us != INT64_MAX)
        sql_add_time(sql, args, "<", options->until_us);
    buf_add_text(sql, " GROUP BY ");
    for (size_t k = 0; k < options->by_count; k++)
        buf_printf(sql, "%s%zu", k ? ", " : "", k + 1);
    buf_printf(sql, " ORDER BY %zu DESC NULLS LAST", options->by_count + 5);
    for (size_t k = 0; k < options->by_count; k++)
        buf_printf(sql, ", %zu", k + 1);
    if (options->limit > 0)
        buf_printf(sql, " LIMIT %lld", (long long)options->limit);
    buf_add_text(sql, ") g) t ORDER BY place");
    return buf_ok(sql) ? true : err_set(err, ERR_FATAL, "report: query too long");
}

static struct report_sums sums_at(const PGresult *res, int row, int column)
{
    return (struct report_sums){
        .calls = pg_text(res, row, column),
        .unpriced = pg_text(res, row, column + 1),
        .input_tokens = pg_text(res, row, column + 2),
        .output_tokens = pg_text(res, row, column + 3),
        .spend = pg_text(res, row, column + 4),
        .gateway_cost = pg_text(res, row, column + 5),
    };
}

static void rows_give(const PGresult *res, size_t keys, report_fn *on_row, void *context)
{
    for (int i = 0; i < PQntuples(res); i++) {
        struct report_row row = {.sums = sums_at(res, i, (int)keys),
                                 .total = sums_at(res, i, (int)keys + SUMS)};
        for (size_t k = 0; k < keys; k++)
            row.key[k] = pg_text(res, i, (int)k);
        on_row(&row, context);
    }
}

bool report_run(const char *conninfo, const struct report_options *options, report_fn *on_row,
                void *context, struct err *err)
{
    struct pg pg = {0};
    struct pg_options pg_options = {
        .conninfo = conninfo, .application_name = "spendlog report", .read_only = true};
    struct pg_args args;
    struct buf sql;
    bool ok = false;

    if (options->since_us >= options->until_us)
        return err_set(err, ERR_USAGE, "--since is not before --until");
    pg_args_init(&args);
    buf_init(&sql, SQL_MAX);
    if (sql_build(&sql, &args, options, err) && migrate_open(&pg, &pg_options, err)) {
        buf_add_char(&sql, '\0');
        PGresult *res = lock_holder_await_rows(&pg, err) ? pg_query(&pg, sql.p, &args, err) : NULL;
        if (res)
            rows_give(res, options->by_count, on_row, context);
        ok = res != NULL;
        PQclear(res);
        pg_close(&pg);
    }
    buf_free(&sql);
    pg_args_free(&args);
    return ok;
}

static void text_copy(char *to, size_t capacity, struct slice from)
{
    snprintf(to, capacity, SLICE_FMT, SLICE_ARG(from));
}

bool report_doubtful(const char *conninfo, const struct report_options *options,
                     struct report_doubt *doubt, struct err *err)
{
    struct pg pg = {0};
    struct pg_options pg_options = {
        .conninfo = conninfo, .application_name = "spendlog report", .read_only = true};
    struct pg_args args;
    struct buf sql;
    if (!migrate_open(&pg, &pg_options, err))
        return false;
    pg_args_init(&args);
    buf_init(&sql, SQL_MAX);
    buf_add_text(&sql, "SELECT count(*)::text, trim_scale(coalesce(sum(at_stake), 0))::text"
                       " FROM spendlog.doubtful_rows WHERE true");
    if (options->since_us != INT64_MIN)
        sql_add_time(&sql, &args, ">=", options->since_us);
    if (options->until_us != INT64_MAX)
        sql_add_time(&sql, &args, "<", options->until_us);
    buf_add_char(&sql, '\0');
    PGresult *res = pg_query(&pg, sql.p, &args, err);
    if (res) {
        text_copy(doubt->calls, sizeof(doubt->calls), pg_text(res, 0, 0));
        text_copy(doubt->at_stake, sizeof(doubt->at_stake), pg_text(res, 0, 1));
    }
    PQclear(res);
    pg_close(&pg);
    buf_free(&sql);
    pg_args_free(&args);
    return res != NULL;
}
