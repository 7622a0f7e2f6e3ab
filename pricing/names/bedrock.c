/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of Bedrock and Bedrock Mantle: routes, regions' paths, cross-region prefixes, throughput
 * and ARNs around a model's id (docs/pricing.md 4.3).
 */
#include "pricing/names/providers.h"

#include "pricing/map/lists.h"

static const char *const bedrock_routes[] = {
    "bedrock/", "chat_completions/", "converse/", "invoke/",
    "openai/",  "mantle/",           "nova-2/",   "nova/",
};

static struct slice strip_routes(struct slice name)
{
    for (size_t i = 0; i < sizeof(bedrock_routes) / sizeof(bedrock_routes[0]); i++)
        name = names_without_prefix(name, bedrock_routes[i]);
    return name;
}

/* ":0:51k" loses ":51k"; "[1m]" at the end is lost. */
static struct slice strip_throughput(struct slice name)
{
    const char *colon = names_find_last(name, ':');
    struct slice left = {name.p, colon ? (size_t)(colon - name.p) : 0};
    const char *before = colon ? names_find_last(left, ':') : NULL;
    if (before && name.p[name.bytes - 1] == 'k' &&
        names_all_digits((struct slice){colon + 1, (size_t)(name.p + name.bytes - colon - 2)}) &&
        names_all_digits((struct slice){before + 1, (size_t)(colon - before - 1)}))
        name = left;
    const char *bracket = names_find_last(name, '[');
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
    const char *slash = names_find_last(name, '/');
    if (slash && names_contain_folded(name, "arn"))
        name = (struct slice){slash + 1, (size_t)(name.p + name.bytes - slash - 1)};
    name = strip_throughput(name);
    const char *dot = name.bytes ? memchr(name.p, '.', name.bytes) : NULL;
    struct slice geo = {name.p, dot ? (size_t)(dot - name.p) : name.bytes}, head, tail;
    if (dot && list_has(&list_bedrock_geo, geo))
        return (struct slice){dot + 1, name.bytes - geo.bytes - 1};
    if (names_split(name, &head, &tail) && list_has(&list_bedrock_region, head))
        return tail;
    return name;
}

/* Behind an ARN's kind, as in "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.x". */
static struct slice strip_arn(struct slice name)
{
    const char *slash = names_find_last(name, '/');
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
        if (names_split(name, &head, &tail) && list_has(&list_bedrock_region, head))
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

static struct slice mantle_bare(struct slice name)
{
    struct slice head, tail;
    return names_split(name, &head, &tail) && list_has(&list_bedrock_region, head) ? tail : name;
}

struct slice names_mantle_id(struct slice name)
{
    return mantle_bare(names_without_prefix(name, "bedrock_mantle/"));
}

/* Without its region's path; of an ARN the last segment, of others what is behind the routes. */
static struct slice bedrock_split(struct slice name)
{
    struct slice bare = mantle_bare(name);
    const char *slash = names_find_last(bare, '/');
    if (!slice_starts(bare, SLICE("arn:")))
        return strip_routes(bare);
    return slash ? (struct slice){slash + 1, (size_t)(bare.p + bare.bytes - slash - 1)} : bare;
}

/* "bedrock-mantle.<region>.api.aws" */
struct slice names_mantle_host_region(struct slice host)
{
    static const char prefix[] = "bedrock-mantle.", suffix[] = ".api.aws";
    size_t before = sizeof(prefix) - 1, after = sizeof(suffix) - 1;
    if (host.bytes > before + after && memcmp(host.p, prefix, before) == 0 &&
        memcmp(host.p + host.bytes - after, suffix, after) == 0)
        return (struct slice){host.p + before, host.bytes - before - after};
    return (struct slice){"", 0};
}

static void bedrock_forms(const struct resolver *r, struct name_forms *forms)
{
    (void)r;
    forms->split = bedrock_split(forms->split);
}

const struct name_rules names_bedrock = {.family = "bedrock",
                                         .region = REGION_OF_BEDROCK,
                                         .stripped = bedrock_base,
                                         .reformed = bedrock_forms};

/* The word of cost maps: the same names, but events do not call it so. */
const struct name_rules names_converse = {
    .family = "bedrock", .stripped = bedrock_base, .reformed = bedrock_forms};

static void mantle_forms(const struct resolver *r, struct name_forms *forms)
{
    forms->split = mantle_bare(forms->split);
    forms->region_free = names_join(r, forms->said, "/", forms->split);
    forms->combined_stripped = names_join(r, forms->said, "/", names_strip_version(forms->split));
}

const struct name_rules names_mantle = {
    .family = "bedrock", .region = REGION_OF_MANTLE, .reformed = mantle_forms};
