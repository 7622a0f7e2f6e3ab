/* SPDX-License-Identifier: Apache-2.0 */
/* Videos, by the second (docs/pricing.md 8.4). */
#include "pricing/bill/call.h"

#include <ctype.h>

/* The resolution, reduced to lower-case letters, digits and _. */
static const struct rate *resolution_rate(const struct rule *rule, struct slice resolution)
{
    char text[32];
    size_t bytes = 0;
    for (size_t i = 0; i < resolution.bytes && bytes < sizeof(text); i++) {
        unsigned char c = (unsigned char)resolution.p[i];
        if (isalnum(c) || c == '_')
            text[bytes++] = (char)tolower(c);
    }
    return bytes && bytes <= 24 ? rule_detail(rule, RATE_OUTPUT_SECOND, (struct slice){text, bytes})
                                : NULL;
}

static void bill_video(struct call *call, const struct rule *rule, const struct decimal *seconds)
{
    int64_t count = facts_int(call->facts, FACT_VIDEOS);
    struct decimal videos = decimal_from_int(count), total = *seconds;
    const struct rate *rate = rule_rate(rule, RATE_OUTPUT_VIDEO_SECOND, VARIANT_PLAIN);
    enum unit unit = rate ? UNIT_OUTPUT_VIDEO_SECONDS : UNIT_OUTPUT_SECONDS;
    if (!rate)
        rate = resolution_rate(rule, facts_text(call->facts, FACT_VIDEO_RESOLUTION));
    if (!rate)
        rate = rule_rate(rule, RATE_OUTPUT_SECOND, VARIANT_PLAIN);
    if (count > 1 && !decimal_mul(seconds, &videos, &total))
        call->bill.overflow = true;
    bill_add(&call->bill, unit, &total, (struct use){rate, NULL});
    bill_if_rated(&call->bill, UNIT_INPUT_IMAGES, facts_int(call->facts, FACT_INPUT_IMAGES),
                  rule_rate(rule, RATE_INPUT_IMAGE, VARIANT_PLAIN));
}

enum outcome video_price(struct call *call)
{
    const struct decimal *seconds = facts_decimal(call->facts, FACT_VIDEO_SECONDS);
    const struct decimal *stated = facts_decimal(call->facts, FACT_VIDEO_COST);
    const struct rule *rule =
        call->plan->custom ? call->plan->override.entry : call->candidate->rule;
    call->skips_extras = true;
    if (stated && !call->plan->custom) {
        bill_stated(&call->bill, UNIT_STATED_COST, stated, &source_provider_cost);
        return OUTCOME_PRICED;
    }
    if (!seconds)
        return rule && (call->plan->custom || call->candidate->found_by_name) ? OUTCOME_PRICED
                                                                              : OUTCOME_UNMAPPED;
    if (!rule)
        return OUTCOME_UNMAPPED;
    bill_video(call, rule, seconds);
    return OUTCOME_PRICED;
}
