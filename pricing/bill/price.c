/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of decisions (docs/pricing.md section 2), and the pricer: one lane's memo of plans.
 *
 *   1. a failed call, a cache hit and a call type that is never billed cost 0
 *   2. a cost stated by an upstream proxy is taken as it is
 *   3. the names give a plan; the first candidate that resolves is priced by the call type's
 * formula
 *   4. tools and fees, discount, margin, where the formula allows
 *   5. what the rule prices and the event states decide what becomes of it: a quantity without a
 *      rate, or no quantity at all, gives no price
 *   6. guardrails are added to everything, failures and cache hits included
 */
#include "core/hash.h"
#include "pricing/bill/call.h"
#include "pricing/book/unread.h"
#include "pricing/names/text.h"

#include <stdlib.h>

#define MEMO_ENTRIES_MAX 16384 /* far more names than anybody calls; per lane */
#define MEMO_SLOTS (2 * MEMO_ENTRIES_MAX)
#define MEMO_BYTES_MAX (16u << 20)
#define SCRATCH_BYTES_MAX (4u << 20)
#define KEY_BYTES_MAX 2048

struct memo_entry {
    uint64_t hash;
    uint32_t key_bytes;
    struct plan plan;
    char key[];
};

struct pricer {
    const struct book *book;
    struct arena memo, scratch;
    struct memo_entry **slot;
    size_t entry_count;
};

struct pricer *pricer_new(const struct book *book)
{
    struct pricer *pricer = calloc(1, sizeof(*pricer));
    if (!pricer)
        return NULL;
    pricer->book = book;
    pricer->slot = calloc(MEMO_SLOTS, sizeof(struct memo_entry *));
    arena_init(&pricer->memo, MEMO_BYTES_MAX);
    arena_init(&pricer->scratch, SCRATCH_BYTES_MAX);
    if (pricer->slot)
        return pricer;
    pricer_free(pricer);
    return NULL;
}

void pricer_free(struct pricer *pricer)
{
    if (!pricer)
        return;
    arena_free(&pricer->memo);
    arena_free(&pricer->scratch);
    free(pricer->slot);
    free(pricer);
}

size_t pricer_names(const struct pricer *pricer, size_t *bytes)
{
    *bytes = pricer->memo.held_bytes;
    return pricer->entry_count;
}

/* ---- memo --------------------------------------------------------------------------------------
 */

static void memo_reset(struct pricer *pricer)
{
    arena_reset(&pricer->memo);
    memset(pricer->slot, 0, MEMO_SLOTS * sizeof(struct memo_entry *));
    pricer->entry_count = 0;
}

static struct memo_entry **memo_slot(struct pricer *pricer, uint64_t hash, const char *key,
                                     size_t bytes)
{
    size_t at = hash & (MEMO_SLOTS - 1);
    for (; pricer->slot[at]; at = (at + 1) & (MEMO_SLOTS - 1)) {
        const struct memo_entry *entry = pricer->slot[at];
        if (entry->hash == hash && entry->key_bytes == bytes && memcmp(entry->key, key, bytes) == 0)
            break;
    }
    return &pricer->slot[at];
}

static void make_plan(struct pricer *pricer, const struct edition *edition,
                      const struct facts *facts, const struct trace *trace, struct plan *plan)
{
    arena_reset(&pricer->scratch);
    plan_make(edition, facts, &pricer->memo, &pricer->scratch, trace, plan);
}

/* The plan for the event's names; `own` is the caller's, for names that are not remembered. */
static const struct plan *find_plan(struct pricer *pricer, const struct edition *edition,
                                    const struct facts *facts, const struct trace *trace,
                                    struct plan *own)
{
    char key[KEY_BYTES_MAX];
    size_t bytes = trace ? 0 : plan_key(edition, facts, key, sizeof(key) - 1);
    if (pricer->entry_count == MEMO_ENTRIES_MAX || pricer->memo.full ||
        pricer->memo.used_bytes > MEMO_BYTES_MAX - (2u << 20))
        memo_reset(pricer);
    if (bytes == 0) {
        make_plan(pricer, edition, facts, trace, own);
        return own;
    }
    uint64_t hash = hash_xxh64((struct slice){key, bytes});
    struct memo_entry **slot = memo_slot(pricer, hash, key, bytes);
    if (*slot)
        return &(*slot)->plan;
    struct memo_entry *entry = arena_alloc(&pricer->memo, sizeof(*entry) + bytes);
    if (!entry) {
        make_plan(pricer, edition, facts, trace, own);
        return own;
    }
    entry->hash = hash;
    entry->key_bytes = (uint32_t)bytes;
    memcpy(entry->key, key, bytes);
    make_plan(pricer, edition, facts, trace, &entry->plan);
    *slot = entry;
    pricer->entry_count++;
    return &entry->plan;
}

