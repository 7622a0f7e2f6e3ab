/* SPDX-License-Identifier: Apache-2.0 */
/* Searches of the web that a model makes (docs/pricing.md 9.1): web_<word>() of a row of
 * providers.def. */
#ifndef PRICING_BILL_WEB_SEARCH_H
#define PRICING_BILL_WEB_SEARCH_H

#include "pricing/bill/call.h"

/* Whether the answer searched at all. */
bool web_searched(const struct call *call);

/* Per search, at the price of its context's size. */
void web_sized(struct call *call, const struct rule *rule);
void web_claude(struct call *call, const struct rule *rule);
void web_azure_ai(struct call *call, const struct rule *rule);
/* Per query, or one price per grounded prompt. */
void web_google(struct call *call, const struct rule *rule);
void web_vertex(struct call *call, const struct rule *rule);
void web_xai(struct call *call, const struct rule *rule);
void web_groq(struct call *call, const struct rule *rule);
void web_nothing(struct call *call, const struct rule *rule);

#endif
