/* SPDX-License-Identifier: Apache-2.0 */
/* The short formulas of chat (docs/pricing.md 8.1, 8.2); the longer ones have a file each. */
#include "pricing/bill/chat.h"

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

/* The multiplier of the country of inference; a country without one is billed plainly and told. */
static void uplift_geo(struct call *call)
{
    struct slice geo = facts_text(call->facts, FACT_INFERENCE_GEO);
    char lower[16];
    if (geo.bytes == 0 || geo.bytes >= sizeof(lower)) {
        call->unknown_uplift |= geo.bytes > 0;
        return;
    }
    for (size_t i = 0; i < geo.bytes; i++)
        lower[i] = geo.p[i] >= 'A' && geo.p[i] <= 'Z' ? (char)(geo.p[i] | 0x20) : geo.p[i];
    struct slice name = {lower, geo.bytes};
    if (slice_is(name, "global") || slice_is(name, "not_available"))
        return;
    const struct rate *rate = rule_multiplier(call->candidate->rule, name);
    call->unknown_uplift |= !rate;
    uplift_by(call, rate);
}

static void uplift_speed(struct call *call)
{
    struct slice speed = facts_text(call->facts, FACT_SPEED);
    bool fast = slice_is(speed, "fast");
    const struct rate *rate = fast ? rule_multiplier(call->candidate->rule, SLICE("fast")) : NULL;
    call->unknown_uplift |= fast ? !rate : speed.bytes > 0 && !slice_is(speed, "standard");
    uplift_by(call, rate);
}

/* Vertex's Claude gets neither multiplier. */
void chat_anthropic(struct call *call)
{
    uplift_speed(call);
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
