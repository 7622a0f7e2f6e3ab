/* SPDX-License-Identifier: Apache-2.0 */
/* The names of a request (docs/pricing.md 4.1, 4.2): with its provider, without, and as tokens are
 * looked up. */
#include "pricing/names/names.h"

#include "core/providers.h"
#include "pricing/names/providers.h"

/* Drops segments behind `head` one by one, as far as a provider's name, until the rest is a key. */
static struct slice drop_segments(const struct resolver *r, struct slice head, struct slice tail,
                                  struct slice whole)
{
    struct slice segment, after;
    for (;;) {
        struct slice tried = names_join(r, head, "/", tail);
        if (names_is_key(r, tried))
            return tried;
        bool more = names_split(tail, &segment, &after);
        if (!more || provider_is_known(segment))
            return whole;
        tail = after;
    }
}

struct slice names_qualify(const struct resolver *r, struct slice name, struct slice provider,
                           struct slice region)
{
    if (provider.bytes == 0 || provider_is_known(names_first_segment(name)))
        return name;
    struct slice head = region.bytes ? names_join(r, provider, "/", region) : provider;
    struct slice whole = names_join(r, head, "/", name);
    if (whole.bytes == 0) /* no memory, which is noted: what comes of it is not used */
        return name;
    struct slice without_first = {whole.p + provider.bytes + 1, whole.bytes - provider.bytes - 1};
    if (names_is_key(r, without_first))
        return whole;
    return drop_segments(r, head, name, whole);
}

bool names_is_priced(const struct resolver *r, struct slice name, struct slice provider)
{
    struct found found = names_lookup(r, name, provider);
    return found.entry && found.entry->rule->prices_something;
}

struct slice names_served(const struct resolver *r, struct slice answered, struct slice requested,
                          struct slice provider, struct slice region)
{
    struct slice served = names_qualify(r, answered, provider, region), head, tail;
    requested = names_qualify(r, requested, provider, SLICE(""));
    names_split(requested, &head, &tail);
    if (slice_eq(served, requested) || slice_eq(served, tail) ||
        names_is_priced(r, served, provider) || !names_is_priced(r, requested, provider))
        return served;
    return requested;
}

static struct slice collapse_prefix(struct slice name, struct slice provider)
{
    if (provider.bytes == 0)
        return name;
    while (names_has_segment(name, provider)) {
        struct slice rest = {name.p + provider.bytes + 1, name.bytes - provider.bytes - 1};
        if (!names_has_segment(rest, provider))
            break;
        name = rest;
    }
    return name;
}

struct slice names_bare(const struct resolver *r, struct slice name, struct slice provider)
{
    struct slice head, tail;
    name = collapse_prefix(name, provider);
    bool prefixed = names_has_segment(name, provider);
    if (!prefixed && provider.bytes && names_is_key(r, names_join(r, provider, "/", name)))
        return name;
    return names_split(name, &head, &tail) ? tail : name;
}

struct slice names_token_name(const struct resolver *r, struct slice name, struct slice provider,
                              struct slice region)
{
    name = collapse_prefix(name, provider);
    bool prefixed = names_has_segment(name, provider);
    struct slice full = prefixed ? name : names_join(r, provider, "/", name);
    if (region.bytes) {
        struct slice bare = name, regional;
        if (prefixed)
            bare = (struct slice){name.p + provider.bytes + 1, name.bytes - provider.bytes - 1};
        if (slice_is(provider, "bedrock") && r->overrides == OVERRIDES_MERGE)
            bare = names_bedrock_id(bare);
        regional = names_join(r, names_join(r, provider, "/", region), "/", bare);
        if (names_is_key(r, regional))
            return regional;
    }
    if (names_is_key(r, full))
        return full;
    struct slice head, tail;
    if (!names_is_key(r, name) && names_split(name, &head, &tail) && names_is_key(r, tail))
        return tail;
    return name;
}
