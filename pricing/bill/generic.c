/* SPDX-License-Identifier: Apache-2.0 */
/* What the calculators share: the generic token formula (7.3), the service tier (7.1), uplifts. */
#include "pricing/bill/bill.h"

#include <strings.h>

/* ---- time --------------------------------------------------------------------------------------
 */

bool call_seconds(const struct call *call, struct decimal *seconds)
{
    int64_t start = facts_int(call->facts, FACT_STARTED_AT);
    int64_t end = facts_int(call->facts, FACT_ENDED_AT);
    const struct decimal *stated = facts_decimal(call->facts, FACT_COMPUTE_SECONDS);
    if (facts_has(call->facts, FACT_STARTED_AT) && facts_has(call->facts, FACT_ENDED_AT) &&
        end >= start) {
        const struct decimal us = decimal_from_int(end - start), micro = {1, 6, false};
        return decimal_mul(&us, &micro, seconds);
    }
    if (!stated)
        stated = facts_decimal(call->facts, FACT_AUDIO_SECONDS);
    if (stated)
        *seconds = *stated;
    return stated != NULL;
}

int64_t call_billed_at(const struct call *call)
{
    return facts_has(call->facts, FACT_ENDED_AT) ? facts_int(call->facts, FACT_ENDED_AT)
                                                 : facts_int(call->facts, FACT_STARTED_AT);
}

/* ---- service tier (7.1) ------------------------------------------------------------------------
 */

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

/* ---- uplifts (7.3) -----------------------------------------------------------------------------
 */

void uplift_by(struct call *call, const struct rate *rate)
{
    const struct decimal *so_far = call->bill.multiplier;
    if (!rate)
        return;
    if (!so_far) {
        call->multiplier[0] = rate->value;
        call->bill.multiplier = &call->multiplier[0];
        return;
    }
    struct decimal *product =
        so_far == &call->multiplier[0] ? &call->multiplier[1] : &call->multiplier[0];
    if (!decimal_mul(so_far, &rate->value, product))
        call->bill.overflow = true;
    call->bill.multiplier = product;
}

/* OpenAI's regional hosts; the region the gateway priced on comes first. */
static const struct {
    const char *region, *host;
    enum rate_kind uplift;
} residencies[] = {
    {"eu", "eu.api.openai.com", RATE_UPLIFT_EU},
    {"us", "us.api.openai.com", RATE_UPLIFT_US},
    {"fedramp", "gov.api.openai.com", RATE_UPLIFT_FEDRAMP},
};

static bool is_word(struct slice text, const char *word)
{
    return text.bytes == strlen(word) && strncasecmp(text.p, word, text.bytes) == 0;
}

void uplift_residency(struct call *call, const struct rule *rule)
{
    struct slice region = facts_text(call->facts, FACT_DATA_RESIDENCY);
    struct slice host = facts_text(call->facts, FACT_API_HOST);
    for (size_t i = 0; i < sizeof(residencies) / sizeof(residencies[0]); i++)
        if (region.bytes ? is_word(region, residencies[i].region)
                         : slice_is(host, residencies[i].host)) {
            uplift_by(call, rule_rate(rule, residencies[i].uplift, VARIANT_PLAIN));
            return;
        }
}

/* The location defaults to the model's first supported region, else us-central1: the uplift is the
 * default. A location the model does not support is replaced by that first one. */
static struct slice vertex_location(const struct call *call)
{
    struct slice location = facts_text(call->facts, FACT_VERTEX_LOCATION);
    const struct entry *entry = call->plan->regions;
    if (location.bytes)
        return location;
    location = slice_of(call->plan->vertex_location);
    if (!entry || entry->rule->region_count == 0)
        return location.bytes ? location : SLICE("us-central1");
    for (size_t i = 0; location.bytes && i < entry->rule->region_count; i++)
        if (slice_is(location, entry->rule->region[i]))
            return location;
    return slice_of(entry->rule->region[0]);
}

void uplift_vertex(struct call *call, const struct rule *rule)
{
    const struct rate *rate = rule_rate(rule, RATE_UPLIFT_VERTEX, VARIANT_PLAIN);
    if (!rate)
        return;
    struct slice location = vertex_location(call);
    if (location.bytes != 6 || strncasecmp(location.p, "global", 6) != 0)
        uplift_by(call, rate);
}

/* ---- the generic formula (7.3) -----------------------------------------------------------------
 */

/* R(x): the modality's rate of the tier, else plain, else the input rate. */
static struct use input_use(const struct rule *rule, enum rate_kind kind, unsigned variant,
                            struct use input)
{
    const struct rate *rate = rule_tier_rate(rule, kind, variant);
    return rate ? (struct use){rate, NULL} : input;
}

static struct use output_use(const struct rule *rule, enum rate_kind kind, unsigned variant,
                             struct use output)
{
    const struct rate *rate = rule_tier_rate(rule, kind, variant);
    return rate ? (struct use){rate, NULL} : output;
}

/* Audio has thresholds of its own: the largest that the prompt crosses, at the tier, else plain. */
static struct use audio_use(const struct rule *rule, i128 prompt,
                            const struct generic_options *options, struct use input)
{
    const struct rate *above =
        rates_above(rule, RATE_INPUT_AUDIO_TOKEN, prompt, options->inclusive, options->variant);
    return above ? (struct use){above, NULL}
                 : input_use(rule, RATE_INPUT_AUDIO_TOKEN, options->variant, input);
}

