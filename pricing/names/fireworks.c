/* SPDX-License-Identifier: Apache-2.0 */
/* Names of Fireworks AI: short ones, and size classes for what is in no map
 * (docs/pricing.md 4.3, 8.1). */
#include "pricing/names/providers.h"

#include "pricing/names/size.h"

#include <ctype.h>

/* "fireworks_ai/accounts/fireworks/..." of a short name. */
static struct slice fireworks_key(const struct resolver *r, struct slice name)
{
    static const struct slice models = {"fireworks_ai/accounts/fireworks/models", 38};
    static const struct slice routers = {"fireworks_ai/accounts/fireworks/routers", 39};
    struct slice bare = names_without_prefix(name, "fireworks_ai/");
    if (slice_starts(bare, SLICE("accounts/")) || slice_starts(bare, SLICE("FW-")) ||
        names_contain(bare, "#"))
        return names_join(r, SLICE("fireworks_ai"), "/", bare);
    if (slice_starts(bare, SLICE("routers/")) || slice_starts(bare, SLICE("models/")))
        return names_join(r, SLICE("fireworks_ai/accounts/fireworks"), "/", bare);
    bool routed = slice_is(bare, "auto") || slice_is(bare, "auto-instant") ||
                  slice_is(bare, "firerouter") || slice_starts(bare, SLICE("firerouter/")) ||
                  (bare.bytes >= 5 && memcmp(bare.p + bare.bytes - 5, "-fast", 5) == 0);
    return names_join(r, routed ? routers : models, "/", bare);
}

/* "8x7b": experts times size. */
static uint32_t experts_size(struct slice name)
{
    for (size_t i = 0; i < name.bytes; i++) {
        size_t from = i, x = size_digits_end(name, from);
        if (x == from)
            continue;
        i = x - 1;
        if (x == name.bytes || name.p[x] != 'x')
            continue;
        size_t end = size_digits_end(name, x + 1);
        if (end == x + 1 || end == name.bytes || name.p[end] != 'b')
            continue;
        uint64_t product = (uint64_t)size_number((struct slice){name.p + from, x - from}) *
                           size_number((struct slice){name.p + x + 1, end - x - 1});
        return product < SIZE_NONE ? (uint32_t)product : SIZE_NONE - 1;
    }
    return SIZE_NONE;
}

/* "1p5b" is 1.5: as far as classes go, 2. */
static uint32_t fireworks_size(struct slice name)
{
    uint32_t size = size_before(name, 'b');
    for (size_t i = 1; i + 1 < name.bytes; i++) {
        size_t end = size_digits_end(name, i + 1);
        if (name.p[i] != 'p' || end == i + 1 || end == name.bytes || name.p[end] != 'b')
            continue;
        size_t from = i;
        while (from > 0 && isdigit((unsigned char)name.p[from - 1]))
            from--;
        return from < i ? size_number((struct slice){name.p + from, i - from}) + 1 : size;
    }
    return size;
}

struct slice names_fireworks_class(const struct resolver *r, struct slice name)
{
    struct slice lower = names_lower(r, name);
    uint32_t experts = experts_size(lower), size = fireworks_size(lower);
    if (experts <= 56)
        return SLICE("fireworks-ai-moe-up-to-56b");
    if (experts <= 176)
        return SLICE("fireworks-ai-56b-to-176b");
    if (size == SIZE_NONE)
        return SLICE("fireworks-ai-default");
    if (size <= 4)
        return SLICE("fireworks-ai-up-to-4b");
    return size <= 16 ? SLICE("fireworks-ai-4.1b-to-16b") : SLICE("fireworks-ai-above-16b");
}

static void fireworks_forms(const struct resolver *r, struct name_forms *forms)
{
    forms->last = fireworks_key(r, forms->split);
}

const struct name_rules names_fireworks = {
    .family = "fireworks_ai", .reformed = fireworks_forms, .chat = CHAT_BY_SIZE};
