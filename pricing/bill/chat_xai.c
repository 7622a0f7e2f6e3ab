/* SPDX-License-Identifier: Apache-2.0 */
/* xAI: its own bill where it states one; reasoning that the total shows to be apart
 * (docs/pricing.md 8.2). */
#include "pricing/bill/chat.h"

/* Nothing of the output is itemised; reasoning that the total shows to be apart is added to it. */
void chat_xai(struct call *call)
{
    struct usage usage;
    i128 prompt = facts_int(call->facts, FACT_INPUT_TOKENS);
    i128 completion = facts_int(call->facts, FACT_OUTPUT_TOKENS);
    if (chat_provider_cost(call))
        return;
    if (facts_has(call->facts, FACT_TOTAL_TOKENS) &&
        facts_int(call->facts, FACT_TOTAL_TOKENS) != prompt + completion)
        completion += facts_int(call->facts, FACT_REASONING_TOKENS);
    usage_read(call->facts, &usage);
    usage.out = usage_plain_output(completion);
    struct generic_options options = {.inclusive = true};
    generic_add(call, call->candidate->rule, &usage, &options);
}
