/* SPDX-License-Identifier: Apache-2.0 */
/* Searches, by query and by how many results they ask for (docs/pricing.md 8.5). */
#include "pricing/bill/call.h"

#define SEARCH_RESULTS_DEFAULT 10

static const struct rate additional_result = CONSTANT_RATE(1, 3, "parallel_ai_additional_result");

/* By max_results; beyond all ranges the last one. */
static const struct rate *results_rate(const struct rule *rule, int64_t results)
{
    struct decimal n = decimal_from_int(results);
    for (size_t i = 0; i < rule->tier_count; i++)
        if (rule->tier[i].has_results && decimal_cmp(&rule->tier[i].above, &n) <= 0 &&
            decimal_cmp(&n, &rule->tier[i].upto) <= 0)
            return rule->tier[i].rate[TIER_QUERY];
    return rule->tier[rule->tier_count - 1].rate[TIER_QUERY];
}

enum outcome search_price(struct call *call)
{
    const struct rule *rule = call->candidate->rule;
    int64_t queries = facts_has(call->facts, FACT_SEARCH_QUERIES)
                          ? facts_int(call->facts, FACT_SEARCH_QUERIES)
                          : 1;
    int64_t results = facts_has(call->facts, FACT_SEARCH_MAX_RESULTS)
                          ? facts_int(call->facts, FACT_SEARCH_MAX_RESULTS)
                          : SEARCH_RESULTS_DEFAULT;
    const struct rule *own = call->plan->custom ? call->plan->override.set : NULL;
    const struct rate *own_query = own ? rule_rate(own, RATE_INPUT_QUERY, VARIANT_PLAIN) : NULL;
    if (own_query) {
        bill_rate(&call->bill, UNIT_INPUT_QUERIES, queries, own_query);
        return OUTCOME_PRICED;
    }
    if (!rule)
        return OUTCOME_UNMAPPED;
    if (provider_has(call->plan->provider, TRAIT_SEARCH_BY_RESULTS)) {
        bill_rate(&call->bill, UNIT_INPUT_QUERIES, 1,
                  rule_rate(rule, RATE_INPUT_QUERY, VARIANT_PLAIN));
        bill_rate(&call->bill, UNIT_INPUT_QUERIES, results - SEARCH_RESULTS_DEFAULT,
                  &additional_result);
        return OUTCOME_PRICED;
    }
    bill_rate(&call->bill, UNIT_INPUT_QUERIES, queries,
              rule->tier_count ? results_rate(rule, results)
                               : rule_rate(rule, RATE_INPUT_QUERY, VARIANT_PLAIN));
    return OUTCOME_PRICED;
}
