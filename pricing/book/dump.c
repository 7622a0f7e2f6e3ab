/* SPDX-License-Identifier: Apache-2.0 */
/* A book as JSON, out and in, and the hash that names it. */
#include "pricing/book/dump.h"

#include "core/hash.h"
#include "pricing/book/inside.h"
#include "pricing/map/rule.h"

#include <inttypes.h>
#include <stdlib.h>

#define DUMP_BYTES_MAX (256u << 20)

static const char *const overrides_words[] = {"merge", "litellm"};
static const char *const unknown_words[] = {"flag", "unprice", "refuse"};
static const char *const reported_words[] = {"fallback", "prefer", "ignore"};

static void write_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    buf_add_json_string(out, slice_of(text));
}

static int name_order(const void *a, const void *b)
{
    const struct entry *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static void write_model(struct buf *out, const struct entry *entry)
{
    if (!entry->alias_of) {
        node_write(entry->raw, out);
        return;
    }
    buf_add_text(out, "{\"alias_of\":");
    buf_add_json_string(out, slice_of(entry->alias_of));
    buf_add_char(out, '}');
}

static void write_models(struct buf *out, const struct catalog *catalog)
{
    const struct entry **entry = malloc((catalog->count + 1) * sizeof(*entry));
    if (!entry) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < catalog->count; i++)
        entry[i] = &catalog->entry[i];
    qsort(entry, catalog->count, sizeof(*entry), name_order);
    for (size_t i = 0; i < catalog->count; i++) {
        if (i)
            buf_add_char(out, ',');
        buf_add_json_string(out, slice_of(entry[i]->name));
        buf_add_char(out, ':');
        write_model(out, entry[i]);
    }
    free(entry);
}

static void write_map(struct buf *out, const struct catalog *catalog, int64_t from_us, bool places)
{
    buf_printf(out, "{\"from_us\":%" PRId64, from_us);
    if (places && catalog->file)
        write_text(out, "file", catalog->file);
    if (places)
        write_text(out, "sha256", catalog->sha256);
    buf_add_text(out, ",\"models\":{");
    write_models(out, catalog);
    buf_add_text(out, "},\"families\":[");
    for (size_t i = 0; i < catalog->family_count; i++) {
        if (i)
            buf_add_char(out, ',');
        buf_add_json_string(out, catalog->family[i].text);
    }
    buf_add_text(out, "]}");
}

static void write_places(struct buf *out, const char *name, const struct node *map)
{
    buf_printf(out, ",\"%s\":{", name);
    for (const struct node *n = map->children; n; n = n->next) {
        if (n != map->children)
            buf_add_char(out, ',');
        buf_add_json_string(out, slice_of(n->key));
        buf_printf(out, ":%u", n->line);
    }
    buf_add_char(out, '}');
}

static void write_deployment(struct buf *out, const struct deployment *d, bool places)
{
    buf_printf(out, "{\"from_us\":%" PRId64 ",\"until_us\":%" PRId64 ",\"ptu\":%s", d->from_us,
               d->until_us, d->is_ptu ? "true" : "false");
    write_text(out, "model_name", d->model_name);
    write_text(out, "model", d->model);
    write_text(out, "provider", d->provider);
    if (d->pricing_provider[0])
        write_text(out, "pricing_provider", d->pricing_provider);
    write_text(out, "base_model", d->base_model);
    write_text(out, "id", d->id);
    write_text(out, "vertex_location", d->vertex_location);
    write_text(out, "region", d->region);
    buf_add_text(out, ",\"model_info\":");
    node_write(d->info, out);
    buf_add_text(out, ",\"litellm_params\":");
    node_write(d->params, out);
    if (d->call_price) {
        buf_add_text(out, ",\"cost_per_query\":");
        node_write(d->call_price, out);
    }
    if (places) {
        write_text(out, "file", d->file);
        buf_printf(out, ",\"line\":%u", d->line);
        write_places(out, "model_info_lines", d->info);
        write_places(out, "litellm_params_lines", d->params);
    }
    buf_add_char(out, '}');
}

static void write_rate(struct buf *out, const char *name, const struct rate *rate, bool places)
{
    char text[DECIMAL_TEXT_MAX];
    decimal_format(&rate->value, text);
    buf_printf(out, ",\"%s\":{\"value\":%s", name, text);
    if (places) {
        write_text(out, "file", rate->source.file);
        buf_printf(out, ",\"line\":%u", rate->source.line);
        write_text(out, "key", rate->source.key);
    }
    buf_add_char(out, '}');
}

