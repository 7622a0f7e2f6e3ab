/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoint names of old Databricks events (docs/pricing.md 8.1). */
#include "pricing/names/providers.h"

/* Endpoint names of old Databricks events, by prefix (8.1). */
static const struct {
    const char *prefix, *name;
} databricks_names[] = {
    {"dbrx-instruct", "databricks-dbrx-instruct"},
    {"meta-llama-3.1-70b-instruct", "databricks-meta-llama-3-1-70b-instruct"},
    {"meta-llama-3.1-405b-instruct", "databricks-meta-llama-3-1-405b-instruct"},
    {"mixtral-8x7b-instruct-v0.1", "databricks-mixtral-8x7b-instruct"},
    {"bge-large-en", "databricks-bge-large-en"},
    {"gte-large-en", "databricks-gte-large-en"},
    {"llama-2-70b-chat", "databricks-llama-2-70b-chat"},
};

struct slice names_databricks_endpoint(struct slice name)
{
    name = names_without_prefix(name, "databricks/");
    for (size_t i = 0; i < sizeof(databricks_names) / sizeof(databricks_names[0]); i++)
        if (slice_starts(name, slice_of(databricks_names[i].prefix)))
            return slice_of(databricks_names[i].name);
    return name;
}

const struct name_rules names_databricks = {.stripped = names_strip_digits,
                                            .chat = CHAT_BY_ENDPOINT};
