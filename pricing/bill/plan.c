/* SPDX-License-Identifier: Apache-2.0 */
#include "pricing/bill/plan.h"

#include "pricing/book/deployments.h"
#include "pricing/book/override.h"
#include "pricing/book/unread.h"
#include "pricing/map/lists.h"

#include <stdio.h>

/* Every fact that a plan looks at. */
#define BIT(id) FACT_BIT(FACT_##id)

static const u128 key_texts = BIT(CALL_TYPE) | BIT(PROVIDER) | BIT(MODEL) | BIT(MODEL_REQUESTED) |
                              BIT(MODEL_ANSWERED) | BIT(MODEL_GROUP) | BIT(MODEL_ID) |
                              BIT(API_HOST) | BIT(REGION) | BIT(BATCH_MODELS) |
                              BIT(BATCH_LINE_MODELS) | BIT(SESSION_MODELS) |
                              BIT(TRANSCRIPTION_MODEL) | BIT(SEARCH_MODE) | BIT(IMAGE_TOOL_MODEL);

/* A body of a batch's result says so in its tier only. */
static bool says_batch(const struct facts *facts)
{
    return slice_is(facts_text(facts, FACT_SERVICE_TIER), "batch");
}

size_t plan_key(const struct edition *edition, const struct facts *facts, char *key,
                size_t capacity)
{
    char *p = key, *end = key + capacity;
    memcpy(p, &edition, sizeof(edition));
    p += sizeof(edition);
    for (unsigned word = 0; word < FACT_WORDS; word++) {
        uint64_t has = facts_of(facts, key_texts, word);
        memcpy(p, &has, sizeof(has));
        p += sizeof(has);
        for (; has; has &= has - 1) {
            struct slice text = facts->v[word * 64 + (unsigned)__builtin_ctzll(has)].s;
            uint16_t length = (uint16_t)text.bytes;
            if (text.bytes > UINT16_MAX ||
                (size_t)(end - p) < sizeof(length) + text.bytes + sizeof(has))
                return 0;
            memcpy(p, &length, sizeof(length));
            if (text.bytes)
                memcpy(p + sizeof(length), text.p, text.bytes);
            p += sizeof(length) + text.bytes;
        }
    }
    *p++ = (char)(says_batch(facts) << 2 | facts_int(facts, FACT_SPILLED_OVER) << 1 |
                  facts_int(facts, FACT_BATCH));
    return (size_t)(p - key);
}

struct planner {
    struct resolver r;
    const struct edition *edition;
    const struct facts *facts;
    struct arena *memo;
    struct plan *plan;
    struct slice region; /* Bedrock's: prices of a region come first */
    /* Whose rows price the name at hand: the plan's provider, or that of a base_model's own row. */
    struct slice provider_name;
    enum provider_id provider;
};

/* ---- names of the event ------------------------------------------------------------------------
 */

struct slice plan_full_name(const struct facts *facts)
{
    struct slice requested = facts_text(facts, FACT_MODEL_REQUESTED);
    return requested.bytes ? requested : facts_text(facts, FACT_MODEL);
}

static bool same_model(struct slice a, struct slice b)
{
    if (slice_eq(a, b))
        return true;
    struct slice longer = a.bytes > b.bytes ? a : b, shorter = a.bytes > b.bytes ? b : a;
    size_t extra = longer.bytes - shorter.bytes;
    return extra > 1 && longer.p[extra - 1] == '/' &&
           slice_eq((struct slice){longer.p + extra, shorter.bytes}, shorter);
}

static bool is_mantle(const struct planner *p)
{
    return slice_is(p->plan->provider_name, "bedrock_mantle");
}

/* What the provider says it served; empty when absent. A proxy rewrites it to the alias before it
 * logs (1.2): Mantle's answer was the id without its region, others are as good as absent. Where
 * nothing is said apart, `model` is the answer's, unless it only repeats what was sent. */
