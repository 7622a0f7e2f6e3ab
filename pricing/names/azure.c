/* SPDX-License-Identifier: Apache-2.0 */
/* Names of Azure OpenAI and Azure AI: aliases that LiteLLM renames first (docs/pricing.md 4.3). */
#include "pricing/names/providers.h"

/* LiteLLM 1.106.2 renames these before anything else (4.3). */
static const struct {
    const char *name, *alias;
} azure_aliases[] = {
    {"gpt-35-turbo", "azure/gpt-35-turbo"},
    {"gpt-35-turbo-instruct", "azure/gpt-35-turbo-instruct"},
    {"azure/gpt-41", "gpt-4.1"},
    {"azure/gpt-41-mini", "gpt-4.1-mini"},
    {"azure/gpt-41-nano", "gpt-4.1-nano"},
    {"ada", "azure/ada"},
};

struct slice names_azure_alias(struct slice name)
{
    for (size_t i = 0; i < sizeof(azure_aliases) / sizeof(azure_aliases[0]); i++)
        if (slice_is(name, azure_aliases[i].name))
            return slice_of(azure_aliases[i].alias);
    return name;
}

static const char *const azure_ai_also[] = {"azure", "openai", NULL};

const struct name_rules names_azure_ai = {.also = azure_ai_also};
