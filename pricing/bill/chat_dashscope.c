/* SPDX-License-Identifier: Apache-2.0 */
/* DashScope: tiers by what is billed, off-peak prices (docs/pricing.md 8.2). */
#include "pricing/bill/chat.h"

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

void chat_dashscope(struct call *call)
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