/* ---- candidates --------------------------------------------------------------------------------
 */

static enum outcome run(struct call *call)
{
    switch (call->plan->class) {
    case CALL_IMAGE:
        return image_price(call);
    case CALL_VIDEO:
        return video_price(call);
    case CALL_SPEECH:
        return call->candidate->on_replicate ? chat_price(call) : speech_price(call);
    case CALL_TRANSCRIPTION:
        return call->candidate->on_replicate ? chat_price(call) : transcription_price(call);
    case CALL_RERANK:
        return call->candidate->on_replicate ? chat_price(call) : rerank_price(call);
    case CALL_OCR:
        return call->candidate->on_replicate ? chat_price(call) : ocr_price(call);
    case CALL_SEARCH:
        return search_price(call);
    case CALL_REALTIME:
        return realtime_price(call);
    case CALL_JOB:
        return job_price(call);
    default:
        return chat_price(call);
    }
}

static bool takes_tools(enum call_class class)
{
    return class <= CALL_TEXT || class == CALL_SPEECH || class == CALL_TRANSCRIPTION ||
           class == CALL_RERANK || class == CALL_OCR;
}

/* A tool without a price does not make the call's price unknown, but the row says so. */
static void add_extras(struct call *call)
{
    enum unit missing = call->bill.missing;
    if (takes_tools(call->plan->class))
        tools_add(call);
    if (missing == UNIT_COUNT)
        call->unrated_tool = call->bill.missing;
    call->bill.missing = missing;
    adjust_add(call);
}

/* The provider's own figure of the call, before any name is looked at (8.0). Prices or a base_model
 * of the operator's void it; xai, perplexity and opencode_go have rules of their own. */
static bool takes_stated_cost(const struct call *call)
{
    const struct plan *plan = call->plan;
    bool renamed = plan->deployment && plan->deployment->deployment->base_model[0];
    return takes_tools(plan->class) && !plan->custom && !renamed &&
           !provider_has(plan->provider, TRAIT_STATES_COST) &&
           !provider_has(plan->provider, TRAIT_STATED_COST_UNREAD) &&
           facts_decimal(call->facts, FACT_PROVIDER_COST);
}

static enum outcome bill_stated_cost(struct call *call)
{
    bill_stated(&call->bill, UNIT_STATED_COST, facts_decimal(call->facts, FACT_PROVIDER_COST),
                &source_provider_cost);
    call->candidate = &call->plan->candidate[0];
    call->used = true;
    adjust_add(call);
    return OUTCOME_PRICED;
}

/* LiteLLM adds what they cost, and sums their usage with the answer's: the sum has a price only
 * where each attempt is billed at the same rates. */
static bool has_failed_attempts(const struct facts *facts)
{
    const struct decimal *cost = facts_decimal(facts, FACT_FAILED_ATTEMPTS_COST);
    return cost && !decimal_is_zero(cost) && !cost->negative;
}

/* Whether so many tokens in one request may cost another rate than in two. */
static bool may_cross(const struct rule *rule, int64_t tokens)
{
    return rule && ((rule->band_count && tokens >= rule->band[0].above_tokens) || rule->has_tiers);
}

/* Some attempts told the parts of their input, others did not. */
static bool parts_fall_short(const struct facts *facts)
{
    static const enum fact parts[] = {FACT_INPUT_TEXT_TOKENS,  FACT_INPUT_AUDIO_TOKENS,
                                      FACT_INPUT_IMAGE_TOKENS, FACT_INPUT_VIDEO_TOKENS,
                                      FACT_CACHE_READ_TOKENS,  FACT_CACHE_WRITE_TOKENS};
    i128 sum = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        sum += facts_int(facts, parts[i]);
    return facts_int(facts, FACT_INPUT_TEXT_TOKENS) && sum < facts_int(facts, FACT_INPUT_TOKENS);
}

