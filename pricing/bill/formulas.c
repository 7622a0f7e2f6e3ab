/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of providers.def as formulas. */
#include "pricing/bill/formulas.h"

#include "pricing/bill/chat.h"
#include "pricing/bill/image.h"
#include "pricing/bill/web_search.h"

/* Formulas of chat that read the provider's own figure of the cost: TRAIT_STATES_COST stands for
 * that, and no row has one without the other. */
enum {
    reads_cost_other = 0,
    reads_cost_generic = 0,
    reads_cost_without_tier = 0,
    reads_cost_nothing = 0,
    reads_cost_openai = 0,
    reads_cost_anthropic = 0,
    reads_cost_bedrock = 0,
    reads_cost_azure_ai = 0,
    reads_cost_fireworks = 0,
    reads_cost_dashscope = 0,
    reads_cost_vertex = 0,
    reads_cost_xai = 1,
    reads_cost_perplexity = 1,
};

#define PROVIDER(id, name, chat, image, web, names, traits, aliases)                               \
    _Static_assert(reads_cost_##chat == !!((traits)&TRAIT_STATES_COST), name                       \
                   ": TRAIT_STATES_COST and a formula of chat that reads the cost go together");   \
    _Static_assert(!((traits)&TRAIT_STATES_COST) || !((traits)&TRAIT_STATED_COST_UNREAD),          \
                   name ": a stated cost is read, or it is not");                                  \
    _Static_assert(!((traits)&TRAIT_ROUTER_ALONE) || ((traits)&TRAIT_MODEL_ROUTER),                \
                   name ": the fee of a router alone is a fee of a router");
#include "core/providers.def"
#undef PROVIDER

static const struct formulas provider_formulas[PROVIDER_COUNT] = {
    [PROVIDER_OTHER] = {chat_other, image_keyed, web_sized},
#define PROVIDER(id, name, chat, image, web, names, traits, aliases)                               \
    [PROVIDER_##id] = {chat_##chat, image_##image, web_##web},
#include "core/providers.def"
#undef PROVIDER
};

const struct formulas *formulas_of(enum provider_id provider)
{
    return &provider_formulas[provider];
}
