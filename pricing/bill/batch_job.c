/* SPDX-License-Identifier: Apache-2.0 */
/* Batch jobs (docs/pricing.md 8.5): many requests in one event. */
#include "pricing/bill/call.h"

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
    const struct rate *input, *output, *read, *write, *write_1h, *write_12h;
    bool crossed;
};

static struct batch_rates batch_rates_of(const struct call *call, const struct facts *facts,
                                         const struct rule *rule)
{
    int64_t prompt = facts_int(facts, FACT_INPUT_TOKENS);
    bool inclusive = provider_has(call->plan->provider, TRAIT_INCLUSIVE_BANDS);
    struct batch_rates rates = {.crossed = false};
    const struct {
        enum rate_kind kind;
        const struct rate **rate;
    } all[] = {
        {RATE_INPUT, &rates.input},       {RATE_OUTPUT, &rates.output},
        {RATE_READ, &rates.read},         {RATE_WRITE, &rates.write},
        {RATE_WRITE_1H, &rates.write_1h}, {RATE_WRITE_12H, &rates.write_12h},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        *all[i].rate = rates_batch(rule, all[i].kind, prompt, inclusive, &rates.crossed);
    return rates;
}

/* Writes of an hour without a batch rate: LiteLLM bills them as short ones; Anthropic's batches
 * halve every rate (mode merge). */
static struct use hour_use(const struct call *call, const struct rule *rule,
                           const struct batch_rates *rates, struct use write)
{
    const struct rate *plain = rule_rate(rule, RATE_WRITE_1H, VARIANT_PLAIN);
    if (rates->write_1h)
        return whole(rates->write_1h);
    return plain && merges(call) ? halved(plain) : write;
}

static void bill_writes(struct call *call, const struct rule *rule, const struct input_usage *in,
                        const struct batch_rates *rates, struct use write)
{
    bill_count(&call->bill, UNIT_CACHE_WRITE_TOKENS, in->written_short, write);
    bill_count(&call->bill, UNIT_CACHE_WRITE_1H_TOKENS, in->written_1h,
               hour_use(call, rule, rates, write));
    bill_count(&call->bill, UNIT_CACHE_WRITE_12H_TOKENS, in->written_12h,
               rates->write_12h ? whole(rates->write_12h) : write);
}

/* A standard rate stands in where batches have none of their own (LiteLLM 1.110.2). */
static const struct rate *standard_rate(const struct rule *rule, enum rate_kind kind, i128 prompt)
{
    const struct rate *above =
        kind < RATE_BANDED_COUNT ? rates_above(rule, kind, prompt, false, VARIANT_PLAIN) : NULL;
    return above ? above : rule_rate(rule, kind, VARIANT_PLAIN);
}

/* Cached audio: at its batch rate, else at that of all cached tokens, else at the standard ones. */
static struct use cached_audio_use(const struct rule *rule, const struct batch_rates *rates,
                                   i128 prompt, const struct rate *read)
{
    const struct rate *audio = rule_rate(rule, RATE_READ_AUDIO, VARIANT_BATCHES);
    if (!audio)
        audio = rates->read ? rates->read : standard_rate(rule, RATE_READ_AUDIO, prompt);
    return whole(audio ? audio : read);
}

static struct use audio_use(const struct rule *rule, i128 prompt, struct use input)
{
    bool crossed;
    const struct rate *rate = rates_batch(rule, RATE_INPUT_AUDIO_TOKEN, prompt, false, &crossed);
    return rate ? whole(rate) : input;
}

/* Written tokens without any batch rate of their own are input like any other, cached ones without
 * any rate at all. */
static void bill_input(struct call *call, const struct facts *facts, const struct rule *rule,
                       const struct batch_rates *rates)
{
    struct input_usage in;
    struct use input = whole(rates->input);
    usage_read_parts(facts, &in);
    const struct rate *read = rates->read ? rates->read : standard_rate(rule, RATE_READ, in.prompt);
    bool hourly =
        merges(call) && in.written_1h > 0 && rule_rate(rule, RATE_WRITE_1H, VARIANT_PLAIN);
    bool writes = rates->write || rates->write_1h || rates->write_12h || hourly;
    i128 cached = read ? in.cached : 0, cached_audio = read ? in.cached_audio : 0;
    i128 written = writes ? in.written : 0;
    bill_count(&call->bill, UNIT_INPUT_TEXT_TOKENS,
               in.prompt - in.audio - in.image - in.video - cached - written, input);
    bill_count(&call->bill, UNIT_INPUT_AUDIO_TOKENS, in.audio, audio_use(rule, in.prompt, input));
    bill_count(&call->bill, UNIT_INPUT_IMAGE_TOKENS, in.image,
               batch_or(rule, RATE_INPUT_IMAGE_TOKEN, input));
    bill_count(&call->bill, UNIT_INPUT_VIDEO_TOKENS, in.video,
               batch_or(rule, RATE_INPUT_VIDEO_TOKEN, input));
    bill_rate(&call->bill, UNIT_CACHE_READ_TOKENS, cached - cached_audio, read);
    bill_count(&call->bill, UNIT_CACHE_READ_AUDIO_TOKENS, cached_audio,
               cached_audio_use(rule, rates, in.prompt, read));
    if (writes)
        bill_writes(call, rule, &in, rates, rates->write ? whole(rates->write) : input);
}

/* No batch input rate: half of the plain ones; a missing read rate is 0 here. */
static void bill_half_input(struct call *call, const struct facts *facts, const struct rule *rule,
                            const struct batch_rates *rates)
{
    struct input_usage in;
    const struct rate *input = rule_rate(rule, RATE_INPUT, VARIANT_PLAIN);
    const struct rate *write = rule_rate(rule, RATE_WRITE, VARIANT_PLAIN);
    usage_read_parts(facts, &in);
    bill_count(&call->bill, UNIT_INPUT_TEXT_TOKENS, in.prompt - in.cached - in.written,
               halved(input));
    bill_count(&call->bill, UNIT_CACHE_READ_TOKENS, in.cached,
               halved(rule_rate(rule, RATE_READ, VARIANT_PLAIN)));
    struct use short_write = halved(write ? write : input);
    if (merges(call) && in.written_1h <= in.written)
        bill_writes(call, rule, &in, rates, short_write);
    else
        bill_count(&call->bill, UNIT_CACHE_WRITE_TOKENS, in.written, short_write);
}

static void bill_output(struct call *call, const struct facts *facts, const struct rule *rule,
                        const struct rate *batch)
{
    i128 completion = facts_int(facts, FACT_OUTPUT_TOKENS);
    i128 image = facts_int(facts, FACT_OUTPUT_IMAGE_TOKENS);
    const struct rate *plain_image = rule_rate(rule, RATE_OUTPUT_IMAGE_TOKEN, VARIANT_PLAIN);
    struct use text = batch ? whole(batch) : halved(rule_rate(rule, RATE_OUTPUT, VARIANT_PLAIN));
    if (image > completion)
        image = completion;
    bill_count(&call->bill, UNIT_OUTPUT_TEXT_TOKENS, completion - image, text);
    bill_count(&call->bill, UNIT_OUTPUT_IMAGE_TOKENS, image,
               batch_or(rule, RATE_OUTPUT_IMAGE_TOKEN, plain_image ? halved(plain_image) : text));
}

/* The place of a Vertex job is known only where the deployment's configuration says it. */
static void uplift_line(struct call *call, const struct rule *rule)
{
    call->bill.multiplier = NULL;
    if (provider_has(call->plan->provider, TRAIT_REGIONAL_UPLIFT) && call->plan->vertex_location[0])
        uplift_vertex(call, rule);
}

static void bill_request(struct call *call, const struct facts *facts, const struct rule *rule,
                         const struct batch_rates *rates)
{
    if (rates->input)
        bill_input(call, facts, rule, rates);
    else
        bill_half_input(call, facts, rule, rates);
    bill_output(call, facts, rule, rates->output);
}

/* ---- request by request ------------------------------------------------------------------------
 */

/* The cells of a row of FACT_BATCH_ROWS, as the mapping writes them; the model is the last one. */
static const enum fact row_cells[] = {
    FACT_INPUT_TOKENS,           FACT_OUTPUT_TOKENS,
    FACT_CACHE_READ_TOKENS,      FACT_CACHE_READ_AUDIO_TOKENS,
    FACT_CACHE_READ_TEXT_TOKENS, FACT_CACHE_READ_IMAGE_TOKENS,
    FACT_CACHE_WRITE_TOKENS,     FACT_CACHE_WRITE_5M_TOKENS,
    FACT_CACHE_WRITE_30M_TOKENS, FACT_CACHE_WRITE_1H_TOKENS,
    FACT_CACHE_WRITE_12H_TOKENS, FACT_INPUT_TEXT_TOKENS,
    FACT_INPUT_AUDIO_TOKENS,     FACT_INPUT_IMAGE_TOKENS,
    FACT_INPUT_VIDEO_TOKENS,     FACT_OUTPUT_IMAGE_TOKENS,
};

/* One row's counts; "-" is absent. false: not a row. */
static bool read_row(struct slice row, struct facts *facts, struct slice *model)
{
    *facts = (struct facts){.present = {0}};
    for (size_t i = 0; i < sizeof(row_cells) / sizeof(row_cells[0]); i++) {
        struct slice cell = slice_cut(&row, ',');
        int64_t count;
        if (cell.bytes == 0)
            return false;
        if (slice_is(cell, "-"))
            continue;
        if (!slice_count(cell, &count))
            return false;
        facts_set_int(facts, row_cells[i], count);
    }
    *model = row;
    return row.bytes > 0;
}

/* Whether the rows are the job's: a long list is cut by the reader, and then does not add up. */
static bool rows_add_up(const struct facts *job)
{
    struct slice rows = facts_text(job, FACT_BATCH_ROWS), model;
    i128 input = 0, output = 0;
    struct facts line;
    while (rows.bytes) {
        if (!read_row(slice_cut(&rows, ';'), &line, &model))
            return false;
        input += facts_int(&line, FACT_INPUT_TOKENS);
        output += facts_int(&line, FACT_OUTPUT_TOKENS);
    }
    return facts_has(job, FACT_BATCH_ROWS) && input == facts_int(job, FACT_INPUT_TOKENS) &&
           output == facts_int(job, FACT_OUTPUT_TOKENS);
}

static const struct rule *row_rule(const struct call *call, const struct rule *own,
                                   struct slice model)
{
    const struct named_rule *named =
        named_rule_find(call->plan->line, call->plan->line_count, model);
    bool by_job = call->plan->line_own || provider_has(call->plan->provider, TRAIT_JOB_MODEL);
    if (by_job || slice_is(model, "-"))
        return own;
    return named ? named->rule : NULL;
}

static void bill_row(struct call *call, const struct facts *line, const struct rule *rule)
{
    struct batch_rates rates = batch_rates_of(call, line, rule);
    uplift_line(call, rule);
    bill_request(call, line, rule, &rates);
    if (!call->bill.charge->rule[0])
        call->bill.charge->rule = rule->name;
}

/* Each request by its own model and thresholds. One whose model is in no map costs nothing in
 * LiteLLM, and the rest is billed; mode merge has no price then. */
static enum outcome bill_rows(struct call *call, const struct rule *own)
{
    struct slice rows = facts_text(call->facts, FACT_BATCH_ROWS), model;
    struct facts line;
    bool unmapped = false, priced = false;
    call->bill.merges = true;
    while (rows.bytes && read_row(slice_cut(&rows, ';'), &line, &model)) {
        const struct rule *rule = row_rule(call, own, model);
        if (rule)
            bill_row(call, &line, rule);
        priced |= rule != NULL;
        unmapped |= rule == NULL;
    }
    if (unmapped && (merges(call) || !priced))
        return OUTCOME_UNMAPPED;
    if (unmapped)
        call->bill.missing = UNIT_INPUT_TEXT_TOKENS;
    return OUTCOME_PRICED;
}

/* A job of many lines is priced line by line. Where the event has only their sum, lines of several
 * models, or a sum beyond a threshold that single lines may not cross, cannot be derived. */
enum outcome job_price(struct call *call)
{
    const struct plan *plan = call->plan;
    const struct rule *rule = plan->line_own ? plan->line_own : call->candidate->rule;
    call->skips_extras = true;
    if (rows_add_up(call->facts))
        return bill_rows(call, rule);
    if (!rule)
        return OUTCOME_UNMAPPED;
    struct batch_rates rates = batch_rates_of(call, call->facts, rule);
    if (!plan->single_model || (rates.crossed && plan->is_job)) {
        call->reason = REASON_UNDERIVABLE_MIXED_BATCH;
        return OUTCOME_UNDERIVABLE;
    }
    uplift_line(call, rule);
    if (provider_has(plan->provider, TRAIT_RESIDENCY))
        uplift_residency(call, rule);
    bill_request(call, call->facts, rule, &rates);
    return OUTCOME_PRICED;
}
