/* SPDX-License-Identifier: Apache-2.0 */
/* Images of Azure AI (docs/pricing.md 8.3). */
#include "pricing/bill/image.h"

enum outcome image_azure_ai(struct call *call)
{
    const struct rule *rule = image_rule(call);
    char size[NAME_MAX_BYTES];
    if (!rule)
        return OUTCOME_UNMAPPED;
    if (image_bill_tokens(call, rule))
        return OUTCOME_PRICED;
    if (rate_positive(rule_rate(rule, RATE_OUTPUT_IMAGE, VARIANT_PLAIN)) ||
        !rate_positive(rule_rate(rule, RATE_INPUT_PIXEL, VARIANT_PLAIN))) {
        image_bill_each(call, rule);
        return OUTCOME_PRICED;
    }
    image_size(call, size);
    const struct entry *base = call->plan->custom ? call->plan->override.base : NULL;
    return image_bill_keyed(call, base ? base->name : rule->name, size);
}
