/* SPDX-License-Identifier: Apache-2.0 */
/* The formulas that a provider's row names (providers.def). */
#ifndef PRICING_BILL_FORMULAS_H
#define PRICING_BILL_FORMULAS_H

#include "pricing/bill/call.h"

typedef void chat_fn(struct call *call);

struct formulas {
    chat_fn *chat;
    enum outcome (*image)(struct call *call);
    void (*web)(struct call *call, const struct rule *rule);
};

const struct formulas *formulas_of(enum provider_id provider);

#endif
