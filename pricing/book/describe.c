/* SPDX-License-Identifier: Apache-2.0 */
/* Each configured deployment for `check` and `prices show`: lines of text, or JSON. */
#include "pricing/book/deployment_prices.h"
#include "pricing/book/inside.h"

#include <stdio.h>

#define SCRATCH_BYTES_MAX (8u << 20)
#define JSON_BYTES_MAX (1u << 20)

struct writer {
    void (*line)(const char *text, void *context);
    void *context;
};

static void say(const struct writer *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(const struct writer *out, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    out->line(text, out->context);
}

static const char *standing(const struct deployment_prices *prices)
{
    if (prices->custom)
        return "custom";
    if (prices->priced->is_wildcard || strchr(prices->priced->deployment->model, '*'))
        return "pattern";
    return prices->base ? "cost_map" : "unpriced";
}

static void say_keys(const struct writer *out, const char *what, const struct fields *keys,
                     const struct entry *base)
{
    char value[128], before[128];
    for (size_t i = 0; i < keys->count; i++) {
        const struct node *node = keys->field[i].value;
        const struct node *map = base ? node_get(base->raw, node->key) : NULL;
        price_value_text(node, value, sizeof(value));
        if (map && map != node) {
            price_value_text(map, before, sizeof(before));
            say(out, "  %-9s  %-48s %s (map: %s)", what, node->key, value, before);
        } else {
            say(out, "  %-9s  %-48s %s", what, node->key, value);
        }
    }
}

/* A call that uses what is not set: LiteLLM bills it as 0, we have no price for it. */
static const char *of_what_is_not_set(enum overrides_mode mode)
{
    return mode == OVERRIDES_LITELLM ? "free" : "unpriced (rate_missing)";
}

static void describe_text(const struct deployment_prices *prices, enum overrides_mode mode,
                          const struct writer *out)
{
    const struct deployment *d = prices->priced->deployment;
    const char *how = standing(prices);
    say(out, "%s -> %s (%s:%u)", d->model_name, d->model, d->file, d->line);
    if (d->base_model[0])
        say(out, "  base_model %s", d->base_model);
    if (prices->base)
        say(out, "  map entry  %s", prices->base->name);
    else if (strcmp(how, "unpriced") == 0)
        say(out, "  unpriced: in no cost map, and sets no price");
    else if (strcmp(how, "custom") == 0)
        say(out, "  in no cost map: what is not set is %s", of_what_is_not_set(mode));
    say_keys(out, "set", &prices->set, prices->base);
    say_keys(out, "inherited", &prices->inherited, NULL);
    say_keys(out, "lost", &prices->lost, NULL);
}

static void write_keys(struct buf *json, const char *name, const struct fields *keys)
{
    buf_printf(json, ",\"%s\":{", name);
    for (size_t i = 0; i < keys->count; i++) {
        if (i)
            buf_add_char(json, ',');
        buf_add_json_string(json, slice_of(keys->field[i].value->key));
        buf_add_char(json, ':');
        node_write(keys->field[i].value, json);
    }
    buf_add_char(json, '}');
}

static void write_text(struct buf *json, const char *name, const char *text)
{
    buf_printf(json, ",\"%s\":", name);
    buf_add_json_string(json, slice_of(text));
}

static void describe_json(const struct deployment_prices *prices, const struct writer *out)
{
    const struct deployment *d = prices->priced->deployment;
    struct buf json;
    buf_init(&json, JSON_BYTES_MAX);
    buf_add_text(&json, "{\"model_name\":");
    buf_add_json_string(&json, slice_of(d->model_name));
    write_text(&json, "model", d->model);
    write_text(&json, "provider", prices->priced->provider);
    write_text(&json, "file", d->file);
    buf_printf(&json, ",\"line\":%u", d->line);
    write_text(&json, "prices", standing(prices));
    if (prices->base)
        write_text(&json, "map_entry", prices->base->name);
    write_keys(&json, "set", &prices->set);
    write_keys(&json, "inherited", &prices->inherited);
    write_keys(&json, "lost", &prices->lost);
    buf_add_text(&json, "}");
    buf_add_char(&json, '\0');
    if (buf_ok(&json))
        out->line(json.p, out->context);
    buf_free(&json);
}

static void describe_adjustments(const struct litellm_config *config, const struct writer *out)
{
    char text[DECIMAL_TEXT_MAX];
    for (size_t i = 0; i < config->discount_count; i++) {
        decimal_format(&config->discount[i].rate.value, text);
        say(out, "discount %s: %s of the price (%s:%u)", config->discount[i].provider, text,
            config->discount[i].rate.source.file, config->discount[i].rate.source.line);
    }
    for (size_t i = 0; i < config->margin_count; i++) {
        const struct margin *margin = &config->margin[i];
        decimal_format(&margin->percentage.value, text);
        if (margin->has_percentage)
            say(out, "margin %s: %s of the price", margin->provider, text);
        decimal_format(&margin->fixed.value, text);
        if (margin->has_fixed)
            say(out, "margin %s: %s USD a call", margin->provider, text);
    }
}

void book_describe(const struct book *book, bool json,
                   void (*line)(const char *text, void *context), void *context)
{
    struct writer out = {line, context};
    struct arena scratch;
    arena_init(&scratch, SCRATCH_BYTES_MAX);
    for (size_t i = 0; i < book->config.deployment_count; i++) {
        const struct edition *edition;
        const struct priced_deployment *priced =
            deployment_first_edition(book, &book->config.deployment[i], &edition);
        struct deployment_prices prices;
        arena_reset(&scratch);
        if (!priced)
            continue;
        deployment_prices_read(book, edition, priced, &scratch, &prices);
        if (json)
            describe_json(&prices, &out);
        else
            describe_text(&prices, book->policies.overrides, &out);
    }
    arena_free(&scratch);
    if (!json)
        describe_adjustments(&book->config, &out);
}
