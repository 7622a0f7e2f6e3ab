/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images made and edited (docs/pricing.md 8.3). Prices of a deployment are laid over the map key by
 * key, in both override modes. No tools, no discount, no margin.
 */
#include "pricing/bill/bill.h"

#include <ctype.h>
#include <stdio.h>

#define NAME_MAX_BYTES 640
#define DEFAULT_SIZE "1024-x-1024"
#define FAL_PIXELS_PER_MEGAPIXEL 1048576

/* ---- what the call asked for -------------------------------------------------------------------
 */

static struct slice first_text(const struct facts *facts, enum fact first, enum fact second)
{
    struct slice text = facts_text(facts, first);
    return text.bytes ? text : facts_text(facts, second);
}

static int64_t images_made(const struct call *call)
{
    return facts_int(call->facts, FACT_IMAGES);
}

/* "640x480", "640*480" and "640-x-480" to "640-x-480"; other texts as they are. */
static void dashed_size(struct slice size, char out[NAME_MAX_BYTES])
{
    const char *x = size.bytes ? memchr(size.p, 'x', size.bytes) : NULL;
    if (!x && size.bytes)
        x = memchr(size.p, '*', size.bytes);
    if (!x || names_contain(size, "-x-"))
        snprintf(out, NAME_MAX_BYTES, SLICE_FMT, SLICE_ARG(size));
    else
        snprintf(out, NAME_MAX_BYTES, "%.*s-x-%.*s", (int)(x - size.p), size.p,
                 (int)(size.bytes - (size_t)(x - size.p) - 1), x + 1);
}

/* The size of the answer; a requested one only if it is a size; else the default. */
static void read_size(const struct call *call, char out[NAME_MAX_BYTES])
{
    struct slice size = facts_text(call->facts, FACT_IMAGE_SIZE);
    struct slice requested = facts_text(call->facts, FACT_IMAGE_SIZE_REQUESTED);
    if (size.bytes == 0 && requested.bytes && isdigit((unsigned char)requested.p[0]))
        size = requested;
    dashed_size(size.bytes ? size : SLICE(DEFAULT_SIZE), out);
}

static bool read_pixels(const char *size, int64_t *pixels, int64_t *width, int64_t *height)
{
    long w, h;
    int used = 0;
    if (sscanf(size, "%6ld-x-%6ld%n", &w, &h, &used) != 2 || size[used] != '\0' || w <= 0 || h <= 0)
        return false;
    *width = w;
    *height = h;
    *pixels = (int64_t)w * h;
    return true;
}

/* The next of "1024x768,640x480"; false at the end, 0 pixels where it cannot be read. */
static bool next_dimensions(struct slice *list, int64_t *pixels)
{
    long w = 0, h = 0;
    char text[32];
    if (list->bytes == 0)
        return false;
    const char *comma = memchr(list->p, ',', list->bytes);
    size_t bytes = comma ? (size_t)(comma - list->p) : list->bytes;
    snprintf(text, sizeof(text), "%.*s", (int)bytes, list->p);
    *pixels = sscanf(text, "%6ldx%6ld", &w, &h) == 2 && w > 0 && h > 0 ? (int64_t)w * h : 0;
    list->p += bytes + (comma ? 1 : 0);
    list->bytes -= bytes + (comma ? 1 : 0);
    return true;
}

/* ---- prices by token ---------------------------------------------------------------------------
 */

static bool has_token_rate(const struct rule *rule)
{
    static const enum rate_kind kinds[] = {RATE_INPUT, RATE_OUTPUT, RATE_INPUT_IMAGE_TOKEN,
                                           RATE_OUTPUT_IMAGE_TOKEN};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (rule_rate(rule, kinds[i], VARIANT_PLAIN))
            return true;
    return false;
}

static const struct rate *plain_rate(const struct rule *rule, enum rate_kind kind)
{
    return rule ? rule_rate(rule, kind, VARIANT_PLAIN) : NULL;
}

static const struct rule *own_table(const struct call *call)
{
    return call->plan->custom ? call->plan->override.set : NULL;
}

