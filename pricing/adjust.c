/* SPDX-License-Identifier: Apache-2.0 */
/* Discount, then margin (docs/pricing.md section 10): items of their own, on what came before them.
 */
#include "pricing/calc.h"

static const struct litellm_config *config_of(const struct call *call)
{
    return &call->book->config;
}

static const struct discount *find_discount(const struct call *call)
{
    const struct litellm_config *config = config_of(call);
    for (size_t i = 0; i < config->discount_count; i++)
        if (slice_is(call->plan->provider_name, config->discount[i].provider))
            return &config->discount[i];
    return NULL;
}

static const struct margin *find_margin(const struct call *call)
{
    const struct litellm_config *config = config_of(call);
    const struct margin *global = NULL;
    for (size_t i = 0; i < config->margin_count; i++) {
        if (slice_is(call->plan->provider_name, config->margin[i].provider))
            return &config->margin[i];
        if (strcmp(config->margin[i].provider, "global") == 0)
            global = &config->margin[i];
    }
    return global;
}

static void add_share(struct call *call, enum unit unit, const struct rate *rate,
                      const struct decimal *sign)
{
    struct decimal so_far = money_decimal(bill_total(&call->bill));
    bill_add(&call->bill, unit, &so_far, (struct use){rate, sign});
}

void adjust_add(struct call *call)
{
    static const struct decimal minus_one = {1, 0, true};
    const struct discount *discount = find_discount(call);
    const struct margin *margin = find_margin(call);
    bool used = call->bill.used;
    call->bill.multiplier = NULL;
    if (discount)
        add_share(call, UNIT_DISCOUNT, &discount->rate, &minus_one);
    if (margin && margin->has_percentage)
        add_share(call, UNIT_MARGIN, &margin->percentage, NULL);
    call->bill.used = used;
    if (margin && margin->has_fixed)
        bill_rate(&call->bill, UNIT_MARGIN_FIXED, 1, &margin->fixed);
}
