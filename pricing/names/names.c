/* SPDX-License-Identifier: Apache-2.0 */
#include "pricing/names/names.h"

#include "pricing/map/lists.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

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

/* LiteLLM 1.106.2 renames these before anything else (4.3). */
static const struct {
    const char *name, *alias;
} azure_aliases[] = {
    {"gpt-35-turbo", "azure/gpt-35-turbo"},
    {"gpt-35-turbo-instruct", "azure/gpt-35-turbo-instruct"},
    {"azure/gpt-41", "gpt-4.1"},
    {"azure/gpt-41-mini", "gpt-4.1-mini"},
    {"azure/gpt-41-nano", "gpt-4.1-nano"},
    {"ada", "azure/ada"},
};

static const char *const bedrock_routes[] = {
    "bedrock/", "chat_completions/", "converse/", "invoke/",
    "openai/",  "mantle/",           "nova-2/",   "nova/",
};

/* Endpoint names of old Databricks events, by prefix (8.1). */
static const struct {
    const char *prefix, *name;
} databricks_names[] = {
    {"dbrx-instruct", "databricks-dbrx-instruct"},
    {"meta-llama-3.1-70b-instruct", "databricks-meta-llama-3-1-70b-instruct"},
    {"meta-llama-3.1-405b-instruct", "databricks-meta-llama-3-1-405b-instruct"},
    {"mixtral-8x7b-instruct-v0.1", "databricks-mixtral-8x7b-instruct"},
    {"bge-large-en", "databricks-bge-large-en"},
    {"gte-large-en", "databricks-gte-large-en"},
    {"llama-2-70b-chat", "databricks-llama-2-70b-chat"},
};

/* Providers of map entries that events call otherwise. */
static const struct {
    const char *prefix, *provider;
} canonical_providers[] = {
    {"vertex_ai", "vertex_ai"},
    {"bedrock_mantle", "bedrock_mantle"},
    {"bedrock", "bedrock"},
    {"fireworks_ai", "fireworks_ai"},
};

void trace_line(const struct trace *trace, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    if (!trace || !trace->line)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    trace->line(text, trace->context);
}

/* ---- texts ------------------------------------------------------------------------------------
 */

struct slice names_join(const struct resolver *r, struct slice a, const char *between,
                        struct slice b)
{
    size_t middle = strlen(between), bytes = a.bytes + middle + b.bytes;
    char *text = arena_alloc(r->scratch, bytes + 1);
    if (!text)
        return (struct slice){"", 0};
    memcpy(text, a.bytes ? a.p : "", a.bytes);
    memcpy(text + a.bytes, between, middle);
    memcpy(text + a.bytes + middle, b.bytes ? b.p : "", b.bytes);
    text[bytes] = '\0';
    return (struct slice){text, bytes};
}

struct slice names_lower(const struct resolver *r, struct slice name)
{
    char *text = arena_alloc(r->scratch, name.bytes + 1);
    if (!text)
        return (struct slice){"", 0};
    for (size_t i = 0; i < name.bytes; i++)
        text[i] = (char)tolower((unsigned char)name.p[i]);
    text[name.bytes] = '\0';
    return (struct slice){text, name.bytes};
}

bool names_contain(struct slice name, const char *part)
{
    return name.bytes && memmem(name.p, name.bytes, part, strlen(part)) != NULL;
}

bool names_equal_folded(struct slice name, const char *lower)
{
    return name.bytes == strlen(lower) && names_contain_folded(name, lower);
}

bool names_contain_folded(struct slice name, const char *part)
{
    size_t bytes = strlen(part);
    for (size_t i = 0; i + bytes <= name.bytes; i++) {
        size_t j = 0;
        while (j < bytes && tolower((unsigned char)name.p[i + j]) == part[j])
            j++;
        if (j == bytes)
            return true;
    }
    return false;
}

struct slice names_without_prefix(struct slice name, const char *prefix)
{
    struct slice start = slice_of(prefix);
    if (slice_starts(name, start))
        return (struct slice){name.p + start.bytes, name.bytes - start.bytes};
    return name;
}