/* Tencent: a deployment's price of output tokens is that of its images too. */
static bool tokens_at_output_rate(const struct call *call)
{
    const struct rule *own = own_table(call);
    return call->plan->provider == P_TENCENT && plain_rate(own, RATE_OUTPUT) &&
           !plain_rate(own, RATE_OUTPUT_IMAGE_TOKEN);
}

/* T: usage that is not all zero, and an entry with a token rate. Every entry of the map counts as
 * having one: LiteLLM 1.106.2 reads a missing token rate there as 0. */
static bool bill_tokens(struct call *call, const struct rule *rule)
{
    struct usage usage;
    struct generic_options options = {.variant = VARIANT_PLAIN};
    const struct facts *facts = call->facts;
    bool in_map = !call->plan->custom || call->plan->override.base;
    if (!facts_has(facts, FACT_INPUT_TOKENS) || !facts_has(facts, FACT_OUTPUT_TOKENS) ||
        !(facts_int(facts, FACT_INPUT_TOKENS) | facts_int(facts, FACT_OUTPUT_TOKENS) |
          facts_int(facts, FACT_TOTAL_TOKENS)) ||
        !(in_map || has_token_rate(rule)))
        return false;
    usage_read_image(facts, &usage);
    if (tokens_at_output_rate(call)) {
        usage.out.text += usage.out.image;
        usage.out.image = 0;
    }
    generic_add(call, rule, &usage, &options);
    return true;
}

static void bill_images(struct call *call, const struct rule *rule)
{
    bill_rate(&call->bill, UNIT_OUTPUT_IMAGES, images_made(call),
              rule_rate(rule, RATE_OUTPUT_IMAGE, VARIANT_PLAIN));
}

/* The map's entry of the candidate with the deployment's prices over it. */
static const struct rule *image_rule(const struct call *call)
{
    const struct plan *plan = call->plan;
    if (!plan->custom)
        return call->candidate->rule;
    if (merges(call))
        return plan->override.image;
    /* Mode litellm: under the deployment's id the entry is its own, under its model's the map's. */
    return call->candidate->rule == plan->override.entry ? plan->override.entry
                                                         : plan->override.image;
}

/* ---- DALL-E style: keys made of quality, size and name ------------------------------------------
 */

static const struct rule *raw_rule(const struct call *call, const char *name)
{
    const struct entry *entry = catalog_find(call->edition->catalog, slice_of(name));
    return entry ? entry->rule : NULL;
}

#define TRIED_MAX 8

/* The first key that is in the map (8.3, "others"). */
static const struct rule *keyed_rule(const struct call *call, const char *name, const char *size,
                                     struct slice quality)
{
    char key[TRIED_MAX][NAME_MAX_BYTES];
    struct slice provider = call->plan->provider_name, full = slice_of(name);
    bool prefixed = full.bytes > provider.bytes && slice_starts(full, provider) &&
                    name[provider.bytes] == '/' && provider.bytes;
    const char *bare = prefixed ? name + provider.bytes + 1 : name;
    const char *last = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    char q[64], base[NAME_MAX_BYTES];
    snprintf(q, sizeof(q), SLICE_FMT, SLICE_ARG(quality.bytes ? quality : SLICE("standard")));
    if (prefixed)
        snprintf(base, sizeof(base), SLICE_FMT "/%.80s/%.400s", SLICE_ARG(provider), size, bare);
    else
        snprintf(base, sizeof(base), "%.80s/%.400s", size, name);
    snprintf(key[0], NAME_MAX_BYTES, "%s/%.560s", q, base);
    snprintf(key[1], NAME_MAX_BYTES, SLICE_FMT "/%s/%.80s/%.400s", SLICE_ARG(provider), q, size,
             bare);
    snprintf(key[2], NAME_MAX_BYTES, "%s", base);
    snprintf(key[3], NAME_MAX_BYTES, "high/%.600s", base);
    snprintf(key[4], NAME_MAX_BYTES, "%s/%.80s/%.400s", q, size, last);
    snprintf(key[5], NAME_MAX_BYTES, "%.80s/%.400s", size, last);
    snprintf(key[6], NAME_MAX_BYTES, "%.600s", name);
    snprintf(key[7], NAME_MAX_BYTES, "%.600s", prefixed ? bare : name);
    for (size_t i = 0; i < TRIED_MAX; i++) {
        const struct rule *rule = raw_rule(call, key[i]);
        if (rule)
            return rule;
    }
    return NULL;
}

