/* SPDX-License-Identifier: Apache-2.0 */
/* Which configured deployment served an event (docs/pricing.md section 5.5). */
#ifndef PRICING_BOOK_DEPLOYMENTS_H
#define PRICING_BOOK_DEPLOYMENTS_H

#include "pricing/book/edition.h"

/* NULL: none is configured. */
const struct priced_deployment *deployments_match(const struct edition *edition,
                                                  const struct facts *facts,
                                                  const struct trace *trace);

/* Whether `name` is what `pattern`, in which * stands for any text, describes. */
bool deployments_glob(struct slice pattern, struct slice name);

#endif
