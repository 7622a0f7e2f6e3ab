/* SPDX-License-Identifier: Apache-2.0 */
/* Discount, then margin (docs/pricing.md section 10): items of their own, on what came before them.
 */
#include "pricing/bill/call.h"

#include <fnmatch.h>
#include <stdio.h>

static const struct litellm_config *config_of(const struct call *call)
{
    return call->edition->config;
}

/* ---- discounts by provider and model: "openai", "openai/gpt-4o", "bedrock/eu.*"
 * ------------------
 */

/* The pattern behind "provider/" of a discount's key; p == NULL: another provider's, or none. */
static struct slice pattern_of(const struct discount *discount, struct slice provider)
{
    struct slice key = slice_of(discount->provider);
    if (!slice_starts(key, provider) || key.bytes <= provider.bytes || key.p[provider.bytes] != '/')
        return (struct slice){NULL, 0};
    return (struct slice){key.p + provider.bytes + 1, key.bytes - provider.bytes - 1};
}

static bool is_glob(struct slice pattern)
{
    for (size_t i = 0; i < pattern.bytes; i++)
        if (pattern.p[i] == '*' || pattern.p[i] == '?' || pattern.p[i] == '[')
            return true;
    return false;
}

/* A pattern's class: "[a-z]", "[!a]"; the bytes it takes, 0 when the bracket never closes. */
static size_t class_bytes(struct slice pattern)
{
    size_t i = 1;
    i += i < pattern.bytes && pattern.p[i] == '!';
    i += i < pattern.bytes && pattern.p[i] == ']';
    while (i < pattern.bytes && pattern.p[i] != ']')
        i++;
    return i < pattern.bytes ? i + 1 : 0;
}

static size_t literal_bytes(struct slice pattern)
{
    size_t count = 0;
    for (size_t i = 0; i < pattern.bytes; i++) {
        struct slice rest = {pattern.p + i, pattern.bytes - i};
        size_t class = pattern.p[i] == '[' ? class_bytes(rest) : 0;
        if (class)
            i += class - 1;
        else
            count += pattern.p[i] != '*' && pattern.p[i] != '?';
    }
    return count;
}

/* fnmatch(3) as Python's fnmatchcase: "*" takes a "/" too, and nothing escapes. */
static bool glob_matches(struct slice pattern, struct slice name)
{
    char p[256], n[512];
    if (pattern.bytes >= sizeof(p) || name.bytes >= sizeof(n))
        return false;
    snprintf(p, sizeof(p), SLICE_FMT, SLICE_ARG(pattern));
    snprintf(n, sizeof(n), SLICE_FMT, SLICE_ARG(name));
    return fnmatch(p, n, FNM_NOESCAPE) == 0;
}

/* The priced name without one more "provider/" before it; false when it has none. */
static bool drop_prefix(struct slice *name, struct slice provider)
{
    if (!slice_starts(*name, provider) || name->bytes <= provider.bytes ||
        name->p[provider.bytes] != '/')
        return false;
    *name = (struct slice){name->p + provider.bytes + 1, name->bytes - provider.bytes - 1};
    return true;
}

static size_t fit_of_pattern(struct slice pattern, struct slice provider, struct slice name)
{
    do {
        if (is_glob(pattern) ? glob_matches(pattern, name) : slice_eq(pattern, name))
            return is_glob(pattern) ? 2 + literal_bytes(pattern) : SIZE_MAX;
    } while (drop_prefix(&name, provider));
    return 0;
}

/* How well a key fits: exact names beat globs, globs the provider alone; 0: not at all. A name with
 * a region is also the name without it. */
static size_t fit_of(const struct discount *discount, const struct plan *plan, struct slice name)
{
    struct slice provider = plan->provider_name, pattern = pattern_of(discount, provider);
    if (slice_is(provider, discount->provider))
        return 1;
    if (!pattern.p)
        return 0;
    size_t fit = fit_of_pattern(pattern, provider, name);
    if (plan->region.bytes && drop_prefix(&name, plan->region)) {
        size_t bare = fit_of_pattern(pattern, provider, name);
        fit = bare > fit ? bare : fit;
    }
    return fit;
}

static const struct discount *find_discount(const struct call *call)
{
    const struct litellm_config *config = config_of(call);
    struct slice provider = call->plan->provider_name, name = call->candidate->name;
    const struct discount *best = NULL;
    size_t best_fit = 0;
    if (call->plan->custom)
        name = plan_full_name(call->facts);
    drop_prefix(&name, provider);
    for (size_t i = 0; i < config->discount_count; i++) {
        size_t fit = fit_of(&config->discount[i], call->plan, name);
        if (fit > best_fit) {
            best_fit = fit;
            best = &config->discount[i];
        }
    }
    return best;
}

static const struct margin *find_margin(const struct call *call)
{
    const struct litellm_config *config = config_of(call);
    const struct margin *global = NULL;
    for (size_t i = 0; i < config->margin_count; i++) {
        if (slice_is(call->plan->provider_name, config->margin[i].provider))
            return &config->margin[i];
        if (strcmp(config->margin[i].provider, "global") == 0)
            global = &config->margin[i];
    }
    return global;
}

static void add_share(struct call *call, enum unit unit, const struct rate *rate,
                      const struct decimal *sign)
{
    struct decimal so_far = money_decimal(bill_total(&call->bill));
    bill_add(&call->bill, unit, &so_far, (struct use){rate, sign});
}

void adjust_add(struct call *call)
{
    static const struct decimal minus_one = {1, 0, true};
    const struct discount *discount = find_discount(call);
    const struct margin *margin = find_margin(call);
    bool used = call->bill.used;
    call->bill.multiplier = NULL;
    if (discount)
        add_share(call, UNIT_DISCOUNT, &discount->rate, &minus_one);
    if (margin && margin->has_percentage)
        add_share(call, UNIT_MARGIN, &margin->percentage, NULL);
    call->bill.used = used;
    if (margin && margin->has_fixed)
        bill_rate(&call->bill, UNIT_MARGIN_FIXED, 1, &margin->fixed);
}
