/* SPDX-License-Identifier: Apache-2.0 */
/* Batch jobs and realtime sessions (docs/pricing.md 8.5): both sum many exchanges of one event. */
#include "pricing/calc.h"

static struct use halved(const struct rate *rate)
{
    return (struct use){rate, &decimal_half};
}

static struct use whole(const struct rate *rate)
{
    return (struct use){rate, NULL};
}

static struct use batch_or(const struct rule *rule, enum rate_kind kind, struct use instead)
{
    const struct rate *rate = rule_rate(rule, kind, VARIANT_BATCHES);
    return rate ? whole(rate) : instead;
}

struct batch_rates {
    const struct rate *input, *output, *read, *write;
    bool crossed;
};

static struct batch_rates batch_rates_of(const struct call *call, const struct rule *rule)
{
    int64_t prompt = facts_int(call->facts, FACT_INPUT_TOKENS);
    bool inclusive = call->plan->provider == P_XAI;
    struct batch_rates rates = {.crossed = false};
    rates.input = rates_batch(rule, RATE_INPUT, prompt, inclusive, &rates.crossed);
    rates.output = rates_batch(rule, RATE_OUTPUT, prompt, inclusive, &rates.crossed);
    rates.read = rates_batch(rule, RATE_READ, prompt, inclusive, &rates.crossed);
    rates.write = rates_batch(rule, RATE_WRITE, prompt, inclusive, &rates.crossed);
    return rates;
}

/* Writes for an hour: their batch rate, else half of the plain one. LiteLLM bills them like those
 * for five minutes; Anthropic's batches halve every rate. Returns what is left of the writes. */
static i128 bill_long_writes(struct call *call, const struct rule *rule,
                             const struct input_usage *in)
{
    const struct rate *plain = rule_rate(rule, RATE_WRITE_1H, VARIANT_PLAIN);
    i128 hour = in->written_1h < in->written ? in->written_1h : in->written;
    if (call->book->overrides != OVERRIDES_MERGE || !plain)
        return in->written;
    bill_count(&call->bill, UNIT_CACHE_WRITE_1H_TOKENS, hour,
               batch_or(rule, RATE_WRITE_1H, halved(plain)));
    return in->written - hour;
}

/* Cached and written tokens without a batch rate of their own are input like any other. */
static void bill_input(struct call *call, const struct rule *rule, const struct batch_rates *rates)
{
    struct input_usage in;
    struct use input = whole(rates->input);
    usage_read_parts(call->facts, &in);
    i128 short_writes = bill_long_writes(call, rule, &in), hour = in.written - short_writes;
    i128 cached = rates->read ? in.cached : 0, written = rates->write ? short_writes : 0;
    bill_count(&call->bill, UNIT_INPUT_TEXT_TOKENS,
               in.prompt - in.audio - in.image - in.video - cached - written - hour, input);
    bill_count(&call->bill, UNIT_INPUT_AUDIO_TOKENS, in.audio,
               batch_or(rule, RATE_INPUT_AUDIO_TOKEN, input));
    bill_count(&call->bill, UNIT_INPUT_IMAGE_TOKENS, in.image,
               batch_or(rule, RATE_INPUT_IMAGE_TOKEN, input));
    bill_count(&call->bill, UNIT_INPUT_VIDEO_TOKENS, in.video,
               batch_or(rule, RATE_INPUT_VIDEO_TOKEN, input));
    bill_rate(&call->bill, UNIT_CACHE_READ_TOKENS, cached, rates->read);
    bill_rate(&call->bill, UNIT_CACHE_WRITE_TOKENS, written, rates->write);
}

/* No batch input rate: half of the plain ones; a missing read rate is 0 here. */
static void bill_half_input(struct call *call, const struct rule *rule)
{
    struct input_usage in;
    const struct rate *input = rule_rate(rule, RATE_INPUT, VARIANT_PLAIN);
    const struct rate *write = rule_rate(rule, RATE_WRITE, VARIANT_PLAIN);
    usage_read_parts(call->facts, &in);
    if (!rate_positive(input)) {
        bill_rate(&call->bill, UNIT_INPUT_TEXT_TOKENS, in.prompt, input);
        return;
    }
    bill_count(&call->bill, UNIT_INPUT_TEXT_TOKENS, in.prompt - in.cached - in.written,
               halved(input));
    bill_count(&call->bill, UNIT_CACHE_READ_TOKENS, in.cached,
               halved(rule_rate(rule, RATE_READ, VARIANT_PLAIN)));
    bill_count(&call->bill, UNIT_CACHE_WRITE_TOKENS, bill_long_writes(call, rule, &in),
               halved(rate_positive(write) ? write : input));
}

