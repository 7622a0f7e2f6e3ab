/* SPDX-License-Identifier: Apache-2.0 */
/* The generic token formula (docs/pricing.md 7.3). */
#include "pricing/bill/call.h"

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
