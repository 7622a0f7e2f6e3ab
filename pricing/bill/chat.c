/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chat, completion, responses, messages, embeddings and everything billed like them
 * (docs/pricing.md 8.1, 8.2): the wall clock first, for every provider, then the provider's own
 * rule.
 */
#include "pricing/bill/bill.h"

static const struct rate replicate_second = CONSTANT_RATE(14, 4, "replicate_gpu_price_per_second");

/* ---- wall clock --------------------------------------------------------------------------------
 */

/* The first of the three that exists; they are never summed. */
static const struct rate *second_rate(const struct rule *rule)
{
    static const enum rate_kind order[] = {RATE_SECOND, RATE_INPUT_SECOND, RATE_OUTPUT_SECOND};
    for (size_t i = 0; i < 3; i++)
        if (rule_rate(rule, order[i], VARIANT_PLAIN))
            return rule_rate(rule, order[i], VARIANT_PLAIN);
    return NULL;
}

static enum outcome bill_seconds(struct call *call, const struct rate *rate)
{
    struct decimal seconds;
    if (!call_seconds(call, &seconds)) {
        call->reason = REASON_UNDERIVABLE_NO_USAGE;
        return OUTCOME_UNDERIVABLE;
    }
    call->bill.charge->flags |= FLAG_SECONDS_OF_GATEWAY;
    bill_add(&call->bill, UNIT_SECONDS, &seconds, (struct use){rate, NULL});
    return OUTCOME_PRICED;
}

/* ---- providers ---------------------------------------------------------------------------------
 */

static void add_generic(struct call *call, struct generic_options options)
{
    struct usage usage;
    usage_read(call->facts, &usage);
    generic_add(call, call->candidate->rule, &usage, &options);
}

static struct generic_options with_tier(const struct call *call)
{
    return (struct generic_options){.variant = tier_of(call, &call->edition->catalog->variants)};
}

static void bill_generic(struct call *call)
{
    add_generic(call, with_tier(call));
}

static void bill_without_tier(struct call *call)
{
    add_generic(call, (struct generic_options){.variant = VARIANT_PLAIN});
}

static void bill_openai(struct call *call)
{
    uplift_residency(call, call->candidate->rule);
    bill_generic(call);
}

/* The multiplier of the country of inference, where the entry has one. */
static void uplift_geo(struct call *call)
{
    struct slice geo = facts_text(call->facts, FACT_INFERENCE_GEO);
    char lower[16];
    if (geo.bytes == 0 || geo.bytes >= sizeof(lower))
        return;
    for (size_t i = 0; i < geo.bytes; i++)
        lower[i] = geo.p[i] >= 'A' && geo.p[i] <= 'Z' ? (char)(geo.p[i] | 0x20) : geo.p[i];
    struct slice name = {lower, geo.bytes};
    if (!slice_is(name, "global") && !slice_is(name, "not_available"))
        uplift_by(call, rule_multiplier(call->candidate->rule, name));
}

/* Vertex's Claude gets neither multiplier. */
static void bill_anthropic(struct call *call)
{
    if (slice_is(facts_text(call->facts, FACT_SPEED), "fast"))
        uplift_by(call, rule_multiplier(call->candidate->rule, SLICE("fast")));
    uplift_geo(call);
    bill_generic(call);
}

static void bill_bedrock(struct call *call)
{
    uplift_geo(call);
    bill_generic(call);
}

static void bill_azure_ai(struct call *call)
{
    if (call->candidate->rule)
        bill_generic(call);
    if (call->candidate->router)
        bill_rate(&call->bill, UNIT_ROUTER_TOKENS, facts_int(call->facts, FACT_INPUT_TOKENS),
                  rule_rate(call->candidate->router, RATE_INPUT, VARIANT_PLAIN));
}

/* The provider's own figure; custom pricing drops it. */
static bool bill_provider_cost(struct call *call)
{
    const struct decimal *cost = facts_decimal(call->facts, FACT_PROVIDER_COST);
    if (!cost || call->plan->custom)
        return false;
    bill_stated(&call->bill, UNIT_STATED_COST, cost, &source_provider_cost);
    call->stated_by_provider = true;
    return true;
}

