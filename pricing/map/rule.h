/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rule: the rates of one cost map entry or deployment, compiled once and read-only afterwards.
 * Presence is kept apart from value: 0 is a price, absent is a fallback, so a rate is a pointer
 * that may be NULL.
 */
#ifndef PRICING_MAP_RULE_H
#define PRICING_MAP_RULE_H

#include "core/charge.h"
#include "pricing/map/grammar.h"
#include "pricing/map/node.h"
#include "pricing/map/zone.h"

struct rate {
    struct decimal value;
    struct rate_source source;
};

/* A constant of LiteLLM 1.106.2 that is in no map. */
#define CONSTANT_RATE(coefficient, decimals, name)                                                 \
    {                                                                                              \
        {(coefficient), (decimals), false},                                                        \
        {                                                                                          \
            "built-in", 0, "constant", (name)                                                      \
        }                                                                                          \
    }

/* One member of a raw entry, and whose it is: the map entry's name or the deployment's model_name.
 */
struct field {
    const struct node *value;
    const char *entry;
};

#define FIELDS_MAX 192

/* A raw entry on its way to a rule; later members win over earlier ones of the same key. */
struct fields {
    struct field field[FIELDS_MAX];
    size_t count;
};

const struct node *fields_get(const struct fields *fields, const char *key); /* non-null only */
void fields_remove(struct fields *fields, const char *key);
/* Replaces the member of the same key or adds one. false: more than FIELDS_MAX. */
bool fields_set(struct fields *fields, const struct node *value, const char *entry) MUST_CHECK;

enum tier_rate {
    TIER_INPUT,
    TIER_OUTPUT,
    TIER_REASONING,
    TIER_READ,
    TIER_WRITE,
    TIER_WRITE_1H,
    TIER_WRITE_12H,
    TIER_EXPLICIT_READ,
    TIER_QUERY,
    TIER_RATE_COUNT,
};

extern const char *const tier_rate_key[TIER_RATE_COUNT];

struct tier_row {
    bool has_range, has_results;
    struct decimal above, upto; /* above < prompt tokens <= upto; results: both inclusive */
    const struct rate *rate[TIER_RATE_COUNT];
};

struct off_peak_window {
    uint16_t start_minute, end_minute; /* of the UTC day; start == end is all of it */
    uint8_t weekdays;                  /* bit 0 = Monday */
    const struct zone *weekday_zone;
};

struct off_peak {
    const struct rate *input, *output, *read, *write, *reasoning, *explicit_read;
    size_t window_count;
    struct off_peak_window *window;
};

struct band {
    uint32_t above_tokens;
    const struct rate *rate[RATE_BANDED_COUNT][VARIANTS_MAX];
};

struct named_rate {
    enum rate_kind kind; /* of a detail */
    const char *name;    /* "1080p"; "fast"; "us" */
    const struct rate *rate;
};

enum context_size { CONTEXT_LOW, CONTEXT_MEDIUM, CONTEXT_HIGH, CONTEXT_COUNT };

struct rule {
    const char *name;
    const char *provider;    /* "" = any */
    enum reason zero_reason; /* why a rule without any rate is free; REASON_NONE for all others */
    const char *unknown_key; /* looks like money and is not known (gate.h); NULL: none */
    bool wall_clock_mode;    /* its mode may be billed by wall clock (8.1) */
    bool prices_something;   /* 4.1 */
    bool names_input_rate;   /* the key input_cost_per_token is there at all (Together, 8.1) */
    const struct rule
        *decisions; /* with its _decisions rates in place of the plain ones; NULL: none */
    bool has_tiers, per_query, per_request, is_lyria;
    uint8_t slot[RATE_COUNT][VARIANTS_MAX]; /* index into rate; 0 = absent */
    const struct rate *const *rate;         /* rate[0] is the absent one */
    size_t band_count, tier_count, detail_count, multiplier_count, region_count;
    struct band *band; /* ascending */
    struct tier_row *tier;
    const struct off_peak *off_peak;
    const struct rate *context[CONTEXT_COUNT];
    bool has_context;
    struct named_rate *detail, *multiplier;
    const char **region; /* supported_regions */
};

struct rule_options {
    const char *name, *provider;
    const struct variants *variants;
    bool exact_keys; /* only the keys LiteLLM's own lists name (price_key_visible) */
};

/* ERR_CONFIG: a bad price or table. */
struct rule *rule_compile(struct arena *arena, const struct fields *fields,
                          const struct rule_options *options, struct err *err);

static inline const struct rate *rule_rate(const struct rule *rule, enum rate_kind kind,
                                           unsigned variant)
{
    return rule->rate[rule->slot[kind][variant]];
}

/* rate(key): with the tier's suffix, else without (section 7). */
static inline const struct rate *rule_tier_rate(const struct rule *rule, enum rate_kind kind,
                                                unsigned variant)
{
    const struct rate *rate = rule_rate(rule, kind, variant);
    return rate ? rate : rule_rate(rule, kind, VARIANT_PLAIN);
}

bool rate_positive(const struct rate *rate);
/* A token rate above 0, or tiers. */
bool rule_prices_tokens(const struct rule *rule);
/* Any price at all that a formula reads. */
bool rule_has_price(const struct rule *rule);
const struct rate *rule_detail(const struct rule *rule, enum rate_kind kind, struct slice name);
const struct rate *rule_multiplier(const struct rule *rule, struct slice name);
bool off_peak_open(const struct off_peak *off_peak, int64_t time_us);

#endif
