/* SPDX-License-Identifier: Apache-2.0 */
/* Images of Gemini and Vertex AI: by token, else by image; grounding beside (docs/pricing.md 8.3).
 */
#include "pricing/bill/image.h"

enum outcome image_google(struct call *call)
{
    const struct rule *rule = image_rule(call);
    if (!rule)
        return OUTCOME_UNMAPPED;
    if (provider_has(call->plan->provider, TRAIT_REGIONAL_UPLIFT))
        uplift_vertex(call, rule);
    if (!image_bill_tokens(call, rule))
        image_bill_each(call, rule);
    call->bill.multiplier = NULL;
    google_search_add(call, rule,
                      first_count(call->facts, FACT_WEB_SEARCHES_DETAILED, FACT_WEB_SEARCHES));
    return OUTCOME_PRICED;
}
