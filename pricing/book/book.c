/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading: cost maps and configuration are read, the moments at which a price changes cut time into
 * editions, and each edition's deployments are compiled against its cost map. Nothing is half
 * loaded: any error ends the load, and the caller keeps the book it has.
 */
#include "pricing/book.h"

#include "core/hash.h"
#include "pricing/book/dump.h"
#include "pricing/book/findings.h"
#include "pricing/book/override.h"
#include "pricing/map/lists.h"

#include <stdlib.h>

#define BOOK_BYTES_MAX (1u << 30)
#define EDITIONS_MAX 4096

static bool too_large(struct err *err)
{
    return err_set(err, ERR_CONFIG, "the price book is too large");
}

/* ---- cost maps ---------------------------------------------------------------------------------
 */

/* The first row with a key that looks like money, where such maps are to be refused. */
static bool check_unknown_keys(const struct book *book, const struct catalog *catalog,
                               struct err *err)
{
    for (size_t i = 0; i < catalog->count && book->unknown_keys == UNKNOWN_KEYS_REFUSE; i++) {
        const struct entry *entry = &catalog->entry[i];
        if (entry->rule->unknown_key)
            return node_err(err, entry->raw,
                            "model \"%.200s\": %.100s looks like money and is not "
                            "known (pricing.unknown_price_keys: refuse)",
                            entry->name, entry->rule->unknown_key);
    }
    return true;
}

static bool load_maps(struct book *book, const struct cost_map_source *sources, size_t count,
                      bool whole, struct err *err)
{
    static const struct cost_map_source builtin = {NULL, INT64_MIN};
    if (count == 0) {
        sources = &builtin;
        count = 1;
    }
    book->catalog = arena_alloc(&book->arena, count * sizeof(struct catalog *));
    book->catalog_from_us = arena_alloc(&book->arena, count * sizeof(*book->catalog_from_us));
    if (!book->catalog || !book->catalog_from_us)
        return too_large(err);
    for (size_t i = 0; i < count; i++) {
        if (i && sources[i].effective_from_us <= sources[i - 1].effective_from_us)
            return err_set(err, ERR_CONFIG,
                           "cost_map: %s: effective_from must be later than the one before",
                           sources[i].file ? sources[i].file : "builtin");
        book->catalog_from_us[i] = sources[i].effective_from_us;
        book->catalog[i] = catalog_load(&book->arena, sources[i].file, whole, err);
        if (!book->catalog[i] || !check_unknown_keys(book, book->catalog[i], err))
            return false;
        book->catalog_count++;
    }
    return true;
}

static const struct catalog *map_at(const struct book *book, int64_t time_us)
{
    size_t i = book->catalog_count - 1;
    while (i && book->catalog_from_us[i] > time_us)
        i--;
    return book->catalog[i];
}

/* ---- editions ----------------------------------------------------------------------------------
 */

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
    struct rule_options options = {d->model_name, "", &r->edition->catalog->variants, false};
    for (const struct node *n = d->params->children; n; n = n->next)
        if (!fields_set(&fields, n, d->model_name))
            return too_large(err);
    if (d->call_price && !fields_set(&fields, d->call_price, d->model_name))
        return too_large(err);
    out->call = rule_compile(&book->arena, &fields, &options, err);
    return out->call != NULL;
}

