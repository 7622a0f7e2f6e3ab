/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Price keys, read by a grammar instead of a list (docs/pricing.md section 3):
 *
 *     key     = base [ "_above_" N [ "k" ] "_tokens" ] [ "_" variant ]
 *             | base "_" detail                  (seconds and images of output only)
 *     base    = a row of rates.def
 *     variant = "flex" | "balanced" | "priority" | "ultrafast" | "batches" | "decisions" | a tier
 * of the cost map
 *
 * A threshold or a tier that appears in next month's map is understood without a change: thresholds
 * are numbers, and a one-word suffix behind a token rate of the map becomes a variant of its own.
 */
#ifndef PRICING_MAP_GRAMMAR_H
#define PRICING_MAP_GRAMMAR_H

#include "core/slice.h"

#include <stdint.h>

enum rate_kind {
#define BANDED_RATE(id, key) RATE_##id,
#include "pricing/map/rates.def"
#undef BANDED_RATE
    RATE_BANDED_COUNT,
    RATE_LAST_BANDED = RATE_BANDED_COUNT - 1,
#define RATE(id, key) RATE_##id,
#include "pricing/map/rates.def"
#undef RATE
    RATE_COUNT,
};

extern const char *const rate_base[RATE_COUNT];

enum variant {
    VARIANT_PLAIN,
    VARIANT_FLEX,
    VARIANT_BALANCED,
    VARIANT_PRIORITY,
    VARIANT_ULTRAFAST,
    VARIANT_BATCHES,
    VARIANT_DECISIONS, /* of calls to a decisions endpoint (8.1); no tier */
    VARIANT_LEARNED,   /* the first that a cost map teaches */
};

#define VARIANTS_MAX 9
#define VARIANT_TEXT_MAX 16

/* Words of the variants known so far. */
struct variants {
    char word[VARIANTS_MAX][VARIANT_TEXT_MAX];
    unsigned count;
};

void variants_init(struct variants *variants);
/* VARIANTS_MAX when there is none of that word. */
unsigned variants_find(const struct variants *variants, struct slice word);

struct price_key {
    enum rate_kind kind;
    unsigned variant;
    uint32_t above_tokens; /* 0: no threshold */
    struct slice detail;   /* "1080p"; empty: none */
};

/* false: no price key. A new variant is added to `learn` if that is not NULL. */
bool price_key_parse(struct slice key, const struct variants *variants, struct variants *learn,
                     struct price_key *out);

/* Whether a key of this shape is read at all by LiteLLM 1.106.2 ("visible"); `exact`: only what its
 * own lists name, else also thresholds and tiers it could not know yet. */
bool price_key_visible(struct slice key, const struct price_key *parsed, bool exact);

/* Whether a key looks like a price although the grammar does not know it. */
bool price_key_suspect(struct slice key);
/* Known keys that are never billed, or are tables: no reason for a warning. */
bool price_key_inert(struct slice key);
/* The known price key nearest to a misspelt one, or NULL. */
const char *price_key_suggest(struct slice key);

#endif