/* Nothing of the output is itemised; reasoning that the total shows to be apart is added to it. */
static void bill_xai(struct call *call)
{
    struct usage usage;
    i128 prompt = facts_int(call->facts, FACT_INPUT_TOKENS);
    i128 completion = facts_int(call->facts, FACT_OUTPUT_TOKENS);
    if (bill_provider_cost(call))
        return;
    if (facts_has(call->facts, FACT_TOTAL_TOKENS) &&
        facts_int(call->facts, FACT_TOTAL_TOKENS) != prompt + completion)
        completion += facts_int(call->facts, FACT_REASONING_TOKENS);
    usage_read(call->facts, &usage);
    usage.out = usage_plain_output(completion);
    struct generic_options options = {.inclusive = true};
    generic_add(call, call->candidate->rule, &usage, &options);
}

static struct use plain_use(const struct rule *rule, enum rate_kind kind,
                            const struct rate *instead)
{
    return (struct use){instead ? instead : rule_rate(rule, kind, VARIANT_PLAIN), NULL};
}

static void bill_perplexity(struct call *call)
{
    const struct rule *rule = call->candidate->rule;
    const struct facts *facts = call->facts;
    struct bill *bill = &call->bill;
    if (bill_provider_cost(call))
        return;
    const struct off_peak *open =
        off_peak_open(rule->off_peak, call_billed_at(call)) ? rule->off_peak : NULL;
    i128 completion = facts_int(facts, FACT_OUTPUT_TOKENS);
    i128 reasoning = facts_int(facts, FACT_REASONING_TOKENS);
    const struct rate *reasoning_rate = rule_rate(rule, RATE_REASONING, VARIANT_PLAIN);
    if (!reasoning_rate)
        reasoning = 0;
    i128 prompt = facts_int(facts, FACT_INPUT_TOKENS);
    i128 cached = facts_int(facts, FACT_CACHE_READ_TOKENS);
    cached = cached < prompt ? cached : prompt;
    struct use input = plain_use(rule, RATE_INPUT, open ? open->input : NULL);
    struct use read = plain_use(rule, RATE_READ, open ? open->read : NULL);
    bill_count(bill, UNIT_INPUT_TEXT_TOKENS, prompt - cached, input);
    bill_count(bill, UNIT_CACHE_READ_TOKENS, cached, read.rate ? read : input);
    bill_if_rated(bill, UNIT_CITATION_TOKENS, facts_int(facts, FACT_CITATION_TOKENS),
                  rule_rate(rule, RATE_CITATION, VARIANT_PLAIN));
    bill_count(bill, UNIT_OUTPUT_TEXT_TOKENS, completion - reasoning,
               plain_use(rule, RATE_OUTPUT, open ? open->output : NULL));
    bill_rate(bill, UNIT_OUTPUT_REASONING_TOKENS, reasoning, reasoning_rate);
    const struct rate *search = rule_rate(rule, RATE_SEARCH_QUERY, VARIANT_PLAIN);
    bill_rate(bill, UNIT_WEB_SEARCHES, facts_int(facts, FACT_WEB_SEARCHES_DETAILED),
              search ? search : rule->context[CONTEXT_LOW]);
}

/* The tier is chosen by what is billed; a tier without an output rate leaves that to the flat ones.
 */
static void dashscope_rates(const struct rule *rule, const struct tier_row *tier,
                            struct base_rates *out)
{
    const struct rate *const *row = tier ? tier->rate : NULL;
    const struct rate *input = row ? row[TIER_INPUT] : rule_rate(rule, RATE_INPUT, VARIANT_PLAIN);
    const struct rate *read = row ? row[TIER_READ] : rule_rate(rule, RATE_READ, VARIANT_PLAIN);
    const struct rate *write = row ? row[TIER_WRITE] : rule_rate(rule, RATE_WRITE, VARIANT_PLAIN);
    const struct rate *output = row ? row[TIER_OUTPUT] : NULL;
    const struct rate *reasoning = row ? row[TIER_REASONING] : NULL;
    if (!output && !reasoning)
        reasoning = rule_rate(rule, RATE_REASONING, VARIANT_PLAIN);
    if (!output)
        output = rule_rate(rule, RATE_OUTPUT, VARIANT_PLAIN);
    out->input = (struct use){input, NULL};
    out->read = (struct use){read ? read : input, NULL};
    out->write = (struct use){write ? write : input, NULL};
    out->output = (struct use){output, NULL};
    out->reasoning = (struct use){reasoning, NULL};
}