/* The first price there is, the deployment's table first. */
static bool bill_table(struct call *call, const struct rule *rule, int64_t pixels, int64_t count)
{
    const struct {
        enum rate_kind kind;
        enum unit unit;
        int64_t each;
    } prices[] = {
        {RATE_INPUT_IMAGE, UNIT_INPUT_IMAGES, 1},
        {RATE_OUTPUT_IMAGE, UNIT_OUTPUT_IMAGES, 1},
        {RATE_INPUT_PIXEL, UNIT_INPUT_PIXELS, pixels},
    };
    const struct decimal images = decimal_from_int(count);
    for (size_t i = 0; rule && i < sizeof(prices) / sizeof(prices[0]); i++) {
        const struct rate *rate = rule_rate(rule, prices[i].kind, VARIANT_PLAIN);
        struct decimal each = decimal_from_int(prices[i].each), quantity;
        if (!rate)
            continue;
        if (decimal_mul(&images, &each, &quantity))
            bill_add(&call->bill, prices[i].unit, &quantity, (struct use){rate, NULL});
        else
            call->bill.overflow = true;
        return true;
    }
    return false;
}

static enum outcome bill_default(struct call *call, const char *name, const char *size)
{
    int64_t pixels, width, height;
    const struct rule *own = own_table(call);
    const struct rule *keyed =
        keyed_rule(call, name, size,
                   first_text(call->facts, FACT_IMAGE_QUALITY, FACT_IMAGE_QUALITY_REQUESTED));
    int64_t made = images_made(call);
    if (!read_pixels(size, &pixels, &width, &height))
        return OUTCOME_UNMAPPED;
    return bill_table(call, own, pixels, made) || bill_table(call, keyed, pixels, made)
               ? OUTCOME_PRICED
               : OUTCOME_UNMAPPED;
}

static enum outcome calc_keyed(struct call *call)
{
    char size[NAME_MAX_BYTES];
    read_size(call, size);
    return bill_default(call, call->candidate->name.p, size);
}

/* ---- providers ---------------------------------------------------------------------------------
 */

static enum outcome calc_flat(struct call *call)
{
    const struct rule *rule = image_rule(call);
    if (!rule)
        return OUTCOME_UNMAPPED;
    bill_images(call, rule);
    return OUTCOME_PRICED;
}

static enum outcome calc_google(struct call *call)
{
    const struct rule *rule = image_rule(call);
    if (!rule)
        return OUTCOME_UNMAPPED;
    if (call->plan->provider == P_VERTEX)
        uplift_vertex(call, rule);
    if (!bill_tokens(call, rule))
        bill_images(call, rule);
    call->bill.multiplier = NULL;
    gemini_search_add(call, rule,
                      first_count(call->facts, FACT_WEB_SEARCHES_DETAILED, FACT_WEB_SEARCHES));
    return OUTCOME_PRICED;
}

/* gpt-image is billed by tokens; without usable usage it costs 0, never the flat price, unless the
 * deployment sets one. Other OpenAI images are DALL-E's. */
static enum outcome calc_openai(struct call *call)
{
    const struct rule *rule = image_rule(call);
    if (!names_contain_folded(call->candidate->name, "gpt-image"))
        return calc_keyed(call);
    if (!facts_has(call->facts, FACT_INPUT_TOKENS)) {
        if (call->plan->custom)
            bill_images(call, rule);
        return OUTCOME_PRICED;
    }
    if (!rule)
        return OUTCOME_UNMAPPED;
    if (!bill_tokens(call, rule) && call->plan->custom)
        bill_images(call, rule);
    return OUTCOME_PRICED;
}