static void bill_output(struct call *call, const struct rule *rule, const struct rate *batch)
{
    i128 completion = facts_int(call->facts, FACT_OUTPUT_TOKENS);
    i128 image = facts_int(call->facts, FACT_OUTPUT_IMAGE_TOKENS);
    const struct rate *plain_image = rule_rate(rule, RATE_OUTPUT_IMAGE_TOKEN, VARIANT_PLAIN);
    struct use text = batch ? whole(batch) : halved(rule_rate(rule, RATE_OUTPUT, VARIANT_PLAIN));
    if (image > completion)
        image = completion;
    bill_count(&call->bill, UNIT_OUTPUT_TEXT_TOKENS, completion - image, text);
    bill_count(&call->bill, UNIT_OUTPUT_IMAGE_TOKENS, image,
               batch_or(rule, RATE_OUTPUT_IMAGE_TOKEN, plain_image ? halved(plain_image) : text));
}

/* A job of many lines is priced line by line; the event has only their sum, so lines of several
 * models, or a sum beyond a threshold that single lines may not cross, cannot be derived. */
enum outcome calc_batch(struct call *call)
{
    const struct plan *plan = call->plan;
    const struct rule *rule =
        plan->custom && plan->override.batch ? plan->override.batch : call->candidate->rule;
    call->skips_extras = true;
    if (!rule)
        return OUTCOME_UNMAPPED;
    struct batch_rates rates = batch_rates_of(call, rule);
    if (!plan->single_model || (rates.crossed && plan->is_job)) {
        call->reason = REASON_UNDERIVABLE_MIXED_BATCH;
        return OUTCOME_UNDERIVABLE;
    }
    if (rates.input)
        bill_input(call, rule, &rates);
    else
        bill_half_input(call, rule);
    bill_output(call, rule, rates.output);
    return OUTCOME_PRICED;
}

/* ---- realtime ----------------------------------------------------------------------------------
 */

static const struct rate *speech_rate(const struct call *call, enum rate_kind first,
                                      enum rate_kind second)
{
    const struct rule *tables[] = {call->plan->custom ? call->plan->override.entry : NULL,
                                   call->plan->transcription};
    for (size_t i = 0; i < 2; i++) {
        if (!tables[i])
            continue;
        const struct rate *rate = rule_rate(tables[i], first, VARIANT_PLAIN);
        if (!rate)
            rate = rule_rate(tables[i], second, VARIANT_PLAIN);
        if (rate)
            return rate;
    }
    return NULL;
}

/* The input transcription is a model of its own. */
static void bill_transcription(struct call *call)
{
    const struct facts *facts = call->facts;
    const struct decimal *seconds = facts_decimal(facts, FACT_TRANSCRIPTION_SECONDS);
    struct bill *bill = &call->bill;
    if (seconds)
        bill_add(bill, UNIT_TRANSCRIPTION_SECONDS, seconds,
                 whole(speech_rate(call, RATE_INPUT_SECOND, RATE_INPUT_SECOND)));
    bill_rate(bill, UNIT_TRANSCRIPTION_AUDIO_TOKENS,
              facts_int(facts, FACT_TRANSCRIPTION_AUDIO_TOKENS),
              speech_rate(call, RATE_INPUT_AUDIO_TOKEN, RATE_INPUT));
    bill_rate(bill, UNIT_TRANSCRIPTION_TEXT_TOKENS,
              facts_int(facts, FACT_TRANSCRIPTION_TEXT_TOKENS),
              speech_rate(call, RATE_INPUT, RATE_INPUT));
    bill_rate(bill, UNIT_TRANSCRIPTION_OUTPUT_TOKENS,
              facts_int(facts, FACT_TRANSCRIPTION_OUTPUT_TOKENS),
              speech_rate(call, RATE_OUTPUT, RATE_OUTPUT));
}

/* The first rule under which the session costs anything, or that prices anything at all. */
enum outcome calc_realtime(struct call *call)
{
    struct generic_options options = {.variant = VARIANT_PLAIN};
    struct usage usage;
    bool used = false;
    call->skips_extras = true;
    usage_read(call->facts, &usage);
    for (size_t i = 0; i < call->plan->session_count; i++) {
        const struct rule *rule = call->plan->session[i];
        bill_start(&call->bill, call->bill.charge);
        if (call->plan->provider == P_OPENAI)
            uplift_residency(call, rule);
        options.inclusive = call->plan->provider == P_XAI;
        generic_add(call, rule, &usage, &options);
        used |= call->bill.used;
        if (bill_total(&call->bill).atto > 0 || rule->prices_something) {
            call->bill.charge->rule = rule->name;
            break;
        }
    }
    call->bill.multiplier = NULL;
    call->bill.used |= used;
    bill_transcription(call);
    return call->plan->session_count || call->plan->transcription ? OUTCOME_PRICED
                                                                  : OUTCOME_UNMAPPED;
}