static struct slice answered_name(const struct planner *p)
{
    const struct facts *facts = p->facts;
    struct slice answered = facts_text(facts, FACT_MODEL_ANSWERED);
    struct slice model = facts_text(facts, FACT_MODEL), full = plan_full_name(facts);
    struct slice group = facts_text(facts, FACT_MODEL_GROUP);
    if (answered.bytes == 0)
        return same_model(model, full) ? (struct slice){"", 0} : model;
    if (!slice_eq(answered, group) || slice_eq(answered, full))
        return answered;
    return is_mantle(p) ? names_mantle_id(full) : (struct slice){"", 0};
}

/* "bedrock-mantle.<region>.api.aws" */
static struct slice region_of_host(struct slice host)
{
    static const char prefix[] = "bedrock-mantle.", suffix[] = ".api.aws";
    size_t before = sizeof(prefix) - 1, after = sizeof(suffix) - 1;
    if (host.bytes > before + after && memcmp(host.p, prefix, before) == 0 &&
        memcmp(host.p + host.bytes - after, suffix, after) == 0)
        return (struct slice){host.p + before, host.bytes - before - after};
    return (struct slice){"", 0};
}

/* Mantle: the deployment's region where one is configured, else the upstream's host's; us-east-1.
 */
static struct slice mantle_region(const struct planner *p)
{
    const struct priced_deployment *d = p->plan->deployment;
    struct slice region =
        d ? slice_of(d->deployment->region) : region_of_host(facts_text(p->facts, FACT_API_HOST));
    return region.bytes ? region : SLICE("us-east-1");
}

/* Bedrock: the deployment's region; in mode merge also what the event says of it, since LiteLLM has
 * no other event than its own. */
static struct slice bedrock_region(const struct planner *p)
{
    const struct priced_deployment *d = p->plan->deployment;
    struct slice region = slice_of(d ? d->deployment->region : "");
    if (region.bytes || p->r.overrides != OVERRIDES_MERGE)
        return region;
    region = facts_text(p->facts, FACT_REGION);
    if (region.bytes == 0)
        region = names_arn_region(facts_text(p->facts, FACT_MODEL_REQUESTED));
    return region.bytes ? region : names_arn_region(facts_text(p->facts, FACT_MODEL));
}

/* The provider of an event that names none: what the name itself says, or the map's entry where
 * exactly one provider has a model of that name. */
static struct slice imply_provider(const struct planner *p, struct slice name)
{
    const struct catalog *catalog = p->r.catalog;
    struct slice said = names_provider(name), implied = {"", 0};
    if (said.bytes || name.bytes == 0)
        return said;
    const struct entry *plain = catalog_find_folded(catalog, name);
    if (plain)
        implied = names_canonical_provider(slice_of(plain->provider));
    for (size_t i = 0; i < list_provider.count; i++) {
        struct slice provider = slice_of(list_provider.words[i]);
        if (!catalog_find_folded(catalog, names_join(&p->r, provider, "/", name)))
            continue;
        if (implied.bytes && !slice_eq(implied, provider))
            return (struct slice){"", 0};
        implied = provider;
    }
    return implied;
}

static struct slice find_provider(const struct planner *p)
{
    struct slice provider = facts_text(p->facts, FACT_PROVIDER);
    const struct priced_deployment *deployment = p->plan->deployment;
    if (deployment && deployment->deployment->pricing_provider[0])
        return slice_of(deployment->deployment->pricing_provider);
    if (provider.bytes)
        return provider;
    if (deployment && deployment->provider[0])
        return slice_of(deployment->provider);
    provider = imply_provider(p, plan_full_name(p->facts));
    return provider.bytes ? provider : imply_provider(p, facts_text(p->facts, FACT_MODEL));
}

/* ---- rules under a candidate name --------------------------------------------------------------
 */

static bool is_router_name(struct slice name)
{
    return names_contain_folded(name, "model-router") || names_contain_folded(name, "model_router");
}

