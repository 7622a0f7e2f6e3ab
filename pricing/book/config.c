/* SPDX-License-Identifier: Apache-2.0 */
/* Reading LiteLLM's config.yaml: deployments, discounts, margins; includes are followed, secrets
 * are not copied. */
#include "pricing/book/config.h"

#include "core/clock.h"
#include "pricing/book/misplaced.h"
#include "pricing/book/targets.h"
#include "pricing/map/lists.h"

#include <stdio.h>
#include <stdlib.h>

#define INCLUDES_MAX 64
#define DEPLOYMENTS_MAX 100000

/* Members of model_info that are not prices but matter to them. */
static const char *const info_words[] = {
    "mode",
    "supported_regions",
    "provider_specific_entry",
    "vertex_ai_audio_api",
};

struct loader {
    struct arena *book;
    struct litellm_config *config;
    struct yaml_tree *tree[INCLUDES_MAX];
    char *path[INCLUDES_MAX];
    size_t tree_count;
    size_t capacity;
    const struct yaml_node *settings; /* the last litellm_settings wins */
    const struct yaml_node *variables;
    struct err *err;
};

static bool too_large(struct loader *l)
{
    return err_set(l->err, ERR_CONFIG, "the configuration is too large");
}

/* The text of a scalar, environment references resolved; "" when there is none. Lives in the book.
 */
static bool read_text(struct loader *l, const struct yaml_node *map, const char *key,
                      const char **text)
{
    const struct yaml_node *node = yaml_get(map, key);
    *text = "";
    if (!node || node->kind == YAML_NULL)
        return true;
    if (node->kind != YAML_SCALAR)
        return yaml_err(l->err, node, "%s must be a text", key);
    const struct node *value = node_from_yaml(l->book, node, l->err);
    if (!value)
        return false;
    if (value->kind != NODE_NULL)
        *text = value->kind == NODE_BOOL ? node->text.p : value->text;
    if (value->kind == NODE_BOOL && !(*text = arena_text(l->book, node->text)))
        return too_large(l);
    return true;
}

typedef bool wanted_fn(struct slice key);

static bool wanted_in_info(struct slice key)
{
    for (size_t i = 0; i < sizeof(info_words) / sizeof(info_words[0]); i++)
        if (slice_is(key, info_words[i]))
            return true;
    return price_key_suspect(key) || price_key_inert(key);
}

/* Only custom_pricing_keys count there (override.c); what else looks like a price is worth a
 * warning. */
static bool wanted_in_params(struct slice key)
{
    return list_has(&list_custom, key) || price_key_suspect(key);
}

/* The wanted members of a map as a node; an empty map when there are none. */
static const struct node *read_members(struct loader *l, const struct yaml_node *map,
                                       const char *what, wanted_fn *wanted)
{
    struct node *out = arena_zalloc(l->book, sizeof(*out));
    if (!out) {
        too_large(l);
        return NULL;
    }
    out->kind = NODE_MAP;
    if (!map || map->kind == YAML_NULL)
        return out;
    if (map->kind != YAML_MAP) {
        yaml_err(l->err, map, "%s must be a map", what);
        return NULL;
    }
    struct node **end = &out->children;
    for (const struct yaml_node *member = map->children; member; member = member->next) {
        if (!wanted(member->key->text))
            continue;
        *end = node_from_yaml(l->book, member, l->err);
        if (!*end)
            return NULL;
        end = &(*end)->next;
        out->count++;
    }
    return out;
}

static bool has_members(const struct node *value)
{
    return value && (value->kind == NODE_TEXT || value->count > 0);
}

/* Without a window the prices of the table would never hold. */
static bool check_off_peak(struct loader *l, const struct node *info)
{
    const struct node *table = node_get(info, "off_peak_pricing");
    return !table || table->kind != NODE_MAP || has_members(node_get(table, "hours_utc")) ||
           has_members(node_get(table, "windows")) ||
           node_err(l->err, table, "off_peak_pricing: neither hours_utc nor windows");
}

static bool read_time(struct loader *l, const struct yaml_node *entry, const struct yaml_node *info,
                      const char *key, int64_t *us, bool *set)
{
    const struct yaml_node *node = yaml_get(info, key);
    if (!node)
        node = yaml_get(entry, key);
    if (!node || node->kind == YAML_NULL)
        return true;
    *set = true;
    if (node->kind != YAML_SCALAR || !clock_parse(node->text, us))
        return yaml_err(l->err, node, "%s must be a time like 2026-01-31T00:00:00Z", key);
    return true;
}

