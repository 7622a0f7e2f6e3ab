/* SPDX-License-Identifier: Apache-2.0 */
/* Searches of the web that a model makes (docs/pricing.md 9.1), as providers bill them:
 * providers.def says whose is which. */
#include "pricing/bill/web_search.h"

static const struct rate gemini_search = CONSTANT_RATE(35, 3, "gemini_web_search_default");
static const struct rate xai_search = CONSTANT_RATE(5, 3, "xai_web_search_default");
static const struct rate groq_open = CONSTANT_RATE(1, 3, "groq_browser_open_cost");

static bool usage_reports_search(const struct facts *facts)
{
    return facts_has(facts, FACT_WEB_SEARCHES_DETAILED) || facts_has(facts, FACT_WEB_SEARCHES) ||
           facts_int(facts, FACT_WEB_SEARCHES_SERVER_SIDE) > 0;
}

bool web_searched(const struct call *call)
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

void web_xai(struct call *call, const struct rule *rule)
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

void web_groq(struct call *call, const struct rule *rule)
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

void web_sized(struct call *call, const struct rule *rule)
{
    struct slice size = facts_text(call->facts, FACT_WEB_SEARCH_CONTEXT_SIZE);
    enum context_size context = slice_is(size, "low")    ? CONTEXT_LOW
                                : slice_is(size, "high") ? CONTEXT_HIGH
                                                         : CONTEXT_MEDIUM;
    bill_rate(&call->bill, UNIT_WEB_SEARCHES, search_calls(call), rule->context[context]);
}

/* Where the priced entry has no search prices, the answered model's hold. */
void web_claude(struct call *call, const struct rule *rule)
{
    const struct rule *served = call->candidate->served;
    if (!rule->has_context && served)
        rule = served;
    bill_rate(&call->bill, UNIT_WEB_SEARCHES, facts_int(call->facts, FACT_WEB_SEARCHES),
              rule->context[CONTEXT_MEDIUM]);
}

/* Counted in its formula of chat. */
void web_nothing(struct call *call, const struct rule *rule)
{
    (void)call;
    (void)rule;
}

void web_azure_ai(struct call *call, const struct rule *rule)
{
    if (call->candidate->is_claude || facts_has(call->facts, FACT_WEB_SEARCHES))
        web_claude(call, rule);
    else
        web_sized(call, rule);
}

void web_google(struct call *call, const struct rule *rule)
{
    google_search_add(call, rule,
                      first_count(call->facts, FACT_WEB_SEARCHES_DETAILED, FACT_WEB_SEARCHES));
}

void web_vertex(struct call *call, const struct rule *rule)
{
    if (call->candidate->is_claude)
        web_claude(call, rule);
    else
        web_google(call, rule);
}