/* Splits at the first '/': false when there is none. */
static bool split_path(struct slice name, struct slice *head, struct slice *tail)
{
    const char *slash = name.bytes ? memchr(name.p, '/', name.bytes) : NULL;
    *head = name;
    *tail = (struct slice){"", 0};
    if (!slash)
        return false;
    *head = (struct slice){name.p, (size_t)(slash - name.p)};
    *tail = (struct slice){slash + 1, name.bytes - head->bytes - 1};
    return true;
}

static struct slice first_segment(struct slice name)
{
    struct slice head, tail;
    split_path(name, &head, &tail);
    return head;
}

static bool has_prefix_segment(struct slice name, struct slice provider)
{
    return name.bytes > provider.bytes && slice_starts(name, provider) &&
           name.p[provider.bytes] == '/';
}

struct slice names_provider(struct slice name)
{
    struct slice head, tail;
    if (split_path(name, &head, &tail) && list_has(&list_provider, head))
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

/* ---- stripping versions, regions and routes ----------------------------------------------------
 */

static bool all_digits(struct slice text)
{
    for (size_t i = 0; i < text.bytes; i++)
        if (!isdigit((unsigned char)text.p[i]))
            return false;
    return text.bytes > 0;
}

/* Where the last `c` is; NULL when there is none. */
static const char *find_last(struct slice name, char c)
{
    return name.bytes ? memrchr(name.p, c, name.bytes) : NULL;
}

/* "-<digits>" at the end. */
static struct slice strip_digits(struct slice name)
{
    const char *dash = find_last(name, '-');
    if (!dash || !all_digits((struct slice){dash + 1, (size_t)(name.p + name.bytes - dash - 1)}))
        return name;
    return (struct slice){name.p, (size_t)(dash - name.p)};
}

/* "-YYYY-MM-DD" at the end. */
static struct slice strip_date(struct slice name)
{
    static const char shape[] = "-dddd-dd-dd";
    size_t bytes = sizeof(shape) - 1;
    if (name.bytes < bytes)
        return name;
    const char *at = name.p + name.bytes - bytes;
    for (size_t i = 0; i < bytes; i++)
        if (shape[i] == 'd' ? !isdigit((unsigned char)at[i]) : at[i] != shape[i])
            return name;
    return (struct slice){name.p, name.bytes - bytes};
}

/* The last three ':' fields of a fine-tuned model. */
static struct slice strip_finetune(struct slice name)
{
    struct slice left = name;
    for (int i = 0; i < 3; i++) {
        const char *colon = find_last(left, ':');
        if (!colon)
            return name;
        left.bytes = (size_t)(colon - left.p);
    }
    return left;
}

static struct slice strip_routes(struct slice name)
{
    for (size_t i = 0; i < sizeof(bedrock_routes) / sizeof(bedrock_routes[0]); i++)
        name = names_without_prefix(name, bedrock_routes[i]);
    return name;
}

/* ":0:51k" loses ":51k"; "[1m]" at the end is lost. */
static struct slice strip_throughput(struct slice name)
{
    const char *colon = find_last(name, ':');
    struct slice left = {name.p, colon ? (size_t)(colon - name.p) : 0};
    const char *before = colon ? find_last(left, ':') : NULL;
    if (before && name.p[name.bytes - 1] == 'k' &&
        all_digits((struct slice){colon + 1, (size_t)(name.p + name.bytes - colon - 2)}) &&
        all_digits((struct slice){before + 1, (size_t)(colon - before - 1)}))
        name = left;
    const char *bracket = find_last(name, '[');
    if (bracket && name.p[name.bytes - 1] == ']' && name.p + name.bytes - bracket > 2)
        name.bytes = (size_t)(bracket - name.p);
    return name;
}

/* Bedrock's base id: without route, ARN, throughput, and a cross-region prefix or region path. */
static struct slice bedrock_base(struct slice name)
{
    struct slice spec = names_without_prefix(name, "bedrock/converse/");
    if (spec.bytes == name.bytes)
        spec = names_without_prefix(name, "bedrock/");
    if (spec.bytes == name.bytes)
        spec = names_without_prefix(name, "converse/");
    if (slice_starts(spec, SLICE("nova-2/")))
        return SLICE("amazon.nova-2-custom");
    if (slice_starts(spec, SLICE("nova/")))
        return SLICE("amazon.nova-custom");
    name = strip_routes(name);
    const char *slash = find_last(name, '/');
    if (slash && names_contain_folded(name, "arn"))
        name = (struct slice){slash + 1, (size_t)(name.p + name.bytes - slash - 1)};
    name = strip_throughput(name);
    const char *dot = name.bytes ? memchr(name.p, '.', name.bytes) : NULL;
    struct slice geo = {name.p, dot ? (size_t)(dot - name.p) : name.bytes}, head, tail;
    if (dot && list_has(&list_bedrock_geo, geo))
        return (struct slice){dot + 1, name.bytes - geo.bytes - 1};
    if (split_path(name, &head, &tail) && list_has(&list_bedrock_region, head))
        return tail;
    return name;
}

/* Behind an ARN's kind, as in "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.x". */
static struct slice strip_arn(struct slice name)
{
    const char *slash = find_last(name, '/');
    if (!slash || !slice_starts(name, SLICE("arn:")))
        return name;
    return (struct slice){slash + 1, (size_t)(name.p + name.bytes - slash - 1)};
}

struct slice names_bedrock_id(struct slice name)
{
    struct slice head, tail;
    for (size_t before = 0; before != name.bytes;) {
        before = name.bytes;
        name = strip_arn(strip_routes(name));
        if (split_path(name, &head, &tail) && list_has(&list_bedrock_region, head))
            name = tail;
    }
    return name;
}

struct slice names_arn_region(struct slice name)
{
    const char *arn = name.bytes ? memmem(name.p, name.bytes, "arn:", 4) : NULL;
    struct slice field = {"", 0};
    if (!arn)
        return field;
    const char *end = name.p + name.bytes;
    for (unsigned i = 0; i < 4 && arn; i++) {
        const char *colon = memchr(arn, ':', (size_t)(end - arn));
        field = (struct slice){arn, colon ? (size_t)(colon - arn) : 0};
        arn = colon ? colon + 1 : NULL;
    }
    return field;
}

static bool is_bedrock(struct slice provider)
{
    return slice_is(provider, "bedrock") || slice_is(provider, "bedrock_converse");
}

static struct slice strip_version(struct slice name, struct slice provider)
{
    if (is_bedrock(provider))
        return bedrock_base(name);
    if (slice_is(provider, "vertex_ai") || slice_is(provider, "gemini") ||
        slice_is(provider, "databricks"))
        return strip_digits(name);
    return names_contain(name, "ft:") ? strip_finetune(name) : strip_date(name);
}

/* ---- lookup -----------------------------------------------------------------------------------
 */

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
        if (!provider.bytes || has_prefix_segment(model, provider)) {
            if (slice_eq(model, name))
                return true;
        } else if (has_prefix_segment(name, provider) &&
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
static bool provider_matches(struct slice entry, struct slice provider)
{
    static const char *const same_family[] = {"vertex_ai", "fireworks_ai", "bedrock"};
    static const char *const any[] = {"litellm_proxy", "github", "nadir"};
    if (entry.bytes == 0 || provider.bytes == 0 || slice_eq(entry, provider))
        return true;
    for (size_t i = 0; i < 3; i++) {
        struct slice family = slice_of(same_family[i]);
        bool ours = i < 2 ? slice_eq(provider, family) : slice_starts(provider, family);
        if (ours && slice_starts(entry, family))
            return true;
        if (slice_is(provider, any[i]))
            return true;
    }
    return slice_is(provider, "azure_ai") &&
           (slice_is(entry, "azure") || slice_is(entry, "openai"));
}

/* "fireworks_ai/accounts/fireworks/..." of a short name. */
static struct slice fireworks_key(const struct resolver *r, struct slice name)
{
    static const struct slice models = {"fireworks_ai/accounts/fireworks/models", 38};
    static const struct slice routers = {"fireworks_ai/accounts/fireworks/routers", 39};
    struct slice bare = names_without_prefix(name, "fireworks_ai/");
    if (slice_starts(bare, SLICE("accounts/")) || slice_starts(bare, SLICE("FW-")) ||
        names_contain(bare, "#"))
        return names_join(r, SLICE("fireworks_ai"), "/", bare);
    if (slice_starts(bare, SLICE("routers/")) || slice_starts(bare, SLICE("models/")))
        return names_join(r, SLICE("fireworks_ai/accounts/fireworks"), "/", bare);
    bool routed = slice_is(bare, "auto") || slice_is(bare, "auto-instant") ||
                  slice_is(bare, "firerouter") || slice_starts(bare, SLICE("firerouter/")) ||
                  (bare.bytes >= 5 && memcmp(bare.p + bare.bytes - 5, "-fast", 5) == 0);
    return names_join(r, routed ? routers : models, "/", bare);
}

#define CANDIDATES_MAX 7

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

static struct slice mantle_bare(struct slice name)
{
    struct slice head, tail;
    return split_path(name, &head, &tail) && list_has(&list_bedrock_region, head) ? tail : name;
}

/* Without its region's path; of an ARN the last segment, of others what is behind the routes. */
static struct slice bedrock_split(struct slice name)
{
    struct slice bare = mantle_bare(name);
    const char *slash = find_last(bare, '/');
    if (!slice_starts(bare, SLICE("arn:")))
        return strip_routes(bare);
    return slash ? (struct slice){slash + 1, (size_t)(bare.p + bare.bytes - slash - 1)} : bare;
}

/* The names a model may have in the map, in LiteLLM's order. */
static void candidates_of(const struct resolver *r, struct slice name, struct slice provider,
                          struct candidates *out)
{
    bool prefixed = provider.bytes && has_prefix_segment(name, provider);
    struct slice split = name, combined = name, last = name;
    struct slice said = provider.bytes ? provider : names_provider(name);
    if (prefixed) {
        split = (struct slice){name.p + provider.bytes + 1, name.bytes - provider.bytes - 1};
        last = names_join(r, provider, "/", name);
    } else if (provider.bytes) {
        combined = last = names_join(r, provider, "/", name);
    } else if (said.bytes) {
        split = (struct slice){name.p + said.bytes + 1, name.bytes - said.bytes - 1};
    }
    struct slice stripped = strip_version(provider.bytes ? split : name, said);
    struct slice combined_stripped =
        provider.bytes ? names_join(r, provider, "/", stripped) : stripped;
    struct slice region_free = combined;
    if (is_bedrock(said))
        split = bedrock_split(split);
    if (slice_is(said, "bedrock_mantle")) {
        split = mantle_bare(split);
        region_free = names_join(r, said, "/", split);
        combined_stripped = names_join(r, said, "/", strip_version(split, said));
    }
    if (slice_is(said, "fireworks_ai"))
        last = fireworks_key(r, split);
    const struct slice forms[CANDIDATES_MAX] = {combined,          name,     region_free, split,
                                                combined_stripped, stripped, last};
    *out = (struct candidates){.provider = said};
    for (size_t i = 0; i < CANDIDATES_MAX; i++)
        add_form(out, forms[i]);
}

struct slice names_mantle_id(struct slice name)
{
    return mantle_bare(names_without_prefix(name, "bedrock_mantle/"));
}

static bool has_entry(const struct catalog *catalog, const char *prefix, struct slice name,
                      const char *suffix, const char *provider, const struct resolver *r)
{
    struct slice full = names_join(r, slice_of(prefix), "", names_join(r, name, suffix, SLICE("")));
    const struct entry *entry = catalog_find(catalog, full);
    return entry && strcmp(entry->provider, provider) == 0;
}

/* Vertex: Llama under meta/, Mistral and AI21 as @latest. */
static struct slice vertex_alias(const struct resolver *r, struct slice name)
{
    static const char *const prefixes[] = {"", "vertex_ai/"};
    const struct catalog *catalog = r->catalog;
    for (size_t i = 0; i < 2; i++) {
        struct slice meta = names_join(r, SLICE("meta"), "/", name);
        if (has_entry(catalog, prefixes[i], meta, "", "vertex_ai-llama_models", r))
            return meta;
    }
    for (size_t i = 0; i < 2; i++)
        if (has_entry(catalog, prefixes[i], name, "@latest", "vertex_ai-mistral_models", r) ||
            has_entry(catalog, prefixes[i], name, "@latest", "vertex_ai-ai21_models", r))
            return names_join(r, name, "@latest", SLICE(""));
    return name;
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
        if (entry && provider_matches(slice_of(entry->provider), all->provider))
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
    for (size_t i = 0; i < sizeof(azure_aliases) / sizeof(azure_aliases[0]); i++)
        if (slice_is(name, azure_aliases[i].name)) {
            name = slice_of(azure_aliases[i].alias);
            break;
        }
    if (slice_is(provider, "vertex_ai_beta"))
        provider = SLICE("vertex_ai");
    if (slice_is(provider, "vertex_ai"))
        name = vertex_alias(r, name);
    if (slice_is(provider, "huggingface") || slice_is(provider, "lemonade"))
        return (struct found){&rule_free_provider, NULL};
    candidates_of(r, name, provider, &all);
    struct found found = search_map(r, &all, &any_key);
    if (found.rule)
        return found;
    if (slice_is(provider, "ollama"))
        return (struct found){&rule_free_provider, NULL};
    for (size_t i = 0; !any_key && i < all.count; i++)
        if (catalog_knows_family(r->catalog, all.name[i]))
            return (struct found){&rule_capability, NULL};
    return found;
}

/* ---- names of a request ------------------------------------------------------------------------
 */

/* Drops segments behind `head` one by one, as far as a provider's name, until the rest is a key. */
static struct slice drop_segments(const struct resolver *r, struct slice head, struct slice tail,
                                  struct slice whole)
{
    struct slice segment, after;
    for (;;) {
        struct slice tried = names_join(r, head, "/", tail);
        if (names_is_key(r, tried))
            return tried;
        bool more = split_path(tail, &segment, &after);
        if (!more || list_has(&list_provider, segment))
            return whole;
        tail = after;
    }
}

struct slice names_qualify(const struct resolver *r, struct slice name, struct slice provider,
                           struct slice region)
{
    if (provider.bytes == 0 || list_has(&list_provider, first_segment(name)))
        return name;
    struct slice head = region.bytes ? names_join(r, provider, "/", region) : provider;
    struct slice whole = names_join(r, head, "/", name);
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
    split_path(requested, &head, &tail);
    if (slice_eq(served, requested) || slice_eq(served, tail) ||
        names_is_priced(r, served, provider) || !names_is_priced(r, requested, provider))
        return served;
    return requested;
}

static struct slice collapse_prefix(struct slice name, struct slice provider)
{
    if (provider.bytes == 0)
        return name;
    while (has_prefix_segment(name, provider)) {
        struct slice rest = {name.p + provider.bytes + 1, name.bytes - provider.bytes - 1};
        if (!has_prefix_segment(rest, provider))
            break;
        name = rest;
    }
    return name;
}

struct slice names_bare(const struct resolver *r, struct slice name, struct slice provider)
{
    struct slice head, tail;
    name = collapse_prefix(name, provider);
    bool prefixed = has_prefix_segment(name, provider);
    if (!prefixed && provider.bytes && names_is_key(r, names_join(r, provider, "/", name)))
        return name;
    return split_path(name, &head, &tail) ? tail : name;
}

struct slice names_token_name(const struct resolver *r, struct slice name, struct slice provider,
                              struct slice region)
{
    name = collapse_prefix(name, provider);
    bool prefixed = has_prefix_segment(name, provider);
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
    if (!names_is_key(r, name) && split_path(name, &head, &tail) && names_is_key(r, tail))
        return tail;
    return name;
}

/* ---- provider rules about names (8.1) ----------------------------------------------------------
 */

#define SIZE_NONE UINT32_MAX

static uint32_t number_of(struct slice digits)
{
    uint32_t n = 0;
    for (size_t i = 0; i < digits.bytes && n < 100000000; i++)
        n = n * 10 + (uint32_t)(digits.p[i] - '0');
    return n;
}

static size_t digits_end(struct slice name, size_t from)
{
    while (from < name.bytes && isdigit((unsigned char)name.p[from]))
        from++;
    return from;
}

/* The first run of digits directly before `unit`. */
static uint32_t size_before(struct slice name, char unit)
{
    for (size_t i = 0; i < name.bytes; i++) {
        size_t end = digits_end(name, i);
        if (end > i && end < name.bytes && name.p[end] == unit)
            return number_of((struct slice){name.p + i, end - i});
        if (end > i)
            i = end - 1;
    }
    return SIZE_NONE;
}

struct size_class {
    uint32_t upto;
    const char *name;
};

static const struct size_class together_classes[] = {
    {4, "together-ai-up-to-4b"},
    {8, "together-ai-4.1b-8b"},
    {21, "together-ai-8.1b-21b"},
    {41, "together-ai-21.1b-41b"},
    {80, "together-ai-41.1b-80b"},
    {110, "together-ai-81.1b-110b"},
    {0, NULL},
};

static const struct size_class together_embeddings[] = {
    {150, "together-ai-embedding-up-to-150m"},
    {350, "together-ai-embedding-151m-to-350m"},
    {0, NULL},
};

struct slice names_together_class(const struct resolver *r, struct slice name, bool embedding)
{
    struct slice lower = names_lower(r, name);
    const struct size_class *class = embedding ? together_embeddings : together_classes;
    uint32_t size = size_before(lower, embedding ? 'm' : 'b');
    for (; class->name; class ++)
        if (size <= class->upto)
            return slice_of(class->name);
    return lower;
}

/* "8x7b": experts times size. */
static uint32_t experts_size(struct slice name)
{
    for (size_t i = 0; i < name.bytes; i++) {
        size_t from = i, x = digits_end(name, from);
        if (x == from)
            continue;
        i = x - 1;
        if (x == name.bytes || name.p[x] != 'x')
            continue;
        size_t end = digits_end(name, x + 1);
        if (end == x + 1 || end == name.bytes || name.p[end] != 'b')
            continue;
        uint64_t product = (uint64_t)number_of((struct slice){name.p + from, x - from}) *
                           number_of((struct slice){name.p + x + 1, end - x - 1});
        return product < SIZE_NONE ? (uint32_t)product : SIZE_NONE - 1;
    }
    return SIZE_NONE;
}

/* "1p5b" is 1.5: as far as classes go, 2. */
static uint32_t fireworks_size(struct slice name)
{
    uint32_t size = size_before(name, 'b');
    for (size_t i = 1; i + 1 < name.bytes; i++) {
        size_t end = digits_end(name, i + 1);
        if (name.p[i] != 'p' || end == i + 1 || end == name.bytes || name.p[end] != 'b')
            continue;
        size_t from = i;
        while (from > 0 && isdigit((unsigned char)name.p[from - 1]))
            from--;
        return from < i ? number_of((struct slice){name.p + from, i - from}) + 1 : size;
    }
    return size;
}

struct slice names_fireworks_class(const struct resolver *r, struct slice name)
{
    struct slice lower = names_lower(r, name);
    uint32_t experts = experts_size(lower), size = fireworks_size(lower);
    if (experts <= 56)
        return SLICE("fireworks-ai-moe-up-to-56b");
    if (experts <= 176)
        return SLICE("fireworks-ai-56b-to-176b");
    if (size == SIZE_NONE)
        return SLICE("fireworks-ai-default");
    if (size <= 4)
        return SLICE("fireworks-ai-up-to-4b");
    return size <= 16 ? SLICE("fireworks-ai-4.1b-to-16b") : SLICE("fireworks-ai-above-16b");
}

struct slice names_databricks(const struct resolver *r, struct slice name)
{
    (void)r;
    name = names_without_prefix(name, "databricks/");
    for (size_t i = 0; i < sizeof(databricks_names) / sizeof(databricks_names[0]); i++)
        if (slice_starts(name, slice_of(databricks_names[i].prefix)))
            return slice_of(databricks_names[i].name);
    return name;
}