static bool read_window(struct loader *l, const struct yaml_node *entry,
                        const struct yaml_node *info, struct deployment *out)
{
    out->from_us = WINDOW_ALWAYS;
    out->until_us = WINDOW_FOREVER;
    if (!read_time(l, entry, info, "effective_from", &out->from_us, &out->has_window) ||
        !read_time(l, entry, info, "effective_until", &out->until_us, &out->has_window))
        return false;
    if (out->from_us >= out->until_us)
        return yaml_err(l->err, entry, "effective_until must be later than effective_from");
    return true;
}

static bool is_enabled(const char *text)
{
    return strcmp(text, "true") == 0 || strcmp(text, "True") == 0 || strcmp(text, "1") == 0;
}

/* Section 5.5: provisioned throughput whose cost the gateway attributes by the hour. */
static bool is_ptu(const struct loader *l, const struct yaml_node *info)
{
    static const char name[] = "LITELLM_ENABLE_PTU_COST_ATTRIBUTION";
    const struct yaml_node *variable = yaml_get(l->variables, name);
    const char *set = variable && variable->kind == YAML_SCALAR ? variable->text.p : getenv(name);
    const struct yaml_node *count = yaml_get(info, "ptu_count");
    const struct yaml_node *rate = yaml_get(info, "cost_per_ptu_per_hour");
    return set && is_enabled(set) && count && count->kind == YAML_SCALAR && rate &&
           rate->kind == YAML_SCALAR;
}

static bool read_names(struct loader *l, const struct yaml_node *entry,
                       const struct yaml_node *params, const struct yaml_node *info,
                       struct deployment *out)
{
    const char *params_base;
    if (!read_text(l, entry, "model_name", &out->model_name) ||
        !read_text(l, params, "model", &out->model) ||
        !read_text(l, params, "custom_llm_provider", &out->provider) ||
        !read_text(l, info, "pricing_provider", &out->pricing_provider) ||
        !read_text(l, params, "base_model", &params_base) ||
        !read_text(l, params, "vertex_location", &out->vertex_location) ||
        !read_text(l, params, "aws_region_name", &out->region) ||
        !read_text(l, info, "base_model", &out->base_model) || !read_text(l, info, "id", &out->id))
        return false;
    if (!out->base_model[0])
        out->base_model = params_base;
    if (!out->model_name[0])
        return yaml_err(l->err, entry, "model_list: an entry without model_name");
    return out->model[0] ||
           yaml_err(l->err, entry, "model \"%.200s\": no litellm_params.model", out->model_name);
}

static bool read_deployment(struct loader *l, const struct yaml_node *entry, struct deployment *out)
{
    const struct yaml_node *params = yaml_get(entry, "litellm_params");
    const struct yaml_node *info = yaml_get(entry, "model_info");
    *out = (struct deployment){.line = entry->line};
    if (entry->kind != YAML_MAP)
        return yaml_err(l->err, entry, "model_list: an entry must be a map");
    if (!read_names(l, entry, params, info, out) || !read_window(l, entry, info, out))
        return false;
    out->file = arena_text(l->book, slice_of(entry->file));
    out->params = read_members(l, params, "litellm_params", wanted_in_params);
    out->info = out->params ? read_members(l, info, "model_info", wanted_in_info) : NULL;
    if (!out->file || !out->info)
        return l->err->kind ? false : too_large(l);
    if (!check_off_peak(l, out->info))
        return false;
    const struct yaml_node *call = yaml_get(params, "cost_per_query");
    if (call && !(out->call_price = node_from_yaml(l->book, call, l->err)))
        return false;
    out->is_ptu = is_ptu(l, info);
    return true;
}

static bool add_deployment(struct loader *l, const struct yaml_node *entry)
{
    struct litellm_config *config = l->config;
    if (config->deployment_count == DEPLOYMENTS_MAX)
        return yaml_err(l->err, entry, "more than %d deployments", DEPLOYMENTS_MAX);
    if (config->deployment_count == l->capacity) {
        l->capacity = l->capacity ? l->capacity * 2 : 16;
        struct deployment *grown = arena_alloc(l->book, l->capacity * sizeof(*grown));
        if (!grown)
            return too_large(l);
        if (config->deployment_count)
            memcpy(grown, config->deployment, config->deployment_count * sizeof(*grown));
        config->deployment = grown;
    }
    return read_deployment(l, entry, &config->deployment[config->deployment_count]) &&
           ++config->deployment_count;
}

static bool add_deployments(struct loader *l, const struct yaml_node *list)
{
    if (!list || list->kind == YAML_NULL)
        return true;
    if (list->kind != YAML_LIST)
        return yaml_err(l->err, list, "model_list must be a list");
    for (const struct yaml_node *entry = list->children; entry; entry = entry->next)
        if (!add_deployment(l, entry))
            return false;
    return true;
}

