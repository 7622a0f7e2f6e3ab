/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Budgets: what may be spent by a team, key, user, ... in a period, beside what was spent. The
 * database knows both (spendlog.budgets, budget_status); nothing is counted here.
 */
#ifndef STORE_BUDGET_H
#define STORE_BUDGET_H

#include "core/err.h"
#include "core/slice.h"

#include <stdint.h>

struct budget_request {
    const char *scope, *id; /* id "" for scope all */
    const char *period;     /* day, week, month, quarter, year */
    const char *amount;     /* US dollars, a decimal */
    const char *zone;       /* time zone in which the period begins */
    int fiscal_start;       /* month in which the year of quarters begins */
};

/* Texts live until the callback returns; money as the database writes it. */
struct budget {
    struct slice scope, id, period, zone, amount;
    int64_t since_us, until_us;         /* the period of now */
    struct slice spent, left, forecast; /* null: calls are missing */
    struct slice percent, spent_at_least;
    bool over;
    int64_t calls, unpriced_calls, doubtful_calls;
    int64_t missing_calls; /* of anybody: dropped, and no sum tells whose */
    struct slice unpriced_gateway_cost, doubtful_at_stake; /* empty: not known */
};

typedef void budget_fn(const struct budget *budget, void *context);

/* ERR_INPUT: no such scope, period or zone, or an amount that is not one. *met: there are calls of
 * it. By a member of spendlog_owner only. */
bool budget_set(const char *conninfo, const struct budget_request *request, bool *met,
                struct err *err) MUST_CHECK;
/* ERR_INPUT: there is no such budget. */
bool budget_remove(const char *conninfo, const struct budget_request *request,
                   struct err *err) MUST_CHECK;
/* Budgets with what was spent, those used up most first; at most `limit` of them, 0: all. */
bool budget_each(const char *conninfo, unsigned limit, budget_fn *each, void *context,
                 struct err *err) MUST_CHECK;

#endif