static enum outcome calc_azure_ai(struct call *call)
{
    const struct rule *rule = image_rule(call);
    char size[NAME_MAX_BYTES];
    if (!rule)
        return OUTCOME_UNMAPPED;
    if (bill_tokens(call, rule))
        return OUTCOME_PRICED;
    if (rate_positive(rule_rate(rule, RATE_OUTPUT_IMAGE, VARIANT_PLAIN)) ||
        !rate_positive(rule_rate(rule, RATE_INPUT_PIXEL, VARIANT_PLAIN))) {
        bill_images(call, rule);
        return OUTCOME_PRICED;
    }
    read_size(call, size);
    const struct entry *base = call->plan->custom ? call->plan->override.base : NULL;
    return bill_default(call, base ? base->name : rule->name, size);
}

/* Titan, Nova Canvas and Stability 3 by image; older Stability by size and steps. Neither looks at
 * what a deployment sets, except in mode merge. */
static enum outcome calc_bedrock(struct call *call)
{
    static const char *const by_image[] = {"titan", "nova-canvas", "sd3", "stable-image"};
    struct slice name = call->candidate->name;
    char size[NAME_MAX_BYTES], key[NAME_MAX_BYTES];
    const struct rule *rule = merges(call) ? image_rule(call) : call->candidate->rule;
    for (size_t i = 0; i < sizeof(by_image) / sizeof(by_image[0]); i++)
        if (names_contain(name, by_image[i])) {
            if (!rule)
                return OUTCOME_UNMAPPED;
            bill_images(call, rule);
            return OUTCOME_PRICED;
        }
    if (call->plan->custom && merges(call))
        return calc_flat(call);
    struct slice raw = first_text(call->facts, FACT_IMAGE_SIZE, FACT_IMAGE_SIZE_REQUESTED);
    snprintf(size, sizeof(size), SLICE_FMT, SLICE_ARG(raw.bytes ? raw : SLICE(DEFAULT_SIZE)));
    snprintf(key, sizeof(key), "%.80s/%s/%.500s", size,
             facts_int(call->facts, FACT_IMAGE_STEPS) > 50 ? "max-steps" : "50-steps",
             names_without_prefix(name, "bedrock/").p);
    rule = raw_rule(call, key);
    if (!rule)
        return OUTCOME_UNMAPPED;
    bill_images(call, rule);
    return OUTCOME_PRICED;
}

static bool sets_image_price(const struct rule *own)
{
    return plain_rate(own, RATE_INPUT_IMAGE) || plain_rate(own, RATE_OUTPUT_IMAGE) ||
           (own && (rule_detail(own, RATE_OUTPUT_IMAGE, SLICE("1K")) ||
                    rule_detail(own, RATE_OUTPUT_IMAGE, SLICE("2K"))));
}

/* xAI's price of a resolution is that of low quality; `auto` is low but for edits. NULL: none. */
static const struct rate *xai_rate(const struct call *call)
{
    const struct rule *own = own_table(call), *rule = image_rule(call);
    struct slice quality =
        first_text(call->facts, FACT_IMAGE_QUALITY, FACT_IMAGE_QUALITY_REQUESTED);
    struct slice resolution = facts_text(call->facts, FACT_VIDEO_RESOLUTION);
    bool edit = names_contain(facts_text(call->facts, FACT_CALL_TYPE), "edit");
    bool automatic = quality.bytes == 0 || slice_is(quality, "auto");
    bool at_2k = slice_is(resolution, "2k");
    if (!(slice_is(quality, "low") || (automatic && !edit)) ||
        !(resolution.bytes == 0 || slice_is(resolution, "1k") || at_2k))
        return NULL;
    const struct rate *flat = plain_rate(own, RATE_INPUT_IMAGE);
    if (!flat)
        flat = plain_rate(own, RATE_OUTPUT_IMAGE);
    if (flat || !rule)
        return flat;
    return rule_detail(rule, RATE_OUTPUT_IMAGE, at_2k ? SLICE("2K") : SLICE("1K"));
}

