/* SPDX-License-Identifier: Apache-2.0 */
/* Built-in tools and routing surcharges (docs/pricing.md section 9). */
#include "pricing/bill/call.h"

static const struct rate gemini_search = CONSTANT_RATE(35, 3, "gemini_web_search_default");
static const struct rate maps_per_query = CONSTANT_RATE(14, 3, "google_maps_per_query_default");
static const struct rate maps_per_prompt = CONSTANT_RATE(25, 3, "google_maps_per_prompt_default");
static const struct rate xai_search = CONSTANT_RATE(5, 3, "xai_web_search_default");
static const struct rate groq_open = CONSTANT_RATE(1, 3, "groq_browser_open_cost");
static const struct rate file_storage =
    CONSTANT_RATE(1, 1, "azure_file_search_cost_per_gb_per_day");
static const struct rate file_search = CONSTANT_RATE(25, 4, "openai_file_search_cost_per_call");

int64_t first_count(const struct facts *facts, enum fact first, enum fact second)
{
    int64_t count = facts_int(facts, first);
    return count ? count : facts_int(facts, second);
}

/* ---- web search (9.1) --------------------------------------------------------------------------
 */

static bool usage_reports_search(const struct facts *facts)
{
    return facts_has(facts, FACT_WEB_SEARCHES_DETAILED) || facts_has(facts, FACT_WEB_SEARCHES) ||
           facts_int(facts, FACT_WEB_SEARCHES_SERVER_SIDE) > 0;
}

static bool searched(const struct call *call)
{
    if (call->plan->class == CALL_RESPONSES)
        return facts_int(call->facts, FACT_WEB_SEARCH_ITEMS) > 0 ||
               facts_int(call->facts, FACT_WEB_SEARCHES_TOOL_USAGE) > 0;
    if (call->plan->class == CALL_CHAT && facts_int(call->facts, FACT_URL_CITATIONS) > 0)
        return true;
    return usage_reports_search(call->facts);
}

/* Per query, or one price per grounded prompt however many queries it took. */
void google_search_add(struct call *call, const struct rule *rule, i128 requests)
{
    const struct rate *rate = rule->context[CONTEXT_MEDIUM];
    if (!rate)
        rate = &gemini_search;
    bill_rate(&call->bill, UNIT_WEB_SEARCHES, requests > 1 && !rule->per_query ? 1 : requests,
              rate);
}

static void xai_search_add(struct call *call, const struct rule *rule)
{
    static const enum context_size order[] = {CONTEXT_MEDIUM, CONTEXT_LOW, CONTEXT_HIGH};
    const struct rate *rate = &xai_search;
    if (call->stated_by_provider)
        return;
    for (size_t i = 3; i-- > 0;)
        if (rate_positive(rule->context[order[i]]))
            rate = rule->context[order[i]];
    bill_rate(&call->bill, UNIT_WEB_SEARCHES, facts_int(call->facts, FACT_WEB_SEARCHES_SERVER_SIDE),
              rate);
}

static void groq_search_add(struct call *call, const struct rule *rule)
{
    bill_rate(&call->bill, UNIT_WEB_SEARCHES, facts_int(call->facts, FACT_WEB_SEARCHES),
              rule->context[CONTEXT_MEDIUM]);
    bill_rate(&call->bill, UNIT_BROWSER_OPENS, facts_int(call->facts, FACT_BROWSER_OPENS),
              &groq_open);
}

/* How many calls: what the answer reports, else its items; an answer without items counts as one.
 */
static int64_t search_calls(const struct call *call)
{
    int64_t items = facts_int(call->facts, FACT_WEB_SEARCH_ITEMS);
    if (facts_int(call->facts, FACT_WEB_SEARCHES) > 0)
        return facts_int(call->facts, FACT_WEB_SEARCHES);
    if (call->plan->class != CALL_RESPONSES)
        return 1;
    if (facts_has(call->facts, FACT_WEB_SEARCHES_TOOL_USAGE))
        return facts_int(call->facts, FACT_WEB_SEARCHES_TOOL_USAGE);
    return items > 1 ? items : 1;
}

static void sized_search_add(struct call *call, const struct rule *rule)
{
    struct slice size = facts_text(call->facts, FACT_WEB_SEARCH_CONTEXT_SIZE);
    enum context_size context = slice_is(size, "low")    ? CONTEXT_LOW
                                : slice_is(size, "high") ? CONTEXT_HIGH
                                                         : CONTEXT_MEDIUM;
    bill_rate(&call->bill, UNIT_WEB_SEARCHES, search_calls(call), rule->context[context]);
}

/* Where the priced entry has no search prices, the answered model's hold. */
static void claude_search_add(struct call *call, const struct rule *rule)
{
    const struct rule *served = call->candidate->served;
    if (!rule->has_context && served)
        rule = served;
    bill_rate(&call->bill, UNIT_WEB_SEARCHES, facts_int(call->facts, FACT_WEB_SEARCHES),
              rule->context[CONTEXT_MEDIUM]);
}

static void web_search_add(struct call *call, const struct rule *rule)
{
    const struct facts *facts = call->facts;
    switch (call->candidate->tools_provider) {
    case P_ANTHROPIC:
        claude_search_add(call, rule);
        return;
    case P_AZURE_AI:
        if (call->candidate->is_claude || facts_has(facts, FACT_WEB_SEARCHES))
            claude_search_add(call, rule);
        else
            sized_search_add(call, rule);
        return;
    case P_VERTEX:
    case P_VERTEX_BETA:
        if (call->candidate->is_claude) {
            claude_search_add(call, rule);
            return;
        }
        google_search_add(call, rule,
                          first_count(facts, FACT_WEB_SEARCHES_DETAILED, FACT_WEB_SEARCHES));
        return;
    case P_GEMINI:
        google_search_add(call, rule,
                          first_count(facts, FACT_WEB_SEARCHES_DETAILED, FACT_WEB_SEARCHES));
        return;
    case P_PERPLEXITY: /* counted in its own formula */
        return;
    case P_XAI:
        xai_search_add(call, rule);
        return;
    case P_GROQ:
        groq_search_add(call, rule);
        return;
    default:
        sized_search_add(call, rule);
    }
}

/* ---- others (9.2, 9.3) -------------------------------------------------------------------------
 */

static void maps_add(struct call *call, const struct rule *rule)
{
    enum provider_id provider = call->candidate->tools_provider;
    int64_t requests = facts_int(call->facts, FACT_MAPS_QUERIES);
    const struct rate *rate = rule_rate(rule, RATE_MAPS_QUERY, VARIANT_PLAIN);
    if (provider != P_GEMINI && provider != P_VERTEX && provider != P_VERTEX_BETA)
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
    if (call->plan->provider == P_AZURE)
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

void tools_add(struct call *call)
{
    const struct rule *rule = call->candidate->tools;
    call->bill.multiplier = NULL;
    if (rule)
        maps_add(call, rule);
    if (call->plan->class == CALL_RESPONSES)
        image_tool_add(call);
    if (searched(call)) {
        if (rule)
            web_search_add(call, rule);
    } else {
        file_search_add(call);
    }
    router_add(call);
}
