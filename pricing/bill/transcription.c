/* SPDX-License-Identifier: Apache-2.0 */
/* Transcriptions, by token or by the second (docs/pricing.md 8.5). */
#include "pricing/bill/call.h"
#include "pricing/names/text.h"

static bool has_token_usage(const struct facts *facts)
{
    return facts_int(facts, FACT_INPUT_TOKENS) > 0 || facts_int(facts, FACT_OUTPUT_TOKENS) > 0 ||
           facts_int(facts, FACT_INPUT_AUDIO_TOKENS) > 0 ||
           facts_int(facts, FACT_INPUT_TEXT_TOKENS) > 0;
}

static bool has_positive_token_rate(const struct rule *rule)
{
    return rule_prices_tokens(rule) ||
           rate_positive(rule_rate(rule, RATE_INPUT_AUDIO_TOKEN, VARIANT_PLAIN)) ||
           rate_positive(rule_rate(rule, RATE_OUTPUT_AUDIO_TOKEN, VARIANT_PLAIN));
}

static bool has_token_rate(const struct rule *rule)
{
    return rule_prices_tokens(rule) || rule_rate(rule, RATE_INPUT, VARIANT_PLAIN) ||
           rule_rate(rule, RATE_OUTPUT, VARIANT_PLAIN) ||
           rule_rate(rule, RATE_INPUT_AUDIO_TOKEN, VARIANT_PLAIN) ||
           rule_rate(rule, RATE_OUTPUT_AUDIO_TOKEN, VARIANT_PLAIN);
}

static bool names_second_rate(const struct rule *rule)
{
    return rule_rate(rule, RATE_INPUT_SECOND, VARIANT_PLAIN) ||
           rule_rate(rule, RATE_OUTPUT_SECOND, VARIANT_PLAIN);
}

static bool has_second_rate(const struct rule *rule)
{
    return rate_positive(rule_rate(rule, RATE_INPUT_SECOND, VARIANT_PLAIN)) ||
           rate_positive(rule_rate(rule, RATE_OUTPUT_SECOND, VARIANT_PLAIN));
}

/* Mode merge: token usage counts only if the entry has a token rate (5.4), and token rates of 0
 * beside a price per second leave the call to the seconds. */
static bool bills_token_usage(const struct call *call, const struct rule *rule)
{
    if (!has_token_usage(call->facts))
        return false;
    if (!call->plan->custom || !merges(call))
        return has_token_rate(rule) || !names_second_rate(rule);
    return has_token_rate(rule) && (has_positive_token_rate(rule) || !has_second_rate(rule));
}

/* Seconds that only a usage block states: billed for OpenAI's gpt models, and where the entry says
 * that its provider counts so (LiteLLM 1.110.2); else they are not billed at all. */
static bool bills_stated_seconds(const struct call *call, const struct rule *rule)
{
    struct slice name = facts_text(call->facts, FACT_MODEL_REQUESTED);
    const struct rate *counted = rule_multiplier(rule, SLICE("transcription_usage_duration"));
    static const struct decimal one = {1, 0, false};
    if (name.bytes == 0)
        name = facts_text(call->facts, FACT_MODEL);
    name = names_without_prefix(name, "openai/");
    bool gpt = names_contain(name, "gpt-4o") ||
               (slice_starts(name, SLICE("gpt-")) && names_contain(name, "transcribe"));
    return (provider_has(call->plan->provider, TRAIT_STATED_SECONDS) && gpt) ||
           (counted && decimal_cmp(&counted->value, &one) == 0);
}

enum outcome transcription_price(struct call *call)
{
    const struct rule *rule = call->candidate->rule;
    struct generic_options options = {.variant = tier_of(call, &call->edition->catalog->variants)};
    const struct decimal *seconds = facts_decimal(call->facts, FACT_AUDIO_SECONDS);
    struct usage usage;
    if (!rule)
        return OUTCOME_UNMAPPED;
    bool stated_apart =
        slice_is(facts_text(call->facts, FACT_TRANSCRIPTION_USAGE_TYPE), "duration");
    if (bills_token_usage(call, rule)) {
        rule = call->candidate->base ? call->candidate->base : rule;
        usage_read(call->facts, &usage);
        uplift_residency(call, rule);
        generic_add(call, rule, &usage, &options);
        return OUTCOME_PRICED;
    }
    const struct rate *output = rule_rate(rule, RATE_OUTPUT_SECOND, VARIANT_PLAIN);
    const struct rate *input = rule_rate(rule, RATE_INPUT_SECOND, VARIANT_PLAIN);
    const struct rate *rate = rate_positive(output) ? output : input;
    if (!seconds && stated_apart && bills_stated_seconds(call, rule))
        seconds = facts_decimal(call->facts, FACT_AUDIO_SECONDS_BILLED);
    if (!seconds && (!rate || stated_apart))
        return OUTCOME_PRICED;
    if (!seconds)
        return underivable(call, REASON_UNDERIVABLE_AUDIO_DURATION);
    bill_add(&call->bill, rate == output ? UNIT_OUTPUT_SECONDS : UNIT_INPUT_SECONDS, seconds,
             (struct use){rate, NULL});
    return OUTCOME_PRICED;
}
