/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A charge in the making: quantities times rates, added one by one. It lives as long as one call is
 * priced; the charge it fills is the caller's.
 */
#ifndef PRICING_BILL_BILL_H
#define PRICING_BILL_BILL_H

#include "core/charge.h"
#include "pricing/map/rates.h"

/* A charge in the making. */
struct bill {
    struct charge *charge;
    const struct decimal *multiplier; /* of everything added from now on; NULL: 1 */
    bool overflow;                    /* an amount does not fit, or too many items */
    bool used;                        /* any quantity that has a rate, or a cost somebody states */
    bool merges;                      /* many requests: a rate's quantities make one item */
    bool stated;                      /* a cost somebody states */
    enum unit missing;                /* the first quantity without a rate; UNIT_COUNT: none */
};

void bill_start(struct bill *bill, struct charge *charge);
/* quantity * rate * factor * multiplier. Nothing for a quantity of 0; a quantity without a rate is
 * remembered as missing one, so that nobody takes the sum of the rest for the price. */
void bill_add(struct bill *bill, enum unit unit, const struct decimal *quantity, struct use use);
void bill_count(struct bill *bill, enum unit unit, i128 quantity, struct use use);
static inline void bill_rate(struct bill *bill, enum unit unit, i128 quantity,
                             const struct rate *rate)
{
    bill_count(bill, unit, quantity, (struct use){rate, NULL});
}
/* For a quantity that is billed apart only where it has a rate, else within another (the tokens of
 * an image) or not at all (citations). */
static inline void bill_if_rated(struct bill *bill, enum unit unit, i128 quantity,
                                 const struct rate *rate)
{
    if (rate)
        bill_rate(bill, unit, quantity, rate);
}
/* A cost that somebody states: quantity 1 at that rate. */
void bill_stated(struct bill *bill, enum unit unit, const struct decimal *cost,
                 const struct rate_source *source);
struct money bill_total(const struct bill *bill);

extern const struct rate_source source_event_cost, source_provider_cost, source_tool_cost,
    source_upstream_cost, source_guardrail;

#endif
