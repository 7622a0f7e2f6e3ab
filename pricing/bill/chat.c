/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chat, completion, responses, messages, embeddings and everything billed like them
 * (docs/pricing.md 8.1, 8.2): the wall clock first, for every provider, then the provider's own
 * formula: the short ones are here, others in a file each (chat_vertex.c ...).
 */
#include "pricing/bill/chat.h"

#include "pricing/bill/formulas.h"

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

struct generic_options chat_with_tier(const struct call *call)
{
    return (struct generic_options){.variant = tier_of(call, &call->edition->catalog->variants)};
}

void chat_generic(struct call *call)
{
    add_generic(call, chat_with_tier(call));
}

void chat_without_tier(struct call *call)
{
    add_generic(call, (struct generic_options){.variant = VARIANT_PLAIN});
}

void chat_openai(struct call *call)
{
    uplift_residency(call, call->candidate->rule);
    chat_generic(call);
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
void chat_anthropic(struct call *call)
{
    if (slice_is(facts_text(call->facts, FACT_SPEED), "fast"))
        uplift_by(call, rule_multiplier(call->candidate->rule, SLICE("fast")));
    uplift_geo(call);
    chat_generic(call);
}

void chat_bedrock(struct call *call)
{
    uplift_geo(call);
    chat_generic(call);
}

void chat_azure_ai(struct call *call)
{
    if (call->candidate->rule)
        chat_generic(call);
    if (call->candidate->router)
        bill_rate(&call->bill, UNIT_ROUTER_TOKENS, facts_int(call->facts, FACT_INPUT_TOKENS),
                  rule_rate(call->candidate->router, RATE_INPUT, VARIANT_PLAIN));
}

/* The provider's own figure; custom pricing drops it. */
bool chat_provider_cost(struct call *call)
{
    const struct decimal *cost = facts_decimal(call->facts, FACT_PROVIDER_COST);
    if (!cost || call->plan->custom)
        return false;
    bill_stated(&call->bill, UNIT_STATED_COST, cost, &source_provider_cost);
    call->stated_by_provider = true;
    return true;
}

struct use plain_use(const struct rule *rule, enum rate_kind kind, const struct rate *instead)
{
    return (struct use){instead ? instead : rule_rate(rule, kind, VARIANT_PLAIN), NULL};
}

/* The half cache-read price is Fireworks' own: an entry that says another provider has none. */
void chat_fireworks(struct call *call)
{
    const char *provider = call->candidate->rule->provider;
    struct generic_options options = {.half_cache_read = provider[0] == '\0' ||
                                                         strcmp(provider, "fireworks_ai") == 0};
    add_generic(call, options);
}

void chat_nothing(struct call *call)
{
    call->reason = REASON_FREE_PROVIDER;
}

/* Without a token rate above 0 nothing else of the entry counts either. */
void chat_other(struct call *call)
{
    const struct rule *rule = call->candidate->rule;
    if (rule_prices_tokens(rule)) {
        chat_generic(call);
        return;
    }
    bill_count(&call->bill, UNIT_INPUT_TEXT_TOKENS, facts_int(call->facts, FACT_INPUT_TOKENS),
               plain_use(rule, RATE_INPUT, NULL));
    bill_count(&call->bill, UNIT_OUTPUT_TEXT_TOKENS, facts_int(call->facts, FACT_OUTPUT_TOKENS),
               plain_use(rule, RATE_OUTPUT, NULL));
}

/* ---- dispatch ----------------------------------------------------------------------------------
 */

/* xAI and Perplexity take a stated cost even where the model is in no map. */
static bool states_cost(const struct call *call)
{
    return provider_has(call->plan->provider, TRAIT_STATES_COST) &&
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
    struct generic_options options = chat_with_tier(call);
    struct usage usage;
    usage_read(call->facts, &usage);
    if (provider_has(call->candidate->provider, TRAIT_RESIDENCY))
        uplift_residency(call, rule);
    generic_add(call, rule, &usage, &options);
    return true;
}

enum outcome chat_price(struct call *call)
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
    bool router_alone = call->candidate->provider == PROVIDER_AZURE_AI && candidate->is_router;
    bool merged_lemonade =
        call->candidate->provider == PROVIDER_LEMONADE && call->plan->custom && merges(call);
    if (!candidate->rule && !router_alone && !states_cost(call) &&
        call->candidate->provider != PROVIDER_LEMONADE)
        return OUTCOME_UNMAPPED;
    if (merged_lemonade)
        chat_other(call);
    else
        formulas_of(call->candidate->provider)->chat(call);
    return OUTCOME_PRICED;
}