static bool price_deployment(struct book *book, const struct edition *edition,
                             struct priced_deployment *out, struct arena *scratch, struct err *err)
{
    const struct deployment *d = out->deployment;
    struct resolver r = {.edition = edition, .overrides = book->overrides, .scratch = scratch};
    struct slice provider = names_provider(slice_of(d->model));
    arena_reset(scratch);
    out->provider = d->provider[0] ? d->provider : arena_text(&book->arena, provider);
    out->is_wildcard = strchr(d->model, '*') != NULL && book->overrides == OVERRIDES_MERGE;
    out->custom = override_is_custom(d, book->overrides, &edition->catalog->variants) ||
                  (d->is_ptu && book->overrides == OVERRIDES_LITELLM);
    if (d->id[0] && catalog_find(edition->catalog, slice_of(d->id)))
        return err_set(err, ERR_CONFIG,
                       "%s:%u: model \"%.200s\": id \"%.200s\" is the name of a model in the cost "
                       "map, whose prices it would replace for everybody",
                       d->file, d->line, d->model_name, d->id);
    if (!compile_call(book, &r, out, err))
        return false;
    out->is_registered = book->overrides == OVERRIDES_LITELLM &&
                         !names_lookup(&r, slice_of(d->model), slice_of(out->provider)).entry;
    return !out->custom ||
           override_build(&book->arena, &r, d, slice_of(d->model), &out->override, err);
}

/* Whether the deployment's prices hold in an edition. What is out of its time is no override; the
 * deployment itself is then the map's business. */
static bool holds_at(const struct deployment *deployment, int64_t time_us)
{
    return deployment->from_us <= time_us && time_us < deployment->until_us;
}

static bool make_edition(struct book *book, int64_t from_us, struct arena *scratch,
                         struct edition *out, struct err *err)
{
    const struct litellm_config *config = &book->config;
    *out = (struct edition){.from_us = from_us, .catalog = map_at(book, from_us)};
    out->deployment =
        arena_zalloc(&book->arena, (config->deployment_count + 1) * sizeof(*out->deployment));
    if (!out->deployment)
        return too_large(err);
    for (size_t i = 0; i < config->deployment_count; i++)
        if (holds_at(&config->deployment[i], from_us))
            out->deployment[out->deployment_count++].deployment = &config->deployment[i];
    for (size_t i = 0; i < out->deployment_count; i++)
        if (!price_deployment(book, out, &out->deployment[i], scratch, err))
            return false;
    return true;
}

static bool make_editions(struct book *book, struct err *err)
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

/* ---- the book ----------------------------------------------------------------------------------
 */

static struct book *book_new(enum overrides_mode overrides, enum reported_cost_mode reported,
                             struct err *err)
{
    struct book *book = calloc(1, sizeof(*book));
    if (!book) {
        too_large(err);
        return NULL;
    }
    arena_init(&book->arena, BOOK_BYTES_MAX);
    book->overrides = overrides;
    book->reported_cost = reported;
    return book;
}

static bool finish(struct book *book, struct err *err)
{
    return make_editions(book, err) && dump_id(book, book->id, err);
}

struct book *book_load(const struct book_options *options, finding_fn *finding, void *context,
                       struct err *err)
{
    struct book *book = book_new(options->overrides, options->reported_cost, err);
    if (!book)
        return NULL;
    book->unknown_keys = options->unknown_keys;
    if (load_maps(book, options->cost_maps, options->cost_maps ? options->cost_map_count : 0,
                  options->whole_maps, err) &&
        litellm_config_load(&book->arena, options->litellm_config, &book->config, err) &&
        finish(book, err)) {
        if (finding)
            findings_report(book, finding, context);
        return book;
    }
    book_free(book);
    return NULL;
}

struct book *book_restore(struct slice json, struct err *err)
{
    struct book *book = book_new(OVERRIDES_MERGE, REPORTED_FALLBACK, err);
    if (!book)
        return NULL;
    struct node *dump = node_parse_json(&book->arena, json, "stored price book", NULL, err);
    if (dump && dump_read(book, dump, err) && finish(book, err))
        return book;
    book_free(book);
    return NULL;
}

void book_free(struct book *book)
{
    if (!book)
        return;
    arena_free(&book->arena);
    free(book);
}

size_t book_unknown_rows(const struct book *book)
{
    size_t rows = 0;
    for (size_t i = 0; i < book->catalog_count; i++)
        rows += catalog_unknown_rows(book->catalog[i]);
    return rows;
}

const char *book_id(const struct book *book)
{
    return book->id;
}
