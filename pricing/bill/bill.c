/* SPDX-License-Identifier: Apache-2.0 */
/* Adding to a bill: quantity times rate, rounded once, as an item of the charge. */
#include "pricing/bill/bill.h"

const struct rate_source source_event_cost = {"event", 0, "call", "gateway_cost"};
const struct rate_source source_provider_cost = {"event", 0, "call", "provider_cost"};
const struct rate_source source_tool_cost = {"event", 0, "call", "tool_cost"};
const struct rate_source source_upstream_cost = {"event", 0, "call", "upstream_cost"};
const struct rate_source source_guardrail = {"event", 0, "call", "guardrail_cost"};

static const struct decimal one = {1, 0, false};

void bill_start(struct bill *bill, struct charge *charge)
{
    *bill = (struct bill){.charge = charge, .missing = UNIT_COUNT};
    charge->item_count = 0;
    charge->spend = (struct money){0};
    for (size_t i = 0; i < 3; i++)
        charge->side[i] = (struct money){0};
    charge->rule = "";
    charge->missing = UNIT_COUNT;
}

/* quantity * rate * factor * multiplier; either of the last may be NULL for 1. */
static bool multiply(struct charge_item *item, const struct decimal *factor,
                     const struct decimal *multiplier)
{
    if (!factor && !multiplier)
        return money_multiply(&item->quantity, &item->rate, &item->amount);
    if (factor && multiplier && !decimal_mul(factor, multiplier, &item->multiplier))
        return false;
    if (!factor || !multiplier)
        item->multiplier = factor ? *factor : *multiplier;
    const struct decimal *factors[] = {&item->quantity, &item->rate, &item->multiplier};
    return money_product(factors, 3, &item->amount);
}

/* The item of the same unit, rate and multiplier that more of the same is added to. */
static struct charge_item *find_same(const struct bill *bill, const struct charge_item *added)
{
    struct charge *charge = bill->charge;
    for (size_t i = 0; bill->merges && i < charge->item_count; i++) {
        struct charge_item *item = &charge->item[i];
        if (item->unit == added->unit && item->source == added->source &&
            decimal_cmp(&item->multiplier, &added->multiplier) == 0)
            return item;
    }
    return NULL;
}

static bool merge_item(struct charge_item *same, const struct charge_item *added,
                       struct money *side)
{
    const struct decimal *factors[] = {&same->quantity, &same->rate, &same->multiplier};
    side->atto -= same->amount.atto;
    return decimal_add(&same->quantity, &added->quantity, &same->quantity) &&
           money_product(factors, 3, &same->amount) && money_add(*side, same->amount, side);
}

static void add_item(struct bill *bill, enum unit unit, const struct decimal *quantity,
                     const struct decimal *rate, const struct decimal *factor,
                     const struct rate_source *source)
{
    struct charge *charge = bill->charge;
    struct charge_item fresh = {.unit = unit};
    bool full = charge->item_count == CHARGE_ITEMS_MAX;
    struct charge_item *item = full || bill->merges ? &fresh : &charge->item[charge->item_count];
    struct money *side = &charge->side[unit_info[unit].side];
    item->unit = unit;
    item->quantity = *quantity;
    item->rate = *rate;
    item->multiplier = one;
    item->source = source;
    if (!multiply(item, factor, bill->multiplier)) {
        bill->overflow = true;
        return;
    }
    struct charge_item *same = find_same(bill, item);
    if (same || full) {
        bill->overflow |= !same || !merge_item(same, item, side);
        return;
    }
    bill->overflow |= !money_add(*side, item->amount, side);
    charge->item[charge->item_count++] = *item;
}

static void lack_rate(struct bill *bill, enum unit unit)
{
    if (bill->missing == UNIT_COUNT)
        bill->missing = unit;
}

void bill_add(struct bill *bill, enum unit unit, const struct decimal *quantity, struct use use)
{
    if (decimal_is_zero(quantity))
        return;
    if (!use.rate) {
        lack_rate(bill, unit);
        return;
    }
    bill->used = true;
    add_item(bill, unit, quantity, &use.rate->value, use.factor, &use.rate->source);
}

void bill_count(struct bill *bill, enum unit unit, i128 quantity, struct use use)
{
    struct decimal n;
    if (quantity <= 0)
        return;
    if (!use.rate) {
        lack_rate(bill, unit);
        return;
    }
    bill->used = true;
    n = (struct decimal){(u128)quantity, 0, false};
    add_item(bill, unit, &n, &use.rate->value, use.factor, &use.rate->source);
}

void bill_stated(struct bill *bill, enum unit unit, const struct decimal *cost,
                 const struct rate_source *source)
{
    const struct decimal *multiplier = bill->multiplier;
    bill->multiplier = NULL;
    bill->used = bill->stated = true;
    add_item(bill, unit, &one, cost, NULL, source);
    bill->multiplier = multiplier;
}

struct money bill_total(const struct bill *bill)
{
    struct money total = {0};
    for (size_t i = 0; i < 3; i++)
        total.atto += bill->charge->side[i].atto;
    return total;
}