/* The bill xAI states, unless the deployment sets a price; by resolution; else DALL-E's way. */
static enum outcome calc_xai(struct call *call)
{
    const struct rule *own = own_table(call);
    const struct decimal *stated = facts_decimal(call->facts, FACT_PROVIDER_COST);
    if (plain_rate(own, RATE_INPUT_PIXEL))
        return calc_keyed(call);
    if (stated && !sets_image_price(own)) {
        bill_stated(&call->bill, UNIT_STATED_COST, stated, &source_provider_cost);
        return OUTCOME_PRICED;
    }
    const struct rate *rate = xai_rate(call);
    if (!rate)
        return calc_keyed(call);
    bill_rate(&call->bill, UNIT_OUTPUT_IMAGES, images_made(call), rate);
    return OUTCOME_PRICED;
}

/* Per image; input images are not in the event. */
static enum outcome calc_dashscope(struct call *call)
{
    const struct rule *own = own_table(call), *rule = image_rule(call);
    if (plain_rate(own, RATE_INPUT_PIXEL) ||
        (plain_rate(own, RATE_INPUT_IMAGE) && !plain_rate(own, RATE_OUTPUT_IMAGE)))
        return calc_keyed(call);
    if (!plain_rate(rule, RATE_OUTPUT_IMAGE))
        return OUTCOME_UNMAPPED;
    bill_images(call, rule);
    return OUTCOME_PRICED;
}

/* Seedream is billed by tokens where the answer has them, unless the deployment sets a price per
 * image and none per token; others DALL-E's way. */
static enum outcome calc_tencent(struct call *call)
{
    const struct rule *rule = image_rule(call), *own = own_table(call);
    bool by_image = plain_rate(own, RATE_OUTPUT_IMAGE) &&
                    !plain_rate(own, RATE_OUTPUT_IMAGE_TOKEN) && !plain_rate(own, RATE_OUTPUT);
    struct slice name = names_without_prefix(call->candidate->name, "tencent/");
    if (!slice_starts(name, SLICE("seedream-")))
        return calc_keyed(call);
    if (!rule)
        return OUTCOME_UNMAPPED;
    if (by_image || !bill_tokens(call, rule))
        bill_images(call, rule);
    return OUTCOME_PRICED;
}

/* ---- the image tool of the Responses API (9.2) -------------------------------------------------
 */

static bool tool_tokens_add(struct call *call, const struct rule *rule)
{
    static const struct {
        enum fact tokens;
        enum rate_kind kind;
    } parts[] = {
        {FACT_IMAGE_TOOL_INPUT_TEXT_TOKENS, RATE_INPUT},
        {FACT_IMAGE_TOOL_INPUT_IMAGE_TOKENS, RATE_INPUT_IMAGE_TOKEN},
        {FACT_IMAGE_TOOL_OUTPUT_IMAGE_TOKENS, RATE_OUTPUT_IMAGE_TOKEN},
        {FACT_IMAGE_TOOL_OUTPUT_TEXT_TOKENS, RATE_OUTPUT},
    };
    bool billed = false;
    for (size_t i = 0; rule && i < sizeof(parts) / sizeof(parts[0]); i++) {
        int64_t tokens = facts_int(call->facts, parts[i].tokens);
        const struct rate *rate = plain_rate(rule, parts[i].kind);
        bill_if_rated(&call->bill, UNIT_IMAGE_TOOL_TOKENS, tokens, rate);
        billed |= tokens > 0 && rate_positive(rate);
    }
    return billed;
}

/* One finished image, "quality/size"; "-" and "auto" are unset. */
static void tool_image_add(struct call *call, struct slice item)
{
    char size[NAME_MAX_BYTES];
    int64_t pixels, width, height;
    const char *slash = memchr(item.p, '/', item.bytes);
    if (!slash)
        return;
    struct slice quality = {item.p, (size_t)(slash - item.p)};
    struct slice wanted = {slash + 1, item.bytes - quality.bytes - 1};
    if (slice_is(quality, "-") || slice_is(quality, "auto"))
        quality = SLICE("");
    if (slice_is(wanted, "-") || slice_is(wanted, "auto"))
        wanted = SLICE(DEFAULT_SIZE);
    dashed_size(wanted, size);
    const struct rule *rule = keyed_rule(call, call->plan->image_tool_name.p, size, quality);
    if (read_pixels(size, &pixels, &width, &height))
        bill_table(call, rule, pixels, 1);
}

