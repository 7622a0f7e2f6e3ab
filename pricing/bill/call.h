/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call that is being priced, and the formulas, one per kind of call (docs/pricing.md section 8).
 * Each prices one candidate name into the call's bill, or says that LiteLLM would go on to the next
 * name, or that the event lacks something.
 */
#ifndef PRICING_BILL_CALL_H
#define PRICING_BILL_CALL_H

#include "pricing/bill/bill.h"
#include "pricing/bill/plan.h"
#include "pricing/bill/usage.h"

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
    bool unmeasured;              /* something whose quantity is not there, or cannot be read */
    bool unknown_uplift;          /* a country or a speed that the rule has no multiplier for */
    enum unit unrated_tool;       /* a tool's use without a price; UNIT_COUNT: none */
    struct decimal multiplier[3]; /* products of uplifts */
};

/* Override mode merge: what a deployment sets is laid over the map, and nothing is guessed (5.4).
 */
static inline bool merges(const struct call *call)
{
    return call->edition->policies->overrides == OVERRIDES_MERGE;
}

enum outcome chat_price(struct call *call);
enum outcome image_price(struct call *call);
enum outcome video_price(struct call *call);
enum outcome speech_price(struct call *call);
enum outcome transcription_price(struct call *call);
enum outcome rerank_price(struct call *call);
enum outcome ocr_price(struct call *call);
enum outcome search_price(struct call *call);
enum outcome realtime_price(struct call *call);
enum outcome job_price(struct call *call);
enum outcome agent_price(struct call *call);

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
/* No word that the event has for its tier decides on one: it is billed as the standard tier. */
bool tier_is_unknown(const struct call *call);

/* Uplifts: multiply all that is added from now on. */
void uplift_residency(struct call *call, const struct rule *rule);
void uplift_vertex(struct call *call, const struct rule *rule);
void uplift_by(struct call *call, const struct rate *rate);

/* Says why, and that the event lacks something. */
enum outcome underivable(struct call *call, enum reason reason);
/* What a rerank or OCR model that is in no map comes to (8.5). */
enum outcome unmapped_document(struct call *call);

/* Wall clock of the call, else the compute seconds an event states. */
bool call_seconds(const struct call *call, struct decimal *seconds);
int64_t call_billed_at(const struct call *call);
/* Grounding by Google Search, per request or per prompt (9.1). */
void google_search_add(struct call *call, const struct rule *rule, i128 requests);
int64_t first_count(const struct facts *facts, enum fact first, enum fact second);

#endif
