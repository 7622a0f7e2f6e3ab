/* SPDX-License-Identifier: Apache-2.0 */
/* Model Routers of Azure, which have a fee of their own (docs/pricing.md 9.3). */
#include "pricing/names/providers.h"

bool names_is_azure_router(struct slice name)
{
    return names_contain_folded(name, "model-router") || names_contain_folded(name, "model_router");
}

/* The router's entry, whose input rate is the fee. */
const struct rule *names_azure_router(const struct resolver *r, struct slice name)
{
    struct resolver plain = *r;
    struct slice bare = names_without_prefix(names_lower(r, name), "azure_ai/");
    plain.fixed = NULL;
    if (!slice_is(bare, "model-router") && !slice_is(bare, "model_router"))
        bare = SLICE("model_router");
    return names_lookup(&plain, bare, SLICE("azure_ai")).rule;
}
