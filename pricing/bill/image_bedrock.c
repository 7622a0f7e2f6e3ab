/* SPDX-License-Identifier: Apache-2.0 */
/* Images of Bedrock models (docs/pricing.md 8.3). */
#include "pricing/bill/image.h"
#include "pricing/names/text.h"

#include <stdio.h>

/* Titan, Nova Canvas and Stability 3 by image; older Stability by size and steps. Neither looks at
 * what a deployment sets, except in mode merge. */
enum outcome image_bedrock(struct call *call)
{
    static const char *const by_image[] = {"titan", "nova-canvas", "sd3", "stable-image"};
    struct slice name = call->candidate->name;
    char size[NAME_MAX_BYTES], key[NAME_MAX_BYTES];
    const struct rule *rule = merges(call) ? image_rule(call) : call->candidate->rule;
    for (size_t i = 0; i < sizeof(by_image) / sizeof(by_image[0]); i++)
        if (names_contain(name, by_image[i])) {
            if (!rule)
                return OUTCOME_UNMAPPED;
            image_bill_each(call, rule);
            return OUTCOME_PRICED;
        }
    if (call->plan->custom && merges(call))
        return image_flat(call);
    struct slice raw = image_first_text(call->facts, FACT_IMAGE_SIZE, FACT_IMAGE_SIZE_REQUESTED);
    snprintf(size, sizeof(size), SLICE_FMT, SLICE_ARG(raw.bytes ? raw : SLICE(DEFAULT_SIZE)));
    snprintf(key, sizeof(key), "%.80s/%s/%.500s", size,
             facts_int(call->facts, FACT_IMAGE_STEPS) > 50 ? "max-steps" : "50-steps",
             names_without_prefix(name, "bedrock/").p);
    rule = image_raw_rule(call, key);
    if (!rule)
        return OUTCOME_UNMAPPED;
    image_bill_each(call, rule);
    return OUTCOME_PRICED;
}