/* The router's entry, whose input rate is the fee. */
static const struct rule *router_rule(const struct planner *p, struct slice name)
{
    struct resolver plain = p->r;
    struct slice bare = names_without_prefix(names_lower(&p->r, name), "azure_ai/");
    plain.fixed = NULL;
    if (!slice_is(bare, "model-router") && !slice_is(bare, "model_router"))
        bare = SLICE("model_router");
    return names_lookup(&plain, bare, SLICE("azure_ai")).rule;
}

static bool together_prices(const struct planner *p, struct slice name)
{
    struct slice bare = names_without_prefix(name, "together_ai/");
    const struct entry *entry =
        catalog_find(p->r.catalog, names_join(&p->r, SLICE("together_ai"), "/", bare));
    return entry && entry->rule->names_input_rate;
}

static bool is_replicate_name(const struct planner *p, struct slice name)
{
    return (list_has(&list_replicate, name) || names_contain(name, "replicate")) &&
           !names_is_key(&p->r, name);
}

/* The name step before all formulas (8.1). In mode merge a deployment's entry is given. */
static struct slice name_step(const struct planner *p, struct slice name, struct candidate *out)
{
    if (p->r.fixed && p->r.overrides == OVERRIDES_MERGE)
        return name;
    bool together = names_contain(name, "togethercomputer") || names_contain(name, "together_ai") ||
                    p->provider == P_TOGETHER;
    if (together && !together_prices(p, name))
        return names_together_class(&p->r, name, p->plan->class == CALL_EMBEDDING);
    out->on_replicate = !together && is_replicate_name(p, name);
    return name;
}

static const struct rule *fireworks_rule(const struct planner *p, struct slice name)
{
    struct found found = names_lookup(&p->r, name, SLICE("fireworks_ai"));
    if (!found.rule)
        found = names_lookup(&p->r, names_without_prefix(name, "fireworks_ai/"), SLICE(""));
    if (!found.rule)
        found = names_lookup(&p->r, names_fireworks_class(&p->r, name), SLICE("fireworks_ai"));
    return found.rule;
}

static const struct rule *provider_rule(const struct planner *p, struct slice name,
                                        struct slice token_name, const struct rule *base)
{
    struct slice provider = p->provider_name;
    switch (p->provider) {
    case P_VERTEX:
        return names_lookup(&p->r, names_bare(&p->r, name, provider), provider).rule;
    case P_DATABRICKS:
        return names_lookup(&p->r, names_databricks(&p->r, token_name), provider).rule;
    case P_FIREWORKS:
        return fireworks_rule(p, token_name);
    default:
        return base;
    }
}

/* 9.1: by the request's provider, else by the one the name starts with. */
static void find_tools(const struct planner *p, struct slice name, struct candidate *out)
{
    struct found found = names_lookup(&p->r, name, p->provider_name);
    out->tools_provider = p->provider;
    if (!found.rule && memchr(name.p, '/', name.bytes)) {
        found = names_lookup(&p->r, name, SLICE(""));
        struct slice said = names_provider(name);
        if (found.entry)
            out->tools_provider = provider_id_of(
                said.bytes ? said : names_canonical_provider(slice_of(found.entry->provider)));
    }
    out->tools = found.rule;
    bool by_row = out->tools_provider == P_AZURE_AI;
    struct slice served = answered_name(p), said = served.bytes && !by_row ? served : name;
    if (found.entry && (by_row || !served.bytes))
        said = slice_of(found.entry->name);
    out->is_claude = names_contain_folded(said, "claude");
    if (served.bytes)
        out->served = names_lookup(&p->r, served, p->provider_name).rule;
}

/* Vertex: names that are billed by tokens whatever their entry says (8.2). */
static bool bills_tokens(const struct planner *p, struct slice name)
{
    static const char *const families[] = {"claude",    "llama", "mistral", "jamba",
                                           "codestral", "gemma", "gemini-2"};
    if (p->plan->class == CALL_EMBEDDING)
        return true;
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        if (names_contain(name, families[i]))
            return true;
    return false;
}

