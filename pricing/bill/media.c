/* SPDX-License-Identifier: Apache-2.0 */
/* Video, speech, transcription, rerank, OCR and search (docs/pricing.md 8.4, 8.5). */
#include "pricing/bill/bill.h"

#include <ctype.h>

static enum outcome underivable(struct call *call, enum reason reason)
{
    call->reason = reason;
    return OUTCOME_UNDERIVABLE;
}

/* ---- video (8.4) -------------------------------------------------------------------------------
 */

/* The resolution, reduced to lower-case letters, digits and _. */
static const struct rate *resolution_rate(const struct rule *rule, struct slice resolution)
{
    char text[32];
    size_t bytes = 0;
    for (size_t i = 0; i < resolution.bytes && bytes < sizeof(text); i++) {
        unsigned char c = (unsigned char)resolution.p[i];
        if (isalnum(c) || c == '_')
            text[bytes++] = (char)tolower(c);
    }
    return bytes && bytes <= 24 ? rule_detail(rule, RATE_OUTPUT_SECOND, (struct slice){text, bytes})
                                : NULL;
}

static void bill_video(struct call *call, const struct rule *rule, const struct decimal *seconds)
{
    int64_t count = facts_int(call->facts, FACT_VIDEOS);
    struct decimal videos = decimal_from_int(count), total = *seconds;
    const struct rate *rate = rule_rate(rule, RATE_OUTPUT_VIDEO_SECOND, VARIANT_PLAIN);
    enum unit unit = rate ? UNIT_OUTPUT_VIDEO_SECONDS : UNIT_OUTPUT_SECONDS;
    if (!rate)
        rate = resolution_rate(rule, facts_text(call->facts, FACT_VIDEO_RESOLUTION));
    if (!rate)
        rate = rule_rate(rule, RATE_OUTPUT_SECOND, VARIANT_PLAIN);
    if (count > 1 && !decimal_mul(seconds, &videos, &total))
        call->bill.overflow = true;
    bill_add(&call->bill, unit, &total, (struct use){rate, NULL});
    bill_if_rated(&call->bill, UNIT_INPUT_IMAGES, facts_int(call->facts, FACT_INPUT_IMAGES),
                  rule_rate(rule, RATE_INPUT_IMAGE, VARIANT_PLAIN));
}

enum outcome calc_video(struct call *call)
{
    const struct decimal *seconds = facts_decimal(call->facts, FACT_VIDEO_SECONDS);
    const struct decimal *stated = facts_decimal(call->facts, FACT_VIDEO_COST);
    const struct rule *rule =
        call->plan->custom ? call->plan->override.entry : call->candidate->rule;
    call->skips_extras = true;
    if (stated && !call->plan->custom) {
        bill_stated(&call->bill, UNIT_STATED_COST, stated, &source_provider_cost);
        return OUTCOME_PRICED;
    }
    if (!seconds)
        return rule && (call->plan->custom || call->candidate->found_by_name) ? OUTCOME_PRICED
                                                                              : OUTCOME_UNMAPPED;
    if (!rule)
        return OUTCOME_UNMAPPED;
    bill_video(call, rule, seconds);
    return OUTCOME_PRICED;
}

/* ---- speech ------------------------------------------------------------------------------------
 */

static enum outcome speech_by_token(struct call *call, const struct rule *rule)
{
    struct generic_options options = {.variant = tier_of(call, &call->edition->catalog->variants)};
    struct usage usage;
    if (!facts_int(call->facts, FACT_INPUT_TOKENS))
        return underivable(call, REASON_UNDERIVABLE_SPEECH_TOKENS);
    usage_read(call->facts, &usage);
    generic_add(call, rule, &usage, &options);
    return OUTCOME_PRICED;
}

