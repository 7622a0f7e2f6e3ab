/* SPDX-License-Identifier: Apache-2.0 */
#include "pricing/bill/formulas.h"

#include "pricing/bill/chat.h"
#include "pricing/bill/image.h"
#include "pricing/bill/web_search.h"

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
