/* SPDX-License-Identifier: Apache-2.0 */
/* A2A: a price per call in litellm_params, else its token rates (docs/pricing.md 8.5). */
#include "pricing/bill/call.h"

/* A2A: a price per call in litellm_params, else its token rates (8.5). */
enum outcome agent_price(struct call *call)
{
    const struct rule *rule = call->plan->deployment ? call->plan->deployment->call : NULL;
    const struct rate *per_call = rule ? rule_rate(rule, RATE_CALL, VARIANT_PLAIN) : NULL;
    call->skips_extras = true;
    call->reason = rule && rule_has_price(rule) ? REASON_NONE : REASON_NO_RATE;
    bill_if_rated(&call->bill, UNIT_CALLS, 1, per_call);
    if (!rule || per_call)
        return OUTCOME_PRICED;
    bill_rate(&call->bill, UNIT_INPUT_TEXT_TOKENS, facts_int(call->facts, FACT_INPUT_TOKENS),
              rule_rate(rule, RATE_INPUT, VARIANT_PLAIN));
    bill_rate(&call->bill, UNIT_OUTPUT_TEXT_TOKENS, facts_int(call->facts, FACT_OUTPUT_TOKENS),
              rule_rate(rule, RATE_OUTPUT, VARIANT_PLAIN));
    return OUTCOME_PRICED;
}
