/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a name and a provider to a rule (docs/pricing.md 4.3): the forms a model may have in the
 * map, in LiteLLM's order, until one is there whose provider matches.
 */
#include "pricing/names/providers.h"

#include "core/providers.h"

#define CANDIDATES_MAX 7

static const struct rate *const no_rates[1] = {NULL};

#define FREE_RULE(text, why)                                                                       \
    {                                                                                              \
        .name = (text), .provider = "", .zero_reason = (why), .wall_clock_mode = true,             \
        .rate = no_rates                                                                           \
    }

const struct rule rule_capability = FREE_RULE("model family", REASON_CAPABILITY_RULE);
const struct rule rule_free_provider = FREE_RULE("free provider", REASON_FREE_PROVIDER);
/* Mode litellm: a deployment without prices is registered under its model's name, with rates of 0.
 */
const struct rule rule_registered = FREE_RULE("deployment without a price", REASON_ZERO_RATE);

/* Providers of map entries that events call otherwise. */
static const struct {
    const char *prefix, *provider;
} canonical_providers[] = {
    {"vertex_ai", "vertex_ai"},
    {"bedrock_mantle", "bedrock_mantle"},
    {"bedrock", "bedrock"},
    {"fireworks_ai", "fireworks_ai"},
};

struct slice names_provider(struct slice name)
{
    struct slice head, tail;
    if (names_split(name, &head, &tail) && provider_is_known(head))
        return head;
    return (struct slice){"", 0};
}

struct slice names_canonical_provider(struct slice provider)
{
    for (size_t i = 0; i < sizeof(canonical_providers) / sizeof(canonical_providers[0]); i++)
        if (slice_starts(provider, slice_of(canonical_providers[i].prefix)))
            return slice_of(canonical_providers[i].provider);
    return provider;
}

static bool is_fixed(const struct resolver *r, struct slice name)
{
    if (!r->fixed)
        return false;
    return r->overrides == OVERRIDES_MERGE || slice_eq(name, r->fixed_name) ||
           slice_eq(name, r->fixed_full);
}

/* Mode litellm registers each deployment's model under its name, so that it is mapped (at 0). */
static bool is_registered(const struct resolver *r, struct slice name)
{
    for (size_t i = 0; i < r->registered->count; i++) {
        struct slice model = slice_of(r->registered->name[i].model);
        struct slice provider = slice_of(r->registered->name[i].provider);
        if (!provider.bytes || names_has_segment(model, provider)) {
            if (slice_eq(model, name))
                return true;
        } else if (names_has_segment(name, provider) &&
                   slice_eq(model, (struct slice){name.p + provider.bytes + 1,
                                                  name.bytes - provider.bytes - 1})) {
            return true;
        }
    }
    return false;
}

bool names_is_key(const struct resolver *r, struct slice name)
{
    if (r->fixed && r->overrides == OVERRIDES_LITELLM && slice_eq(name, r->fixed_name))
        return true;
    return catalog_find(r->catalog, name) || is_registered(r, name);
}

/* Section 4.3, "matches the provider". */
static bool provider_matches(const struct resolver *r, struct slice entry, struct slice provider)
{
    const struct name_rules *rules = names_rules_of(provider);
    if (entry.bytes == 0 || provider.bytes == 0 || slice_eq(entry, provider) || rules->any_entry)
        return true;
    if (rules->family && slice_starts(entry, slice_of(rules->family)))
        return true;
    for (const char *const *also = rules->also; also && *also; also++)
        if (slice_is(entry, *also))
            return true;
    return r->overrides == OVERRIDES_MERGE && rules->route && slice_is(entry, rules->route);
}

struct candidates {
    struct slice name[CANDIDATES_MAX];
    size_t count;
    struct slice provider;
};

/* Most names have few forms: each is looked up once. */
static void add_form(struct candidates *out, struct slice name)
{
    for (size_t i = 0; i < out->count; i++)
        if (slice_eq(out->name[i], name))
            return;
    out->name[out->count++] = name;
}

/* With and without the provider, before anybody's own rules. */
static struct name_forms forms_of(const struct resolver *r, struct slice name,
                                  struct slice provider)
{
    bool prefixed = provider.bytes && names_has_segment(name, provider);
    struct name_forms forms = {.name = name, .split = name, .combined = name, .last = name};
    forms.said = provider.bytes ? provider : names_provider(name);
    if (prefixed) {
        forms.split = (struct slice){name.p + provider.bytes + 1, name.bytes - provider.bytes - 1};
        forms.last = names_join(r, provider, "/", name);
    } else if (provider.bytes) {
        forms.combined = forms.last = names_join(r, provider, "/", name);
    } else if (forms.said.bytes) {
        forms.split =
            (struct slice){name.p + forms.said.bytes + 1, name.bytes - forms.said.bytes - 1};
    }
    forms.region_free = forms.combined;
    return forms;
}

/* The names a model may have in the map, in LiteLLM's order. */
static void candidates_of(const struct resolver *r, struct slice name, struct slice provider,
                          struct candidates *out)
{
    struct name_forms f = forms_of(r, name, provider);
    const struct name_rules *rules = names_rules_of(f.said);
    struct slice versioned = provider.bytes ? f.split : name;
    f.stripped = rules->stripped ? rules->stripped(versioned) : names_strip_version(versioned);
    f.combined_stripped = provider.bytes ? names_join(r, provider, "/", f.stripped) : f.stripped;
    if (rules->reformed)
        rules->reformed(r, &f);
    const struct slice forms[CANDIDATES_MAX] = {
        f.combined, f.name, f.region_free, f.split, f.combined_stripped, f.stripped, f.last};
    *out = (struct candidates){.provider = f.said};
    for (size_t i = 0; i < CANDIDATES_MAX; i++)
        add_form(out, forms[i]);
}

static struct found search_map(const struct resolver *r, const struct candidates *all,
                               bool *any_key)
{
    for (size_t i = 0; i < all->count; i++) {
        if (is_fixed(r, all->name[i])) {
            *any_key = true;
            return (struct found){r->fixed, NULL};
        }
        const struct entry *entry = catalog_find_folded(r->catalog, all->name[i]);
        if (!entry && is_registered(r, all->name[i])) {
            *any_key = true;
            return (struct found){&rule_registered, NULL};
        }
        *any_key |= entry != NULL;
        if (entry && provider_matches(r, slice_of(entry->provider), all->provider))
            return (struct found){entry->rule, entry};
    }
    return (struct found){NULL, NULL};
}

struct found names_lookup(const struct resolver *r, struct slice name, struct slice provider)
{
    struct candidates all;
    bool any_key = false;
    if (r->fixed && r->overrides == OVERRIDES_MERGE)
        return (struct found){r->fixed, NULL};
    const struct name_rules *rules = names_rules_of(provider);
    name = names_azure_alias(name);
    if (rules->as) {
        provider = slice_of(rules->as);
        rules = names_rules_of(provider);
    }
    if (rules->renamed)
        name = rules->renamed(r, name);
    if (rules->free == FREE_ALWAYS)
        return (struct found){&rule_free_provider, NULL};
    candidates_of(r, name, provider, &all);
    struct found found = search_map(r, &all, &any_key);
    if (found.rule)
        return found;
    if (rules->free == FREE_UNMAPPED)
        return (struct found){&rule_free_provider, NULL};
    for (size_t i = 0; !any_key && i < all.count; i++)
        if (catalog_knows_family(r->catalog, all.name[i]))
            return (struct found){&rule_capability, NULL};
    return found;
}
