/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images as DALL-E has them, and whoever has no formula of its own (docs/pricing.md 8.3, "others"):
 * the price is under a key made of quality, size and name.
 */
#include "pricing/bill/image.h"

#include <stdio.h>

#define TRIED_MAX 8

/* The first key that is in the map (8.3, "others"). */
const struct rule *image_keyed_rule(const struct call *call, const char *name, const char *size,
                                    struct slice quality)
{
    char key[TRIED_MAX][NAME_MAX_BYTES];
    struct slice provider = call->plan->provider_name, full = slice_of(name);
    bool prefixed = full.bytes > provider.bytes && slice_starts(full, provider) &&
                    name[provider.bytes] == '/' && provider.bytes;
    const char *bare = prefixed ? name + provider.bytes + 1 : name;
    const char *last = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    char q[64], base[NAME_MAX_BYTES];
    snprintf(q, sizeof(q), SLICE_FMT, SLICE_ARG(quality.bytes ? quality : SLICE("standard")));
    if (prefixed)
        snprintf(base, sizeof(base), SLICE_FMT "/%.80s/%.400s", SLICE_ARG(provider), size, bare);
    else
        snprintf(base, sizeof(base), "%.80s/%.400s", size, name);
    snprintf(key[0], NAME_MAX_BYTES, "%s/%.560s", q, base);
    snprintf(key[1], NAME_MAX_BYTES, SLICE_FMT "/%s/%.80s/%.400s", SLICE_ARG(provider), q, size,
             bare);
    snprintf(key[2], NAME_MAX_BYTES, "%s", base);
    snprintf(key[3], NAME_MAX_BYTES, "high/%.600s", base);
    snprintf(key[4], NAME_MAX_BYTES, "%s/%.80s/%.400s", q, size, last);
    snprintf(key[5], NAME_MAX_BYTES, "%.80s/%.400s", size, last);
    snprintf(key[6], NAME_MAX_BYTES, "%.600s", name);
    snprintf(key[7], NAME_MAX_BYTES, "%.600s", prefixed ? bare : name);
    for (size_t i = 0; i < TRIED_MAX; i++) {
        const struct rule *rule = image_raw_rule(call, key[i]);
        if (rule)
            return rule;
    }
    return NULL;
}

/* The first price there is, the deployment's table first. */
bool image_bill_table(struct call *call, const struct rule *rule, int64_t pixels, int64_t count)
{
    const struct {
        enum rate_kind kind;
        enum unit unit;
        int64_t each;
    } prices[] = {
        {RATE_INPUT_IMAGE, UNIT_INPUT_IMAGES, 1},
        {RATE_OUTPUT_IMAGE, UNIT_OUTPUT_IMAGES, 1},
        {RATE_INPUT_PIXEL, UNIT_INPUT_PIXELS, pixels},
    };
    const struct decimal images = decimal_from_int(count);
    for (size_t i = 0; rule && i < sizeof(prices) / sizeof(prices[0]); i++) {
        const struct rate *rate = rule_rate(rule, prices[i].kind, VARIANT_PLAIN);
        struct decimal each = decimal_from_int(prices[i].each), quantity;
        if (!rate)
            continue;
        if (decimal_mul(&images, &each, &quantity))
            bill_add(&call->bill, prices[i].unit, &quantity, (struct use){rate, NULL});
        else
            call->bill.overflow = true;
        return true;
    }
    return false;
}

enum outcome image_bill_keyed(struct call *call, const char *name, const char *size)
{
    int64_t pixels, width, height;
    const struct rule *own = image_own_table(call);
    const struct rule *keyed = image_keyed_rule(
        call, name, size,
        image_first_text(call->facts, FACT_IMAGE_QUALITY, FACT_IMAGE_QUALITY_REQUESTED));
    int64_t made = images_made(call);
    if (!image_pixels(size, &pixels, &width, &height))
        return OUTCOME_UNMAPPED;
    return image_bill_table(call, own, pixels, made) || image_bill_table(call, keyed, pixels, made)
               ? OUTCOME_PRICED
               : OUTCOME_UNMAPPED;
}

enum outcome image_keyed(struct call *call)
{
    char size[NAME_MAX_BYTES];
    image_size(call, size);
    return image_bill_keyed(call, call->candidate->name.p, size);
}
