/* SPDX-License-Identifier: Apache-2.0 */
/* Making a plan: the deployment, the provider, the candidates and what single kinds of calls need.
 */
#include "pricing/bill/planner.h"

#include "pricing/book/unread.h"
#include "pricing/names/providers.h"

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
    if (p->r.overrides == OVERRIDES_MERGE || d->deployment->is_ptu ||
        plan->override.entry->prices_something) {
        p->r.fixed = plan->override.entry;
        p->r.fixed_name = id;
        p->r.fixed_full = names_join(&p->r, plan->provider_name, "/", id);
    }
    trace_line(p->r.trace, "deployment \"%s\" (%s:%u) sets prices", d->deployment->model_name,
               d->deployment->file, d->deployment->line);
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
    plan->unread =
        unread_next(plan->deployment->deployment, plan->custom ? plan->override.entry : NULL,
                    plan->class, &p->r.catalog->variants, &at);
}

static void plan_names(struct planner *p)
{
    struct plan *plan = p->plan;
    bool in_batch = facts_int(p->facts, FACT_BATCH) ||
                    (p->r.overrides == OVERRIDES_MERGE && says_batch(p->facts));
    bool is_priced_as_job = plan->class == CALL_JOB || (in_batch && plan->class <= CALL_TEXT);
    if (is_priced_as_job) {
        plan->is_job = plan->class == CALL_JOB;
        plan->class = CALL_JOB;
        plan_job(p);
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
    return p->plan->deployment->deployment->is_ptu && facts_int(p->facts, FACT_SPILLED_OVER) &&
           p->plan->class != CALL_JOB;
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
    plan->provider = provider_find(plan->provider_name);
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
    find_region(&p);
    if (plan->custom)
        use_override(&p);
    if (plan->refusal)
        return;
    plan_names(&p);
    if (plan->deployment &&
        (plan->custom ? plan->override.entry != NULL : !plan->deployment->custom))
        find_unread(&p);
    if (provider_has(plan->provider, TRAIT_MODEL_ROUTER) &&
        names_is_azure_router(facts_text(facts, FACT_MODEL_REQUESTED)))
        plan->router = names_azure_router(&p.r, facts_text(facts, FACT_MODEL_REQUESTED));
    if (slice_starts(plan->provider_name, SLICE("vertex_ai")))
        plan->regions = catalog_find(
            edition->catalog,
            names_join(&p.r, SLICE("vertex_ai"), "/",
                       names_without_prefix(facts_text(facts, FACT_MODEL), "vertex_ai/")));
}