/* A sum of attempts does not say which cached tokens were read explicitly. */
static bool reads_explicitly(const struct rule *rule, const struct facts *facts)
{
    return rule && rule_rate(rule, RATE_EXPLICIT_READ, VARIANT_PLAIN) &&
           facts_int(facts, FACT_CACHE_READ_TOKENS) > 0;
}

static bool lacks_attempts(const struct call *call)
{
    const struct facts *facts = call->facts;
    const struct rule *rule = call->candidate->rule;
    return has_failed_attempts(facts) && (may_cross(rule, facts_int(facts, FACT_INPUT_TOKENS)) ||
                                          reads_explicitly(rule, facts) || parts_fall_short(facts));
}

static enum outcome try_candidates(struct call *call, const struct trace *trace)
{
    if (takes_stated_cost(call) && call->plan->candidate_count)
        return bill_stated_cost(call);
    for (size_t i = 0; i < call->plan->candidate_count; i++) {
        call->candidate = &call->plan->candidate[i];
        bill_start(&call->bill, call->bill.charge);
        call->reason = REASON_NONE;
        enum outcome outcome = run(call);
        if (outcome == OUTCOME_PRICED && call->provisioned && merges(call))
            bill_start(&call->bill, call->bill.charge);
        call->used = call->bill.used;
        call->known |= call->candidate->rule != NULL;
        if (outcome == OUTCOME_UNMAPPED) {
            trace_line(trace, SLICE_FMT ": no price here, next name",
                       SLICE_ARG(call->candidate->name));
            continue;
        }
        if (call->candidate->rule && !call->bill.charge->rule[0])
            call->bill.charge->rule = call->candidate->rule->name;
        if (outcome == OUTCOME_PRICED && lacks_attempts(call)) {
            call->reason = REASON_UNDERIVABLE_FAILED_ATTEMPTS;
            return OUTCOME_UNDERIVABLE;
        }
        if (outcome == OUTCOME_PRICED && !call->skips_extras)
            add_extras(call);
        return outcome;
    }
    return OUTCOME_UNMAPPED;
}

/* ---- outcomes ----------------------------------------------------------------------------------
 */

/* The sum of the items is the price; of 0 with the reason for it. */
static void conclude_priced(struct call *call)
{
    struct charge *charge = call->bill.charge;
    charge->spend = bill_total(&call->bill);
    charge->has_spend = true;
    charge->status = charge->spend.atto ? CHARGE_PRICED : CHARGE_FREE;
    charge->reason = charge->spend.atto ? REASON_NONE
                     : call->reason     ? call->reason
                                        : REASON_ZERO_RATE;
}

static void conclude_unpriced(struct charge *charge, enum reason reason)
{
    charge->status = CHARGE_UNPRICED;
    charge->reason = reason;
    charge->has_spend = false;
    charge->spend = (struct money){0};
    for (size_t i = 0; i < 3; i++)
        charge->side[i] = (struct money){0};
    charge->item_count = 0;
}

/* The gateway's own figure, marked as such. Its 0 does not count: LiteLLM writes it where it failed
 * to price. */
static bool conclude_reported(struct charge *charge, const struct facts *facts, enum reason reason)
{
    const struct decimal *cost = facts_decimal(facts, FACT_GATEWAY_COST);
    struct bill bill;
    if (!cost || decimal_is_zero(cost))
        return false;
    const char *rule = charge->rule;
    bill_start(&bill, charge);
    bill_stated(&bill, UNIT_STATED_COST, cost, &source_event_cost);
    if (bill.overflow)
        return false;
    charge->rule = rule;
    charge->status = CHARGE_REPORTED;
    charge->reason = reason;
    charge->has_spend = true;
    charge->spend = bill_total(&bill);
    return true;
}

static void conclude_underivable(struct call *call, enum reason reason)
{
    struct charge *charge = call->bill.charge;
    if (call->edition->policies->reported_cost != REPORTED_IGNORE &&
        conclude_reported(charge, call->facts, reason))
        return;
    conclude_unpriced(charge, reason);
}

/* Why the sum of the items is not the price: REASON_NONE where every quantity that the event states
 * has a rate, and there is one. */