static bool add_file(struct loader *l, const char *path);

/* Relative to the file that includes. LiteLLM 1.106.2 appends lists and replaces all else. */
static bool add_includes(struct loader *l, const char *path, const struct yaml_node *list)
{
    char full[4096];
    if (!list || list->kind == YAML_NULL)
        return true;
    if (list->kind != YAML_LIST)
        return yaml_err(l->err, list, "include must be a list of files");
    for (const struct yaml_node *file = list->children; file; file = file->next) {
        const char *slash = strrchr(path, '/');
        if (file->kind != YAML_SCALAR)
            return yaml_err(l->err, file, "include must be a list of files");
        if (file->text.p[0] == '/' || !slash)
            snprintf(full, sizeof(full), "%s", file->text.p);
        else
            snprintf(full, sizeof(full), "%.*s/%s", (int)(slash - path), path, file->text.p);
        if (!add_file(l, full))
            return err_prefix(l->err, "%s:%u:%u: include", file->file, file->line, file->column);
    }
    return true;
}

static bool was_read(const struct loader *l, const char *path)
{
    for (size_t i = 0; i < l->tree_count; i++)
        if (strcmp(l->path[i], path) == 0)
            return true;
    return false;
}

static bool add_file(struct loader *l, const char *path)
{
    if (was_read(l, path))
        return true;
    if (l->tree_count == INCLUDES_MAX)
        return err_set(l->err, ERR_CONFIG, "%s: more than %d files", path, INCLUDES_MAX);
    struct yaml_tree *tree = yaml_load(path, l->err);
    if (!tree)
        return false;
    l->tree[l->tree_count] = tree;
    l->path[l->tree_count] = strdup(path);
    if (!l->path[l->tree_count++])
        return too_large(l);
    const struct yaml_node *root = yaml_root(tree);
    if (root->kind != YAML_MAP && root->kind != YAML_NULL)
        return yaml_err(l->err, root, "a configuration must be a map");
    if (yaml_get(root, "litellm_settings"))
        l->settings = yaml_get(root, "litellm_settings");
    if (yaml_get(root, "environment_variables"))
        l->variables = yaml_get(root, "environment_variables");
    if (!misplaced_collect(l->book, root, l->config))
        return too_large(l);
    return add_deployments(l, yaml_get(root, "model_list")) &&
           add_includes(l, path, yaml_get(root, "include"));
}

/* ---- discounts and margins --------------------------------------------------------------------
 */

static bool read_rate(struct loader *l, const struct yaml_node *node, const char *entry,
                      const char *key, struct rate *rate, bool *set)
{
    struct node *value = node_from_yaml(l->book, node, l->err);
    if (!value)
        return false;
    value->key = key;
    if (!node_price(value, &rate->value, set, l->err))
        return false;
    rate->source = (struct rate_source){value->file, value->line, entry, key};
    return true;
}

static bool read_discounts(struct loader *l, const struct yaml_node *map)
{
    struct litellm_config *config = l->config;
    struct decimal one = DECIMAL_ONE;
    if (!map || map->kind == YAML_NULL)
        return true;
    if (map->kind != YAML_MAP)
        return yaml_err(l->err, map, "cost_discount_config must be a map");
    config->discount = arena_zalloc(l->book, (map->count + 1) * sizeof(*config->discount));
    if (!config->discount)
        return too_large(l);
    for (const struct yaml_node *node = map->children; node; node = node->next) {
        struct discount *discount = &config->discount[config->discount_count];
        bool set;
        discount->provider = arena_text(l->book, node->key->text);
        if (!discount->provider)
            return too_large(l);
        if (!read_rate(l, node, discount->provider, "cost_discount_config", &discount->rate, &set))
            return false;
        if (set && decimal_cmp(&discount->rate.value, &one) > 0)
            return yaml_err(l->err, node, "a discount of more than 1 (100 %%)");
        config->discount_count += set;
    }
    return true;
}

/* A word that is none would leave the margin out of every bill. */
static bool margin_words(struct loader *l, const struct yaml_node *map)
{
    for (const struct yaml_node *n = map->children; n; n = n->next)
        if (!slice_is(n->key->text, "percentage") && !slice_is(n->key->text, "fixed_amount"))
            return yaml_err(l->err, n, "cost_margin_config: percentage and fixed_amount, not %.*s",
                            (int)n->key->text.bytes, n->key->text.p);
    return map->count > 0 ||
           yaml_err(l->err, map, "cost_margin_config: neither percentage nor fixed_amount");
}