void image_tool_add(struct call *call)
{
    struct slice items = facts_text(call->facts, FACT_IMAGE_TOOL_ITEMS);
    if (items.bytes == 0 || call->plan->image_tool_name.bytes == 0 ||
        tool_tokens_add(call, call->plan->image_tool))
        return;
    while (items.bytes) {
        const char *comma = memchr(items.p, ',', items.bytes);
        size_t bytes = comma ? (size_t)(comma - items.p) : items.bytes;
        tool_image_add(call, (struct slice){items.p, bytes});
        bytes += comma != NULL;
        items = (struct slice){items.p + bytes, items.bytes - bytes};
    }
}

/* ---- fal.ai ------------------------------------------------------------------------------------
 */

struct fal_row {
    int64_t pixels;
    const struct rate *rate;
};

/* The row of fal_ai/<quality>/<W>-x-<H>/<name> nearest in pixel count, the smaller of two. */
static bool nearest_row(const struct call *call, const char *name, int64_t target,
                        struct fal_row *best)
{
    char prefix[160], suffix[NAME_MAX_BYTES], size[64];
    struct slice quality = facts_text(call->facts, FACT_IMAGE_QUALITY_REQUESTED);
    int64_t width, height, distance = INT64_MAX;
    if (quality.bytes == 0 || slice_is(quality, "auto"))
        quality = SLICE("high");
    snprintf(prefix, sizeof(prefix), "fal_ai/%.*s/",
             (int)(quality.bytes < 100 ? quality.bytes : 100), quality.p);
    *best = (struct fal_row){0, NULL};
    snprintf(suffix, sizeof(suffix), "/%.500s", name);
    size_t before = strlen(prefix), after = strlen(suffix);
    const struct catalog *catalog = call->edition->catalog;
    for (size_t i = 0; i < catalog->count; i++) {
        const char *key = catalog->entry[i].name;
        if (strncmp(key, prefix, before) != 0) /* first: nearly all, of thousands, fail it */
            continue;
        size_t bytes = strlen(key);
        int64_t pixels = 0;
        const struct rate *rate =
            rule_rate(catalog->entry[i].rule, RATE_OUTPUT_IMAGE, VARIANT_PLAIN);
        if (!rate || bytes <= before + after || strcmp(key + bytes - after, suffix) != 0 ||
            bytes - before - after >= sizeof(size))
            continue;
        snprintf(size, sizeof(size), "%.*s", (int)(bytes - before - after), key + before);
        if (!read_pixels(size, &pixels, &width, &height))
            continue;
        int64_t off = pixels > target ? pixels - target : target - pixels;
        if (off < distance || (off == distance && pixels < best->pixels)) {
            distance = off;
            *best = (struct fal_row){pixels, rate};
        }
    }
    return distance != INT64_MAX;
}

/* Names of sizes that fal.ai knows; a size in pixels is taken as it is. */
static int64_t fal_requested_pixels(const struct call *call)
{
    static const struct {
        const char *name;
        int64_t pixels;
    } named[] = {
        {"square_hd", 1024 * 1024},    {"square", 512 * 512},
        {"portrait_4_3", 768 * 1024},  {"portrait_16_9", 576 * 1024},
        {"landscape_4_3", 1024 * 768}, {"landscape_16_9", 1024 * 576},
    };
    struct slice size = facts_text(call->facts, FACT_IMAGE_SIZE_REQUESTED);
    char text[NAME_MAX_BYTES];
    int64_t pixels, width, height;
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
        if (slice_is(size, named[i].name))
            return named[i].pixels;
    dashed_size(size, text);
    return read_pixels(text, &pixels, &width, &height) ? pixels : 1024 * 768;
}