static void fill_chat(const struct planner *p, struct slice name, struct candidate *out)
{
    struct slice provider = p->provider_name;
    name = name_step(p, name, out);
    if (out->on_replicate)
        return;
    struct slice token_name = names_token_name(&p->r, name, provider, p->region);
    out->base = names_lookup(&p->r, token_name, provider).rule;
    out->rule = provider_rule(p, name, token_name, out->base);
    out->bills_tokens = bills_tokens(p, name);
    out->is_router = is_router_name(token_name);
    if (out->is_router && p->provider == P_AZURE_AI) {
        struct slice bare = names_without_prefix(names_lower(&p->r, token_name), "azure_ai/");
        if (!slice_is(bare, "model-router") && !slice_is(bare, "model_router"))
            out->router = router_rule(p, token_name);
    }
    find_tools(p, name, out);
}

/* Speech and transcription always look the name up without its first segment (4.2). */
static void fill_audio(const struct planner *p, struct slice name, struct candidate *out)
{
    struct slice provider = p->provider_name;
    name = name_step(p, name, out);
    if (out->on_replicate)
        return;
    struct slice bare = names_bare(&p->r, name, provider);
    out->rule = names_lookup(&p->r, bare, provider).rule;
    out->base =
        names_lookup(&p->r, names_token_name(&p->r, name, provider, SLICE("")), provider).rule;
    find_tools(p, name, out);
    if (p->provider != P_VERTEX && p->provider != P_VERTEX_BETA)
        return;
    struct slice key = slice_starts(bare, SLICE("vertex_ai/"))
                           ? bare
                           : names_join(&p->r, SLICE("vertex_ai"), "/", bare);
    const struct entry *music = catalog_find(p->r.catalog, key);
    if (music && music->rule->is_lyria && !p->r.fixed)
        out->rule = music->rule;
}

/* Rerank and OCR: a known provider, and the token name. An unmapped name is no reason to go on
 * (8.5). */
static void fill_documents(const struct planner *p, struct slice name, struct candidate *out)
{
    struct slice provider = p->provider_name;
    name = name_step(p, name, out);
    if (out->on_replicate)
        return;
    struct slice token_name = names_token_name(&p->r, name, provider, p->region);
    out->base = out->rule = names_lookup(&p->r, token_name, provider).rule;
    out->found_by_name = list_has(&list_provider, provider);
    find_tools(p, name, out);
}

static void fill_search(const struct planner *p, struct slice name, struct candidate *out)
{
    struct slice provider = p->provider_name;
    if (provider.bytes && !memchr(name.p, '/', name.bytes))
        name = names_join(&p->r, provider, "/", SLICE("search"));
    if (p->provider == P_PARALLEL_AI) {
        struct slice mode = facts_text(p->facts, FACT_SEARCH_MODE);
        name = slice_is(mode, "fast")    ? SLICE("parallel_ai/search-fast")
               : slice_is(mode, "turbo") ? SLICE("parallel_ai/search-turbo")
                                         : SLICE("parallel_ai/search");
    }
    struct slice depth = facts_text(p->facts, FACT_SEARCH_MODE);
    if (depth.bytes && (slice_is(provider, "tavily") || slice_is(provider, "linkup"))) {
        struct slice deep = names_join(&p->r, provider, "/search-", depth);
        if (names_is_key(&p->r, deep))
            name = deep;
    }
    out->rule = names_lookup(&p->r, name, provider).rule;
}

/* Video without a duration costs 0 if any key has the name at all (8.4). */
static void fill_video(const struct planner *p, struct slice name, struct candidate *out)
{
    struct slice provider = p->provider_name, bare = name;
    const char *slash = name.bytes ? memrchr(name.p, '/', name.bytes) : NULL;
    struct slice last =
        slash ? (struct slice){slash + 1, (size_t)(name.p + name.bytes - slash - 1)} : name;
    if (provider.bytes && name.bytes > provider.bytes && slice_starts(name, provider) &&
        name.p[provider.bytes] == '/')
        bare = (struct slice){name.p + provider.bytes + 1, name.bytes - provider.bytes - 1};
    out->rule = names_lookup(&p->r, name, provider).rule;
    out->found_by_name = names_is_key(&p->r, name) || names_is_key(&p->r, last) ||
                         names_is_key(&p->r, bare) ||
                         names_is_key(&p->r, names_join(&p->r, provider, "/", name));
}

