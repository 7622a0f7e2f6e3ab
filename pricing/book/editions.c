/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The moments at which a price changes cut time into editions, and each edition's deployments are
 * compiled against its cost map.
 */
#include "pricing/book/editions.h"

#include "pricing/book/inside.h"

#include <stdlib.h>

#define EDITIONS_MAX 4096

static bool too_large(struct err *err)
{
    return err_set(err, ERR_CONFIG, "the price book is too large");
}

static const struct catalog *map_at(const struct book *book, int64_t time_us)
{
    size_t i = book->catalog_count - 1;
    while (i && book->catalog_from_us[i] > time_us)
        i--;
    return book->catalog[i];
}

static int time_order(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

/* The moments at which any price changes, ascending, the beginning of time first. */
static size_t collect_times(const struct book *book, int64_t *times)
{
    const struct litellm_config *config = &book->config;
    size_t count = 0, kept = 1;
    times[count++] = INT64_MIN;
    for (size_t i = 1; i < book->catalog_count; i++)
        times[count++] = book->catalog_from_us[i];
    for (size_t i = 0; i < config->deployment_count; i++) {
        times[count++] = config->deployment[i].from_us;
        if (config->deployment[i].until_us != WINDOW_FOREVER)
            times[count++] = config->deployment[i].until_us;
    }
    qsort(times, count, sizeof(*times), time_order);
    for (size_t i = 1; i < count; i++)
        if (times[i] != times[kept - 1])
            times[kept++] = times[i];
    return kept;
}

static bool compile_call(struct book *book, const struct resolver *r, struct priced_deployment *out,
                         struct err *err)
{
    const struct deployment *d = out->deployment;
    struct fields fields = {.count = 0};
    struct rule_options options = {d->model_name, "", &r->catalog->variants, false};
    for (const struct node *n = d->params->children; n; n = n->next)
        if (!fields_set(&fields, n, d->model_name))
            return too_large(err);
    if (d->call_price && !fields_set(&fields, d->call_price, d->model_name))
        return too_large(err);
    out->call = rule_compile(&book->arena, &fields, &options, err);
    return out->call != NULL;
}

struct resolver edition_resolver(const struct edition *edition, struct arena *scratch,
                                 const struct trace *trace)
{
    return (struct resolver){.catalog = edition->catalog,
                             .registered = &edition->registered,
                             .overrides = edition->policies->overrides,
                             .scratch = scratch,
                             .trace = trace};
}

/* LiteLLM puts the model into its own table, at a price of 0. */
static void register_model(struct edition *edition, const struct resolver *r,
                           const struct priced_deployment *d)
{
    const char *model = d->deployment->model;
    if (r->overrides == OVERRIDES_LITELLM &&
        !names_lookup(r, slice_of(model), slice_of(d->provider)).entry)
        edition->registered.name[edition->registered.count++] =
            (struct registered){model, d->provider};
}

static bool price_deployment(struct book *book, struct edition *edition,
                             struct priced_deployment *out, struct arena *scratch, struct err *err)
{
    const struct deployment *d = out->deployment;
    struct resolver r = edition_resolver(edition, scratch, NULL);
    struct slice provider = names_provider(slice_of(d->model));
    arena_reset(scratch);
    out->provider = d->provider[0] ? d->provider : arena_text(&book->arena, provider);
    out->is_wildcard = strchr(d->model, '*') != NULL && r.overrides == OVERRIDES_MERGE;
    out->custom = override_is_custom(d, r.overrides, &edition->catalog->variants) || d->is_ptu;
    if (d->id[0] && catalog_find(edition->catalog, slice_of(d->id)))
        return err_set(err, ERR_CONFIG,
                       "%s:%u: model \"%.200s\": id \"%.200s\" is the name of a model in the cost "
                       "map, whose prices it would replace for everybody",
                       d->file, d->line, d->model_name, d->id);
    if (!compile_call(book, &r, out, err))
        return false;
    if (out->custom &&
        !override_build(&book->arena, &r, d, slice_of(d->model), &out->override, err))
        return false;
    register_model(edition, &r, out);
    return true;
}

/* Whether the deployment's prices hold in an edition. What is out of its time is not an override;
 * the deployment itself is then the map's business. */
static bool holds_at(const struct deployment *deployment, int64_t time_us)
{
    return deployment->from_us <= time_us && time_us < deployment->until_us;
}

static bool make_edition(struct book *book, int64_t from_us, struct arena *scratch,
                         struct edition *out, struct err *err)
{
    const struct litellm_config *config = &book->config;
    size_t most = config->deployment_count + 1;
    *out = (struct edition){.from_us = from_us,
                            .catalog = map_at(book, from_us),
                            .policies = &book->policies,
                            .config = config};
    out->deployments.one = arena_zalloc(&book->arena, most * sizeof(*out->deployments.one));
    out->registered.name = arena_alloc(&book->arena, most * sizeof(*out->registered.name));
    if (!out->deployments.one || !out->registered.name)
        return too_large(err);
    for (size_t i = 0; i < config->deployment_count; i++)
        if (holds_at(&config->deployment[i], from_us))
            out->deployments.one[out->deployments.count++].deployment = &config->deployment[i];
    for (size_t i = 0; i < out->deployments.count; i++)
        if (!price_deployment(book, out, &out->deployments.one[i], scratch, err))
            return false;
    return true;
}

bool editions_make(struct book *book, struct err *err)
{
    size_t most = 1 + book->catalog_count + 2 * book->config.deployment_count;
    int64_t *times = malloc(most * sizeof(*times));
    if (!times)
        return too_large(err);
    struct arena scratch;
    arena_init(&scratch, 1u << 20);
    size_t count = collect_times(book, times);
    bool ok = count <= EDITIONS_MAX;
    book->edition = ok ? arena_alloc(&book->arena, count * sizeof(*book->edition)) : NULL;
    if (!ok)
        err_set(err, ERR_CONFIG, "prices change at more than %d moments", EDITIONS_MAX);
    else if (!book->edition)
        too_large(err);
    ok = book->edition != NULL;
    for (size_t i = 0; ok && i < count; i++, book->edition_count++)
        ok = make_edition(book, times[i], &scratch, &book->edition[i], err);
    arena_free(&scratch);
    free(times);
    return ok;
}

const struct edition *book_edition(const struct book *book, int64_t time_us)
{
    size_t i = book->edition_count - 1;
    while (i && book->edition[i].from_us > time_us)
        i--;
    return &book->edition[i];
}
