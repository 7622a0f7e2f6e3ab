/* SPDX-License-Identifier: Apache-2.0 */
/* Images of OpenAI and Azure OpenAI (docs/pricing.md 8.3). */
#include "pricing/bill/image.h"
#include "pricing/names/text.h"

/* gpt-image is billed by tokens; without usable usage it costs 0, never the flat price, unless the
 * deployment sets one. Other OpenAI images are DALL-E's. */
enum outcome image_openai(struct call *call)
{
    const struct rule *rule = image_rule(call);
    if (!names_contain_folded(call->candidate->name, "gpt-image"))
        return image_keyed(call);
    if (!facts_has(call->facts, FACT_INPUT_TOKENS)) {
        if (call->plan->custom)
            image_bill_each(call, rule);
        return OUTCOME_PRICED;
    }
    if (!rule)
        return OUTCOME_UNMAPPED;
    if (!image_bill_tokens(call, rule) && call->plan->custom)
        image_bill_each(call, rule);
    return OUTCOME_PRICED;
}