/* Only Vertex's search has a price of its own (8.5); a merged deployment may bring one. */
static void fill_vector_search(const struct planner *p, struct slice name, struct candidate *out)
{
    bool is_vertex_search =
        p->provider == P_VERTEX && slice_is(names_without_prefix(name, "vertex_ai/"), "search_api");
    if (is_vertex_search || (p->r.fixed && p->r.overrides == OVERRIDES_MERGE))
        out->rule = names_lookup(&p->r, SLICE("vertex_ai/search_api"), SLICE("vertex_ai")).rule;
}

static void fill_plain(const struct planner *p, struct slice name, struct candidate *out)
{
    out->base = out->rule = names_lookup(&p->r, name, p->provider_name).rule;
}

static void fill(const struct planner *p, struct slice name, struct candidate *out)
{
    switch (p->plan->class) {
    case CALL_SPEECH:
    case CALL_TRANSCRIPTION:
        fill_audio(p, name, out);
        return;
    case CALL_RERANK:
    case CALL_OCR:
        fill_documents(p, name, out);
        return;
    case CALL_SEARCH:
        fill_search(p, name, out);
        return;
    case CALL_VECTOR_SEARCH:
        fill_vector_search(p, name, out);
        return;
    case CALL_VIDEO:
        fill_video(p, name, out);
        return;
    case CALL_IMAGE:
    case CALL_REALTIME:
    case CALL_BATCH:
        fill_plain(p, name, out);
        return;
    default:
        fill_chat(p, name, out);
    }
}

/* ---- candidates --------------------------------------------------------------------------------
 */

static void add_candidate(struct planner *p, struct slice name)
{
    struct plan *plan = p->plan;
    for (size_t i = 0; i < plan->candidate_count; i++)
        if (slice_eq(plan->candidate[i].name, name))
            return;
    if (name.bytes == 0 || plan->candidate_count == CANDIDATES_TRIED_MAX)
        return;
    struct candidate *out = &plan->candidate[plan->candidate_count];
    *out = (struct candidate){.provider = p->provider, .tools_provider = plan->provider};
    char *text = arena_text(p->memo, name);
    if (!text)
        return;
    out->name = (struct slice){text, name.bytes};
    out->by_family = names_lookup(&p->r, name, p->provider_name).rule == &rule_capability;
    fill(p, name, out);
    plan->candidate_count++;
    trace_line(p->r.trace, "candidate " SLICE_FMT ": %s%s%s", SLICE_ARG(name),
               out->on_replicate ? "unknown Replicate hardware"
               : out->rule       ? "rule "
                                 : "unmapped",
               out->rule ? out->rule->name : "",
               out->rule && out->rule->zero_reason ? " (free)" : "");
}

static void use_own_provider(struct planner *p)
{
    p->provider_name = p->plan->provider_name;
    p->provider = p->plan->provider;
}

/* A base_model that has rates under no provider but its own row's is priced as that provider's. */
static void use_base_provider(struct planner *p, struct slice base_model)
{
    struct found own = names_lookup(&p->r, base_model, SLICE(""));
    if (names_is_priced(&p->r, base_model, p->provider_name) || !own.entry ||
        !own.rule->prices_something)
        return;
    p->provider_name = slice_of(own.entry->provider);
    p->provider = provider_id_of(p->provider_name);
}

/* Names known by a family alone have no price: they are tried after all others. */
static void families_last(struct plan *plan)
{
    struct candidate sorted[CANDIDATES_TRIED_MAX] = {{.name = {"", 0}}};
    size_t count = 0;
    for (unsigned pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < plan->candidate_count; i++)
            if (plan->candidate[i].by_family == (pass == 1))
                sorted[count++] = plan->candidate[i];
    memcpy(plan->candidate, sorted, count * sizeof(*sorted));
}

