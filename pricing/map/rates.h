/* SPDX-License-Identifier: Apache-2.0 */
/* The base rates of one request (docs/pricing.md section 7.2): tiers, thresholds, off-peak windows.
 */
#ifndef PRICING_MAP_RATES_H
#define PRICING_MAP_RATES_H

#include "pricing/map/rule.h"

/* A rate to bill by. `factor` NULL is 1: a rate derived from another one has a factor. */
struct use {
    const struct rate *rate; /* NULL: no price, which bills as 0 */
    const struct decimal *factor;
};

struct base_rates {
    struct use input, output, read, write, write_1h, write_12h, reasoning;
};

struct rate_choice {
    unsigned variant;      /* of the service tier */
    int64_t prompt_tokens; /* the whole prompt chooses tier and threshold */
    bool inclusive;        /* a threshold is reached at, not above (xAI) */
    bool half_cache_read;  /* Fireworks: a missing cache-read rate is half the input rate */
    int64_t billed_at_us;  /* off-peak windows are read at the end of the call */
    bool explicit_cache;   /* cached tokens of an explicit cache: a read rate of their own */
};

void rates_choose(const struct rule *rule, const struct rate_choice *choice,
                  struct base_rates *out);

/* What an explicit cache is read at, where any rate says so (7.3); NULL: as any other. */
const struct rate *rates_explicit_read(const struct rule *rule, const struct rate_choice *choice);

/* The row of tiered_pricing for that many tokens; NULL: no table, or no tokens. */
const struct tier_row *rates_tier(const struct rule *rule, int64_t tokens);

/* The largest crossed threshold's rate at the variant, else at none; NULL: no threshold crossed. */
const struct rate *rates_above(const struct rule *rule, enum rate_kind kind, int64_t prompt_tokens,
                               bool inclusive, unsigned variant);

/* The rate of a batch direction: its largest crossed threshold's, else the flat one (8.5). *crossed
 * is set when any threshold of the direction was compared and crossed. */
const struct rate *rates_batch(const struct rule *rule, enum rate_kind kind, int64_t prompt_tokens,
                               bool inclusive, bool *crossed);

extern const struct decimal decimal_half;

#endif
