/* SPDX-License-Identifier: Apache-2.0 */
/* Names of Vertex AI: partners' models under names of their own (docs/pricing.md 4.3), and families
 * that are billed by tokens (8.2). */
#include "pricing/names/providers.h"

static bool has_entry(const struct catalog *catalog, const char *prefix, struct slice name,
                      const char *suffix, const char *provider, const struct resolver *r)
{
    struct slice full = names_join(r, slice_of(prefix), "", names_join(r, name, suffix, SLICE("")));
    const struct entry *entry = catalog_find(catalog, full);
    return entry && strcmp(entry->provider, provider) == 0;
}

/* Vertex: Llama under meta/, Mistral and AI21 as @latest. */
static struct slice vertex_alias(const struct resolver *r, struct slice name)
{
    static const char *const prefixes[] = {"", "vertex_ai/"};
    const struct catalog *catalog = r->catalog;
    for (size_t i = 0; i < 2; i++) {
        struct slice meta = names_join(r, SLICE("meta"), "/", name);
        if (has_entry(catalog, prefixes[i], meta, "", "vertex_ai-llama_models", r))
            return meta;
    }
    for (size_t i = 0; i < 2; i++)
        if (has_entry(catalog, prefixes[i], name, "@latest", "vertex_ai-mistral_models", r) ||
            has_entry(catalog, prefixes[i], name, "@latest", "vertex_ai-ai21_models", r))
            return names_join(r, name, "@latest", SLICE(""));
    return name;
}

/* Names that are billed by tokens whatever their entry says (8.2). */
bool names_vertex_bills_tokens(struct slice name)
{
    static const char *const families[] = {"claude",    "llama", "mistral", "jamba",
                                           "codestral", "gemma", "gemini-2"};
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        if (names_contain(name, families[i]))
            return true;
    return false;
}

const struct name_rules names_vertex = {.family = "vertex_ai",
                                        .has_music = true,
                                        .renamed = vertex_alias,
                                        .stripped = names_strip_digits,
                                        .chat = CHAT_BY_BARE_NAME};
const struct name_rules names_vertex_beta = {.as = "vertex_ai", .has_music = true};
