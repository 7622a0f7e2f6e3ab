/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chat, completion, responses, messages, embeddings and everything billed like them
 * (docs/pricing.md 8.1, 8.2): the wall clock first, for every provider, then the formula that the
 * provider's row names (chat_plain.c, chat_vertex.c ...).
 */
#include "pricing/bill/chat.h"

#include "pricing/bill/formulas.h"

static const struct rate replicate_second = CONSTANT_RATE(14, 4, "replicate_gpu_price_per_second");

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
    bool by_call = provider_has(provider_find(slice_of(rule->provider)), TRAIT_DECISIONS_BY_CALL);
    bool own_query = rule_rate(base, RATE_INPUT_QUERY, VARIANT_DECISIONS) != NULL;
    bool by_token = rate_positive(rule_rate(rule, RATE_INPUT, VARIANT_PLAIN)) ||
                    rate_positive(rule_rate(rule, RATE_OUTPUT, VARIANT_PLAIN));
    if (by_call && query && (own_query || !by_token)) {
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
    chat_fn *chat = formulas_of(candidate->provider)->chat;
    bool router_alone =
        provider_has(candidate->provider, TRAIT_ROUTER_ALONE) && candidate->is_router;
    if (!candidate->rule && !router_alone && !states_cost(call) && chat != chat_nothing)
        return OUTCOME_UNMAPPED;
    if (chat == chat_nothing && call->plan->custom && merges(call))
        chat = chat_other; /* a price that the operator has set */
    chat(call);
    return OUTCOME_PRICED;
}