/* Section 4.1, without a deployment or in mode litellm. */
static void add_candidates(struct planner *p)
{
    const struct priced_deployment *d = p->plan->deployment;
    struct slice full = plan_full_name(p->facts), answered = answered_name(p);
    struct slice provider = p->plan->provider_name, selected = full;
    struct slice base_model = slice_of(d ? d->deployment->base_model : "");
    if (p->plan->custom)
        selected = p->r.fixed ? p->r.fixed_name : full;
    else if (base_model.bytes)
        selected = base_model;
    bool regional_base = p->plan->provider == P_BEDROCK && p->r.overrides == OVERRIDES_MERGE;
    if (p->plan->custom || (base_model.bytes && !regional_base))
        p->region = SLICE("");
    if (!p->plan->custom && base_model.bytes)
        use_base_provider(p, base_model);
    if (!p->plan->custom && !base_model.bytes && answered.bytes)
        selected =
            names_served(&p->r, answered, full, provider, is_mantle(p) ? p->region : SLICE(""));
    else
        selected = names_qualify(&p->r, selected, p->provider_name, SLICE(""));
    add_candidate(p, selected);
    use_own_provider(p);
    add_candidate(p, answered);
    add_candidate(p, full);
    if (!p->plan->custom)
        families_last(p->plan);
}

/* Mode merge: one name, one entry (5.4). */
static void add_merged(struct planner *p)
{
    const struct deployment *d = p->plan->deployment->deployment;
    struct slice name = d->base_model[0]                   ? slice_of(d->base_model)
                        : p->plan->deployment->is_wildcard ? plan_full_name(p->facts)
                                                           : slice_of(d->model);
    add_candidate(p, name);
}

static void use_override(struct planner *p)
{
    struct plan *plan = p->plan;
    const struct priced_deployment *d = plan->deployment;
    struct err err = {0};
    plan->override = d->override;
    if (d->is_wildcard && !override_build(p->memo, &p->r, d->deployment, plan_full_name(p->facts),
                                          &plan->override, &err)) {
        plan->refusal = REASON_UNKNOWN_MODEL;
        trace_line(p->r.trace, "%s", err.text);
        return;
    }
    struct slice id = facts_text(p->facts, FACT_MODEL_ID);
    if (id.bytes == 0)
        id = slice_of(d->deployment->id[0] ? d->deployment->id : d->deployment->model_name);
    if (p->r.overrides == OVERRIDES_MERGE || plan->override.entry->prices_something) {
        p->r.fixed = plan->override.entry;
        p->r.fixed_name = id;
        p->r.fixed_full = names_join(&p->r, plan->provider_name, "/", id);
    }
    trace_line(p->r.trace, "deployment \"%s\" (%s:%u) sets prices", d->deployment->model_name,
               d->deployment->file, d->deployment->line);
}

/* ---- what single call types need ---------------------------------------------------------------
 */

/* "a,b,c": the text before the next comma. */
static bool next_word(struct slice *list, struct slice *word)
{
    if (list->bytes == 0)
        return false;
    const char *comma = memchr(list->p, ',', list->bytes);
    *word = (struct slice){list->p, comma ? (size_t)(comma - list->p) : list->bytes};
    size_t used = word->bytes + (comma ? 1 : 0);
    *list = (struct slice){list->p + used, list->bytes - used};
    return true;
}

const struct named_rule *named_rule_find(const struct named_rule *list, size_t count,
                                         struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq(list[i].name, name))
            return &list[i];
    return NULL;
}

static size_t word_count(struct slice words)
{
    struct slice word;
    size_t count = 0;
    while (next_word(&words, &word))
        count++;
    return count;
}

/* The rules under the names of a list, all of them; without memory for it the plan is refused. */
static size_t name_rules(struct planner *p, struct slice names, const struct named_rule **out)
{
    size_t most = word_count(names), count = 0;
    struct named_rule *list = arena_alloc(p->memo, most * sizeof(*list));
    struct resolver plain = p->r;
    struct slice name;
    plain.fixed = NULL;
    while (list && next_word(&names, &name)) {
        char *text = arena_text(p->memo, name);
        if (!text)
            break;
        list[count++] = (struct named_rule){
            {text, name.bytes}, names_lookup(&plain, name, p->plan->provider_name).rule};
    }
    if (count < most)
        p->plan->refusal = REASON_UNKNOWN_MODEL;
    *out = list;
    return count;
}

