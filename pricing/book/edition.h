/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside a price book. A book is a row of editions, each with the cost map and the overrides that
 * hold for calls started in its time; without effective times there is one. Editions share cost
 * maps.
 */
#ifndef PRICING_BOOK_EDITION_H
#define PRICING_BOOK_EDITION_H

#include "pricing/book.h"
#include "pricing/book/config.h"
#include "pricing/map/catalog.h"

/* What a deployment costs (override.c). */
struct override {
    const struct rule *entry; /* the deployment's own entry, merged or whole (5.3, 5.4) */
    const struct rule *set;   /* only what it sets: images and OCR lay it over the map (8.3, 8.5) */
    const struct rule *image; /* the map's entry with `set` laid over it, nothing dropped */
    const struct rule *batch; /* mode litellm: the entry batch jobs are billed by */
    bool sets_batch_price;    /* mode litellm: batch jobs are billed by it at all */
    const struct entry *base; /* B: the map entry it stands on, or NULL */
};

struct priced_deployment {
    const struct deployment *deployment;
    const char *provider; /* of its model; "" = unknown */
    bool custom;          /* custom-priced in this edition (5.2) */
    bool is_wildcard;     /* its model holds *: compiled per name called */
    bool is_registered;   /* mode litellm: in no map, so LiteLLM registers its name at 0 */
    struct override override;
    const struct rule *call; /* A2A: the prices of litellm_params alone */
};

struct edition {
    int64_t from_us; /* until the next one's */
    const struct catalog *catalog;
    struct priced_deployment *deployment; /* in file order; what is out of its time is left out */
    size_t deployment_count;
};

struct book {
    struct arena arena;
    struct litellm_config config;
    enum overrides_mode overrides;
    enum reported_cost_mode reported_cost;
    enum unknown_keys_mode unknown_keys;
    struct catalog **catalog;
    int64_t *catalog_from_us;
    size_t catalog_count;
    struct edition *edition; /* ascending */
    size_t edition_count;
    char id[65];
};

const struct edition *book_edition(const struct book *book, int64_t time_us);

#endif
