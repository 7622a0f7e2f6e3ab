/* SPDX-License-Identifier: Apache-2.0 */
/* Look-up in the closed lists, by bisection. */
#include "pricing/map/lists.h"

#define WORD(word) word,

static const char *const visible_words[] = {
#define VISIBLE WORD
#include "pricing/map/lists.def"
#undef VISIBLE
};

static const char *const custom_words[] = {
#define CUSTOM WORD
#include "pricing/map/lists.def"
#undef CUSTOM
};

static const char *const non_inference_words[] = {
#define NON_INFERENCE WORD
#include "pricing/map/lists.def"
#undef NON_INFERENCE
};

static const char *const bedrock_region_words[] = {
#define BEDROCK_REGION WORD
#include "pricing/map/lists.def"
#undef BEDROCK_REGION
};

static const char *const bedrock_geo_words[] = {
#define BEDROCK_GEO WORD
#include "pricing/map/lists.def"
#undef BEDROCK_GEO
};

static const char *const replicate_words[] = {
#define REPLICATE WORD
#include "pricing/map/lists.def"
#undef REPLICATE
};

const char *const lists_litellm =
#define LITELLM(version) version
#include "pricing/map/lists.def"
#undef LITELLM
    ;

#define LIST(array)                                                                                \
    {                                                                                              \
        (array), sizeof(array) / sizeof((array)[0])                                                \
    }

const struct word_list list_visible = LIST(visible_words);
const struct word_list list_custom = LIST(custom_words);
const struct word_list list_non_inference = LIST(non_inference_words);
const struct word_list list_bedrock_region = LIST(bedrock_region_words);
const struct word_list list_bedrock_geo = LIST(bedrock_geo_words);
const struct word_list list_replicate = LIST(replicate_words);

static int word_cmp(struct slice a, const char *b)
{
    size_t bytes = strlen(b);
    int order = memcmp(a.p, b, a.bytes < bytes ? a.bytes : bytes);
    if (order != 0)
        return order;
    return a.bytes < bytes ? -1 : a.bytes > bytes;
}

bool list_has(const struct word_list *list, struct slice word)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = word.bytes ? word_cmp(word, list->words[mid]) : -1;
        if (order == 0)
            return true;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return false;
}
