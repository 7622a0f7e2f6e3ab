/* SPDX-License-Identifier: Apache-2.0 */
/* Speech made of text, by character or by token (docs/pricing.md 8.5). */
#include "pricing/bill/call.h"

static enum outcome speech_by_token(struct call *call, const struct rule *rule)
{
    struct generic_options options = {.variant = tier_of(call, &call->edition->catalog->variants)};
    struct usage usage;
    if (!facts_int(call->facts, FACT_INPUT_TOKENS))
        return underivable(call, REASON_UNDERIVABLE_SPEECH_TOKENS);
    usage_read(call->facts, &usage);
    generic_add(call, rule, &usage, &options);
    return OUTCOME_PRICED;
}

enum outcome speech_price(struct call *call)
{
    const struct rule *rule = call->candidate->rule;
    if (!rule)
        return OUTCOME_UNMAPPED;
    const struct rate *per_character = rule_rate(rule, RATE_INPUT_CHARACTER, VARIANT_PLAIN);
    if (rule->is_lyria && rule_rate(rule, RATE_OUTPUT_IMAGE, VARIANT_PLAIN)) {
        bill_rate(&call->bill, UNIT_CALLS, 1, rule_rate(rule, RATE_OUTPUT_IMAGE, VARIANT_PLAIN));
        return OUTCOME_PRICED;
    }
    if (per_character) {
        if (!facts_has(call->facts, FACT_SPEECH_CHARACTERS) &&
            !facts_has(call->facts, FACT_INPUT_CHARACTERS))
            return underivable(call, REASON_UNDERIVABLE_NO_USAGE);
        bill_rate(&call->bill, UNIT_INPUT_CHARACTERS,
                  first_count(call->facts, FACT_SPEECH_CHARACTERS, FACT_INPUT_CHARACTERS),
                  per_character);
        return OUTCOME_PRICED;
    }
    if (rate_positive(rule_rate(rule, RATE_INPUT, VARIANT_PLAIN)))
        return speech_by_token(call, rule);
    return OUTCOME_UNMAPPED;
}
