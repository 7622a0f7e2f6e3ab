/* SPDX-License-Identifier: Apache-2.0 */
/* What the formulas ask of a call. */
#include "pricing/bill/call.h"

/* Between clocks of two machines lies whatever Kafka was late, not the call. */
static bool is_timed(const struct facts *facts)
{
    return facts_has(facts, FACT_STARTED_AT) && facts_has(facts, FACT_ENDED_AT) &&
           !facts_int(facts, FACT_CLOCKS_APART) &&
           facts_int(facts, FACT_ENDED_AT) >= facts_int(facts, FACT_STARTED_AT);
}

bool call_seconds(const struct call *call, struct decimal *seconds)
{
    int64_t start = facts_int(call->facts, FACT_STARTED_AT);
    int64_t end = facts_int(call->facts, FACT_ENDED_AT);
    const struct decimal *stated = facts_decimal(call->facts, FACT_COMPUTE_SECONDS);
    /* What the provider says it worked: between start and end there is its queue, too. LiteLLM's
     * events do not state it. */
    if (!stated && is_timed(call->facts)) {
        const struct decimal us = decimal_from_int(end - start), micro = {1, 6, false};
        return decimal_mul(&us, &micro, seconds);
    }
    if (!stated)
        stated = facts_decimal(call->facts, FACT_AUDIO_SECONDS);
    if (stated)
        *seconds = *stated;
    return stated != NULL;
}

int64_t call_billed_at(const struct call *call)
{
    return facts_has(call->facts, FACT_ENDED_AT) ? facts_int(call->facts, FACT_ENDED_AT)
                                                 : facts_int(call->facts, FACT_STARTED_AT);
}

enum outcome underivable(struct call *call, enum reason reason)
{
    call->reason = reason;
    return OUTCOME_UNDERIVABLE;
}

int64_t first_count(const struct facts *facts, enum fact first, enum fact second)
{
    int64_t count = facts_int(facts, first);
    return count ? count : facts_int(facts, second);
}
