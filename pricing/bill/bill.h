/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calculators: one per kind of call (docs/pricing.md section 8). Each prices one candidate name
 * into the call's bill, or says that LiteLLM would go on to the next name, or that the event lacks
 * something.
 */
#ifndef PRICING_BILL_BILL_H
#define PRICING_BILL_BILL_H

#include "pricing/bill/plan.h"
#include "pricing/bill/usage.h"
#include "pricing/map/rates.h"

/* A charge in the making. */
struct bill {
    struct charge *charge;
    const struct decimal *multiplier; /* of everything added from now on; NULL: 1 */
    bool overflow;                    /* an amount does not fit, or too many items */
    bool used;                        /* any quantity that has a rate, or a cost somebody states */
    bool merges;                      /* many requests: a rate's quantities make one item */
    bool stated;                      /* a cost somebody states */
    enum unit missing;                /* the first quantity without a rate; UNIT_COUNT: none */
};

void bill_start(struct bill *bill, struct charge *charge);
/* quantity * rate * factor * multiplier. Nothing for a quantity of 0; a quantity without a rate is
 * remembered as missing one, so that nobody takes the sum of the rest for the price. */
void bill_add(struct bill *bill, enum unit unit, const struct decimal *quantity, struct use use);
void bill_count(struct bill *bill, enum unit unit, i128 quantity, struct use use);
static inline void bill_rate(struct bill *bill, enum unit unit, i128 quantity,
                             const struct rate *rate)
{
    bill_count(bill, unit, quantity, (struct use){rate, NULL});
}
/* For a quantity that is billed apart only where it has a rate, else within another (the tokens of
 * an image) or not at all (citations). */
static inline void bill_if_rated(struct bill *bill, enum unit unit, i128 quantity,
                                 const struct rate *rate)
{
    if (rate)
        bill_rate(bill, unit, quantity, rate);
}
/* A cost that somebody states: quantity 1 at that rate. */
void bill_stated(struct bill *bill, enum unit unit, const struct decimal *cost,
                 const struct rate_source *source);
struct money bill_total(const struct bill *bill);

enum outcome { OUTCOME_PRICED, OUTCOME_UNMAPPED, OUTCOME_UNDERIVABLE };

struct call {
    const struct edition *edition;
    const struct plan *plan;
    const struct facts *facts;
    const struct candidate *candidate;
    struct bill bill;
    enum reason reason;           /* OUTCOME_UNDERIVABLE: why; OUTCOME_PRICED at 0: why, if known */
    bool skips_extras;            /* no tools, fees, discount or margin (sections 9, 10) */
    bool stated_by_provider;      /* the provider's own cost was taken */
    bool used;                    /* the formula used something; tools and fees do not count */
    bool provisioned;             /* paid by the hour (5.5): its tokens cost nothing */
    bool known;                   /* a rule was found under some name */
    enum unit unrated_tool;       /* a tool's use without a price; UNIT_COUNT: none */
    struct decimal multiplier[3]; /* products of uplifts */
};

/* Override mode merge: what a deployment sets is laid over the map, and nothing is guessed (5.4).
 */
static inline bool merges(const struct call *call)
{
    return call->edition->policies->overrides == OVERRIDES_MERGE;
}

enum outcome calc_chat(struct call *call);
enum outcome calc_image(struct call *call);
enum outcome calc_video(struct call *call);
enum outcome calc_speech(struct call *call);
enum outcome calc_transcription(struct call *call);
enum outcome calc_rerank(struct call *call);
enum outcome calc_ocr(struct call *call);
enum outcome calc_search(struct call *call);
enum outcome calc_realtime(struct call *call);
enum outcome calc_batch(struct call *call);
enum outcome calc_agent(struct call *call);

/* Sections 9 and 10. */
void tools_add(struct call *call);
void image_tool_add(struct call *call);
void adjust_add(struct call *call);

/* ---- shared ------------------------------------------------------------------------------------
 */

/* Section 7.3. */
struct generic_options {
    unsigned variant;
    bool inclusive, half_cache_read;
};
void generic_add(struct call *call, const struct rule *rule, const struct usage *usage,
                 const struct generic_options *options);

/* Tokens of an explicit cache, which may have a read rate of their own (7.3). */
bool reads_explicit_cache(const struct facts *facts);

/* Section 7.1. */
unsigned tier_of(const struct call *call, const struct variants *variants);

/* Uplifts: multiply all that is added from now on. */
void uplift_residency(struct call *call, const struct rule *rule);
void uplift_vertex(struct call *call, const struct rule *rule);
void uplift_by(struct call *call, const struct rate *rate);

/* Wall clock of the call, else the compute seconds an event states. */
bool call_seconds(const struct call *call, struct decimal *seconds);
int64_t call_billed_at(const struct call *call);
/* Grounding by Google Search, per request or per prompt (9.1). */
void gemini_search_add(struct call *call, const struct rule *rule, i128 requests);
int64_t first_count(const struct facts *facts, enum fact first, enum fact second);

extern const struct rate_source source_event_cost, source_provider_cost, source_tool_cost,
    source_upstream_cost, source_guardrail;

#endif
