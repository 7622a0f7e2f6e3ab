/* SPDX-License-Identifier: Apache-2.0 */
/* A deployment's own prices laid over the map's entry, in both override modes. */
#include "pricing/book/override.h"

#include "pricing/map/lists.h"
#include "pricing/names/providers.h"

#include <stdio.h>

static const char *const second_keys[] = {"cost_per_second", "input_cost_per_second",
                                          "output_cost_per_second"};
static const char *const wall_clock_modes[] = {"chat", "completion", "embedding", "responses"};
static const char *const inherited_cache_keys[] = {
    "cache_creation_input_token_cost",
    "cache_creation_input_token_cost_above_1hr",
    "cache_creation_input_token_cost_above_200k_tokens",
    "cache_read_input_token_cost",
    "cache_read_input_token_cost_above_200k_tokens",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool too_many(struct err *err, const struct deployment *deployment)
{
    return err_set(err, ERR_CONFIG, "%s:%u: model \"%.200s\" has more than %d prices",
                   deployment->file, deployment->line, deployment->model_name, FIELDS_MAX);
}

/* ---- 5.2 ---------------------------------------------------------------------------------------
 */

static bool counts_in_merge(const char *key, const struct variants *variants)
{
    struct price_key parsed;
    if (strcmp(key, "provider_specific_entry") == 0 || strcmp(key, "web_search_billing_unit") == 0)
        return true;
    return price_key_parse(slice_of(key), variants, NULL, &parsed) &&
           (parsed.above_tokens || parsed.detail.bytes || parsed.variant >= VARIANT_LEARNED);
}

bool override_is_custom(const struct deployment *deployment, enum overrides_mode mode,
                        const struct variants *variants)
{
    for (const struct node *n = deployment->params->children; n; n = n->next)
        if (n->kind != NODE_NULL && list_has(&list_custom, slice_of(n->key)))
            return true;
    for (const struct node *n = deployment->info->children; n; n = n->next) {
        if (n->kind == NODE_NULL)
            continue;
        if (list_has(&list_custom, slice_of(n->key)) || strcmp(n->key, "off_peak_pricing") == 0)
            return true;
        if (mode == OVERRIDES_MERGE && counts_in_merge(n->key, variants))
            return true;
    }
    return false;
}

bool override_set_fields(const struct deployment *deployment, struct fields *set, struct err *err)
{
    for (const struct node *n = deployment->info->children; n; n = n->next)
        if (n->kind != NODE_NULL && !fields_set(set, n, deployment->model_name))
            return too_many(err, deployment);
    for (const struct node *n = deployment->params->children; n; n = n->next)
        if (n->kind != NODE_NULL && list_has(&list_custom, slice_of(n->key)) &&
            !fields_set(set, n, deployment->model_name))
            return too_many(err, deployment);
    return true;
}

/* ---- provisioned throughput (5.5) --------------------------------------------------------------
 */

/* Mode litellm: what LiteLLM sets to 0 in a deployment that is paid by the hour, whether it was set
 * or not; of what litellm_params sets, every other price too. All else stands, as set or as in the
 * map, and is billed **Q**. */
static const char *const zeroed_keys[] = {
    "input_cost_per_token",
    "output_cost_per_token",
    "input_cost_per_character",
    "output_cost_per_character",
    "cache_read_input_token_cost",
    "cache_read_input_token_cost_above_200k_tokens",
    "explicit_cache_read_input_token_cost",
    "cache_creation_input_token_cost",
    "cache_creation_input_token_cost_above_200k_tokens",
    "cache_creation_input_token_cost_above_1hr",
    "cache_creation_input_token_cost_above_12hr",
    "cache_creation_input_token_cost_above_12hr_flex",
    "cache_creation_input_token_cost_above_12hr_priority",
    "cache_creation_input_token_cost_above_12hr_ultrafast",
    "cache_creation_input_token_cost_above_12hr_batches",
    "cache_creation_input_token_cost_above_12hr_above_272k_tokens",
    "cache_creation_input_token_cost_above_12hr_above_272k_tokens_flex",
    "cache_creation_input_token_cost_above_12hr_above_272k_tokens_priority",
    "cache_creation_input_token_cost_above_12hr_above_272k_tokens_ultrafast",
    "cache_creation_input_token_cost_above_12hr_above_272k_tokens_batches",
    "google_maps_grounding_cost_per_query",
};
static const char *const zeroed_sizes[] = {"search_context_size_low", "search_context_size_medium",
                                           "search_context_size_high"};
static const char zeroed_table[] = "search_context_cost_per_query";

static struct node *make_zero(struct arena *arena, const struct deployment *deployment,
                              const char *key)
{
    const struct node zero = {.kind = NODE_NUMBER,
                              .key = key,
                              .text = "0",
                              .file = deployment->file,
                              .line = deployment->line};
    return node_copy(arena, &zero);
}

static bool set_zero(struct arena *arena, const struct deployment *deployment, const char *key,
                     struct fields *set)
{
    const struct node *zero = make_zero(arena, deployment, key);
    return zero && fields_set(set, zero, deployment->model_name);
}

static bool zero_searches(struct arena *arena, const struct deployment *deployment,
                          struct fields *set)
{
    struct node *table = make_zero(arena, deployment, zeroed_table);
    if (!table)
        return false;
    table->kind = NODE_MAP;
    for (size_t i = 0; i < COUNT(zeroed_sizes); i++) {
        struct node *size = make_zero(arena, deployment, zeroed_sizes[i]);
        if (!size)
            return false;
        node_append(table, size);
    }
    return fields_set(set, table, deployment->model_name);
}

static bool zero_reserved(struct arena *arena, const struct deployment *deployment,
                          struct fields *set)
{
    fields_remove(set, "tiered_pricing");
    for (const struct node *n = deployment->params->children; n; n = n->next)
        if (n->kind != NODE_NULL && list_has(&list_custom, slice_of(n->key)) &&
            strstr(n->key, "cost") && !set_zero(arena, deployment, n->key, set))
            return false;
    for (size_t i = 0; i < COUNT(zeroed_keys); i++)
        if (!set_zero(arena, deployment, zeroed_keys[i], set))
            return false;
    return zero_searches(arena, deployment, set);
}

/* What the deployment sets, as it is billed. */
static bool billed_fields(struct arena *arena, const struct deployment *deployment,
                          enum overrides_mode mode, struct fields *set, struct err *err)
{
    if (!override_set_fields(deployment, set, err))
        return false;
    return !deployment->is_ptu || mode == OVERRIDES_MERGE ||
           zero_reserved(arena, deployment, set) || too_many(err, deployment);
}

static bool sets_any(const struct fields *fields, const char *const keys[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fields_get(fields, keys[i]))
            return true;
    return false;
}

/* ---- mode litellm (5.3) ------------------------------------------------------------------------
 */

static bool inherit(struct fields *out, const struct entry *base, const struct node *member)
{
    return fields_get(out, member->key) || member->kind == NODE_NULL ||
           fields_set(out, member, base->name);
}

typedef bool wanted_fn(const char *key);

static bool inherit_wanted(struct fields *out, const struct entry *base, wanted_fn *wanted)
{
    for (const struct node *n = base->raw->children; n; n = n->next)
        if (strcmp(n->key, "litellm_provider") != 0 && wanted(n->key) && !inherit(out, base, n))
            return false;
    return true;
}

static bool want_all(const char *key)
{
    (void)key;
    return true;
}

static bool want_cache(const char *key)
{
    for (size_t i = 0; i < COUNT(inherited_cache_keys); i++)
        if (strcmp(key, inherited_cache_keys[i]) == 0)
            return true;
    return false;
}

static bool want_explicit_read(const char *key)
{
    return strcmp(key, "explicit_cache_read_input_token_cost") == 0;
}

static bool want_tier(const char *key)
{
    static const char *const suffixes[] = {"_priority", "_flex", "_balanced", "_ultrafast"};
    size_t bytes = strlen(key);
    for (size_t i = 0; i < COUNT(suffixes); i++) {
        size_t suffix = strlen(suffixes[i]);
        if (bytes > suffix && strcmp(key + bytes - suffix, suffixes[i]) == 0)
            return true;
    }
    return false;
}

static bool want_output(const char *key)
{
    return strcmp(key, "output_cost_per_token") == 0;
}

static bool tiers_lack_output(const struct node *tiers)
{
    if (!tiers || tiers->kind != NODE_LIST)
        return false;
    for (const struct node *tier = tiers->children; tier; tier = tier->next)
        if (!node_get(tier, "output_cost_per_token"))
            return true;
    return false;
}

/* The five inheritances, in LiteLLM 1.106.2's order. A rate of B that is 0 would make the output
 * free, so the fourth only takes what bills. */
static bool inherit_like_litellm(struct fields *out, const struct entry *base)
{
    static const char *const blocking[] = {"input_cost_per_token", "input_cost_per_second",
                                           "cost_per_second", "tiered_pricing"};
    static const char *const token_keys[] = {"input_cost_per_token", "output_cost_per_token"};
    if (fields_get(out, "off_peak_pricing") && !sets_any(out, blocking, COUNT(blocking)) &&
        !inherit_wanted(out, base, want_all))
        return false;
    bool own_read = fields_get(out, "cache_read_input_token_cost") != NULL;
    if (fields_get(out, "input_cost_per_token") &&
        (!inherit_wanted(out, base, want_cache) ||
         (!own_read && !inherit_wanted(out, base, want_explicit_read))))
        return false;
    if (sets_any(out, token_keys, COUNT(token_keys)) && !inherit_wanted(out, base, want_tier))
        return false;
    return !tiers_lack_output(fields_get(out, "tiered_pricing")) ||
           inherit_wanted(out, base, want_output);
}

/* A deployment that sets none of these has no prices of its own for batch jobs. */
static const char *const job_price_keys[] = {
    "input_cost_per_token",
    "output_cost_per_token",
    "input_cost_per_token_batches",
    "output_cost_per_token_batches",
    "input_cost_per_token_above_200k_tokens_batches",
    "input_cost_per_token_above_272k_tokens_batches",
    "output_cost_per_token_above_200k_tokens_batches",
    "output_cost_per_token_above_272k_tokens_batches",
    "cache_read_input_token_cost_batches",
    "cache_read_input_token_cost_above_200k_tokens_batches",
    "cache_read_input_token_cost_above_272k_tokens_batches",
    "cache_creation_input_token_cost_batches",
    "cache_creation_input_token_cost_above_200k_tokens_batches",
    "cache_creation_input_token_cost_above_272k_tokens_batches",
    "ocr_cost_per_page",
    "ocr_cost_per_page_batches",
    "annotation_cost_per_page",
    "annotation_cost_per_page_batches",
};

/* Batch jobs: a direction of which the deployment sets no flat rate keeps the flat and batch rates
 * of the map's entry (LiteLLM, deployment_pricing_model_info). */
static bool inherit_for_job(struct fields *out, const struct entry *base,
                            const struct variants *variants)
{
    struct price_key key;
    const char *const sides[2][2] = {{"input_cost_per_token", "input_cost_per_token_batches"},
                                     {"output_cost_per_token", "output_cost_per_token_batches"}};
    for (size_t i = 0; i < 2; i++) {
        if (sets_any(out, sides[i], 2))
            continue;
        for (const struct node *n = base->raw->children; n; n = n->next) {
            bool known = price_key_parse(slice_of(n->key), variants, NULL, &key);
            bool ours =
                known && (i == 1 ? key.kind == RATE_OUTPUT
                                 : key.kind == RATE_INPUT || key.kind == RATE_READ ||
                                       key.kind == RATE_WRITE || key.kind == RATE_WRITE_1H ||
                                       key.kind == RATE_WRITE_12H);
            if (ours && (key.variant == VARIANT_BATCHES || strcmp(n->key, sides[i][0]) == 0) &&
                !inherit(out, base, n))
                return false;
        }
    }
    return true;
}

/* ---- mode merge (5.4) --------------------------------------------------------------------------
 */

static bool positive(const struct node *value)
{
    struct decimal price;
    struct err ignored = {0};
    bool set;
    return node_price(value, &price, &set, &ignored) && set && !decimal_is_zero(&price);
}

static bool has_mode(const struct node *mode, const char *const modes[], size_t count)
{
    if (!mode || mode->kind != NODE_TEXT)
        return !mode;
    for (size_t i = 0; i < count; i++)
        if (strcmp(mode->text, modes[i]) == 0)
            return true;
    return false;
}

static bool is_token_key(const struct price_key *key)
{
    return key->kind <= RATE_INPUT_AUDIO_TOKEN ||
           (key->kind >= RATE_READ_AUDIO && key->kind <= RATE_CITATION);
}

/* What is being decided about one inherited key. */
struct drops {
    bool by_clock;  /* a wall-clock price: whatever would beat it goes */
    bool by_tokens; /* a token price: wall-clock rates go */
    bool input_chars, output_chars, image_tokens, video_seconds;
};

static bool is_second_key(const char *key)
{
    for (size_t i = 0; i < COUNT(second_keys); i++)
        if (strcmp(key, second_keys[i]) == 0)
            return true;
    return false;
}

static bool sets_output_seconds(const struct fields *set)
{
    static const char prefix[] = "output_cost_per_second";
    for (size_t i = 0; i < set->count; i++)
        if (strncmp(set->field[i].value->key, prefix, sizeof(prefix) - 1) == 0)
            return true;
    return false;
}

static struct drops drops_of(const struct fields *set, const struct entry *base)
{
    const struct node *mode = fields_get(set, "mode");
    const struct node *input = fields_get(set, "input_cost_per_token");
    const struct node *output = fields_get(set, "output_cost_per_token");
    if (!mode)
        mode = node_get(base->raw, "mode");
    bool transcription =
        mode && mode->kind == NODE_TEXT && !strcmp(mode->text, "audio_transcription");
    bool plain_mode = has_mode(mode, wall_clock_modes, COUNT(wall_clock_modes));
    bool tiers = fields_get(set, "tiered_pricing") != NULL;
    struct drops drops = {0};
    drops.by_clock = (plain_mode || transcription) && !positive(input) && !positive(output) &&
                     !tiers && sets_any(set, second_keys, COUNT(second_keys));
    drops.by_tokens = !drops.by_clock && plain_mode && (input || output || tiers);
    drops.input_chars = input != NULL;
    drops.output_chars = output != NULL;
    drops.image_tokens = output && !positive(output);
    drops.video_seconds = sets_output_seconds(set);
    return drops;
}

static bool is_dropped(const struct drops *drops, const char *name, const struct variants *variants)
{
    struct price_key key;
    bool known = price_key_parse(slice_of(name), variants, NULL, &key);
    bool table = strcmp(name, "tiered_pricing") == 0 || strcmp(name, "off_peak_pricing") == 0;
    if (drops->by_clock && (is_second_key(name) || table || (known && is_token_key(&key))))
        return true;
    if (drops->by_tokens && is_second_key(name))
        return true;
    if (!known)
        return false;
    return (drops->input_chars && key.kind == RATE_INPUT_CHARACTER) ||
           (drops->output_chars && key.kind == RATE_OUTPUT_CHARACTER) ||
           (drops->image_tokens && key.kind == RATE_OUTPUT_IMAGE_TOKEN) ||
           (drops->video_seconds && key.kind == RATE_OUTPUT_VIDEO_SECOND);
}

/* A tier with the set rates written over its own. */
static struct node *overlay_tier(struct arena *arena, const struct node *tier,
                                 const struct fields *set)
{
    struct node *out = node_copy(arena, tier);
    if (!out)
        return NULL;
    out->children = NULL;
    out->count = 0;
    for (const struct node *n = tier->children; n; n = n->next) {
        bool replaced = false;
        for (size_t i = 0; i < TIER_RATE_COUNT; i++)
            replaced |= strcmp(n->key, tier_rate_key[i]) == 0 && fields_get(set, tier_rate_key[i]);
        struct node *copy = replaced ? NULL : node_copy(arena, n);
        if (!replaced && !copy)
            return NULL;
        if (copy)
            node_append(out, copy);
    }
    for (size_t i = 0; i < TIER_RATE_COUNT; i++) {
        const struct node *value = fields_get(set, tier_rate_key[i]);
        struct node *copy = value ? node_copy(arena, value) : NULL;
        if (value && !copy)
            return NULL;
        if (copy)
            node_append(out, copy);
    }
    return out;
}

static bool sets_tier_rate(const struct fields *set)
{
    return sets_any(set, tier_rate_key, TIER_RATE_COUNT);
}

/* An inherited tiered_pricing stays, and each of its rows takes the set rates: without the table,
 * setting only the input would make the output free. */
static const struct node *overlay_tiers(struct arena *arena, const struct node *tiers,
                                        const struct fields *set)
{
    if (tiers->kind != NODE_LIST || !sets_tier_rate(set))
        return tiers;
    struct node *out = node_copy(arena, tiers);
    if (!out)
        return NULL;
    out->children = NULL;
    out->count = 0;
    for (const struct node *tier = tiers->children; tier; tier = tier->next) {
        struct node *row = overlay_tier(arena, tier, set);
        if (!row)
            return NULL;
        node_append(out, row);
    }
    return out;
}

static bool merge_base(struct arena *arena, const struct fields *set, const struct entry *base,
                       const struct variants *variants, bool drop, struct fields *out)
{
    struct drops drops = drop ? drops_of(set, base) : (struct drops){0};
    for (const struct node *n = base->raw->children; n; n = n->next) {
        if (strcmp(n->key, "litellm_provider") == 0 || is_dropped(&drops, n->key, variants))
            continue;
        if (strcmp(n->key, "tiered_pricing") == 0 && !(n = overlay_tiers(arena, n, set)))
            return false;
        if (!fields_set(out, n, base->name))
            return false;
    }
    return true;
}

static bool lay_over(const struct fields *set, struct fields *out)
{
    for (size_t i = 0; i < set->count; i++)
        if (!fields_set(out, set->field[i].value, set->field[i].entry))
            return false;
    return true;
}

bool override_fields(struct arena *arena, const struct deployment *deployment,
                     enum overrides_mode mode, const struct variants *variants,
                     const struct entry *base, struct fields *out, struct err *err)
{
    struct fields set = {.count = 0};
    out->count = 0;
    if (!billed_fields(arena, deployment, mode, &set, err))
        return false;
    if (mode == OVERRIDES_MERGE) {
        if (base && !merge_base(arena, &set, base, variants, true, out))
            return too_many(err, deployment);
        return lay_over(&set, out) || too_many(err, deployment);
    }
    *out = set;
    return !base || deployment->is_ptu || inherit_like_litellm(out, base) ||
           too_many(err, deployment);
}

/* ---- building ----------------------------------------------------------------------------------
 */

/* The provider LiteLLM 1.106.2 reads from a backend's name: some Azure and AI21 names are taken for
 * another provider's, which then has no entry of that name (5.4, last paragraph). */
static struct slice base_provider(const struct resolver *r, const struct deployment *deployment,
                                  struct slice name)
{
    struct slice said = names_provider(name), provider = slice_of(deployment->provider);
    if (deployment->pricing_provider[0])
        return slice_of(deployment->pricing_provider);
    if (r->overrides != OVERRIDES_LITELLM)
        return said.bytes ? said : provider;
    struct slice bare = names_bare(r, name, said);
    if (slice_is(said, "ai21"))
        return SLICE("ai21_chat");
    if (slice_is(said, "azure") &&
        (slice_starts(bare, SLICE("command-r")) ||
         catalog_find(r->catalog, names_join(r, SLICE("mistral"), "/", bare))))
        return SLICE("openai");
    return provider.bytes ? provider : said;
}

/* What the provider that is called is sent: under a pricing_provider the rows are another's. */
static struct slice sent_name(const struct deployment *deployment, struct slice name)
{
    struct slice called = slice_of(deployment->provider);
    if (called.bytes == 0)
        called = names_provider(name);
    if (called.bytes == 0 || !names_has_segment(name, called))
        return name;
    return (struct slice){name.p + called.bytes + 1, name.bytes - called.bytes - 1};
}

static const struct entry *find_base(const struct resolver *r, const struct deployment *deployment,
                                     struct slice name)
{
    struct resolver plain = *r;
    plain.fixed = NULL;
    if (r->overrides == OVERRIDES_MERGE && deployment->region[0]) {
        struct slice regional =
            names_join(r, slice_of(deployment->region), "/", names_bedrock_id(name));
        const struct entry *entry =
            catalog_find(r->catalog, names_join(r, SLICE("bedrock"), "/", regional));
        if (entry && slice_is(base_provider(r, deployment, name), "bedrock"))
            return entry;
    }
    struct found found = names_lookup(&plain, name, base_provider(r, deployment, name));
    if (!found.entry && r->overrides == OVERRIDES_MERGE && deployment->pricing_provider[0])
        found = names_lookup(&plain, sent_name(deployment, name),
                             slice_of(deployment->pricing_provider));
    if (!found.entry && r->overrides == OVERRIDES_MERGE)
        return catalog_find_folded(r->catalog, name);
    return found.entry;
}

static const struct rule *compile(struct arena *arena, const struct resolver *r,
                                  const struct deployment *deployment, const struct fields *fields,
                                  struct err *err)
{
    struct rule_options options = {deployment->model_name, "", &r->catalog->variants,
                                   r->overrides == OVERRIDES_LITELLM};
    const struct rule *rule = rule_compile(arena, fields, &options, err);
    if (!rule)
        err_prefix(err, "model \"%.200s\"", deployment->model_name);
    return rule;
}

static bool build_image(struct arena *arena, const struct resolver *r,
                        const struct deployment *deployment, const struct fields *set,
                        const struct entry *shared, struct override *out, struct err *err)
{
    struct fields image = {.count = 0};
    if (shared && !catalog_fields(shared, &image))
        return too_many(err, deployment);
    if (!lay_over(set, &image))
        return too_many(err, deployment);
    out->set = compile(arena, r, deployment, set, err);
    out->image = out->set ? compile(arena, r, deployment, &image, err) : NULL;
    return out->image != NULL;
}

/* Mode merge: provisioned throughput is paid by the hour, and has no rate at all. */
static void drop_reserved(struct fields *fields, const struct variants *variants)
{
    struct price_key key;
    for (size_t i = fields->count; i-- > 0;)
        if (price_key_parse(slice_of(fields->field[i].value->key), variants, NULL, &key))
            fields->field[i] = fields->field[--fields->count];
    fields_remove(fields, "tiered_pricing");
    fields_remove(fields, "off_peak_pricing");
}

bool override_build(struct arena *arena, const struct resolver *r,
                    const struct deployment *deployment, struct slice model, struct override *out,
                    struct err *err)
{
    const struct variants *variants = &r->catalog->variants;
    struct slice base_model = slice_of(deployment->base_model);
    struct fields set = {.count = 0}, entry;
    *out =
        (struct override){.base = find_base(r, deployment, base_model.bytes ? base_model : model)};
    if (!billed_fields(arena, deployment, r->overrides, &set, err) ||
        !override_fields(arena, deployment, r->overrides, variants, out->base, &entry, err))
        return false;
    if (deployment->is_ptu && r->overrides == OVERRIDES_MERGE)
        drop_reserved(&entry, variants);
    out->entry = compile(arena, r, deployment, &entry, err);
    if (!out->entry)
        return false;
    const struct entry *shared = out->base;
    if (r->overrides == OVERRIDES_LITELLM) {
        shared = find_base(r, deployment, model);
        out->sets_job_price = sets_any(&entry, job_price_keys, COUNT(job_price_keys));
    }
    return build_image(arena, r, deployment, &set, shared, out, err);
}

const struct rule *override_job_rule(struct arena *arena, const struct resolver *r,
                                     const struct deployment *deployment,
                                     const struct override *own, const struct entry *published)
{
    const struct variants *variants = &r->catalog->variants;
    struct err ignored = {0};
    struct fields job;
    if (!published ||
        !override_fields(arena, deployment, r->overrides, variants, own->base, &job, &ignored))
        return own->entry;
    if (!inherit_for_job(&job, published, variants))
        return own->entry;
    const struct rule *rule = compile(arena, r, deployment, &job, &ignored);
    return rule ? rule : own->entry;
}