static enum reason doubt(const struct call *call)
{
    const struct bill *bill = &call->bill;
    const struct rule *rule = call->candidate ? call->candidate->rule : NULL;
    const struct decimal *cost = facts_decimal(call->facts, FACT_GATEWAY_COST);
    bool complete = call->provisioned || (call->used && bill->missing == UNIT_COUNT);
    if (complete && bill->stated && cost && !decimal_is_zero(cost) && bill_total(bill).atto == 0)
        return REASON_UNDERIVABLE_STATED_ZERO;
    if (complete)
        return REASON_NONE;
    if (call->reason == REASON_NO_RATE)
        return REASON_NO_RATE;
    if (rule && rule->zero_reason)
        return rule->zero_reason == REASON_CAPABILITY_RULE ? REASON_UNKNOWN_MODEL : REASON_NO_RATE;
    if (rule && !rule_has_price(rule))
        return REASON_NO_RATE;
    return bill->missing != UNIT_COUNT ? REASON_RATE_MISSING : REASON_UNDERIVABLE_NO_USAGE;
}

static void trace_known(const struct call *call, const struct trace *trace)
{
    const struct charge *charge = call->bill.charge;
    char quantity[DECIMAL_TEXT_MAX], amount[DECIMAL_TEXT_MAX];
    for (size_t i = 0; trace && i < charge->item_count; i++) {
        decimal_format(&charge->item[i].quantity, quantity);
        money_format(charge->item[i].amount, amount);
        trace_line(trace, "%s: %s cost %s", unit_info[charge->item[i].unit].name, quantity, amount);
    }
    if (call->bill.missing != UNIT_COUNT)
        trace_line(trace, "%s: there is no rate for them", unit_info[call->bill.missing].name);
}

static bool bills_key(const struct charge *charge, const char *key)
{
    for (size_t i = 0; i < charge->item_count; i++)
        if (strcmp(charge->item[i].source->key, key) == 0)
            return true;
    return false;
}

/* An own price that the call was not billed by. */
static bool passes_over(const struct call *call)
{
    return call->plan->unread && !bills_key(call->bill.charge, call->plan->unread);
}

/* Rates of 0 for all that was used, while the row or the deployment has a price for what the event
 * does not count: not known to be free. */
static bool is_unproven_zero(const struct call *call)
{
    const struct rule *rule = call->candidate ? call->candidate->rule : NULL;
    bool zero = bill_total(&call->bill).atto == 0 && call->reason == REASON_NONE;
    return zero && !call->bill.stated &&
           (call->plan->custom ? passes_over(call) : unread_beside(rule, call->plan->class));
}

/* Worth a look, though the price stands. */
static void remark(const struct call *call, const struct trace *trace)
{
    bool by_clock =
        facts_has(call->facts, FACT_STARTED_AT) && facts_has(call->facts, FACT_ENDED_AT) &&
        !facts_has(call->facts, FACT_COMPUTE_SECONDS) && !facts_int(call->facts, FACT_CLOCKS_APART);
    if (call->bill.charge->flags & FLAG_SECONDS_OF_GATEWAY)
        trace_line(trace,
                   "seconds are %s; LiteLLM counts from the arrival of the request, which is "
                   "not in the event",
                   by_clock ? "ended_at less started_at"
                            : "the event's compute_seconds or audio_seconds");
    if (tier_is_unknown(call)) {
        call->bill.charge->flags |= FLAG_RATE_MISSING;
        trace_line(trace, "a service tier that is not known: priced as the standard one");
    }
    if (call->unknown_uplift) {
        call->bill.charge->flags |= FLAG_RATE_MISSING;
        trace_line(trace,
                   "inference_geo or speed without a multiplier in the entry: priced plainly");
    }
    if (!passes_over(call))
        return;
    call->bill.charge->flags |= FLAG_OWN_PRICE_UNREAD;
    trace_line(trace, "the deployment sets %s, which these calls do not read", call->plan->unread);
}

static void trace_tool(const struct call *call, const struct trace *trace)
{
    if (call->unrated_tool != UNIT_COUNT)
        trace_line(trace, "%s: there is no rate for them, the price is without",
                   unit_info[call->unrated_tool].name);
    if (call->unmeasured)
        trace_line(trace, "a clip or an answer says no quantity that can be read, the price is "
                          "without it");
}

