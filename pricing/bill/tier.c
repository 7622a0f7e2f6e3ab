/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service tier of a call (docs/pricing.md 7.1): the word that the answer states, else the
 * resolved, else the requested one, as a variant of rates.
 */
#include "pricing/bill/call.h"

enum tier_word { TIER_UNKNOWN, TIER_NAMED, TIER_BASE, TIER_AUTO };

/* Words that name no variant of their own: LiteLLM's, and what Gemini and Vertex call theirs. */
static const struct {
    const char *word;
    enum tier_word meaning;
    unsigned variant;
} tier_words[] = {
    {"fast", TIER_NAMED, VARIANT_PRIORITY},
    {"on_demand_priority", TIER_NAMED, VARIANT_PRIORITY},
    {"on_demand_flex", TIER_NAMED, VARIANT_FLEX},
    {"default", TIER_BASE, VARIANT_PLAIN},
    {"standard", TIER_BASE, VARIANT_PLAIN},
    {"on_demand", TIER_BASE, VARIANT_PLAIN},
    {"auto", TIER_AUTO, VARIANT_PLAIN},
};

static enum tier_word read_tier(struct slice word, const struct variants *variants,
                                unsigned *variant)
{
    char lower[VARIANT_TEXT_MAX * 2];
    *variant = VARIANT_PLAIN;
    if (word.bytes == 0 || word.bytes >= sizeof(lower))
        return TIER_UNKNOWN;
    for (size_t i = 0; i < word.bytes; i++)
        lower[i] = word.p[i] >= 'A' && word.p[i] <= 'Z' ? (char)(word.p[i] | 0x20) : word.p[i];
    struct slice text = {lower, word.bytes};
    for (size_t i = 0; i < sizeof(tier_words) / sizeof(tier_words[0]); i++)
        if (slice_is(text, tier_words[i].word)) {
            *variant = tier_words[i].variant;
            return tier_words[i].meaning;
        }
    unsigned found = variants_find(variants, text);
    if (found == VARIANTS_MAX || found == VARIANT_BATCHES || found == VARIANT_DECISIONS)
        return TIER_UNKNOWN;
    *variant = found;
    return TIER_NAMED;
}

unsigned tier_of(const struct call *call, const struct variants *variants)
{
    unsigned variant;
    struct slice served = facts_text(call->facts, FACT_SERVICE_TIER);
    struct slice resolved = facts_text(call->facts, FACT_SERVICE_TIER_RESOLVED);
    if (resolved.bytes == 0)
        resolved = facts_text(call->facts, FACT_SERVICE_TIER_REQUESTED);
    if (served.bytes == 0 && resolved.bytes == 0)
        return VARIANT_PLAIN; /* as nearly always */
    enum tier_word meaning = read_tier(served, variants, &variant);
    if (meaning != TIER_NAMED && meaning != TIER_BASE)
        read_tier(resolved, variants, &variant);
    return variant;
}

bool tier_is_unknown(const struct call *call)
{
    const struct variants *variants = &call->edition->catalog->variants;
    static const enum fact words[] = {FACT_SERVICE_TIER, FACT_SERVICE_TIER_RESOLVED,
                                      FACT_SERVICE_TIER_REQUESTED};
    bool any = false;
    unsigned variant;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct slice word = facts_text(call->facts, words[i]);
        enum tier_word meaning = read_tier(word, variants, &variant);
        if (meaning == TIER_NAMED || meaning == TIER_BASE)
            return false; /* this one decides */
        any |= word.bytes > 0 && meaning == TIER_UNKNOWN;
    }
    return any && call->plan->class <= CALL_TEXT;
}
