/* SPDX-License-Identifier: Apache-2.0 */
/* Price keys taken apart, and the nearest known one of a misspelt key. */
#include "pricing/map/grammar.h"

#include "core/yaml.h"
#include "pricing/map/lists.h"

const char *const rate_base[RATE_COUNT] = {
#define BANDED_RATE(id, key) [RATE_##id] = key,
#define RATE(id, key) [RATE_##id] = key,
#include "pricing/map/rates.def"
#undef RATE
#undef BANDED_RATE
};

static const uint8_t rate_base_bytes[RATE_COUNT] = {
#define BANDED_RATE(id, key) [RATE_##id] = sizeof(key) - 1,
#define RATE(id, key) [RATE_##id] = sizeof(key) - 1,
#include "pricing/map/rates.def"
#undef RATE
#undef BANDED_RATE
};

/* Keys of the map that no formula reads, and keys that hold tables or words. */
static const char *const inert_keys[] = {
    "search_context_cost_per_query",
    "tiered_pricing",
    "off_peak_pricing",
    "web_search_billing_unit",
    "provider_specific_entry",
    "input_cost_per_request",
    "input_cost_per_token_cache_hit",
    "input_dbu_cost_per_token",
    "output_dbu_cost_per_token",
    "file_search_cost_per_1k_calls",
    "file_search_cost_per_gb_per_day",
    "vector_store_cost_per_gb_per_day",
    "code_interpreter_cost_per_session",
    "computer_use_input_cost_per_1k_tokens",
    "computer_use_output_cost_per_1k_tokens",
    "guardrail_cost_per_unit",
    "cost_per_ptu_per_hour",
    "input_cost_per_image_above_128k_tokens",
    "input_cost_per_audio_per_second_above_128k_tokens",
    "input_cost_per_video_per_second_above_128k_tokens",
    "input_cost_per_video_per_second_above_15s_interval",
    "input_cost_per_video_per_second_above_8s_interval",
};

void variants_init(struct variants *variants)
{
    *variants = (struct variants){
        {"", "flex", "balanced", "priority", "ultrafast", "batches", "decisions"}, VARIANT_LEARNED};
}

unsigned variants_find(const struct variants *variants, struct slice word)
{
    for (unsigned i = 1; i < variants->count; i++)
        if (slice_is(word, variants->word[i]))
            return i;
    return VARIANTS_MAX;
}

/* The longest base that is all of the key or ends before a "_". */
static enum rate_kind find_base(struct slice key, size_t *base_bytes)
{
    enum rate_kind found = RATE_COUNT;
    *base_bytes = 0;
    for (enum rate_kind kind = 0; kind < RATE_COUNT; kind++) {
        size_t bytes = rate_base_bytes[kind];
        if (bytes <= *base_bytes || bytes > key.bytes || memcmp(key.p, rate_base[kind], bytes) != 0)
            continue;
        if (bytes < key.bytes && key.p[bytes] != '_')
            continue;
        found = kind;
        *base_bytes = bytes;
    }
    return found;
}

/* "_above_272k_tokens" at the start of *rest; consumed when it is there. */
static void take_threshold(struct slice *rest, uint32_t *tokens)
{
    static const struct slice before = {"_above_", 7}, after = {"_tokens", 7};
    struct slice at = *rest;
    uint64_t n = 0;
    if (!slice_starts(at, before))
        return;
    at = (struct slice){at.p + before.bytes, at.bytes - before.bytes};
    size_t digits = 0;
    for (; digits < at.bytes && at.p[digits] >= '0' && at.p[digits] <= '9' && digits < 7; digits++)
        n = n * 10 + (uint64_t)(at.p[digits] - '0');
    if (digits == 0)
        return;
    at = (struct slice){at.p + digits, at.bytes - digits};
    if (at.bytes && at.p[0] == 'k') {
        n *= 1000;
        at = (struct slice){at.p + 1, at.bytes - 1};
    }
    if (!slice_starts(at, after) || n == 0 || n > UINT32_MAX)
        return;
    *tokens = (uint32_t)n;
    *rest = (struct slice){at.p + after.bytes, at.bytes - after.bytes};
}

