/* SPDX-License-Identifier: Apache-2.0 */
/* Images of Tencent (docs/pricing.md 8.3). */
#include "pricing/bill/image.h"
#include "pricing/names/text.h"

/* Seedream is billed by tokens where the answer has them, unless the deployment sets a price per
 * image and none per token; others DALL-E's way. */
enum outcome image_tencent(struct call *call)
{
    const struct rule *rule = image_rule(call), *own = image_own_table(call);
    bool by_image = plain_rate(own, RATE_OUTPUT_IMAGE) &&
                    !plain_rate(own, RATE_OUTPUT_IMAGE_TOKEN) && !plain_rate(own, RATE_OUTPUT);
    struct slice name = names_without_prefix(call->candidate->name, "tencent/");
    if (!slice_starts(name, SLICE("seedream-")))
        return image_keyed(call);
    if (!rule)
        return OUTCOME_UNMAPPED;
    if (by_image || !image_bill_tokens(call, rule))
        image_bill_each(call, rule);
    return OUTCOME_PRICED;
}
