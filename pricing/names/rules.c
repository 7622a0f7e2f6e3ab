/* SPDX-License-Identifier: Apache-2.0 */
/* Which rules about names are whose, and those that take a single line. */
#include "core/providers.h"
#include "pricing/names/providers.h"

const struct name_rules names_plain = {.as = NULL};
/* Gateways: what they pass on may be anybody's. */
const struct name_rules names_any = {.any_entry = true};
const struct name_rules names_free = {.free = FREE_ALWAYS};
const struct name_rules names_free_unmapped = {.free = FREE_UNMAPPED};
/* Versions are numbers, as in gemini-2.0-flash-001. */
const struct name_rules names_numbered = {.stripped = names_strip_digits};

/* Completions of text and Cohere's chat are providers of their own for LiteLLM. */
const struct name_rules names_anthropic = {.route = "anthropic_text"};
const struct name_rules names_azure = {.route = "azure_text"};
const struct name_rules names_codestral = {.route = "text-completion-codestral"};
const struct name_rules names_cohere = {.route = "cohere_chat"};
const struct name_rules names_openai = {.route = "text-completion-openai"};

static const struct name_rules *const provider_names[PROVIDER_COUNT] = {
    [PROVIDER_OTHER] = &names_plain,
#define PROVIDER(id, name, chat, image, web, names, traits, aliases)                               \
    [PROVIDER_##id] = &names_##names,
#include "core/providers.def"
#undef PROVIDER
};

const struct name_rules *names_rules_of(struct slice provider)
{
    if (slice_is(provider, "bedrock_converse")) /* a word of cost maps */
        return &names_converse;
    return provider_names[provider_find(provider)];
}
