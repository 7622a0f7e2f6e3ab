/* SPDX-License-Identifier: Apache-2.0 */
/* Which configured deployment served an event (docs/pricing.md section 5.5). */
#ifndef PRICING_BOOK_DEPLOYMENTS_H
#define PRICING_BOOK_DEPLOYMENTS_H

#include "core/event.h"
#include "pricing/book/override.h"

/* A deployment of the configuration, compiled against the cost map of one edition. */
struct priced_deployment {
    const struct deployment *deployment;
    const char *provider; /* of its model; "" = unknown */
    bool custom;          /* custom-priced in this edition (5.2) */
    bool is_wildcard;     /* its model holds *: compiled per name called */
    struct override override;
    const struct rule *call; /* A2A: the prices of litellm_params alone */
};

/* Those of an edition, in file order; what is out of its time is left out. */
struct deployments {
    struct priced_deployment *one;
    size_t count;
};

/* NULL: none is configured. */
const struct priced_deployment *deployments_match(const struct deployments *all,
                                                  const struct facts *facts,
                                                  const struct trace *trace);

/* Whether `name` is what `pattern`, in which * stands for any text, describes. */
bool deployments_glob(struct slice pattern, struct slice name);

#endif
