/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Precedence, the first that finds any:
 *
 *   1. model_info.id equal to the event's model_id
 *   2. model_name equal to the alias that was called
 *   3. a model_name with *, the longest pattern first
 *   4. events without an alias only (gateways other than LiteLLM): litellm_params.model equal to
 * the model that was sent or answered
 *
 * Of several, the first whose litellm_params.model is the event's model, else the first. LiteLLM's
 * own ids are hashes over secrets, so they cannot be recomputed.
 */
#include "pricing/book/deployments.h"

#include "pricing/names/providers.h"

bool deployments_glob(struct slice pattern, struct slice name)
{
    size_t p = 0, n = 0, star = SIZE_MAX, mark = 0;
    while (n < name.bytes) {
        if (p < pattern.bytes && pattern.p[p] == '*') {
            star = p++;
            mark = n;
        } else if (p < pattern.bytes && pattern.p[p] == name.p[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.bytes && pattern.p[p] == '*')
        p++;
    return p == pattern.bytes;
}

typedef bool match_fn(const struct priced_deployment *deployment, const struct facts *facts,
                      struct slice alias);

static bool by_id(const struct priced_deployment *d, const struct facts *facts, struct slice alias)
{
    (void)alias;
    struct slice id = facts_text(facts, FACT_MODEL_ID);
    return id.bytes && slice_is(id, d->deployment->id);
}

static bool by_alias(const struct priced_deployment *d, const struct facts *facts,
                     struct slice alias)
{
    (void)facts;
    return slice_is(alias, d->deployment->model_name);
}

static bool by_pattern(const struct priced_deployment *d, const struct facts *facts,
                       struct slice alias)
{
    (void)facts;
    return strchr(d->deployment->model_name, '*') &&
           deployments_glob(slice_of(d->deployment->model_name), alias);
}

static bool is_bedrock_model(const struct priced_deployment *d, struct slice provider,
                             struct slice model)
{
    struct slice configured = slice_of(d->deployment->model);
    bool ours = strcmp(d->provider, "bedrock") == 0 && slice_is(provider, "bedrock");
    return ours && slice_eq(names_bedrock_id(configured), names_bedrock_id(model));
}

/* "provider/model" of the configuration against an event that has them apart or together. */
static bool is_model(const struct priced_deployment *d, struct slice provider, struct slice model)
{
    struct slice configured = slice_of(d->deployment->model);
    if (model.bytes == 0)
        return false;
    if (slice_eq(configured, model) || (strchr(d->deployment->model, '*') && model.p[0] != '*' &&
                                        deployments_glob(configured, model)))
        return true;
    if (is_bedrock_model(d, provider, model))
        return true;
    return provider.bytes && configured.bytes == provider.bytes + 1 + model.bytes &&
           slice_starts(configured, provider) && configured.p[provider.bytes] == '/' &&
           memcmp(configured.p + provider.bytes + 1, model.p, model.bytes) == 0;
}

static bool by_model(const struct priced_deployment *d, const struct facts *facts,
                     struct slice alias)
{
    (void)alias;
    struct slice provider = facts_text(facts, FACT_PROVIDER);
    return is_model(d, provider, facts_text(facts, FACT_MODEL_REQUESTED)) ||
           is_model(d, provider, facts_text(facts, FACT_MODEL));
}

static bool serves_model(const struct priced_deployment *d, const struct facts *facts)
{
    struct slice provider = facts_text(facts, FACT_PROVIDER);
    struct slice model = facts_text(facts, FACT_MODEL);
    struct slice requested = facts_text(facts, FACT_MODEL_REQUESTED);
    return slice_is(model, d->deployment->model) || slice_is(requested, d->deployment->model) ||
           (model.bytes && is_bedrock_model(d, provider, model)) ||
           (requested.bytes && is_bedrock_model(d, provider, requested));
}

/* A deployment with an id of its own emits that id and no other. */
static bool is_another(const struct priced_deployment *d, const struct facts *facts)
{
    struct slice id = facts_text(facts, FACT_MODEL_ID);
    return id.bytes && d->deployment->id[0] && !slice_is(id, d->deployment->id);
}

/* The best of those that match: a longer alias pattern, then the event's own model. Deployments of
 * another id count only when nothing else matches. */
static const struct priced_deployment *best_of(const struct deployments *all,
                                               const struct facts *facts, struct slice alias,
                                               match_fn *matches, bool others, size_t *count)
{
    const struct priced_deployment *best = NULL;
    *count = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct priced_deployment *d = &all->one[i];
        if (is_another(d, facts) != others || !matches(d, facts, alias))
            continue;
        size_t ours = strlen(d->deployment->model_name);
        size_t theirs = best ? strlen(best->deployment->model_name) : 0;
        bool longer = matches == by_pattern && best && ours > theirs;
        bool closer =
            best && ours == theirs && !serves_model(best, facts) && serves_model(d, facts);
        if (!best || longer || closer)
            best = d;
        ++*count;
    }
    return best;
}

#define NAMES_AT_ONCE 256

/* A deployment whose prices were meant to hold has a name that is nearly this one. */
static void trace_nearest(const struct deployments *all, struct slice alias,
                          const struct trace *trace)
{
    const char *name[NAMES_AT_ONCE], *near = NULL;
    if (!trace || all->count == 0)
        return;
    for (size_t i = 0; i < all->count;) {
        size_t count = near != NULL;
        name[0] = near; /* the nearest of those before stands for them */
        while (i < all->count && count < NAMES_AT_ONCE)
            name[count++] = all->one[i++].deployment->model_name;
        near = yaml_suggest(alias, name, count);
    }
    trace_line(trace, "no deployment's model_name matches \"" SLICE_FMT "\"%s%s%s",
               SLICE_ARG(alias), near ? "; the nearest is \"" : "", near ? near : "",
               near ? "\"" : "");
}

const struct priced_deployment *deployments_match(const struct deployments *all,
                                                  const struct facts *facts,
                                                  const struct trace *trace)
{
    struct slice group = facts_text(facts, FACT_MODEL_GROUP);
    struct slice alias = group.bytes ? group : facts_text(facts, FACT_MODEL_REQUESTED);
    struct {
        match_fn *matches;
        const char *why;
        bool only_without_alias;
    } steps[] = {
        {by_id, "by its id", false},
        {by_alias, "by its alias", false},
        {by_pattern, "by a pattern of its alias", false},
        {by_model, "by its model, the event having no alias", true},
    };
    if (alias.bytes == 0)
        alias = facts_text(facts, FACT_MODEL);
    const size_t step_count = sizeof(steps) / sizeof(steps[0]);
    for (size_t pass = 0; pass < 2 * step_count; pass++) {
        size_t count, i = pass % step_count;
        if (steps[i].only_without_alias && group.bytes)
            continue;
        const struct priced_deployment *best =
            best_of(all, facts, alias, steps[i].matches, pass >= step_count, &count);
        if (!best)
            continue;
        trace_line(trace, "deployment \"%s\" found %s%s", best->deployment->model_name,
                   steps[i].why, count > 1 ? "; several match" : "");
        return best;
    }
    trace_nearest(all, alias, trace);
    return NULL;
}