/* Images of one size: its row, else their megapixels, else the flat price. */
static void bill_fal_images(struct call *call, const char *name, const struct rule *rule,
                            int64_t pixels, int64_t count)
{
    static const struct decimal block = {FAL_PIXELS_PER_MEGAPIXEL, 0, false};
    struct fal_row row;
    if (nearest_row(call, name, pixels ? pixels : fal_requested_pixels(call), &row)) {
        bill_rate(&call->bill, UNIT_OUTPUT_IMAGES, count, row.rate);
        return;
    }
    const struct rate *by_pixel = rule_rate(rule, RATE_OUTPUT_PIXEL, VARIANT_PLAIN);
    i128 blocks = (pixels + FAL_PIXELS_PER_MEGAPIXEL - 1) / FAL_PIXELS_PER_MEGAPIXEL;
    if (pixels && by_pixel)
        bill_count(&call->bill, UNIT_OUTPUT_PIXELS, blocks * count, (struct use){by_pixel, &block});
    else
        bill_rate(&call->bill, UNIT_OUTPUT_IMAGES, count,
                  rule_rate(rule, RATE_OUTPUT_IMAGE, VARIANT_PLAIN));
}

/* How many of `left` images have the next size: all of them when nothing says. */
static int64_t next_run(struct slice *dimensions, int64_t left, int64_t *pixels)
{
    int64_t run = 1, other;
    if (!next_dimensions(dimensions, pixels)) {
        *pixels = 0;
        return left;
    }
    for (struct slice rest = *dimensions; run < left; run++) {
        if (!next_dimensions(&rest, &other) || other != *pixels)
            break;
        *dimensions = rest;
    }
    return run;
}

static bool bill_fal_flat(struct call *call, const char *name)
{
    char key[NAME_MAX_BYTES];
    const struct rule *own = own_table(call);
    const struct rate *rate = own ? rule_rate(own, RATE_OUTPUT_IMAGE, VARIANT_PLAIN) : NULL;
    snprintf(key, sizeof(key), "fal_ai/%.600s", name);
    const struct rule *raw = raw_rule(call, key);
    struct slice resolution = facts_text(call->facts, FACT_VIDEO_RESOLUTION);
    if (!rate && raw && resolution.bytes)
        rate = rule_detail(raw, RATE_OUTPUT_IMAGE, resolution);
    bill_if_rated(&call->bill, UNIT_OUTPUT_IMAGES, images_made(call), rate);
    return rate != NULL;
}

static enum outcome calc_fal(struct call *call)
{
    const char *name = names_without_prefix(call->candidate->name, "fal_ai/").p;
    struct slice dimensions = facts_text(call->facts, FACT_IMAGE_DIMENSIONS);
    const struct rule *rule = image_rule(call);
    struct fal_row row;
    if (bill_fal_flat(call, name))
        return OUTCOME_PRICED;
    bool keyed = nearest_row(call, name, 1, &row);
    if (!keyed && !rule)
        return OUTCOME_UNMAPPED;
    int64_t left = images_made(call);
    for (unsigned i = 0; left > 0 && i < CHARGE_ITEMS_MAX; i++) {
        int64_t pixels, run = next_run(&dimensions, left, &pixels);
        bill_fal_images(call, name, rule, pixels, run);
        left -= run;
    }
    call->bill.overflow |= left > 0;
    return OUTCOME_PRICED;
}

enum outcome calc_image(struct call *call)
{
    call->skips_extras = true;
    switch (call->plan->provider) {
    case P_GEMINI:
    case P_VERTEX:
        return calc_google(call);
    case P_OPENAI:
    case P_AZURE:
        return calc_openai(call);
    case P_AZURE_AI:
        return calc_azure_ai(call);
    case P_BEDROCK:
        return calc_bedrock(call);
    case P_RECRAFT:
    case P_AIML:
    case P_COMETAPI:
    case P_RUNWAYML:
        return calc_flat(call);
    case P_FAL_AI:
        return calc_fal(call);
    case P_XAI:
        return calc_xai(call);
    case P_DASHSCOPE:
        return calc_dashscope(call);
    case P_TENCENT:
        return calc_tencent(call);
    default:
        return calc_keyed(call);
    }
}