static bool is_word(struct slice word)
{
    if (word.bytes == 0 || word.bytes >= VARIANT_TEXT_MAX)
        return false;
    for (size_t i = 0; i < word.bytes; i++)
        if (word.p[i] < 'a' || word.p[i] > 'z')
            return false;
    return true;
}

static unsigned variant_of(struct slice word, const struct variants *variants,
                           struct variants *learn)
{
    unsigned found = variants_find(variants, word);
    if (found < VARIANTS_MAX || !learn || !is_word(word) || learn->count == VARIANTS_MAX)
        return found;
    memcpy(learn->word[learn->count], word.p, word.bytes);
    return learn->count++;
}

static bool takes_detail(enum rate_kind kind)
{
    return kind == RATE_OUTPUT_SECOND || kind == RATE_OUTPUT_IMAGE;
}

static bool is_detail(struct slice detail)
{
    for (size_t i = 0; i < detail.bytes; i++) {
        char c = detail.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '.'))
            return false;
    }
    return detail.bytes > 0 && detail.bytes <= 24;
}

bool price_key_parse(struct slice key, const struct variants *variants, struct variants *learn,
                     struct price_key *out)
{
    size_t base_bytes;
    *out = (struct price_key){.kind = find_base(key, &base_bytes)};
    if (out->kind == RATE_COUNT)
        return false;
    struct slice rest = {key.p + base_bytes, key.bytes - base_bytes};
    if (out->kind < RATE_BANDED_COUNT)
        take_threshold(&rest, &out->above_tokens);
    if (rest.bytes == 0)
        return true;
    if (rest.p[0] != '_')
        return false;
    rest = (struct slice){rest.p + 1, rest.bytes - 1};
    if (takes_detail(out->kind) && is_detail(rest)) {
        out->detail = rest;
        return true;
    }
    out->variant = variant_of(rest, variants, out->kind < RATE_BANDED_COUNT ? learn : NULL);
    return out->variant < VARIANTS_MAX;
}

bool price_key_visible(struct slice key, const struct price_key *parsed, bool exact)
{
    bool batch_or_plain = parsed->variant == VARIANT_PLAIN || parsed->variant == VARIANT_BATCHES;
    if (list_has(&list_visible, key) || (parsed->above_tokens && batch_or_plain))
        return true;
    if (parsed->detail.bytes || parsed->kind == RATE_INPUT_PIXEL || parsed->kind == RATE_CALL ||
        parsed->variant == VARIANT_DECISIONS)
        return true; /* read from raw entries */
    return !exact && (parsed->above_tokens || parsed->variant >= VARIANT_LEARNED);
}

/* The letters at p begin one of the words that prices are called by. */
static bool begins_sign(const char *p, size_t bytes)
{
    static const struct slice signs[] = {
        {"cost", 4}, {"price", 5}, {"pricing", 7}, {"uplift", 6}, {"multiplier", 10}};
    struct slice text = {p, bytes};
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (slice_starts(text, signs[i]))
            return true;
    return false;
}

bool price_key_suspect(struct slice key)
{
    for (size_t i = 0; i < key.bytes; i++)
        if ((key.p[i] == 'c' || key.p[i] == 'p' || key.p[i] == 'u' || key.p[i] == 'm') &&
            begins_sign(key.p + i, key.bytes - i))
            return true;
    return false;
}

bool price_key_inert(struct slice key)
{
    for (size_t i = 0; i < sizeof(inert_keys) / sizeof(inert_keys[0]); i++)
        if (slice_is(key, inert_keys[i]))
            return true;
    return list_has(&list_custom, key) || list_has(&list_visible, key);
}

const char *price_key_suggest(struct slice key)
{
    const char *near = yaml_suggest(key, list_visible.words, list_visible.count);
    return near ? near : yaml_suggest(key, list_custom.words, list_custom.count);
}