static void bill_dashscope(struct call *call)
{
    const struct rule *rule = call->candidate->rule;
    const struct facts *facts = call->facts;
    struct input_usage in;
    struct base_rates base;
    usage_read_parts(facts, &in);
    i128 text = in.prompt - in.cached - in.written;
    if (text < 0)
        text = 0;
    dashscope_rates(rule, rates_tier(rule, text + in.cached + in.written), &base);
    if (off_peak_open(rule->off_peak, call_billed_at(call))) {
        const struct off_peak *open = rule->off_peak;
        base.input = open->input ? (struct use){open->input, NULL} : base.input;
        base.read = open->read ? (struct use){open->read, NULL} : base.read;
        base.write = open->write ? (struct use){open->write, NULL} : base.write;
        base.output = open->output ? (struct use){open->output, NULL} : base.output;
        base.reasoning = open->reasoning ? (struct use){open->reasoning, NULL} : base.reasoning;
    }
    struct rate_choice choice = {.prompt_tokens = in.prompt, .billed_at_us = call_billed_at(call)};
    const struct rate *explicit =
        reads_explicit_cache(facts) ? rates_explicit_read(rule, &choice) : NULL;
    if (explicit)
        base.read = (struct use){explicit, NULL};
    i128 reasoning = facts_int(facts, FACT_REASONING_TOKENS);
    bill_count(&call->bill, UNIT_INPUT_TEXT_TOKENS, text, base.input);
    bill_count(&call->bill, UNIT_CACHE_READ_TOKENS, in.cached, base.read);
    bill_count(&call->bill, UNIT_CACHE_WRITE_TOKENS, in.written, base.write);
    bill_count(&call->bill, UNIT_OUTPUT_TEXT_TOKENS,
               facts_int(facts, FACT_OUTPUT_TOKENS) - reasoning, base.output);
    bill_count(&call->bill, UNIT_OUTPUT_REASONING_TOKENS, reasoning,
               base.reasoning.rate ? base.reasoning : base.output);
}

/* The half cache-read price is Fireworks' own: an entry that says another provider has none. */
static void bill_fireworks(struct call *call)
{
    const char *provider = call->candidate->rule->provider;
    struct generic_options options = {.half_cache_read = provider[0] == '\0' ||
                                                         strcmp(provider, "fireworks_ai") == 0};
    add_generic(call, options);
}

static void bill_nothing(struct call *call)
{
    call->reason = REASON_FREE_PROVIDER;
}

/* Without a token rate above 0 nothing else of the entry counts either. */
static void bill_other(struct call *call)
{
    const struct rule *rule = call->candidate->rule;
    if (rule_prices_tokens(rule)) {
        bill_generic(call);
        return;
    }
    bill_count(&call->bill, UNIT_INPUT_TEXT_TOKENS, facts_int(call->facts, FACT_INPUT_TOKENS),
               plain_use(rule, RATE_INPUT, NULL));
    bill_count(&call->bill, UNIT_OUTPUT_TEXT_TOKENS, facts_int(call->facts, FACT_OUTPUT_TOKENS),
               plain_use(rule, RATE_OUTPUT, NULL));
}

/* ---- Vertex (8.2) ------------------------------------------------------------------------------
 */

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

static void bill_vertex(struct call *call)
{
    struct generic_options options = with_tier(call);
    struct usage usage;
    usage_read(call->facts, &usage);
    uplift_vertex(call, call->candidate->rule);
    vertex_input(call, &usage, &options);
    if (call->candidate->bills_tokens || !vertex_characters(call, &usage))
        vertex_output(call, &usage, &options);
}

/* ---- dispatch ----------------------------------------------------------------------------------
 */

static void (*const billers[])(struct call *) = {
    [P_OTHER] = bill_other,
    [P_AIML] = bill_other,
    [P_ANTHROPIC] = bill_anthropic,
    [P_AZURE] = bill_generic,
    [P_AZURE_AI] = bill_azure_ai,
    [P_BEDROCK] = bill_bedrock,
    [P_COMETAPI] = bill_other,
    [P_DASHSCOPE] = bill_dashscope,
    [P_DATABRICKS] = bill_generic,
    [P_DEEPSEEK] = bill_without_tier,
    [P_FAL_AI] = bill_other,
    [P_FIREWORKS] = bill_fireworks,
    [P_GEMINI] = bill_generic,
    [P_GROQ] = bill_other,
    [P_JINA] = bill_other,
    [P_LEMONADE] = bill_nothing,
    [P_OPENAI] = bill_openai,
    [P_PARALLEL_AI] = bill_other,
    [P_PERPLEXITY] = bill_perplexity,
    [P_RECRAFT] = bill_other,
    [P_RUNWAYML] = bill_other,
    [P_TENCENT] = bill_without_tier,
    [P_TOGETHER] = bill_other,
    [P_VERTEX] = bill_vertex,
    [P_VERTEX_BETA] = bill_other,
    [P_VOYAGE] = bill_other,
    [P_XAI] = bill_xai,
};