static void write_adjustments(struct buf *out, const struct litellm_config *config, bool places)
{
    buf_add_text(out, ",\"discounts\":[");
    for (size_t i = 0; i < config->discount_count; i++) {
        buf_add_text(out, i ? ",{\"provider\":" : "{\"provider\":");
        buf_add_json_string(out, slice_of(config->discount[i].provider));
        write_rate(out, "rate", &config->discount[i].rate, places);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "],\"margins\":[");
    for (size_t i = 0; i < config->margin_count; i++) {
        const struct margin *margin = &config->margin[i];
        buf_add_text(out, i ? ",{\"provider\":" : "{\"provider\":");
        buf_add_json_string(out, slice_of(margin->provider));
        if (margin->has_percentage)
            write_rate(out, "percentage", &margin->percentage, places);
        if (margin->has_fixed)
            write_rate(out, "fixed", &margin->fixed, places);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void write_book(struct buf *out, const struct book *book, bool places)
{
    buf_printf(out, "{\"pricing_version\":%d", PRICING_VERSION);
    write_text(out, "litellm_rules", PRICING_RULES);
    write_text(out, "overrides", overrides_words[book->policies.overrides]);
    write_text(out, "reported_cost", reported_words[book->policies.reported_cost]);
    write_text(out, "unknown_price_keys", unknown_words[book->policies.unknown_keys]);
    buf_add_text(out, ",\"cost_maps\":[");
    for (size_t i = 0; i < book->catalog_count; i++) {
        if (i)
            buf_add_char(out, ',');
        write_map(out, book->catalog[i], book->catalog_from_us[i], places);
    }
    buf_add_text(out, "],\"deployments\":[");
    for (size_t i = 0; i < book->config.deployment_count; i++) {
        if (i)
            buf_add_char(out, ',');
        write_deployment(out, &book->config.deployment[i], places);
    }
    buf_add_char(out, ']');
    write_adjustments(out, &book->config, places);
    buf_add_char(out, '}');
}

bool dump_id(const struct book *book, char id[65], struct err *err)
{
    struct buf text;
    buf_init(&text, DUMP_BYTES_MAX);
    write_book(&text, book, false);
    bool ok = buf_ok(&text);
    if (ok)
        hash_sha256_hex(buf_slice(&text), id);
    buf_free(&text);
    return ok || err_set(err, ERR_CONFIG, "the price book is too large");
}

bool book_dump(const struct book *book, struct buf *json, struct err *err)
{
    write_book(json, book, true);
    return buf_ok(json) || err_set(err, ERR_CONFIG, "the price book is too large");
}

/* ---- reading it back ---------------------------------------------------------------------------
 */

static bool bad(struct err *err, const char *what)
{
    return err_set(err, ERR_CONFIG, "stored price book: %s", what);
}

static bool read_word(const struct node *dump, const char *key, const char *const words[],
                      size_t count, unsigned *out, struct err *err)
{
    const char *text = node_text(dump, key);
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = (unsigned)i;
            return true;
        }
    return bad(err, key);
}

static bool read_int(const struct node *map, const char *key, int64_t *out, struct err *err)
{
    const struct node *value = node_get(map, key);
    char *end;
    if (!value || value->kind != NODE_NUMBER)
        return bad(err, key);
    *out = strtoll(value->text, &end, 10);
    return *end == '\0' || bad(err, key);
}

static const struct node *get_list(const struct node *map, const char *key, struct err *err)
{
    const struct node *list = node_get(map, key);
    if (list && list->kind == NODE_LIST)
        return list;
    bad(err, key);
    return NULL;
}

static void set_file(struct node *node, const char *file)
{
    node->file = file;
    node->line = 0;
    for (struct node *child = node->children; child; child = child->next)
        set_file(child, file);
}

static bool read_families(struct book *book, struct catalog *catalog, const struct node *families,
                          struct err *err)
{
    catalog->family = arena_alloc(&book->arena, (families->count + 1) * sizeof(struct family));
    if (!catalog->family)
        return bad(err, "too large");
    for (const struct node *n = families->children; n; n = n->next)
        if (n->kind == NODE_TEXT && family_compile(slice_of(n->text), &book->arena,
                                                   &catalog->family[catalog->family_count]))
            catalog->family_count++;
    return !book->arena.full || bad(err, "too large");
}

static bool read_maps(struct book *book, const struct node *maps, struct err *err)
{
    book->catalog = arena_alloc(&book->arena, (maps->count + 1) * sizeof(struct catalog *));
    book->catalog_from_us = arena_alloc(&book->arena, (maps->count + 1) * sizeof(int64_t));
    if (!book->catalog || !book->catalog_from_us || maps->count == 0)
        return bad(err, "cost_maps");
    for (struct node *map = maps->children; map; map = map->next) {
        const char *file = node_text(map, "file");
        struct node *models = node_member(map, "models");
        const struct node *families = get_list(map, "families", err);
        size_t i = book->catalog_count;
        if (!models || !families || !read_int(map, "from_us", &book->catalog_from_us[i], err))
            return bad(err, "models");
        set_file(models, file[0] ? file : NULL);
        book->catalog[i] = catalog_build(&book->arena, models, file[0] ? file : NULL,
                                         node_text(map, "sha256"), err);
        if (!book->catalog[i] || !read_families(book, book->catalog[i], families, err))
            return false;
        book->catalog_count++;
    }
    return true;
}

/* Lines of the members of a map, from the places beside it. */
static void read_places(struct node *map, const char *file, const struct node *lines)
{
    set_file(map, file);
    for (struct node *member = map->children; member; member = member->next) {
        const struct node *line = node_get(lines, member->key);
        if (line && line->kind == NODE_NUMBER)
            member->line = (unsigned)strtoul(line->text, NULL, 10);
    }
}

static bool read_deployment(struct deployment *out, struct node *node, struct err *err)
{
    struct node *info = node_member(node, "model_info");
    struct node *params = node_member(node, "litellm_params");
    const struct node *ptu = node_get(node, "ptu");
    int64_t line = 0;
    *out = (struct deployment){
        .model_name = node_text(node, "model_name"),
        .model = node_text(node, "model"),
        .provider = node_text(node, "provider"),
        .pricing_provider = node_text(node, "pricing_provider"),
        .base_model = node_text(node, "base_model"),
        .id = node_text(node, "id"),
        .vertex_location = node_text(node, "vertex_location"),
        .region = node_text(node, "region"),
        .file = node_text(node, "file"),
        .info = info,
        .params = params,
        .call_price = node_get(node, "cost_per_query"),
        .is_ptu = ptu && ptu->kind == NODE_BOOL && ptu->truth,
    };
    if (!info || info->kind != NODE_MAP || !params || params->kind != NODE_MAP ||
        !read_int(node, "line", &line, err) || !read_int(node, "from_us", &out->from_us, err) ||
        !read_int(node, "until_us", &out->until_us, err))
        return bad(err, "deployments");
    out->line = (unsigned)line;
    out->has_window = out->from_us != WINDOW_ALWAYS || out->until_us != WINDOW_FOREVER;
    read_places(info, out->file, node_get(node, "model_info_lines"));
    read_places(params, out->file, node_get(node, "litellm_params_lines"));
    return true;
}

static bool read_deployments(struct book *book, const struct node *list, struct err *err)
{
    struct litellm_config *config = &book->config;
    config->deployment = arena_alloc(&book->arena, (list->count + 1) * sizeof(*config->deployment));
    if (!config->deployment)
        return bad(err, "too large");
    for (struct node *n = list->children; n; n = n->next)
        if (!read_deployment(&config->deployment[config->deployment_count++], n, err))
            return false;
    return true;
}

static bool read_rate(const struct node *owner, const char *name, struct rate *rate, bool *set,
                      struct err *err)
{
    const struct node *node = node_get(owner, name);
    int64_t line;
    *set = false;
    if (!node)
        return true;
    if (!node_price(node_get(node, "value"), &rate->value, set, err) ||
        !read_int(node, "line", &line, err))
        return false;
    rate->source = (struct rate_source){node_text(node, "file"), (unsigned)line,
                                        node_text(owner, "provider"), node_text(node, "key")};
    return true;
}

static bool read_adjustments(struct book *book, const struct node *discounts,
                             const struct node *margins, struct err *err)
{
    struct litellm_config *config = &book->config;
    bool set;
    config->discount = arena_zalloc(&book->arena, (discounts->count + 1) * sizeof(struct discount));
    config->margin = arena_zalloc(&book->arena, (margins->count + 1) * sizeof(struct margin));
    if (!config->discount || !config->margin)
        return bad(err, "too large");
    for (const struct node *n = discounts->children; n; n = n->next) {
        struct discount *discount = &config->discount[config->discount_count++];
        discount->provider = node_text(n, "provider");
        if (!read_rate(n, "rate", &discount->rate, &set, err))
            return false;
    }
    for (const struct node *n = margins->children; n; n = n->next) {
        struct margin *margin = &config->margin[config->margin_count++];
        margin->provider = node_text(n, "provider");
        if (!read_rate(n, "percentage", &margin->percentage, &margin->has_percentage, err) ||
            !read_rate(n, "fixed", &margin->fixed, &margin->has_fixed, err))
            return false;
    }
    return true;
}

bool dump_read(struct book *book, const struct node *dump, struct err *err)
{
    unsigned overrides = 0, reported = 0, unknown = 0;
    int64_t version = 0;
    if (!read_int(dump, "pricing_version", &version, err))
        return false;
    if (version != PRICING_VERSION)
        return err_set(err, ERR_INPUT,
                       "stored price book: made by rules of version %" PRId64 ", these are %d",
                       version, PRICING_VERSION);
    if (!read_word(dump, "overrides", overrides_words, 2, &overrides, err) ||
        !read_word(dump, "reported_cost", reported_words, 3, &reported, err))
        return false;
    book->policies.overrides = (enum overrides_mode)overrides;
    book->policies.reported_cost = (enum reported_cost_mode)reported;
    if (node_get(dump, "unknown_price_keys") &&
        !read_word(dump, "unknown_price_keys", unknown_words, 3, &unknown, err))
        return false;
    book->policies.unknown_keys = (enum unknown_keys_mode)unknown;
    const struct node *maps = get_list(dump, "cost_maps", err);
    const struct node *deployments = get_list(dump, "deployments", err);
    const struct node *discounts = get_list(dump, "discounts", err);
    const struct node *margins = get_list(dump, "margins", err);
    return maps && deployments && discounts && margins && read_maps(book, maps, err) &&
           read_deployments(book, deployments, err) &&
           read_adjustments(book, discounts, margins, err);
}