enum outcome calc_speech(struct call *call)
{
    const struct rule *rule = call->candidate->rule;
    if (!rule)
        return OUTCOME_UNMAPPED;
    const struct rate *per_character = rule_rate(rule, RATE_INPUT_CHARACTER, VARIANT_PLAIN);
    if (rule->is_lyria && rule_rate(rule, RATE_OUTPUT_IMAGE, VARIANT_PLAIN)) {
        bill_rate(&call->bill, UNIT_CALLS, 1, rule_rate(rule, RATE_OUTPUT_IMAGE, VARIANT_PLAIN));
        return OUTCOME_PRICED;
    }
    if (rate_positive(per_character)) {
        if (!facts_has(call->facts, FACT_SPEECH_CHARACTERS) &&
            !facts_has(call->facts, FACT_INPUT_CHARACTERS))
            return underivable(call, REASON_UNDERIVABLE_NO_USAGE);
        bill_rate(&call->bill, UNIT_INPUT_CHARACTERS,
                  first_count(call->facts, FACT_SPEECH_CHARACTERS, FACT_INPUT_CHARACTERS),
                  per_character);
        return OUTCOME_PRICED;
    }
    if (rate_positive(rule_rate(rule, RATE_INPUT, VARIANT_PLAIN)))
        return speech_by_token(call, rule);
    return OUTCOME_UNMAPPED;
}

/* ---- transcription -----------------------------------------------------------------------------
 */

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
    return (call->plan->provider == P_OPENAI && gpt) ||
           (counted && decimal_cmp(&counted->value, &one) == 0);
}

enum outcome calc_transcription(struct call *call)
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

/* ---- rerank ------------------------------------------------------------------------------------
 */

/* LiteLLM 1.106.2 logs 0 for an unmapped rerank or OCR model and stops there; mode merge goes on to
 * the next name. */
static enum outcome unmapped_document(struct call *call)
{
    return merges(call) ? OUTCOME_UNMAPPED : underivable(call, REASON_UNKNOWN_MODEL);
}

/* What a deployment sets is billed by what the answer has: a call that states no search units is
 * one query, and a price per token takes the billed tokens. LiteLLM 1.106.2 makes 0 of both. */
static void bill_own_rerank(struct call *call, const struct rule *rule)
{
    const struct rate *query = rule_rate(rule, RATE_INPUT_QUERY, VARIANT_PLAIN);
    int64_t units = facts_int(call->facts, FACT_SEARCH_UNITS);
    if (query)
        bill_rate(&call->bill, UNIT_INPUT_QUERIES, units ? units : 1, query);
    else
        bill_rate(&call->bill, UNIT_INPUT_TEXT_TOKENS,
                  first_count(call->facts, FACT_RERANK_TOKENS, FACT_INPUT_TOKENS),
                  rule_rate(rule, RATE_INPUT, VARIANT_PLAIN));
}

enum outcome calc_rerank(struct call *call)
{
    const struct rule *rule = call->candidate->rule;
    bool by_token = call->plan->provider == P_JINA || call->plan->provider == P_VOYAGE;
    if (!call->candidate->found_by_name && !call->plan->custom)
        return OUTCOME_UNMAPPED;
    if (!rule)
        return unmapped_document(call);
    if (by_token)
        bill_rate(&call->bill, UNIT_INPUT_TEXT_TOKENS, facts_int(call->facts, FACT_RERANK_TOKENS),
                  rule_rate(rule, RATE_INPUT, VARIANT_PLAIN));
    else if (call->plan->custom && merges(call))
        bill_own_rerank(call, rule);
    else
        bill_rate(&call->bill, UNIT_INPUT_QUERIES, facts_int(call->facts, FACT_SEARCH_UNITS),
                  rule_rate(rule, RATE_INPUT_QUERY, VARIANT_PLAIN));
    return OUTCOME_PRICED;
}

/* ---- OCR ---------------------------------------------------------------------------------------
 */

/* Deployment rates first, each falling back to the map. */
static const struct rate *ocr_rate(const struct call *call, enum rate_kind kind)
{
    const struct rule *own = call->plan->custom ? call->plan->override.set : NULL;
    const struct rule *map =
        call->plan->custom && merges(call) ? call->plan->override.image : call->candidate->rule;
    const struct rate *rate = own ? rule_rate(own, kind, VARIANT_PLAIN) : NULL;
    return rate || !map ? rate : rule_rate(map, kind, VARIANT_PLAIN);
}

