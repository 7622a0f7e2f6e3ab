/* SPDX-License-Identifier: Apache-2.0 */
/* Vertex AI: prices above 128k, characters of answers, the uplift of a location
 * (docs/pricing.md 8.2). */
#include "pricing/bill/chat.h"

#define BAND_128K 128000
#define CHARACTERS_128K 32000

static const struct band *band_128k(const struct rule *rule)
{
    for (size_t i = 0; i < rule->band_count; i++)
        if (rule->band[i].above_tokens == BAND_128K)
            return &rule->band[i];
    return NULL;
}

static struct use above_128k(const struct rule *rule, const struct band *band, enum rate_kind kind,
                             i128 tokens)
{
    const struct rate *above = tokens > BAND_128K ? band->rate[kind][VARIANT_PLAIN] : NULL;
    return plain_use(rule, kind, above);
}

static bool has_128k(const struct band *band)
{
    return band &&
           (band->rate[RATE_INPUT][VARIANT_PLAIN] || band->rate[RATE_OUTPUT][VARIANT_PLAIN]);
}

/* Prompt and completion are compared each on its own; no cache, no modalities. */
static void vertex_input(struct call *call, const struct usage *usage,
                         const struct generic_options *options)
{
    const struct rule *rule = call->candidate->rule;
    const struct band *band = band_128k(rule);
    struct usage only_input = *usage;
    only_input.out = (struct output_usage){0};
    if (has_128k(band))
        bill_count(&call->bill, UNIT_INPUT_TEXT_TOKENS, usage->in.prompt,
                   above_128k(rule, band, RATE_INPUT, usage->in.prompt));
    else
        generic_add(call, rule, &only_input, options);
}

static void vertex_output(struct call *call, const struct usage *usage,
                          const struct generic_options *options)
{
    const struct rule *rule = call->candidate->rule;
    const struct band *band = band_128k(rule);
    struct usage only_output = {.in = {.prompt = usage->in.prompt}, .out = usage->out};
    if (has_128k(band))
        bill_count(&call->bill, UNIT_OUTPUT_TEXT_TOKENS, usage->out.completion,
                   above_128k(rule, band, RATE_OUTPUT, usage->out.completion));
    else
        generic_add(call, rule, &only_output, options);
}

/* Characters of a chat answer; above 32,000 the price above 128k is applied to its tokens. */
static bool vertex_characters(struct call *call, const struct usage *usage)
{
    const struct rule *rule = call->candidate->rule;
    const struct band *band = band_128k(rule);
    int64_t characters = facts_int(call->facts, FACT_ANSWER_CHARACTERS);
    if (call->plan->class != CALL_CHAT || !facts_has(call->facts, FACT_ANSWER_CHARACTERS))
        return false;
    if (characters > CHARACTERS_128K) {
        const struct rate *above = band ? band->rate[RATE_OUTPUT_CHARACTER][VARIANT_PLAIN] : NULL;
        bill_if_rated(&call->bill, UNIT_OUTPUT_TEXT_TOKENS, usage->out.completion, above);
        return above != NULL;
    }
    const struct rate *rate = rule_rate(rule, RATE_OUTPUT_CHARACTER, VARIANT_PLAIN);
    bill_if_rated(&call->bill, UNIT_OUTPUT_CHARACTERS, characters, rate);
    return rate != NULL;
}

void chat_vertex(struct call *call)
{
    struct generic_options options = chat_with_tier(call);
    struct usage usage;
    usage_read(call->facts, &usage);
    uplift_vertex(call, call->candidate->rule);
    vertex_input(call, &usage, &options);
    if (call->candidate->bills_tokens || !vertex_characters(call, &usage))
        vertex_output(call, &usage, &options);
}