static void add_session(struct planner *p, const struct rule *rule)
{
    if (rule)
        p->plan->session[p->plan->session_count++] = rule;
}

/* Deployment entry, base_model, the session's models, the name (8.5). */
static void plan_realtime(struct planner *p)
{
    struct plan *plan = p->plan;
    struct slice models = facts_text(p->facts, FACT_SESSION_MODELS), model;
    struct slice speeches = facts_text(p->facts, FACT_TRANSCRIPTION_MODEL), speech;
    struct resolver plain = p->r;
    plain.fixed = NULL;
    bool named = plan->custom || (plan->deployment && plan->deployment->deployment->base_model[0]);
    if (plan->candidate_count == 0)
        return;
    if (named)
        add_session(p, plan->candidate[0].rule);
    plan->answerer_count = name_rules(p, models, &plan->answerers);
    plan->transcriber_count = name_rules(p, speeches, &plan->transcribers);
    if (next_word(&models, &model)) /* the first that the session says */
        add_session(p, names_lookup(&p->r, model, plan->provider_name).rule);
    add_session(p, plan->candidate[0].rule);
    plan->named = names_lookup(&plain, plan->candidate[0].name, plan->provider_name).rule;
    if (!next_word(&speeches, &speech))
        speech = plan->candidate[0].name;
    plan->transcription = names_lookup(&plain, speech, plan->provider_name).rule;
}

/* The models that the lines say; Bedrock's are billed by the job's. */
static struct slice line_models(const struct planner *p)
{
    struct slice lines = facts_text(p->facts, FACT_BATCH_LINE_MODELS);
    bool by_job = p->plan->provider == P_BEDROCK || lines.bytes == 0;
    return by_job ? facts_text(p->facts, FACT_BATCH_MODELS) : lines;
}

/* What a deployment's own prices make of every line, or NULL: each is billed by its model. LiteLLM
 * asks for prices of a short list, and fills in the job's model only where the map knows that name
 * without a provider (deployment_pricing_model_info). */
static const struct rule *own_line_rule(const struct planner *p)
{
    const struct override *own = &p->plan->override;
    struct slice models = facts_text(p->facts, FACT_BATCH_MODELS), model;
    if (!p->plan->custom)
        return NULL;
    if (p->r.overrides == OVERRIDES_MERGE)
        return own->entry;
    if (!own->sets_batch_price)
        return NULL;
    struct resolver plain = p->r;
    plain.fixed = NULL;
    bool published =
        !next_word(&models, &model) || names_lookup(&plain, model, names_provider(model)).entry;
    return published ? own->batch : own->entry;
}

/* A batch job is billed by the model its lines name; lines of several models cannot be told apart.
 */
static void plan_batch(struct planner *p)
{
    struct slice models = line_models(p), first = {"", 0}, model;
    p->plan->single_model = true;
    p->plan->line_count = name_rules(p, models, &p->plan->line);
    while (next_word(&models, &model)) {
        if (first.bytes && !slice_eq(first, model))
            p->plan->single_model = false;
        first = model;
    }
    if (p->plan->custom && p->r.overrides == OVERRIDES_MERGE)
        add_merged(p);
    else
        add_candidate(p, first.bytes ? first : plan_full_name(p->facts));
    p->plan->line_own = own_line_rule(p);
}

/* The Responses API's image tool is a model of its own (9.2). */
static void plan_image_tool(struct planner *p)
{
    const struct named_rule *tool;
    if (name_rules(p, facts_text(p->facts, FACT_IMAGE_TOOL_MODEL), &tool) == 0)
        return;
    p->plan->image_tool = tool->rule;
    p->plan->image_tool_name = tool->name;
}

