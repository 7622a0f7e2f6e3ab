/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A book is a row of editions, each with the cost map and the overrides that hold for calls started
 * in its time; without effective times there is one. Editions share cost maps and policies. They
 * are made when the book is, and never change: whoever prices holds the edition of the call's
 * start.
 */
#ifndef PRICING_BOOK_EDITIONS_H
#define PRICING_BOOK_EDITIONS_H

#include "pricing/book/deployments.h"

/* The operator's choices that hold for the whole book (book.h). */
struct policies {
    enum overrides_mode overrides;
    enum reported_cost_mode reported_cost;
    enum unknown_keys_mode unknown_keys;
};

struct edition {
    int64_t from_us; /* until the next one's */
    const struct catalog *catalog;
    const struct policies *policies;
    const struct litellm_config *config; /* discounts and margins */
    struct deployments deployments;
    struct registry registered; /* mode litellm: its deployments' models that are in no map */
};

/* The one that holds for calls started then. */
const struct edition *book_edition(const struct book *book, int64_t time_us);

/* Names to rules in an edition. */
struct resolver edition_resolver(const struct edition *edition, struct arena *scratch,
                                 const struct trace *trace);

/* Cuts time where any price changes, and compiles the deployments against each map. */
bool editions_make(struct book *book, struct err *err) MUST_CHECK;

#endif
