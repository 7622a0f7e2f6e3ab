/* SPDX-License-Identifier: Apache-2.0 */
/* What a deployment sets, inherits and loses, key by key. */
#include "pricing/book/deployment_prices.h"

#include "pricing/book/inside.h"
#include "pricing/book/override.h"

#include <stdio.h>
#include <stdlib.h>

bool price_key_is_price(const char *key, const struct variants *variants)
{
    struct price_key parsed;
    struct slice text = slice_of(key);
    return price_key_parse(text, variants, NULL, &parsed) ||
           (price_key_inert(text) && price_key_suspect(text));
}

void price_value_text(const struct node *value, char *text, size_t capacity)
{
    char number[DECIMAL_TEXT_MAX];
    struct decimal price;
    struct err ignored = {0};
    bool set;
    if (value->kind == NODE_LIST)
        snprintf(text, capacity, "%zu rows", value->count);
    else if (value->kind == NODE_MAP)
        snprintf(text, capacity, "a table of %zu", value->count);
    else if (node_price(value, &price, &set, &ignored) && set && decimal_format(&price, number))
        snprintf(text, capacity, "%s", number);
    else
        snprintf(text, capacity, "%s",
                 value->kind == NODE_BOOL ? (value->truth ? "true" : "false")
                 : value->text            ? value->text
                                          : "null");
}

/* An edition has its deployments in the order of the configuration's array. */
static int by_place(const void *a, const void *b)
{
    const struct deployment *left = ((const struct priced_deployment *)a)->deployment,
                            *right = ((const struct priced_deployment *)b)->deployment;
    return (left > right) - (left < right);
}

const struct priced_deployment *deployment_in_edition(const struct edition *edition,
                                                      const struct deployment *deployment)
{
    const struct priced_deployment key = {.deployment = deployment};
    return bsearch(&key, edition->deployments.one, edition->deployments.count, sizeof key,
                   by_place);
}

const struct priced_deployment *deployment_first_edition(const struct book *book,
                                                         const struct deployment *deployment,
                                                         const struct edition **edition)
{
    const struct priced_deployment *found = NULL;
    for (size_t i = 0; !found && i < book->edition_count; i++) {
        *edition = &book->edition[i];
        found = deployment_in_edition(*edition, deployment);
    }
    return found;
}

static const struct entry *map_entry(const struct edition *edition,
                                     const struct priced_deployment *priced, struct arena *scratch)
{
    const struct deployment *d = priced->deployment;
    struct resolver r = edition_resolver(edition, scratch, NULL);
    const char *name = d->base_model[0] ? d->base_model : d->model;
    struct slice said = names_provider(slice_of(name));
    if (priced->custom)
        return priced->override.base;
    return names_lookup(&r, slice_of(name), said.bytes ? said : slice_of(priced->provider)).entry;
}

/* What of the map's entry the deployment's own has, and what not. */
static void split_base(struct deployment_prices *prices, const struct fields *result,
                       const struct variants *variants)
{
    for (const struct node *n = prices->base->raw->children; n; n = n->next) {
        const struct node *kept = result ? fields_get(result, n->key) : n;
        bool is_set = fields_get(&prices->set, n->key) != NULL;
        if (!price_key_is_price(n->key, variants) || is_set)
            continue;
        struct fields *list = kept ? &prices->inherited : &prices->lost;
        if (!fields_set(list, n, prices->base->name))
            return;
    }
}

void deployment_prices_read(const struct book *book, const struct edition *edition,
                            const struct priced_deployment *priced, struct arena *scratch,
                            struct deployment_prices *prices)
{
    const struct variants *variants = &edition->catalog->variants;
    const struct deployment *d = priced->deployment;
    struct fields set = {.count = 0}, result;
    struct err ignored = {0};
    *prices = (struct deployment_prices){.priced = priced, .custom = priced->custom};
    prices->base = map_entry(edition, priced, scratch);
    if (!priced->custom) {
        if (prices->base)
            split_base(prices, NULL, variants);
        return;
    }
    if (!override_set_fields(d, &set, &ignored) ||
        !override_fields(scratch, d, book->policies.overrides, variants, prices->base, &result,
                         &ignored))
        return;
    for (size_t i = 0; i < set.count; i++)
        if (price_key_is_price(set.field[i].value->key, variants) &&
            !fields_set(&prices->set, set.field[i].value, set.field[i].entry))
            return;
    if (prices->base)
        split_base(prices, &result, variants);
}