static bool is_decision(struct slice call_type)
{
    if (call_type.bytes && call_type.p[0] == 'a')
        call_type = (struct slice){call_type.p + 1, call_type.bytes - 1};
    return slice_is(call_type, "decisions") || slice_is(call_type, "systemone");
}

static void find_unread(const struct planner *p)
{
    struct plan *plan = p->plan;
    size_t at = 0;
    plan->unread = unread_next(plan->deployment->deployment, plan->override.entry, plan->class,
                               &p->r.catalog->variants, &at);
}

static void plan_names(struct planner *p)
{
    struct plan *plan = p->plan;
    bool in_batch = facts_int(p->facts, FACT_BATCH) ||
                    (p->r.overrides == OVERRIDES_MERGE && says_batch(p->facts));
    bool batch = plan->class == CALL_BATCH || (in_batch && plan->class <= CALL_TEXT);
    if (batch) {
        plan->is_job = plan->class == CALL_BATCH;
        plan->class = CALL_BATCH;
        plan_batch(p);
        return;
    }
    if (plan->custom && p->r.overrides == OVERRIDES_MERGE)
        add_merged(p);
    else
        add_candidates(p);
    if (plan->class == CALL_REALTIME)
        plan_realtime(p);
    if (plan->class == CALL_RESPONSES)
        plan_image_tool(p);
}

static bool needs_provider(enum call_class class)
{
    return class != CALL_MCP_TOOL && class != CALL_AGENT && class != CALL_MANAGEMENT &&
           class != CALL_VECTOR_SEARCH;
}

/* Spilled-over requests of provisioned throughput lose custom pricing (5.5). */
static bool is_spilled(const struct planner *p)
{
    return p->plan->deployment->deployment->is_ptu && facts_int(p->facts, FACT_SPILLED_OVER);
}

void plan_make(const struct edition *edition, const struct facts *facts, struct arena *memo,
               struct arena *scratch, const struct trace *trace, struct plan *plan)
{
    struct planner p = {.r = edition_resolver(edition, scratch, trace),
                        .edition = edition,
                        .facts = facts,
                        .memo = memo,
                        .plan = plan};
    *plan = (struct plan){.class = call_class_of(facts_text(facts, FACT_CALL_TYPE)),
                          .vertex_location = ""};
    plan->is_decision = is_decision(facts_text(facts, FACT_CALL_TYPE));
    plan->deployment = deployments_match(&edition->deployments, facts, trace);
    struct slice provider = find_provider(&p);
    char *text = arena_text(memo, provider);
    plan->provider_name = text ? (struct slice){text, provider.bytes} : SLICE("");
    plan->provider = provider_id_of(plan->provider_name);
    use_own_provider(&p);
    if (provider.bytes == 0 && needs_provider(plan->class)) {
        plan->refusal = REASON_PROVIDER_UNKNOWN;
        trace_line(trace, "no provider in the event, and its model names none");
        return;
    }
    plan->custom = plan->deployment && plan->deployment->custom && !is_spilled(&p);
    plan->provisioned = plan->custom && plan->deployment->deployment->is_ptu;
    if (plan->deployment)
        plan->vertex_location = plan->deployment->deployment->vertex_location;
    if (is_mantle(&p))
        p.region = mantle_region(&p);
    else if (plan->provider == P_BEDROCK)
        p.region = bedrock_region(&p);
    if (plan->custom)
        use_override(&p);
    if (plan->refusal)
        return;
    plan_names(&p);
    if (plan->custom && plan->override.entry)
        find_unread(&p);
    if ((plan->provider == P_AZURE || plan->provider == P_AZURE_AI) &&
        is_router_name(facts_text(facts, FACT_MODEL_REQUESTED)))
        plan->router = router_rule(&p, facts_text(facts, FACT_MODEL_REQUESTED));
    if (slice_starts(plan->provider_name, SLICE("vertex_ai")))
        plan->regions = catalog_find(
            edition->catalog,
            names_join(&p.r, SLICE("vertex_ai"), "/",
                       names_without_prefix(facts_text(facts, FACT_MODEL), "vertex_ai/")));
}