static bool read_margin(struct loader *l, const struct yaml_node *node, struct margin *margin)
{
    const struct yaml_node *percentage = yaml_get(node, "percentage");
    const struct yaml_node *fixed = yaml_get(node, "fixed_amount");
    if (node->kind == YAML_SCALAR)
        return read_rate(l, node, margin->provider, "cost_margin_config", &margin->percentage,
                         &margin->has_percentage);
    if (node->kind != YAML_MAP)
        return yaml_err(l->err, node,
                        "cost_margin_config: a number, or percentage and fixed_amount");
    return margin_words(l, node) &&
           (!percentage || read_rate(l, percentage, margin->provider, "percentage",
                                     &margin->percentage, &margin->has_percentage)) &&
           (!fixed || read_rate(l, fixed, margin->provider, "fixed_amount", &margin->fixed,
                                &margin->has_fixed));
}

static bool read_margins(struct loader *l, const struct yaml_node *map)
{
    struct litellm_config *config = l->config;
    if (!map || map->kind == YAML_NULL)
        return true;
    if (map->kind != YAML_MAP)
        return yaml_err(l->err, map, "cost_margin_config must be a map");
    config->margin = arena_zalloc(l->book, (map->count + 1) * sizeof(*config->margin));
    if (!config->margin)
        return too_large(l);
    for (const struct yaml_node *node = map->children; node; node = node->next) {
        struct margin *margin = &config->margin[config->margin_count++];
        margin->provider = arena_text(l->book, node->key->text);
        if (!margin->provider)
            return too_large(l);
        if (!read_margin(l, node, margin))
            return false;
    }
    return true;
}

/* ---- checks over all deployments ---------------------------------------------------------------
 */

/* Several prices for one deployment are its price history: their times must not overlap. Without
 * times they are load balancing, as LiteLLM has it. */
static bool overlaps(const struct deployment *a, const struct deployment *b, struct err *err)
{
    if ((!a->has_window && !b->has_window) || a->from_us >= b->until_us ||
        b->from_us >= a->until_us)
        return false;
    err_set(err, ERR_CONFIG, "%s:%u: model \"%.200s\": its time overlaps that of line %u", a->file,
            a->line, a->model_name, b->line);
    return true;
}

/* The deployments before this one of the same target, as a chain; of a group without times none is
 * looked at. */
struct chains {
    struct targets *targets;
    size_t *last;     /* of a group, + 1; 0 = none yet */
    size_t *previous; /* of a deployment in its group, + 1 */
    bool *timed;      /* a group has times */
};

static bool chain_check(const struct litellm_config *config, struct chains *chains, size_t i,
                        struct err *err)
{
    const struct deployment *a = &config->deployment[i];
    size_t group = targets_group(chains->targets, a);
    chains->previous[i] = chains->last[group];
    chains->last[group] = i + 1;
    chains->timed[group] |= a->has_window;
    for (size_t j = chains->timed[group] ? chains->previous[i] : 0; j; j = chains->previous[j - 1])
        if (overlaps(a, &config->deployment[j - 1], err))
            return false;
    return true;
}

static bool check_windows(const struct litellm_config *config, struct err *err)
{
    size_t count = config->deployment_count ? config->deployment_count : 1;
    struct chains chains = {targets_new(count), calloc(count, sizeof(size_t)),
                            calloc(count, sizeof(size_t)), calloc(count, sizeof(bool))};
    bool ok = (chains.targets && chains.last && chains.previous && chains.timed) ||
              err_set(err, ERR_FATAL, "out of memory");
    for (size_t i = 0; ok && i < config->deployment_count; i++)
        ok = chain_check(config, &chains, i, err);
    targets_free(chains.targets);
    free(chains.last);
    free(chains.previous);
    free(chains.timed);
    return ok;
}

static bool load(struct loader *l, const char *file)
{
    if (!add_file(l, file))
        return false;
    if (!read_discounts(l, yaml_get(l->settings, "cost_discount_config")) ||
        !read_margins(l, yaml_get(l->settings, "cost_margin_config")) ||
        !check_windows(l->config, l->err))
        return false;
    l->config->file = arena_text(l->book, slice_of(file));
    return l->config->file || too_large(l);
}

bool litellm_config_load(struct arena *book, const char *file, struct litellm_config *config,
                         struct err *err)
{
    struct loader l = {.book = book, .config = config, .err = err};
    *config = (struct litellm_config){.file = NULL};
    if (!file)
        return true;
    bool ok = load(&l, file);
    for (size_t i = 0; i < l.tree_count; i++) {
        yaml_free(l.tree[i]);
        free(l.path[i]);
    }
    return ok;
}
