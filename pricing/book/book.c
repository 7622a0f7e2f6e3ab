/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading: cost maps and configuration are read, then editions.c compiles them. Nothing is half
 * loaded: any error ends the load, and the caller keeps the book it has.
 */
#include "pricing/book.h"

#include "core/hash.h"
#include "pricing/book/dump.h"
#include "pricing/book/findings.h"
#include "pricing/book/inside.h"

#include <stdlib.h>

#define BOOK_BYTES_MAX (1u << 30)

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
    for (size_t i = 0; i < catalog->count && book->policies.unknown_keys == UNKNOWN_KEYS_REFUSE;
         i++) {
        const struct entry *entry = &catalog->entry[i];
        if (entry->rule->unknown_key)
            return node_err(err, entry->raw,
                            "model \"%.200s\": %.100s looks like money and is not "
                            "known (pricing.unknown_price_keys: refuse)",
                            entry->name, entry->rule->unknown_key);
    }
    return true;
}

/* A file is named by itself where reading it fails, and here by the place that asked for it. */
static bool asked_for(const char *origin, const char *setting, struct err *err)
{
    return origin && err_prefix(err, "%s: %s", origin, setting);
}

static bool load_maps(struct book *book, const struct cost_map_source *sources, size_t count,
                      bool whole, struct err *err)
{
    static const struct cost_map_source builtin = {NULL, INT64_MIN, NULL};
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
            return asked_for(sources[i].origin, "pricing.cost_map", err);
        book->catalog_count++;
    }
    return true;
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
    book->policies.overrides = overrides;
    book->policies.reported_cost = reported;
    return book;
}

static bool compile_editions(struct book *book, struct err *err)
{
    return editions_make(book, err) && dump_id(book, book->id, err);
}

static bool load_overrides(struct book *book, const struct book_options *options, struct err *err)
{
    return litellm_config_load(&book->arena, options->litellm_config, &book->config, err) ||
           asked_for(options->litellm_origin, "pricing.litellm_config", err);
}

struct book *book_load(const struct book_options *options, finding_fn *finding, void *context,
                       struct err *err)
{
    struct book *book = book_new(options->overrides, options->reported_cost, err);
    if (!book)
        return NULL;
    book->policies.unknown_keys = options->unknown_keys;
    if (load_maps(book, options->cost_maps, options->cost_maps ? options->cost_map_count : 0,
                  options->whole_maps, err) &&
        load_overrides(book, options, err) && compile_editions(book, err)) {
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
    if (dump && dump_read(book, dump, err) && compile_editions(book, err))
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
