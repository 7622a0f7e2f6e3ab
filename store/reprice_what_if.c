/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What if: every row of a dry run, by what was asked. Old and new are of the rows that have a price
 * either way, so that a change is one of prices; rows that would have none, and rows that have none
 * now, stand beside, and why.
 */
#include "store/reprice_impl.h"

#include "core/must.h"

#include <string.h>

static const struct {
    const char *name, *column; /* NULL: the day that is read */
} group[] = {
    {"team", "team_id"},        {"model", "model"},       {"provider", "provider"},
    {"group", "model_group"},   {"key", "api_key"},       {"key_alias", "api_key_alias"},
    {"user", "user_id"},        {"end_user", "end_user"}, {"org", "organization_id"},
    {"call_type", "call_type"}, {"mapping", "mapping"},   {"day", NULL},
};

#define GROUPS (sizeof(group) / sizeof(group[0]))

const char *const *reprice_groups(void)
{
    static const char *names[GROUPS + 1];
    for (size_t i = 0; i < GROUPS; i++)
        names[i] = group[i].name;
    return names;
}

const char *reprice_group_column(const char *by)
{
    for (size_t i = 0; by && i < GROUPS; i++)
        if (strcmp(by, group[i].name) == 0)
            return group[i].column;
    return NULL;
}

static void count(struct reprice *run, enum tally_dimension dimension, struct slice value,
                  struct sum before, struct sum after)
{
    tally_add(&run->tally, dimension, value, 1, before, after);
}

/* A group is there also when none of its rows has a price. */
static void count_beside(struct reprice *run, enum tally_dimension dimension, struct slice value,
                         struct sum before, struct sum after)
{
    tally_add(&run->tally, TALLY_WHAT_IF, value, 0, (struct sum){0}, (struct sum){0});
    count(run, dimension, value, before, after);
}

/* No price of its own, or one that leaves out what was used. */
static bool is_whole(const struct charge *charge)
{
    return charge->has_spend && charge->status != CHARGE_REPORTED &&
           !(charge->flags & FLAG_RATE_MISSING);
}

static void count_reason(struct reprice *run, const struct charge *charge, struct sum before)
{
    const char *reason = reason_info[charge->reason].name;
    char text[128];
    MUST(charge->reason < REASON_COUNT && charge->missing <= UNIT_COUNT, charge->reason,
         charge->missing);
    if (charge->reason == REASON_RATE_MISSING && charge->missing != UNIT_COUNT)
        snprintf(text, sizeof(text), "rate_missing of %s", unit_info[charge->missing].name);
    else
        snprintf(text, sizeof(text), "%s%s", reason ? reason : "rate_missing",
                 charge->status == CHARGE_REPORTED ? ", the gateway's figure stays" : "");
    count(run, TALLY_WHAT_IF_REASON, slice_of(text), before, (struct sum){0});
}

void reprice_what_if(struct reprice *run, struct slice value, const struct stored_spend *stored,
                     const struct charge *charge)
{
    const struct sum none = {0};
    MUST(run->options.dry_run, run->run_id);
    struct sum before = sum_of(stored->amount);
    if (!is_whole(charge)) {
        count_beside(run, TALLY_WHAT_IF_UNPRICED, value, before, none);
        count_reason(run, charge, before);
    } else if (stored->has)
        count(run, TALLY_WHAT_IF, value, before, sum_of(charge->spend));
    else
        count_beside(run, TALLY_WHAT_IF_GAINED, value, none, sum_of(charge->spend));
}

void reprice_what_if_skipped(struct reprice *run, struct slice value,
                             const struct stored_spend *stored, enum reprice_skip why)
{
    struct sum before = sum_of(stored->amount);
    MUST(why < SKIP_COUNT && run->options.dry_run, why);
    if (why == SKIP_EXCLUDED)
        return;
    count_beside(run, TALLY_WHAT_IF_UNPRICED, value, before, (struct sum){0});
    count(run, TALLY_WHAT_IF_REASON, slice_of(reprice_skip_name[why]), before, (struct sum){0});
}
