/* SPDX-License-Identifier: Apache-2.0 */
/* Each section is a statement of its own; the transaction makes them one snapshot. */
#include "store/report_page.h"

#include "store/report_impl.h"

#include <stdlib.h>

#define HOURS_UP_TO_DAYS 3
#define OPEN_ITEMS_SHOWN 30

struct report_page {
    struct report_answer *table, *models, *teams, *moved;
    PGresult *meters, *open_items;
};

/* Meters are per day (UTC): the days of the period. */
static const char sql_meters[] =
    "SELECT meter, coalesce(part_of, ''), trim_scale(sum(quantity))::text, "
    "trim_scale(sum(amount))::text,"
    " trim_scale(round(1000000 * sum(amount) / nullif(sum(quantity), 0), 6))::text"
    " FROM spendlog.spend_by_meter WHERE day >= coalesce($1::timestamp, '-infinity')::date"
    " AND day < coalesce($2::timestamp, 'infinity') GROUP BY meter, part_of"
    " ORDER BY coalesce(part_of, meter), part_of NULLS FIRST, sum(amount) DESC NULLS LAST, 1";

/* What is open today, whatever the period: it is to be settled. */
static const char sql_open_items[] = "SELECT what, provider, model, why, calls::text, "
                                     "trim_scale(round(at_risk, 6))::text, age_days::text,"
                                     " count(*) OVER () FROM spendlog.suspense ORDER BY at_risk "
                                     "DESC NULLS LAST, calls DESC, 1, 2, 3 LIMIT $1";

static bool by_two(struct pg *pg, struct report_options options, const char *first,
                   const char *second, struct report_answer **answer, struct err *err)
{
    options.by[0] = first;
    options.by[1] = second;
    options.by_count = 2;
    options.limit = 0;
    return report_ask(pg, &options, answer, err);
}

static bool is_short(const struct report_period *p)
{
    return p->since_us != INT64_MIN && p->until_us != INT64_MAX &&
           p->until_us - p->since_us <= HOURS_UP_TO_DAYS * US_PER_DAY;
}

static bool series_ask(struct pg *pg, const struct report_options *options,
                       struct report_page *page, struct err *err)
{
    const struct report_period period = report_period(page->table);
    const char *time = is_short(&period) ? "hour" : "day";
    struct report_options gone = *options;
    gone.gone = true;
    return by_two(pg, *options, time, "model", &page->models, err) &&
           by_two(pg, *options, time, "team", &page->teams, err) &&
           (period.before_until_us == 0 || by_two(pg, gone, "model", "team", &page->moved, err));
}

static bool meters_ask(struct pg *pg, struct report_page *page, struct err *err)
{
    const struct report_period period = report_period(page->table);
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_time_open(&args, period.since_us);
    pg_arg_time_open(&args, period.until_us);
    page->meters = pg_query(pg, sql_meters, &args, err);
    pg_args_free(&args);
    return page->meters != NULL;
}

static bool open_items_ask(struct pg *pg, struct report_page *page, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_int8(&args, OPEN_ITEMS_SHOWN);
    page->open_items = pg_query(pg, sql_open_items, &args, err);
    pg_args_free(&args);
    return page->open_items != NULL;
}

bool report_page_run(const char *conninfo, const struct report_options *options,
                     struct report_page **out, struct err *err)
{
    struct pg pg = {0};
    struct report_page *page = calloc(1, sizeof(*page));
    if (!page)
        return err_set(err, ERR_FATAL, "out of memory");
    bool ok = report_names_known(options, err) && report_open(&pg, conninfo, err);
    if (ok) {
        ok = pg_begin(&pg, PG_SNAPSHOT, err) && report_ask(&pg, options, &page->table, err) &&
             series_ask(&pg, options, page, err) && meters_ask(&pg, page, err) &&
             open_items_ask(&pg, page, err);
        pg_close(&pg);
    }
    if (ok)
        *out = page;
    else
        report_page_free(page);
    return ok;
}

void report_page_free(struct report_page *page)
{
    if (!page)
        return;
    report_free(page->table);
    report_free(page->models);
    report_free(page->teams);
    report_free(page->moved);
    PQclear(page->meters);
    PQclear(page->open_items);
    free(page);
}

/* --- what it holds */

const struct report_answer *report_page_table(const struct report_page *page)
{
    return page->table;
}

const struct report_answer *report_page_models(const struct report_page *page)
{
    return page->models;
}

const struct report_answer *report_page_teams(const struct report_page *page)
{
    return page->teams;
}

const struct report_answer *report_page_moved(const struct report_page *page)
{
    return page->moved;
}

size_t report_page_meters(const struct report_page *page)
{
    return (size_t)PQntuples(page->meters);
}

struct report_meter report_page_meter(const struct report_page *page, size_t number)
{
    const PGresult *res = page->meters;
    int i = (int)number;
    return (struct report_meter){pg_text(res, i, 0), pg_text(res, i, 1), pg_text(res, i, 2),
                                 pg_text(res, i, 3), pg_text(res, i, 4)};
}

size_t report_page_open_items(const struct report_page *page, int64_t *all)
{
    int rows = PQntuples(page->open_items);
    *all = rows ? pg_int(page->open_items, 0, 7) : 0;
    return (size_t)rows;
}

struct report_open_item report_page_open_item(const struct report_page *page, size_t number)
{
    const PGresult *res = page->open_items;
    int i = (int)number;
    return (struct report_open_item){pg_text(res, i, 0), pg_text(res, i, 1), pg_text(res, i, 2),
                                     pg_text(res, i, 3), pg_text(res, i, 4), pg_text(res, i, 5),
                                     pg_text(res, i, 6)};
}
