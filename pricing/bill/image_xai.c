/* SPDX-License-Identifier: Apache-2.0 */
/* Images of xAI (docs/pricing.md 8.3). */
#include "pricing/bill/image.h"
#include "pricing/names/text.h"

static bool sets_image_price(const struct rule *own)
{
    return plain_rate(own, RATE_INPUT_IMAGE) || plain_rate(own, RATE_OUTPUT_IMAGE) ||
           (own && (rule_detail(own, RATE_OUTPUT_IMAGE, SLICE("1K")) ||
                    rule_detail(own, RATE_OUTPUT_IMAGE, SLICE("2K"))));
}

/* xAI's price of a resolution is that of low quality; `auto` is low but for edits. NULL: none. */
static const struct rate *xai_rate(const struct call *call)
{
    const struct rule *own = image_own_table(call), *rule = image_rule(call);
    struct slice quality =
        image_first_text(call->facts, FACT_IMAGE_QUALITY, FACT_IMAGE_QUALITY_REQUESTED);
    struct slice resolution = facts_text(call->facts, FACT_VIDEO_RESOLUTION);
    bool edit = names_contain(facts_text(call->facts, FACT_CALL_TYPE), "edit");
    bool automatic = quality.bytes == 0 || slice_is(quality, "auto");
    bool at_2k = slice_is(resolution, "2k");
    if (!(slice_is(quality, "low") || (automatic && !edit)) ||
        !(resolution.bytes == 0 || slice_is(resolution, "1k") || at_2k))
        return NULL;
    const struct rate *flat = plain_rate(own, RATE_INPUT_IMAGE);
    if (!flat)
        flat = plain_rate(own, RATE_OUTPUT_IMAGE);
    if (flat || !rule)
        return flat;
    return rule_detail(rule, RATE_OUTPUT_IMAGE, at_2k ? SLICE("2K") : SLICE("1K"));
}

/* The bill xAI states, unless the deployment sets a price; by resolution; else DALL-E's way. */
enum outcome image_xai(struct call *call)
{
    const struct rule *own = image_own_table(call);
    const struct decimal *stated = facts_decimal(call->facts, FACT_PROVIDER_COST);
    if (plain_rate(own, RATE_INPUT_PIXEL))
        return image_keyed(call);
    if (stated && !sets_image_price(own)) {
        bill_stated(&call->bill, UNIT_STATED_COST, stated, &source_provider_cost);
        return OUTCOME_PRICED;
    }
    const struct rate *rate = xai_rate(call);
    if (!rate)
        return image_keyed(call);
    bill_rate(&call->bill, UNIT_OUTPUT_IMAGES, images_made(call), rate);
    return OUTCOME_PRICED;
}
