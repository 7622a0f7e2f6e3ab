/* SPDX-License-Identifier: Apache-2.0 */
/* The rules under one candidate name, by the class of the call (docs/pricing.md 4.2, 8). */
#include "pricing/bill/planner.h"

#include "pricing/names/providers.h"

/* The name step before all formulas (8.1). In mode merge a deployment's entry is given. */
static struct slice name_step(const struct planner *p, struct slice name, struct candidate *out)
{
    if (p->r.fixed && p->r.overrides == OVERRIDES_MERGE)
        return name;
    if (p->names->by_size || names_is_together(name))
        return names_together_class(&p->r, name, p->plan->class == CALL_EMBEDDING);
    out->on_replicate = names_is_replicate(&p->r, name);
    return name;
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
            out->tools_provider = provider_find(
                said.bytes ? said : names_canonical_provider(slice_of(found.entry->provider)));
    }
    out->tools = found.rule;
    bool by_entry = provider_has(out->tools_provider, TRAIT_TOOLS_BY_ENTRY);
    struct slice served = answered_name(p), said = served.bytes && !by_entry ? served : name;
    if (found.entry && (by_entry || !served.bytes))
        said = slice_of(found.entry->name);
    out->is_claude = names_contain_folded(said, "claude");
    if (served.bytes)
        out->served = names_lookup(&p->r, served, p->provider_name).rule;
}

/* Vertex: names that are billed by tokens whatever their entry says (8.2). */
static bool bills_tokens(const struct planner *p, struct slice name)
{
    return p->plan->class == CALL_EMBEDDING || names_vertex_bills_tokens(name);
}

static void fill_chat(const struct planner *p, struct slice name, struct candidate *out)
{
    struct slice provider = p->provider_name;
    name = name_step(p, name, out);
    if (out->on_replicate)
        return;
    struct slice token_name = names_token_name(&p->r, name, provider, p->region);
    out->base = names_lookup(&p->r, token_name, provider).rule;
    out->rule = names_chat_rule(&p->r, provider, name, token_name);
    out->bills_tokens = bills_tokens(p, name);
    out->is_router = names_is_azure_router(token_name);
    if (out->is_router && provider_has(p->provider, TRAIT_ROUTER_ALONE)) {
        struct slice bare = names_without_prefix(names_lower(&p->r, token_name), "azure_ai/");
        if (!slice_is(bare, "model-router") && !slice_is(bare, "model_router"))
            out->router = names_azure_router(&p->r, token_name);
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
    if (!p->names->has_music)
        return;
    struct slice key = slice_starts(bare, SLICE("vertex_ai/"))
                           ? bare
                           : names_join(&p->r, SLICE("vertex_ai"), "/", bare);
    const struct entry *music = catalog_find(p->r.catalog, key);
    if (music && music->rule->is_lyria && !p->r.fixed)
        out->rule = music->rule;
}

/* Rerank and OCR: a known provider, and the token name. An unmapped name does not go on to the next
 * (8.5). */
static void fill_documents(const struct planner *p, struct slice name, struct candidate *out)
{
    struct slice provider = p->provider_name;
    name = name_step(p, name, out);
    if (out->on_replicate)
        return;
    struct slice token_name = names_token_name(&p->r, name, provider, p->region);
    out->base = out->rule = names_lookup(&p->r, token_name, provider).rule;
    out->found_by_name = provider_is_known(provider);
    find_tools(p, name, out);
}

static void fill_search(const struct planner *p, struct slice name, struct candidate *out)
{
    struct slice provider = p->provider_name;
    if (provider.bytes && !memchr(name.p, '/', name.bytes))
        name = names_join(&p->r, provider, "/", SLICE("search"));
    if (provider_has(p->provider, TRAIT_SEARCH_BY_RESULTS)) {
        struct slice mode = facts_text(p->facts, FACT_SEARCH_MODE);
        bool priced = slice_is(mode, "fast") || slice_is(mode, "turbo");
        name =
            names_join(&p->r, provider, priced ? "/search-" : "/search", priced ? mode : SLICE(""));
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
    bool is_vertex_search = provider_has(p->provider, TRAIT_VECTOR_SEARCH) &&
                            slice_is(names_without_prefix(name, "vertex_ai/"), "search_api");
    if (is_vertex_search || (p->r.fixed && p->r.overrides == OVERRIDES_MERGE))
        out->rule = names_lookup(&p->r, SLICE("vertex_ai/search_api"), SLICE("vertex_ai")).rule;
}

static void fill_plain(const struct planner *p, struct slice name, struct candidate *out)
{
    out->base = out->rule = names_lookup(&p->r, name, p->provider_name).rule;
}

void fill(const struct planner *p, struct slice name, struct candidate *out)
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
    case CALL_JOB:
        fill_plain(p, name, out);
        return;
    default:
        fill_chat(p, name, out);
    }
}
