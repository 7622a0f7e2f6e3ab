/* SPDX-License-Identifier: Apache-2.0 */
/* What a budget refuses is told by the table's constraints; its figures are the view's. */
#include "store/budget.h"

#include "store/migrate.h"
#include "store/pg.h"

#define LOCK_TIMEOUT_MS 10000 /* a pass of the compactor is over by then */

static bool open_for(struct pg *pg, const char *conninfo, bool read_only, struct err *err)
{
    const struct pg_options options = {.conninfo = conninfo,
                                       .application_name = "spendlog budget",
                                       .lock_timeout_ms = LOCK_TIMEOUT_MS,
                                       .read_only = read_only};
    return migrate_open(pg, &options, err);
}

static const struct {
    const char *constraint, *text;
} refusals[] = {
    {"budgets_scope",
     "a budget is of all, team, key, user, organization, provider, model, tag or end_user"},
    {"budgets_id", "a budget of all has no id, any other has one"},
    {"budgets_period", "a period is day, week, month, quarter or year"},
    {"budgets_amount", "an amount is a number of US dollars from 0 on"},
    {"budgets_fiscal_start", "a year begins in month 1 to 12"},
};

/* In our words instead of the server's. */
static bool refused(const struct pg *pg, struct err *err)
{
    static const char not_a_number[] = "22P02";
    const char *constraint =
        strcmp(pg->sqlstate, not_a_number) == 0 ? "budgets_amount" : pg->constraint;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (strcmp(constraint, refusals[i].constraint) == 0) {
            err_clear(err);
            return err_set(err, ERR_INPUT, "%s", refusals[i].text);
        }
    return false;
}

static void arg_key(struct pg_args *args, const struct budget_request *request)
{
    pg_args_init(args);
    pg_arg_text(args, slice_of(request->scope));
    pg_arg_text(args, slice_of(request->id));
    pg_arg_text(args, slice_of(request->period));
}

static bool put(struct pg *pg, const struct budget_request *request, struct err *err)
{
    struct pg_args args;
    arg_key(&args, request);
    pg_arg_text(&args, slice_of(request->amount));
    pg_arg_text(&args, slice_of(request->zone));
    pg_arg_int4(&args, request->fiscal_start);
    PGresult *res =
        pg_query(pg, "SELECT spendlog.budget_set($1, $2, $3, $4::text::numeric, $5, $6::integer)",
                 &args, err);
    pg_args_free(&args);
    PQclear(res);
    return res != NULL || refused(pg, err);
}

/* A budget of a name that nobody has is a mistake more often than not. */
static bool meet(struct pg *pg, const struct budget_request *request, bool *met, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    pg_arg_text(&args, slice_of(request->scope));
    pg_arg_text(&args, slice_of(request->id));
    PGresult *res = pg_query(pg,
                             "SELECT calls > 0 FROM spendlog.spent_in($1, $2, date_trunc('day',"
                             " now() AT TIME ZONE 'UTC') - interval '30 days', date_trunc('day',"
                             " now() AT TIME ZONE 'UTC') + interval '1 day')",
                             &args, err);
    *met = res && pg_int(res, 0, 0) != 0;
    pg_args_free(&args);
    PQclear(res);
    return res != NULL;
}

bool budget_set(const char *conninfo, const struct budget_request *request, bool *met,
                struct err *err)
{
    struct pg pg;
    if (!open_for(&pg, conninfo, false, err))
        return false;
    bool ok = pg_command(&pg, "SET ROLE spendlog_owner", err) && put(&pg, request, err) &&
              meet(&pg, request, met, err);
    pg_close(&pg);
    return ok;
}

static bool take_away(struct pg *pg, const struct budget_request *request, struct err *err)
{
    struct pg_args args;
    arg_key(&args, request);
    PGresult *res = pg_query(pg, "SELECT spendlog.budget_remove($1, $2, $3)", &args, err);
    bool ok = res && (pg_int(res, 0, 0) != 0 ||
                      err_set(err, ERR_INPUT, "there is no budget of %s%s%s per %s", request->scope,
                              *request->id ? " " : "", request->id, request->period));
    pg_args_free(&args);
    PQclear(res);
    return ok;
}

bool budget_remove(const char *conninfo, const struct budget_request *request, struct err *err)
{
    struct pg pg;
    if (!open_for(&pg, conninfo, false, err))
        return false;
    bool ok = pg_command(&pg, "SET ROLE spendlog_owner", err) && take_away(&pg, request, err);
    pg_close(&pg);
    return ok;
}

static const char status_select[] =
    "SELECT scope, id, period, zone, trim_scale(amount)::text, since AT TIME ZONE 'UTC', until AT"
    " TIME ZONE 'UTC', coalesce(trim_scale(spent)::text, 'null'),"
    " coalesce(trim_scale(left_over)::text, 'null'), percent::text,"
    " coalesce(trim_scale(round(forecast, 6))::text, 'null'), coalesce(over, false), calls,"
    " unpriced_calls, trim_scale(unpriced_gateway_cost)::text, coalesce(doubtful_calls, 0),"
    " trim_scale(doubtful_at_stake)::text, trim_scale(spent_at_least)::text, missing_calls"
    " FROM (SELECT *, \"left\" AS left_over FROM spendlog.budget_status) b"
    " ORDER BY b.spent_at_least / nullif(b.amount, 0) DESC NULLS FIRST, scope, id, period"
    " LIMIT nullif($1::integer, 0)";

static void statuses_give(const PGresult *res, budget_fn *each, void *context)
{
    for (int i = 0; i < PQntuples(res); i++) {
        const struct budget budget = {
            .scope = pg_text(res, i, 0),
            .id = pg_text(res, i, 1),
            .period = pg_text(res, i, 2),
            .zone = pg_text(res, i, 3),
            .amount = pg_text(res, i, 4),
            .since_us = pg_time_us(res, i, 5),
            .until_us = pg_time_us(res, i, 6),
            .spent = pg_text(res, i, 7),
            .left = pg_text(res, i, 8),
            .percent = pg_text(res, i, 9),
            .forecast = pg_text(res, i, 10),
            .over = pg_int(res, i, 11) != 0,
            .calls = pg_int(res, i, 12),
            .unpriced_calls = pg_int(res, i, 13),
            .unpriced_gateway_cost = pg_text(res, i, 14),
            .doubtful_calls = pg_int(res, i, 15),
            .doubtful_at_stake = pg_text(res, i, 16),
            .spent_at_least = pg_text(res, i, 17),
            .missing_calls = pg_int(res, i, 18),
        };
        each(&budget, context);
    }
}

bool budget_each(const char *conninfo, unsigned limit, budget_fn *each, void *context,
                 struct err *err)
{
    struct pg pg;
    struct pg_args args;
    if (!open_for(&pg, conninfo, true, err))
        return false;
    pg_args_init(&args);
    pg_arg_int4(&args, (int32_t)limit);
    PGresult *res = pg_query(&pg, status_select, &args, err);
    if (res)
        statuses_give(res, each, context);
    PQclear(res);
    pg_args_free(&args);
    pg_close(&pg);
    return res != NULL;
}
