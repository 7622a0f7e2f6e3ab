/* SPDX-License-Identifier: Apache-2.0 */
/* The names that are tried for a price, in LiteLLM's order (docs/pricing.md 4.1). */
#include "pricing/bill/planner.h"

#include "pricing/names/providers.h"

void add_candidate(struct planner *p, struct slice name)
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

void use_own_provider(struct planner *p)
{
    p->provider_name = p->plan->provider_name;
    p->provider = p->plan->provider;
    p->names = names_rules_of(p->provider_name);
}

/* A base_model that has rates under no provider but its own row's is priced as that provider's. */
static void use_base_provider(struct planner *p, struct slice base_model)
{
    struct found own = names_lookup(&p->r, base_model, SLICE(""));
    if (names_is_priced(&p->r, base_model, p->provider_name) || !own.entry ||
        !own.rule->prices_something)
        return;
    p->provider_name = slice_of(own.entry->provider);
    p->provider = provider_find(p->provider_name);
    p->names = names_rules_of(p->provider_name);
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

/* What the provider that is called was sent: the full name without that provider. Empty where no
 * pricing_provider has the rows looked for under another one. */
static struct slice sent_name(const struct planner *p)
{
    const struct priced_deployment *d = p->plan->deployment;
    struct slice full = plan_full_name(p->facts), called = facts_text(p->facts, FACT_PROVIDER);
    if (!d || p->plan->custom || !d->deployment->pricing_provider[0])
        return SLICE("");
    if (called.bytes == 0)
        called = slice_of(d->provider);
    if (called.bytes == 0 || !names_has_segment(full, called))
        return SLICE("");
    return (struct slice){full.p + called.bytes + 1, full.bytes - called.bytes - 1};
}

/* LiteLLM's name of the call: what was sent, unless the answer brings the full name along. */
static struct slice called_name(const struct planner *p, struct slice sent)
{
    bool brought = facts_has(p->facts, FACT_MODEL_REQUESTED);
    return sent.bytes && !brought ? sent : plan_full_name(p->facts);
}

/* Section 4.1, without a deployment or in mode litellm. */
void add_candidates(struct planner *p)
{
    const struct priced_deployment *d = p->plan->deployment;
    struct slice sent = sent_name(p), full = called_name(p, sent), answered = answered_name(p);
    struct slice provider = p->plan->provider_name, selected = full;
    struct slice base_model = slice_of(d ? d->deployment->base_model : "");
    if (p->plan->custom)
        selected = p->r.fixed ? p->r.fixed_name : full;
    else if (base_model.bytes)
        selected = base_model;
    bool regional_base = p->names->region == REGION_OF_BEDROCK && p->r.overrides == OVERRIDES_MERGE;
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
    if (p->r.overrides == OVERRIDES_MERGE)
        add_candidate(p, sent);
    if (!p->plan->custom)
        families_last(p->plan);
}

/* Mode merge: one name, one entry (5.4). */
void add_merged(struct planner *p)
{
    const struct deployment *d = p->plan->deployment->deployment;
    struct slice name = d->base_model[0]                   ? slice_of(d->base_model)
                        : p->plan->deployment->is_wildcard ? plan_full_name(p->facts)
                                                           : slice_of(d->model);
    add_candidate(p, name);
}
