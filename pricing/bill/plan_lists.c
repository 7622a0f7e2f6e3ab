/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of several models: realtime sessions, batch jobs, the image tool
 * (docs/pricing.md 8.5, 9.2). */
#include "pricing/bill/planner.h"

#include "pricing/names/providers.h"

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
void plan_realtime(struct planner *p)
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
    bool by_job = provider_has(p->plan->provider, TRAIT_JOB_MODEL) || lines.bytes == 0;
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
    if (!own->sets_job_price)
        return NULL;
    struct resolver plain = p->r;
    plain.fixed = NULL;
    const struct entry *published = next_word(&models, &model)
                                        ? names_lookup(&plain, model, names_provider(model)).entry
                                        : own->base;
    return override_job_rule(p->memo, &plain, p->plan->deployment->deployment, own, published);
}

/* A batch job is billed by the model its lines name; lines of several models cannot be told apart.
 */
void plan_job(struct planner *p)
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
void plan_image_tool(struct planner *p)
{
    const struct named_rule *tool;
    if (name_rules(p, facts_text(p->facts, FACT_IMAGE_TOOL_MODEL), &tool) == 0)
        return;
    p->plan->image_tool = tool->rule;
    p->plan->image_tool_name = tool->name;
}
