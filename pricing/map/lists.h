/* SPDX-License-Identifier: Apache-2.0 */
/* Membership in the closed lists of lists.def. */
#ifndef PRICING_MAP_LISTS_H
#define PRICING_MAP_LISTS_H

#include "core/slice.h"

struct word_list {
    const char *const *words; /* sorted by byte */
    size_t count;
};

extern const struct word_list list_visible, list_custom, list_non_inference, list_bedrock_region,
    list_bedrock_geo, list_replicate;

extern const char *const lists_litellm; /* the version they come from */

bool list_has(const struct word_list *list, struct slice word);

#endif
