/* SPDX-License-Identifier: Apache-2.0 */
/* What a price book holds: for the files of this room, which make, dump and describe it. */
#ifndef PRICING_BOOK_INSIDE_H
#define PRICING_BOOK_INSIDE_H

#include "pricing/book/editions.h"

struct book {
    struct arena arena; /* owns all below */
    struct litellm_config config;
    struct policies policies;
    struct catalog **catalog; /* in the order of their times */
    int64_t *catalog_from_us;
    size_t catalog_count;
    struct edition *edition; /* ascending */
    size_t edition_count;
    char id[65]; /* 64 hex digits */
};

#endif
