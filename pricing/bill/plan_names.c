/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an event says of its model and its provider (docs/pricing.md 1.2, 4.1): which name was sent,
 * which answered, whose it is, and of which region.
 */
#include "pricing/bill/planner.h"

#include "pricing/names/providers.h"

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

bool is_mantle(const struct planner *p)
{
    return names_rules_of(p->plan->provider_name)->region == REGION_OF_MANTLE;
}

/* What the provider says it served; empty when absent. A proxy rewrites it to the alias before it
 * logs (1.2): Mantle's answer was the id without its region, others are as good as absent. Where
 * nothing is said apart, `model` is the answer's, unless it only repeats what was sent. */
struct slice answered_name(const struct planner *p)
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

/* Mantle: the deployment's region where one is configured, else the upstream's host's; us-east-1.
 */
static struct slice mantle_region(const struct planner *p)
{
    const struct priced_deployment *d = p->plan->deployment;
    struct slice region = d ? slice_of(d->deployment->region)
                            : names_mantle_host_region(facts_text(p->facts, FACT_API_HOST));
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
    for (unsigned i = PROVIDER_OTHER + 1; i < PROVIDER_COUNT; i++) {
        struct slice provider = slice_of(provider_table[i].name);
        if (!catalog_find_folded(catalog, names_join(&p->r, provider, "/", name)))
            continue;
        if (implied.bytes && !slice_eq(implied, provider))
            return (struct slice){"", 0};
        implied = provider;
    }
    return implied;
}

struct slice find_provider(const struct planner *p)
{
    struct slice provider = facts_text(p->facts, FACT_PROVIDER);
    const struct priced_deployment *deployment = p->plan->deployment;
    /* LiteLLM has no such thing for batch jobs. */
    bool unnamed = p->plan->class == CALL_JOB && p->r.overrides == OVERRIDES_LITELLM;
    if (deployment && deployment->deployment->pricing_provider[0] && !unnamed)
        return slice_of(deployment->deployment->pricing_provider);
    if (provider.bytes)
        return provider;
    if (deployment && deployment->provider[0])
        return slice_of(deployment->provider);
    provider = imply_provider(p, plan_full_name(p->facts));
    return provider.bytes ? provider : imply_provider(p, facts_text(p->facts, FACT_MODEL));
}

void find_region(struct planner *p)
{
    enum region_source source = names_rules_of(p->plan->provider_name)->region;
    if (source == REGION_OF_BEDROCK)
        p->region = bedrock_region(p);
    if (source != REGION_OF_MANTLE)
        return;
    p->region = mantle_region(p);
    const char *text = arena_text(p->memo, p->region);
    p->plan->region = text ? (struct slice){text, p->region.bytes} : SLICE("");
}
