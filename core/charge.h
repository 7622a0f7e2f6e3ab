/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The charge: a priced event. Pricing makes it, store writes it, explain prints it. Plain data;
 * strings and sources belong to the price book and live as long as it does.
 */
#ifndef CORE_CHARGE_H
#define CORE_CHARGE_H

#include "core/decimal.h"
#include "core/flags.h"

enum unit {
#define UNIT(id, side, code, name) UNIT_##id,
#include "core/units.def"
#undef UNIT
    UNIT_COUNT
};

enum cost_side { SIDE_INPUT, SIDE_OUTPUT, SIDE_OTHER };

enum reason {
    REASON_NONE,
#define REASON(id, name, doc) REASON_##id,
#include "core/reasons.def"
#undef REASON
    REASON_COUNT
};

enum charge_status {
    CHARGE_PRICED,
    CHARGE_FREE,
    CHARGE_REPORTED,
    CHARGE_UNPRICED,
    CHARGE_STATUS_COUNT,
};

struct unit_info {
    const char *name;
    enum cost_side side;
    char code; /* in rows: store/row_items.h */
};

struct reason_info {
    const char *name; /* NULL for REASON_NONE */
    const char *doc;
};

extern const struct unit_info unit_info[UNIT_COUNT];
extern const struct reason_info reason_info[REASON_COUNT];
extern const char *const charge_status_name[CHARGE_STATUS_COUNT];

/* Where a rate was set. Shown as "cost_map:ENTRY#KEY" or "FILE:LINE#ENTRY.KEY". */
struct rate_source {
    const char *file;  /* NULL: the builtin cost map */
    unsigned line;     /* from 1; 0 where a file has no useful line */
    const char *entry; /* cost map key, or the override's model_name */
    const char *key;   /* price key as written; a constant's name for a built-in constant */
};

/* amount = quantity * rate * multiplier, rounded once. Discount and margin items are negative or
 * positive amounts: quantity is the amount they apply to, rate the percentage. */
struct charge_item {
    enum unit unit;
    struct decimal quantity;
    struct decimal rate;
    struct decimal multiplier; /* uplifts, half price and the like; 1 otherwise */
    struct money amount;
    const struct rate_source *source; /* never NULL */
};

#define CHARGE_ITEMS_MAX 32

struct charge {
    enum charge_status status;
    enum reason reason;
    unsigned flags;     /* flags.h: what pricing remarked */
    bool has_spend;     /* false: spend is NULL, never 0 */
    struct money spend; /* the exact sum of the items; the gateway's figure when reported */
    struct money side[3];
    const char *rule;  /* name of the entry that priced it; "" when none did */
    enum unit missing; /* REASON_RATE_MISSING: what has no rate; UNIT_COUNT: nothing */
    size_t item_count;
    struct charge_item item[CHARGE_ITEMS_MAX];
};

/* Of input, cache, output, ...: what is counted in tokens. */
bool unit_is_tokens(enum unit unit);

/* "cost_map:gpt-4o#input_cost_per_token" into text; returns the length. */
size_t rate_source_format(const struct rate_source *source, char *text, size_t capacity);

#endif
