/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the formulas of images share (docs/pricing.md 8.3): what the call asked for, the rule,
 * billing by token and by image. Prices of a deployment are laid over the map key by key, in both
 * override modes.
 */
#include "pricing/bill/image.h"
#include "pricing/names/text.h"

#include <ctype.h>
#include <stdio.h>

/* ---- what the call asked for -------------------------------------------------------------------
 */

struct slice image_first_text(const struct facts *facts, enum fact first, enum fact second)
{
    struct slice text = facts_text(facts, first);
    return text.bytes ? text : facts_text(facts, second);
}

int64_t images_made(const struct call *call)
{
    return facts_int(call->facts, FACT_IMAGES);
}

/* "640x480", "640*480" and "640-x-480" to "640-x-480"; other texts as they are. */
void image_dashed_size(struct slice size, char out[NAME_MAX_BYTES])
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

/* The size of the answer; a requested one only if it is a size; else the default. LiteLLM reads
 * "640*480" of the request alone: of an answer it fails, and so does mode litellm. */
void image_size(const struct call *call, char out[NAME_MAX_BYTES])
{
    struct slice size = facts_text(call->facts, FACT_IMAGE_SIZE);
    struct slice requested = facts_text(call->facts, FACT_IMAGE_SIZE_REQUESTED);
    bool fails = !merges(call) && size.bytes && memchr(size.p, '*', size.bytes);
    if (size.bytes == 0 && requested.bytes && isdigit((unsigned char)requested.p[0]))
        size = requested;
    if (fails)
        snprintf(out, NAME_MAX_BYTES, SLICE_FMT, SLICE_ARG(size));
    else
        image_dashed_size(size.bytes ? size : SLICE(DEFAULT_SIZE), out);
}

bool image_pixels(const char *size, int64_t *pixels, int64_t *width, int64_t *height)
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

const struct rate *plain_rate(const struct rule *rule, enum rate_kind kind)
{
    return rule ? rule_rate(rule, kind, VARIANT_PLAIN) : NULL;
}

const struct rule *image_own_table(const struct call *call)
{
    return call->plan->custom ? call->plan->override.set : NULL;
}

static bool tokens_at_output_rate(const struct call *call)
{
    const struct rule *own = image_own_table(call);
    return provider_has(call->plan->provider, TRAIT_IMAGES_AT_OUTPUT_RATE) &&
           plain_rate(own, RATE_OUTPUT) && !plain_rate(own, RATE_OUTPUT_IMAGE_TOKEN);
}

/* T: usage that is not all zero, and an entry with a token rate. Every entry of the map counts as
 * having one: LiteLLM 1.106.2 reads a missing token rate there as 0. */
bool image_bill_tokens(struct call *call, const struct rule *rule)
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

void image_bill_each(struct call *call, const struct rule *rule)
{
    bill_rate(&call->bill, UNIT_OUTPUT_IMAGES, images_made(call),
              rule_rate(rule, RATE_OUTPUT_IMAGE, VARIANT_PLAIN));
}

/* The map's entry of the candidate with the deployment's prices over it. */
const struct rule *image_rule(const struct call *call)
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

const struct rule *image_raw_rule(const struct call *call, const char *name)
{
    const struct entry *entry = catalog_find(call->edition->catalog, slice_of(name));
    return entry ? entry->rule : NULL;
}

enum outcome image_flat(struct call *call)
{
    const struct rule *rule = image_rule(call);
    if (!rule)
        return OUTCOME_UNMAPPED;
    image_bill_each(call, rule);
    return OUTCOME_PRICED;
}
