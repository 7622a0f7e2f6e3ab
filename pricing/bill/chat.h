/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The formulas of chat (docs/pricing.md 8.1, 8.2), one per provider that has its own: each adds to
 * the bill of a call whose candidate has a rule. providers.def says whose is which.
 */
#ifndef PRICING_BILL_CHAT_H
#define PRICING_BILL_CHAT_H

#include "pricing/bill/call.h"

void chat_other(struct call *call);
void chat_generic(struct call *call);
void chat_without_tier(struct call *call);
void chat_nothing(struct call *call);
void chat_openai(struct call *call);
void chat_anthropic(struct call *call);
void chat_bedrock(struct call *call);
void chat_azure_ai(struct call *call);
void chat_fireworks(struct call *call);
void chat_xai(struct call *call);
void chat_perplexity(struct call *call);
void chat_dashscope(struct call *call);
void chat_vertex(struct call *call);

/* ---- shared by them ----------------------------------------------------------------------------
 */

/* The options of the generic formula at the call's service tier. */
struct generic_options chat_with_tier(const struct call *call);
/* The provider's own figure, if it states one; custom pricing drops it. */
bool chat_provider_cost(struct call *call);
/* The plain rate of a kind, or what stands in for it. */
struct use plain_use(const struct rule *rule, enum rate_kind kind, const struct rate *instead);

#endif
