/* SPDX-License-Identifier: Apache-2.0 */
/* What each member of a map's row is: price, meaning, harmless, unknown. */
#include "pricing/map/gate.h"

/* With their lengths: a map asks for each of its keys. */
static const struct slice harmless[] = {
#define HARMLESS(key) {key, sizeof(key) - 1},
#include "pricing/map/map_keys.def"
#undef HARMLESS
};

/* Members that decide something beside a rate, of rows and of the tables in them. */
static const char *const meaning[] = {
    "litellm_provider",
    "mode",
    "supported_regions",
    "vertex_ai_audio_api",
    "alias_of",
    "aliases",
    "range",
    "max_results_range",
    "hours_utc",
    "windows",
    "weekdays",
    "weekday_timezone",
    "search_context_size_low",
    "search_context_size_medium",
    "search_context_size_high",
    "ptu_count",
    "base_model",
    "id",
};

/* Tables whose members are keys of prices; provider_specific_entry holds multipliers by any name.
 */
static const char *const tables[] = {"tiered_pricing", "off_peak_pricing",
                                     "search_context_cost_per_query"};

static bool is_one_of(struct slice key, const char *const words[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_is(key, words[i]))
            return true;
    return false;
}

#define IS_ONE_OF(key, words) is_one_of(key, words, sizeof(words) / sizeof((words)[0]))

bool gate_harmless_key(struct slice key)
{
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        if (slice_eq(harmless[i], key))
            return true;
    return false;
}

/* A number or an object, or a list of them: texts and switches cost nothing. */
static bool is_amount(const struct node *value)
{
    if (value->kind == NODE_NUMBER || value->kind == NODE_MAP)
        return true;
    for (const struct node *n = value->kind == NODE_LIST ? value->children : NULL; n; n = n->next)
        if (is_amount(n))
            return true;
    return false;
}

const struct node *gate_unknown(const struct node *table, const struct variants *variants)
{
    const struct node *within = NULL;
    for (const struct node *n = table->children; n && !within; n = n->next) {
        if (!n->key)
            within = gate_unknown(n, variants);
        else if (gate_member(n, variants) == MEMBER_UNKNOWN)
            within = n;
    }
    return within;
}

bool gate_is_table(struct slice key)
{
    return IS_ONE_OF(key, tables);
}

enum member_kind gate_member(const struct node *member, const struct variants *variants)
{
    struct slice key = slice_of(member->key);
    struct price_key parsed;
    if (IS_ONE_OF(key, tables))
        return gate_unknown(member, variants) ? MEMBER_UNKNOWN : MEMBER_PRICE;
    if (price_key_parse(key, variants, NULL, &parsed) || price_key_inert(key))
        return MEMBER_PRICE;
    if (IS_ONE_OF(key, meaning))
        return MEMBER_MEANING;
    if (gate_harmless_key(key))
        return MEMBER_HARMLESS;
    bool by_name = price_key_suspect(key) || memmem(key.p, key.bytes, "alias", 5);
    return by_name || is_amount(member) ? MEMBER_UNKNOWN : MEMBER_HARMLESS;
}

const char *gate_word(enum member_kind kind)
{
    static const char *const words[] = {"price", "meaning", "harmless", "unknown"};
    return words[kind];
}
