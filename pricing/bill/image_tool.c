/* SPDX-License-Identifier: Apache-2.0 */
/* The image tool of the Responses API, a model of its own (docs/pricing.md 9.2). */
#include "pricing/bill/image.h"

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
    image_dashed_size(wanted, size);
    const struct rule *rule = image_keyed_rule(call, call->plan->image_tool_name.p, size, quality);
    if (image_pixels(size, &pixels, &width, &height))
        image_bill_table(call, rule, pixels, 1);
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
