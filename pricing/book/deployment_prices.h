/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prices of one deployment: which keys it sets, which it inherits from the map and which
 * of the map's it loses. What describe.c prints and findings.c judges.
 */
#ifndef PRICING_BOOK_DEPLOYMENT_PRICES_H
#define PRICING_BOOK_DEPLOYMENT_PRICES_H

#include "pricing/book/editions.h"

struct deployment_prices {
    const struct priced_deployment *priced;
    const struct entry *base; /* the map's entry; NULL: in no map */
    bool custom;
    struct fields set, inherited, lost; /* price keys only */
};

/* Of a deployment of an edition; garbage in `scratch`. */
void deployment_prices_read(const struct book *book, const struct edition *edition,
                            const struct priced_deployment *priced, struct arena *scratch,
                            struct deployment_prices *prices);

/* It in an edition; NULL when it does not hold there. */
const struct priced_deployment *deployment_in_edition(const struct edition *edition,
                                                      const struct deployment *deployment);
/* The first edition in which the configuration's deployment holds, and it in there. */
const struct priced_deployment *deployment_first_edition(const struct book *book,
                                                         const struct deployment *deployment,
                                                         const struct edition **edition);

/* "0.000003", "3 rows", "a table": a price key's value for people. */
void price_value_text(const struct node *value, char *text, size_t capacity);

bool price_key_is_price(const char *key, const struct variants *variants);

#endif
