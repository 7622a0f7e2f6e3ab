/* SPDX-License-Identifier: Apache-2.0 */
/* Rerankings, by query or by token (docs/pricing.md 8.5). */
#include "pricing/bill/call.h"

/* LiteLLM 1.106.2 logs 0 for an unmapped rerank or OCR model and stops there; mode merge goes on to
 * the next name. */
enum outcome unmapped_document(struct call *call)
{
    return merges(call) ? OUTCOME_UNMAPPED : underivable(call, REASON_UNKNOWN_MODEL);
}

/* What a deployment sets is billed by what the answer has: a call that states no search units is
 * one query, and a price per token takes the billed tokens. LiteLLM 1.106.2 makes 0 of both. */
static void bill_own_rerank(struct call *call, const struct rule *rule)
{
    const struct rate *query = rule_rate(rule, RATE_INPUT_QUERY, VARIANT_PLAIN);
    int64_t units = facts_int(call->facts, FACT_SEARCH_UNITS);
    if (query)
        bill_rate(&call->bill, UNIT_INPUT_QUERIES, units ? units : 1, query);
    else
        bill_rate(&call->bill, UNIT_INPUT_TEXT_TOKENS,
                  first_count(call->facts, FACT_RERANK_TOKENS, FACT_INPUT_TOKENS),
                  rule_rate(rule, RATE_INPUT, VARIANT_PLAIN));
}

enum outcome rerank_price(struct call *call)
{
    const struct rule *rule = call->candidate->rule;
    bool by_token = provider_has(call->plan->provider, TRAIT_RERANK_BY_TOKEN);
    if (!call->candidate->found_by_name && !call->plan->custom)
        return OUTCOME_UNMAPPED;
    if (!rule)
        return unmapped_document(call);
    if (by_token)
        bill_rate(&call->bill, UNIT_INPUT_TEXT_TOKENS, facts_int(call->facts, FACT_RERANK_TOKENS),
                  rule_rate(rule, RATE_INPUT, VARIANT_PLAIN));
    else if (call->plan->custom && merges(call))
        bill_own_rerank(call, rule);
    else
        bill_rate(&call->bill, UNIT_INPUT_QUERIES, facts_int(call->facts, FACT_SEARCH_UNITS),
                  rule_rate(rule, RATE_INPUT_QUERY, VARIANT_PLAIN));
    return OUTCOME_PRICED;
}