/* The row that priced has a key that may be money, and nobody knows how much. What is nothing but
 * for that key has no price: free is only what is known to be. */
static enum reason doubt_entry(struct call *call, const struct trace *trace)
{
    const struct rule *rule = call->candidate ? call->candidate->rule : NULL;
    if (!rule || !rule->unknown_key)
        return REASON_NONE;
    trace_line(trace, "%s: its key %s looks like money and is not known", rule->name,
               rule->unknown_key);
    bool nothing = bill_total(&call->bill).atto == 0 && !call->provisioned &&
                   call->reason != REASON_FREE_PROVIDER;
    if (call->edition->policies->unknown_keys == UNKNOWN_KEYS_UNPRICE)
        return REASON_UNKNOWN_PRICE_KEY;
    call->bill.charge->flags |= FLAG_UNKNOWN_PRICE_KEY;
    return nothing && call->used && call->bill.missing == UNIT_COUNT ? REASON_UNKNOWN_PRICE_KEY
                                                                     : REASON_NONE;
}

/* What a formula came to. Mode litellm bills whatever it has a rate for, as LiteLLM does; only
 * where that is nothing is it no price either. */
static void conclude(struct call *call, const struct trace *trace)
{
    struct charge *charge = call->bill.charge;
    if (call->provisioned)
        call->reason = REASON_PROVISIONED;
    enum reason why = call->reason == REASON_FREE_PROVIDER ? REASON_NONE : doubt(call);
    bool strict = merges(call);
    enum reason entry = doubt_entry(call, trace);
    if (!why && is_unproven_zero(call)) {
        why = REASON_UNDERIVABLE_NO_USAGE;
        trace_line(trace, "rates of 0 beside a price for what the event does not count");
    }
    if (entry) {
        conclude_underivable(call, entry);
    } else if (why && (strict || bill_total(&call->bill).atto == 0)) {
        trace_known(call, trace);
        charge->missing = call->bill.missing;
        conclude_underivable(call, why);
    } else {
        trace_tool(call, trace);
        remark(call, trace);
        if (why == REASON_RATE_MISSING || call->unrated_tool != UNIT_COUNT || call->unmeasured)
            charge->flags |= FLAG_RATE_MISSING;
        conclude_priced(call);
    }
}

/* ---- the order of decisions --------------------------------------------------------------------
 */

/* Vertex says so in its traffic type. LiteLLM 1.106.2 bills these tokens: mode litellm does too. */
static bool is_provisioned(const struct call *call)
{
    struct slice word = facts_text(call->facts, FACT_SERVICE_TIER);
    if (word.bytes == 0)
        word = facts_text(call->facts, FACT_SERVICE_TIER_RESOLVED);
    bool may_be = provider_has(call->plan->provider, TRAIT_PROVISIONED);
    return may_be && merges(call) && names_equal_folded(word, "provisioned_throughput");
}

static enum reason zero_rule(const struct facts *facts, enum call_class class)
{
    if (slice_is(facts_text(facts, FACT_STATUS), "failure"))
        return REASON_FAILURE;
    if (facts_int(facts, FACT_CACHE_HIT))
        return REASON_CACHE_HIT;
    if (class == CALL_NON_INFERENCE && !facts_int(facts, FACT_BACKGROUND))
        return REASON_MANAGEMENT_CALL;
    bool unused = !facts_int(facts, FACT_INPUT_TOKENS) && !facts_int(facts, FACT_OUTPUT_TOKENS);
    if (unused && facts_int(facts, FACT_BATCH_WITHOUT_OUTPUT))
        return REASON_BATCH_WITHOUT_OUTPUT;
    return class == CALL_MANAGEMENT && unused ? REASON_MANAGEMENT_CALL : REASON_NONE;
}

/* Only Vertex' has a price (8.5). */
static void price_vector_search(struct call *call)
{
    call->reason = REASON_NO_RATE;
    for (size_t i = 0; i < call->plan->candidate_count; i++) {
        call->candidate = &call->plan->candidate[i];
        if (!call->candidate->rule)
            continue;
        call->bill.charge->rule = call->candidate->rule->name;
        call->reason = REASON_NONE;
        bill_rate(&call->bill, UNIT_INPUT_QUERIES, 1,
                  rule_rate(call->candidate->rule, RATE_INPUT_QUERY, VARIANT_PLAIN));
        adjust_add(call);
        return;
    }
}

