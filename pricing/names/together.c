/* SPDX-License-Identifier: Apache-2.0 */
/* Names of Together AI: models without a price of their own are billed by classes of size
 * (docs/pricing.md 8.1). */
#include "pricing/names/providers.h"

#include "pricing/names/size.h"

struct size_class {
    uint32_t upto;
    const char *name;
};

static const struct size_class together_classes[] = {
    {4, "together-ai-up-to-4b"},
    {8, "together-ai-4.1b-8b"},
    {21, "together-ai-8.1b-21b"},
    {41, "together-ai-21.1b-41b"},
    {80, "together-ai-41.1b-80b"},
    {110, "together-ai-81.1b-110b"},
    {0, NULL},
};

static const struct size_class together_embeddings[] = {
    {150, "together-ai-embedding-up-to-150m"},
    {350, "together-ai-embedding-151m-to-350m"},
    {0, NULL},
};

static struct slice size_class_of(const struct resolver *r, struct slice name, bool embedding)
{
    struct slice lower = names_lower(r, name);
    const struct size_class *class = embedding ? together_embeddings : together_classes;
    uint32_t size = size_before(lower, embedding ? 'm' : 'b');
    for (; class->name; class ++)
        if (size <= class->upto)
            return slice_of(class->name);
    return lower;
}

static bool has_price(const struct resolver *r, struct slice name)
{
    struct slice bare = names_without_prefix(name, "together_ai/");
    const struct entry *entry =
        catalog_find(r->catalog, names_join(r, SLICE("together_ai"), "/", bare));
    return entry && entry->rule->names_input_rate;
}

bool names_is_together(struct slice name)
{
    return names_contain(name, "togethercomputer") || names_contain(name, "together_ai");
}

struct slice names_together_class(const struct resolver *r, struct slice name, bool embedding)
{
    return has_price(r, name) ? name : size_class_of(r, name, embedding);
}

const struct name_rules names_together = {.by_size = true};
