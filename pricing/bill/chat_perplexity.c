/* SPDX-License-Identifier: Apache-2.0 */
/* Perplexity: its own bill where it states one, else tokens, citations and searches in one formula
 * (docs/pricing.md 8.2). */
#include "pricing/bill/chat.h"

void chat_perplexity(struct call *call)
{
    const struct rule *rule = call->candidate->rule;
    const struct facts *facts = call->facts;
    struct bill *bill = &call->bill;
    if (chat_provider_cost(call))
        return;
    const struct off_peak *open =
        off_peak_open(rule->off_peak, call_billed_at(call)) ? rule->off_peak : NULL;
    i128 completion = facts_int(facts, FACT_OUTPUT_TOKENS);
    i128 reasoning = facts_int(facts, FACT_REASONING_TOKENS);
    const struct rate *reasoning_rate = rule_rate(rule, RATE_REASONING, VARIANT_PLAIN);
    if (!reasoning_rate)
        reasoning = 0;
    i128 prompt = facts_int(facts, FACT_INPUT_TOKENS);
    i128 cached = facts_int(facts, FACT_CACHE_READ_TOKENS);
    cached = cached < prompt ? cached : prompt;
    struct use input = plain_use(rule, RATE_INPUT, open ? open->input : NULL);
    struct use read = plain_use(rule, RATE_READ, open ? open->read : NULL);
    bill_count(bill, UNIT_INPUT_TEXT_TOKENS, prompt - cached, input);
    bill_count(bill, UNIT_CACHE_READ_TOKENS, cached, read.rate ? read : input);
    bill_if_rated(bill, UNIT_CITATION_TOKENS, facts_int(facts, FACT_CITATION_TOKENS),
                  rule_rate(rule, RATE_CITATION, VARIANT_PLAIN));
    bill_count(bill, UNIT_OUTPUT_TEXT_TOKENS, completion - reasoning,
               plain_use(rule, RATE_OUTPUT, open ? open->output : NULL));
    bill_rate(bill, UNIT_OUTPUT_REASONING_TOKENS, reasoning, reasoning_rate);
    const struct rate *search = rule_rate(rule, RATE_SEARCH_QUERY, VARIANT_PLAIN);
    bill_rate(bill, UNIT_WEB_SEARCHES, facts_int(facts, FACT_WEB_SEARCHES_DETAILED),
              search ? search : rule->context[CONTEXT_LOW]);
}
