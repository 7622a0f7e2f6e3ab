/* SPDX-License-Identifier: Apache-2.0 */
#include "pricing/dump.h"

#include "core/hash.h"

#include <inttypes.h>

#define DUMP_BYTES_MAX (256u << 20)

static const char *const overrides_words[] = {"merge", "litellm"};
static const char *const reported_words[] = {"fallback", "prefer", "ignore"};

static void write_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    buf_add_json_string(out, slice_of(text));
}

static void write_map(struct buf *out, const struct catalog *catalog, int64_t from_us, bool places)
{
    buf_printf(out, "{\"effective_from_us\":%" PRId64, from_us);
    if (places && catalog->file)
        write_text(out, "file", catalog->file);
    write_text(out, "sha256", catalog->sha256);
    buf_add_text(out, ",\"models\":{");
    for (size_t i = 0; i < catalog->count; i++) {
        if (i)
            buf_add_char(out, ',');
        buf_add_json_string(out, slice_of(catalog->entry[i].name));
        buf_add_char(out, ':');
        node_write(catalog->entry[i].raw, out);
    }
    buf_add_text(out, "},\"families\":[");
    for (size_t i = 0; i < catalog->family_count; i++) {
        if (i)
            buf_add_char(out, ',');
        buf_add_json_string(out, slice_of(catalog->family[i]));
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
        buf_printf(out, ":[%u,", n->line);
        buf_add_json_string(out, slice_of(n->file ? n->file : ""));
        buf_add_char(out, ']');
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
        write_places(out, "model_info_places", d->info);
        write_places(out, "litellm_params_places", d->params);
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

static void write_adjustments(struct buf *out, const struct config *config, bool places)
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
    write_text(out, "overrides", overrides_words[book->overrides]);
    write_text(out, "reported_cost", reported_words[book->reported_cost]);
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
