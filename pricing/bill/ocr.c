/* SPDX-License-Identifier: Apache-2.0 */
/* Pages read, by page or by credit (docs/pricing.md 8.5). */
#include "pricing/bill/call.h"

/* Deployment rates first, each falling back to the map. */
static const struct rate *ocr_rate(const struct call *call, enum rate_kind kind)
{
    const struct rule *own = call->plan->custom ? call->plan->override.set : NULL;
    const struct rule *map =
        call->plan->custom && merges(call) ? call->plan->override.image : call->candidate->rule;
    const struct rate *rate = own ? rule_rate(own, kind, VARIANT_PLAIN) : NULL;
    return rate || !map ? rate : rule_rate(map, kind, VARIANT_PLAIN);
}

enum outcome ocr_price(struct call *call)
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
