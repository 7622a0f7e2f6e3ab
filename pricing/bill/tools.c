/* SPDX-License-Identifier: Apache-2.0 */
/* Built-in tools and routing surcharges (docs/pricing.md section 9), searches of the web apart. */
#include "pricing/bill/formulas.h"
#include "pricing/bill/web_search.h"

static const struct rate maps_per_query = CONSTANT_RATE(14, 3, "google_maps_per_query_default");
static const struct rate maps_per_prompt = CONSTANT_RATE(25, 3, "google_maps_per_prompt_default");
static const struct rate file_storage =
    CONSTANT_RATE(1, 1, "azure_file_search_cost_per_gb_per_day");
static const struct rate file_search = CONSTANT_RATE(25, 4, "openai_file_search_cost_per_call");

static void maps_add(struct call *call, const struct rule *rule)
{
    int64_t requests = facts_int(call->facts, FACT_MAPS_QUERIES);
    const struct rate *rate = rule_rate(rule, RATE_MAPS_QUERY, VARIANT_PLAIN);
    if (!provider_has(call->candidate->tools_provider, TRAIT_MAPS))
        return;
    if (!rate)
        rate = rule->per_query ? &maps_per_query : &maps_per_prompt;
    bill_rate(&call->bill, UNIT_MAPS_QUERIES, requests > 1 && !rule->per_query ? 1 : requests,
              rate);
}

/* Azure bills the storage of a file search, if the request says how much and how long. */
static void file_storage_add(struct call *call)
{
    const struct decimal *gb = facts_decimal(call->facts, FACT_FILE_SEARCH_GB);
    const struct decimal *days = facts_decimal(call->facts, FACT_FILE_SEARCH_DAYS);
    struct decimal gb_days;
    if (!gb || !days)
        return;
    if (decimal_mul(gb, days, &gb_days))
        bill_add(&call->bill, UNIT_FILE_SEARCHES, &gb_days, (struct use){&file_storage, NULL});
    else
        call->bill.overflow = true;
}

/* A flat price per answer that searched. */
static void file_search_add(struct call *call)
{
    if (call->plan->class != CALL_RESPONSES || !facts_int(call->facts, FACT_FILE_SEARCH_ITEMS) ||
        !facts_int(call->facts, FACT_FILE_SEARCH_DECLARED))
        return;
    if (provider_has(call->plan->provider, TRAIT_FILE_STORAGE))
        file_storage_add(call);
    else
        bill_rate(&call->bill, UNIT_FILE_SEARCHES, 1, &file_search);
}

static void router_add(struct call *call)
{
    if (call->plan->router && !call->candidate->is_router)
        bill_rate(&call->bill, UNIT_ROUTER_TOKENS, facts_int(call->facts, FACT_INPUT_TOKENS),
                  rule_rate(call->plan->router, RATE_INPUT, VARIANT_PLAIN));
}

/* Reserved capacity pays for searches, which have prices of the model, and for nothing else here;
 * in mode litellm those prices are 0 (5.5). */
void tools_add(struct call *call)
{
    const struct rule *rule =
        call->plan->provisioned && merges(call) ? NULL : call->candidate->tools;
    call->bill.multiplier = NULL;
    if (rule)
        maps_add(call, rule);
    if (call->plan->class == CALL_RESPONSES)
        image_tool_add(call);
    if (web_searched(call)) {
        if (rule)
            formulas_of(call->candidate->tools_provider)->web(call, rule);
    } else {
        file_search_add(call);
    }
    router_add(call);
}