enum outcome calc_ocr(struct call *call)
{
    const struct facts *facts = call->facts;
    const struct rate *credit = ocr_rate(call, RATE_CREDIT), *page = ocr_rate(call, RATE_PAGE);
    const struct rate *annotation = ocr_rate(call, RATE_ANNOTATION_PAGE);
    const struct decimal *credits = facts_decimal(facts, FACT_CREDITS);
    int64_t annotated = facts_int(facts, FACT_ANNOTATION_PAGES);
    if (credits && credit) {
        bill_add(&call->bill, UNIT_CREDITS, credits, (struct use){credit, NULL});
        return OUTCOME_PRICED;
    }
    if (!annotation)
        annotation = page;
    bool bills_annotation = annotation && annotated > 0;
    if (!page && !bills_annotation && !call->candidate->rule)
        return unmapped_document(call);
    if (page && !facts_has(facts, FACT_PAGES) && !bills_annotation)
        return credit ? OUTCOME_PRICED : OUTCOME_UNMAPPED;
    if (credits && !page)
        bill_add(&call->bill, UNIT_CREDITS, credits, (struct use){NULL, NULL});
    bill_rate(&call->bill, UNIT_PAGES, facts_int(facts, FACT_PAGES), page);
    bill_rate(&call->bill, UNIT_ANNOTATION_PAGES, annotated, annotation);
    return OUTCOME_PRICED;
}

/* ---- search ------------------------------------------------------------------------------------
 */

#define SEARCH_RESULTS_DEFAULT 10

static const struct rate additional_result = CONSTANT_RATE(1, 3, "parallel_ai_additional_result");

/* By max_results; beyond all ranges the last one. */
static const struct rate *results_rate(const struct rule *rule, int64_t results)
{
    struct decimal n = decimal_from_int(results);
    for (size_t i = 0; i < rule->tier_count; i++)
        if (rule->tier[i].has_results && decimal_cmp(&rule->tier[i].above, &n) <= 0 &&
            decimal_cmp(&n, &rule->tier[i].upto) <= 0)
            return rule->tier[i].rate[TIER_QUERY];
    return rule->tier[rule->tier_count - 1].rate[TIER_QUERY];
}

enum outcome calc_search(struct call *call)
{
    const struct rule *rule = call->candidate->rule;
    int64_t queries = facts_has(call->facts, FACT_SEARCH_QUERIES)
                          ? facts_int(call->facts, FACT_SEARCH_QUERIES)
                          : 1;
    int64_t results = facts_has(call->facts, FACT_SEARCH_MAX_RESULTS)
                          ? facts_int(call->facts, FACT_SEARCH_MAX_RESULTS)
                          : SEARCH_RESULTS_DEFAULT;
    const struct rule *own = call->plan->custom ? call->plan->override.set : NULL;
    const struct rate *own_query = own ? rule_rate(own, RATE_INPUT_QUERY, VARIANT_PLAIN) : NULL;
    if (own_query) {
        bill_rate(&call->bill, UNIT_INPUT_QUERIES, queries, own_query);
        return OUTCOME_PRICED;
    }
    if (!rule)
        return OUTCOME_UNMAPPED;
    if (call->plan->provider == P_PARALLEL_AI) {
        bill_rate(&call->bill, UNIT_INPUT_QUERIES, 1,
                  rule_rate(rule, RATE_INPUT_QUERY, VARIANT_PLAIN));
        bill_rate(&call->bill, UNIT_INPUT_QUERIES, results - SEARCH_RESULTS_DEFAULT,
                  &additional_result);
        return OUTCOME_PRICED;
    }
    bill_rate(&call->bill, UNIT_INPUT_QUERIES, queries,
              rule->tier_count ? results_rate(rule, results)
                               : rule_rate(rule, RATE_INPUT_QUERY, VARIANT_PLAIN));
    return OUTCOME_PRICED;
}