/* Tokens of a cache that the caller asked for, and not the provider's own idea. */
bool reads_explicit_cache(const struct facts *facts)
{
    return facts_int(facts, FACT_CACHE_READ_TOKENS) > 0 &&
           slice_is(facts_text(facts, FACT_CACHE_TYPE), "ephemeral");
}

static void add_cache(struct bill *bill, const struct rule *rule, const struct input_usage *in,
                      const struct base_rates *base, unsigned variant)
{
    bill_count(bill, UNIT_CACHE_READ_TOKENS, in->cached - in->cached_audio - in->cached_image,
               base->read);
    bill_count(bill, UNIT_CACHE_READ_AUDIO_TOKENS, in->cached_audio,
               input_use(rule, RATE_READ_AUDIO, variant, base->read));
    bill_count(bill, UNIT_CACHE_READ_IMAGE_TOKENS, in->cached_image,
               input_use(rule, RATE_READ_IMAGE, variant, base->read));
    bill_count(bill, UNIT_CACHE_WRITE_TOKENS, in->written_short, base->write);
    bill_count(bill, UNIT_CACHE_WRITE_1H_TOKENS, in->written_1h, base->write_1h);
    bill_count(bill, UNIT_CACHE_WRITE_12H_TOKENS, in->written_12h, base->write_12h);
}

/* A modality whose count or length has a rate of its own is not billed by tokens as well. */
static void add_modalities(struct bill *bill, const struct rule *rule, const struct input_usage *in,
                           struct use input, const struct generic_options *options)
{
    unsigned variant = options->variant;
    const struct rate *audio = rule_rate(rule, RATE_INPUT_AUDIO_SECOND, VARIANT_PLAIN);
    const struct rate *image = rule_rate(rule, RATE_INPUT_IMAGE, VARIANT_PLAIN);
    const struct rate *video = rule_rate(rule, RATE_INPUT_VIDEO_SECOND, VARIANT_PLAIN);
    if (!(in->audio_seconds && audio))
        bill_count(bill, UNIT_INPUT_AUDIO_TOKENS, in->audio,
                   audio_use(rule, in->prompt, options, input));
    if (!(in->images && image))
        bill_count(bill, UNIT_INPUT_IMAGE_TOKENS, in->image,
                   input_use(rule, RATE_INPUT_IMAGE_TOKEN, variant, input));
    if (!(in->video_seconds && video))
        bill_count(bill, UNIT_INPUT_VIDEO_TOKENS, in->video,
                   input_use(rule, RATE_INPUT_VIDEO_TOKEN, variant, input));
    bill_if_rated(bill, UNIT_INPUT_IMAGES, in->images, image);
    if (in->video_seconds && video)
        bill_add(bill, UNIT_INPUT_VIDEO_SECONDS, in->video_seconds, (struct use){video, NULL});
    if (in->audio_seconds && audio)
        bill_add(bill, UNIT_INPUT_AUDIO_SECONDS, in->audio_seconds, (struct use){audio, NULL});
    bill_if_rated(bill, UNIT_INPUT_QUERIES, in->queries,
                  rule_rate(rule, RATE_INPUT_QUERY, VARIANT_PLAIN));
}

static void add_input(struct bill *bill, const struct rule *rule, const struct input_usage *in,
                      const struct base_rates *base, const struct generic_options *options)
{
    const struct rate *characters = rule_rate(rule, RATE_INPUT_CHARACTER, VARIANT_PLAIN);
    if (!(in->characters && characters))
        bill_count(bill, UNIT_INPUT_TEXT_TOKENS, in->text, base->input);
    bill_if_rated(bill, UNIT_INPUT_CHARACTERS, in->characters, characters);
    if (in->cached | in->written_short | in->written_1h | in->written_12h)
        add_cache(bill, rule, in, base, options->variant);
    if (in->audio | in->image | in->video | in->images | in->queries || in->video_seconds ||
        in->audio_seconds)
        add_modalities(bill, rule, in, base->input, options);
}

static void add_output(struct bill *bill, const struct rule *rule, const struct output_usage *out,
                       const struct base_rates *base, unsigned variant)
{
    bill_count(bill, UNIT_OUTPUT_TEXT_TOKENS, out->text, base->output);
    bill_count(bill, UNIT_OUTPUT_REASONING_TOKENS, out->reasoning, base->reasoning);
    if (!(out->audio | out->image | out->video))
        return;
    bill_count(bill, UNIT_OUTPUT_AUDIO_TOKENS, out->audio,
               output_use(rule, RATE_OUTPUT_AUDIO_TOKEN, VARIANT_PLAIN, base->output));
    bill_count(bill, UNIT_OUTPUT_IMAGE_TOKENS, out->image,
               output_use(rule, RATE_OUTPUT_IMAGE_TOKEN, variant, base->output));
    bill_count(bill, UNIT_OUTPUT_VIDEO_TOKENS, out->video,
               output_use(rule, RATE_OUTPUT_VIDEO_TOKEN, VARIANT_PLAIN, base->output));
}

void generic_add(struct call *call, const struct rule *rule, const struct usage *usage,
                 const struct generic_options *options)
{
    struct rate_choice choice = {options->variant,     usage->in.prompt,
                                 options->inclusive,   options->half_cache_read,
                                 call_billed_at(call), reads_explicit_cache(call->facts)};
    struct base_rates base;
    rates_choose(rule, &choice, &base);
    add_input(&call->bill, rule, &usage->in, &base, options);
    add_output(&call->bill, rule, &usage->out, &base, options->variant);
}
