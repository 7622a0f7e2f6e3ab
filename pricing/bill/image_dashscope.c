/* SPDX-License-Identifier: Apache-2.0 */
/* Images of DashScope (docs/pricing.md 8.3). */
#include "pricing/bill/image.h"

/* Per image; input images are not in the event. */
enum outcome image_dashscope(struct call *call)
{
    const struct rule *own = image_own_table(call), *rule = image_rule(call);
    if (plain_rate(own, RATE_INPUT_PIXEL) ||
        (plain_rate(own, RATE_INPUT_IMAGE) && !plain_rate(own, RATE_OUTPUT_IMAGE)))
        return image_keyed(call);
    if (!plain_rate(rule, RATE_OUTPUT_IMAGE))
        return OUTCOME_UNMAPPED;
    image_bill_each(call, rule);
    return OUTCOME_PRICED;
}