/* Calls that need no name: a cost in the event, or in the deployment. */
static bool price_nameless(struct call *call)
{
    const struct decimal *tool = facts_decimal(call->facts, FACT_TOOL_COST);
    switch (call->plan->class) {
    case CALL_MCP_TOOL:
        if (tool)
            bill_stated(&call->bill, UNIT_CALLS, tool, &source_tool_cost);
        call->reason = tool ? REASON_NONE : REASON_NO_RATE;
        return true;
    case CALL_AGENT:
        return agent_price(call) == OUTCOME_PRICED;
    case CALL_VECTOR_SEARCH:
        price_vector_search(call);
        return true;
    default:
        return false;
    }
}

static void price_by_plan(struct call *call, const struct trace *trace)
{
    bool nameless = price_nameless(call);
    enum outcome outcome = OUTCOME_PRICED;
    if (!nameless && call->plan->refusal) {
        conclude_unpriced(call->bill.charge, call->plan->refusal);
        return;
    }
    if (!nameless)
        outcome = try_candidates(call, trace);
    else
        call->used = call->bill.used;
    if (call->bill.overflow)
        conclude_underivable(call, REASON_UNDERIVABLE_AMOUNT);
    else if (outcome == OUTCOME_UNDERIVABLE)
        conclude_underivable(call, call->reason);
    else if (outcome == OUTCOME_UNMAPPED && call->known)
        conclude_underivable(call, REASON_NO_RATE);
    else if (outcome == OUTCOME_UNMAPPED)
        conclude_unpriced(call->bill.charge, REASON_UNKNOWN_MODEL);
    else
        conclude(call, trace);
}

/* Added last, to whatever was decided, but not to an unknown price. */
static void add_guardrail(struct call *call)
{
    const struct decimal *cost = facts_decimal(call->facts, FACT_GUARDRAIL_COST);
    struct charge *charge = call->bill.charge;
    if (!cost || decimal_is_zero(cost) || !charge->has_spend || charge->status == CHARGE_REPORTED)
        return;
    bill_stated(&call->bill, UNIT_GUARDRAIL, cost, &source_guardrail);
    if (call->bill.overflow)
        conclude_underivable(call, REASON_UNDERIVABLE_AMOUNT);
    else
        conclude_priced(call);
}

void pricer_price(struct pricer *pricer, const struct facts *facts, struct charge *charge,
                  const struct trace *trace)
{
    int64_t when = facts_has(facts, FACT_STARTED_AT) ? facts_int(facts, FACT_STARTED_AT)
                                                     : facts_int(facts, FACT_ENDED_AT);
    const struct edition *edition = book_edition(pricer->book, when);
    struct plan own;
    struct call call = {

        .edition = edition, .facts = facts, .unrated_tool = UNIT_COUNT};
    charge->flags = 0;
    bill_start(&call.bill, charge);
    call.plan = find_plan(pricer, edition, facts, trace, &own);
    call.provisioned = call.plan->provisioned || is_provisioned(&call);
    enum reason zero = zero_rule(facts, call.plan->class);
    const struct decimal *upstream = facts_decimal(facts, FACT_UPSTREAM_COST);
    if (zero == REASON_CACHE_HIT && has_failed_attempts(facts)) {
        conclude_underivable(&call, REASON_UNDERIVABLE_FAILED_ATTEMPTS);
    } else if (zero) {
        call.reason = zero;
        trace_line(trace, "costs nothing: %s", reason_info[zero].doc);
        conclude_priced(&call);
    } else if (edition->policies->reported_cost == REPORTED_PREFER &&
               conclude_reported(charge, facts, REASON_REPORTED_PREFERRED)) {
        trace_line(trace, "the gateway's own figure is preferred");
        return;
    } else if (upstream && !call.plan->custom) {
        bill_stated(&call.bill, UNIT_STATED_COST, upstream, &source_upstream_cost);
        call.used = true;
        conclude(&call, trace);
    } else {
        price_by_plan(&call, trace);
    }
    add_guardrail(&call);
}