/* xAI and Perplexity take a stated cost even where the model is in no map. */
static bool states_cost(const struct call *call)
{
    return (call->plan->provider == P_XAI || call->plan->provider == P_PERPLEXITY) &&
           facts_decimal(call->facts, FACT_PROVIDER_COST) && !call->plan->custom;
}

/* A decisions endpoint: its own prices over the row's, or a price per call (parallel_ai). false: as
 * chat. */
static bool bill_decision(struct call *call)
{
    const struct rule *base = call->candidate->base;
    const struct rule *rule = base && base->decisions ? base->decisions : base;
    if (!rule || !call->plan->is_decision)
        return false;
    const struct rate *query = rule_rate(rule, RATE_INPUT_QUERY, VARIANT_PLAIN);
    bool own_query = rule_rate(base, RATE_INPUT_QUERY, VARIANT_DECISIONS) != NULL;
    bool by_token = rate_positive(rule_rate(rule, RATE_INPUT, VARIANT_PLAIN)) ||
                    rate_positive(rule_rate(rule, RATE_OUTPUT, VARIANT_PLAIN));
    if (strcmp(rule->provider, "parallel_ai") == 0 && query && (own_query || !by_token)) {
        bill_rate(&call->bill, UNIT_CALLS, 1, query);
        return true;
    }
    if (!base->decisions)
        return false;
    struct generic_options options = with_tier(call);
    struct usage usage;
    usage_read(call->facts, &usage);
    if (call->candidate->provider == P_OPENAI)
        uplift_residency(call, rule);
    generic_add(call, rule, &usage, &options);
    return true;
}

enum outcome calc_chat(struct call *call)
{
    const struct candidate *candidate = call->candidate;
    const struct rule *base = candidate->base;
    if (candidate->on_replicate) {
        call->skips_extras = true;
        return bill_seconds(call, &replicate_second);
    }
    if (bill_decision(call))
        return OUTCOME_PRICED;
    const struct rate *second = base ? second_rate(base) : NULL;
    if (second && base->wall_clock_mode && !rule_prices_tokens(base))
        return bill_seconds(call, second);
    bool router_alone = call->candidate->provider == P_AZURE_AI && candidate->is_router;
    bool merged_lemonade =
        call->candidate->provider == P_LEMONADE && call->plan->custom && merges(call);
    if (!candidate->rule && !router_alone && !states_cost(call) &&
        call->candidate->provider != P_LEMONADE)
        return OUTCOME_UNMAPPED;
    if (merged_lemonade)
        bill_other(call);
    else
        billers[call->candidate->provider](call);
    return OUTCOME_PRICED;
}

/* A2A: a price per call in litellm_params, else its token rates (8.5). */
enum outcome calc_agent(struct call *call)
{
    const struct rule *rule = call->plan->deployment ? call->plan->deployment->call : NULL;
    const struct rate *per_call = rule ? rule_rate(rule, RATE_CALL, VARIANT_PLAIN) : NULL;
    call->skips_extras = true;
    call->reason = rule && rule_has_price(rule) ? REASON_NONE : REASON_NO_RATE;
    bill_if_rated(&call->bill, UNIT_CALLS, 1, per_call);
    if (!rule || per_call)
        return OUTCOME_PRICED;
    bill_rate(&call->bill, UNIT_INPUT_TEXT_TOKENS, facts_int(call->facts, FACT_INPUT_TOKENS),
              rule_rate(rule, RATE_INPUT, VARIANT_PLAIN));
    bill_rate(&call->bill, UNIT_OUTPUT_TEXT_TOKENS, facts_int(call->facts, FACT_OUTPUT_TOKENS),
              rule_rate(rule, RATE_OUTPUT, VARIANT_PLAIN));
    return OUTCOME_PRICED;
}
