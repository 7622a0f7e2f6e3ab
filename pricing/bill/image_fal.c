/* SPDX-License-Identifier: Apache-2.0 */
/* Images of fal.ai: the row of the nearest size, else megapixels, else a flat price
 * (docs/pricing.md 8.3). */
#include "pricing/bill/image.h"
#include "pricing/names/text.h"

#include <stdio.h>

#define FAL_PIXELS_PER_MEGAPIXEL 1048576

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
        if (!image_pixels(size, &pixels, &width, &height))
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
    image_dashed_size(size, text);
    return image_pixels(text, &pixels, &width, &height) ? pixels : 1024 * 768;
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
    const struct rule *own = image_own_table(call);
    const struct rate *rate = own ? rule_rate(own, RATE_OUTPUT_IMAGE, VARIANT_PLAIN) : NULL;
    snprintf(key, sizeof(key), "fal_ai/%.600s", name);
    const struct rule *raw = image_raw_rule(call, key);
    struct slice resolution = facts_text(call->facts, FACT_VIDEO_RESOLUTION);
    if (!rate && raw && resolution.bytes)
        rate = rule_detail(raw, RATE_OUTPUT_IMAGE, resolution);
    bill_if_rated(&call->bill, UNIT_OUTPUT_IMAGES, images_made(call), rate);
    return rate != NULL;
}

enum outcome image_fal(struct call *call)
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
