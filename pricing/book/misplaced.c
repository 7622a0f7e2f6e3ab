/* SPDX-License-Identifier: Apache-2.0 */
/* Looking through a file of the configuration for price keys in a place where nobody reads them. */
#include "pricing/book/misplaced.h"

#include <ctype.h>
#include <stdio.h>

#define PLACE_BYTES_MAX 512
#define KEY_BYTES_MAX 128

struct search {
    struct arena *book;
    struct litellm_config *config;
    struct variants variants;
    bool failed;
};

/* Words begin at a capital behind a small letter or a digit: "inputCostPerToken". */
static bool begins_word(struct slice key, size_t at)
{
    return at > 0 && isupper((unsigned char)key.p[at]) &&
           (islower((unsigned char)key.p[at - 1]) || isdigit((unsigned char)key.p[at - 1]));
}

/* Letters in lower case, words apart by '_': what the key may have been meant to be. */
static const char *plain_form(struct slice key, char plain[KEY_BYTES_MAX])
{
    size_t bytes = 0;
    for (size_t i = 0; i < key.bytes && bytes < KEY_BYTES_MAX - 2; i++) {
        if (begins_word(key, i))
            plain[bytes++] = '_';
        plain[bytes++] = key.p[i] == '-' ? '_' : (char)tolower((unsigned char)key.p[i]);
    }
    plain[bytes] = '\0';
    return plain;
}

static bool is_price(const struct search *search, struct slice key)
{
    struct price_key parsed;
    return price_key_parse(key, &search->variants, NULL, &parsed) ||
           (price_key_suspect(key) && price_key_inert(key)) || slice_is(key, "cost_per_query");
}

static bool is_adjustment(struct slice key)
{
    return slice_is(key, "cost_discount_config") || slice_is(key, "cost_margin_config");
}

static void add(struct search *search, const struct yaml_node *node, const char *place,
                const char *instead)
{
    struct litellm_config *config = search->config;
    if (config->misplaced_count == MISPLACED_MAX) {
        config->misplaced_more++;
        return;
    }
    if (!config->misplaced)
        config->misplaced = arena_zalloc(search->book, MISPLACED_MAX * sizeof(*config->misplaced));
    const char *file = arena_text(search->book, slice_of(node->file));
    const char *key = arena_text(search->book, node->key->text);
    const char *where = arena_text(search->book, slice_of(place));
    const char *meant = instead ? arena_text(search->book, slice_of(instead)) : NULL;
    if (!config->misplaced || !file || !key || !where || (instead && !meant)) {
        search->failed = true;
        return;
    }
    config->misplaced[config->misplaced_count++] =
        (struct misplaced){file, key, where, meant, node->line};
}

/* Where prices belong: model_list[].model_info and .litellm_params, and nothing within those. */
static bool holds_prices(const char *place)
{
    unsigned index;
    int used = 0;
    if (sscanf(place, "model_list[%u].%n", &index, &used) != 1 || used == 0)
        return false;
    return strcmp(place + used, "model_info") == 0 || strcmp(place + used, "litellm_params") == 0;
}

/* A time that is written otherwise would leave a price without an end or a beginning. */
static const char *meant_time(struct slice form, bool same, const char *place)
{
    static const char *const times[] = {"effective_from", "effective_until"};
    unsigned index;
    int used = 0;
    bool within = sscanf(place, "model_list[%u]%n", &index, &used) == 1 && used > 0 &&
                  (place[used] == '\0' || strcmp(place + used, ".model_info") == 0);
    const char *near = within ? yaml_suggest(form, times, 2) : NULL;
    return near && slice_is(form, near) && same ? NULL : near;
}

static void judge(struct search *search, const struct yaml_node *node, const char *place)
{
    char plain[KEY_BYTES_MAX];
    struct slice key = node->key->text, form = slice_of(plain_form(key, plain));
    bool same = slice_eq(key, form), prices = holds_prices(place);
    if (is_price(search, form)) {
        if (!prices)
            add(search, node, place, NULL);
        else if (!same)
            add(search, node, place, plain);
    } else if (is_adjustment(form)) {
        if (strcmp(place, "litellm_settings") != 0 || !same)
            add(search, node, place, same ? NULL : plain);
    } else if (!same && node->kind == YAML_MAP &&
               (slice_is(form, "model_info") || slice_is(form, "litellm_params"))) {
        add(search, node, place, plain);
    } else if (meant_time(form, same, place)) {
        add(search, node, place, meant_time(form, same, place));
    }
}

/* Tables of prices have price keys within them, where they belong. */
static bool is_table(const struct search *search, const struct yaml_node *node)
{
    return node->key && (is_price(search, node->key->text) || is_adjustment(node->key->text));
}

/* All of the tree: yaml.c bounds its depth. */
static void walk(struct search *search, const struct yaml_node *node, const char *place)
{
    char inner[PLACE_BYTES_MAX];
    unsigned index = 0;
    if (node->kind != YAML_MAP && node->kind != YAML_LIST)
        return;
    for (const struct yaml_node *n = node->children; n; n = n->next, index++) {
        if (node->kind == YAML_LIST)
            snprintf(inner, sizeof(inner), "%s[%u]", place, index);
        else
            snprintf(inner, sizeof(inner), "%s%s%.*s", place, place[0] ? "." : "",
                     (int)n->key->text.bytes, n->key->text.p);
        if (node->kind == YAML_MAP)
            judge(search, n, place);
        if (node->kind == YAML_LIST || !is_table(search, n))
            walk(search, n, inner);
    }
}

bool misplaced_collect(struct arena *book, const struct yaml_node *root,
                       struct litellm_config *config)
{
    struct search search = {.book = book, .config = config};
    variants_init(&search.variants);
    walk(&search, root, "");
    return !search.failed;
}
