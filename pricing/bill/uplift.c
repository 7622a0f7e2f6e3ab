/* SPDX-License-Identifier: Apache-2.0 */
/* Uplifts multiply all that is added after them (docs/pricing.md 7.3): by host, by region, by
 * location. */
#include "pricing/bill/call.h"

#include <strings.h>

void uplift_by(struct call *call, const struct rate *rate)
{
    const struct decimal *so_far = call->bill.multiplier;
    if (!rate)
        return;
    if (!so_far) {
        call->multiplier[0] = rate->value;
        call->bill.multiplier = &call->multiplier[0];
        return;
    }
    struct decimal *product =
        so_far == &call->multiplier[0] ? &call->multiplier[1] : &call->multiplier[0];
    if (!decimal_mul(so_far, &rate->value, product))
        call->bill.overflow = true;
    call->bill.multiplier = product;
}

/* OpenAI's regional hosts; the region the gateway priced on comes first. */
static const struct {
    const char *region, *host;
    enum rate_kind uplift;
} residencies[] = {
    {"eu", "eu.api.openai.com", RATE_UPLIFT_EU},
    {"us", "us.api.openai.com", RATE_UPLIFT_US},
    {"fedramp", "gov.api.openai.com", RATE_UPLIFT_FEDRAMP},
};

static bool is_word(struct slice text, const char *word)
{
    return text.bytes == strlen(word) && strncasecmp(text.p, word, text.bytes) == 0;
}

void uplift_residency(struct call *call, const struct rule *rule)
{
    struct slice region = facts_text(call->facts, FACT_DATA_RESIDENCY);
    struct slice host = facts_text(call->facts, FACT_API_HOST);
    for (size_t i = 0; i < sizeof(residencies) / sizeof(residencies[0]); i++)
        if (region.bytes ? is_word(region, residencies[i].region)
                         : slice_is(host, residencies[i].host)) {
            uplift_by(call, rule_rate(rule, residencies[i].uplift, VARIANT_PLAIN));
            return;
        }
}

/* The location defaults to the model's first supported region, else us-central1: the uplift is the
 * default. A location the model does not support is replaced by that first one. */
static struct slice vertex_location(const struct call *call)
{
    struct slice location = facts_text(call->facts, FACT_VERTEX_LOCATION);
    const struct entry *entry = call->plan->regions;
    if (location.bytes)
        return location;
    location = slice_of(call->plan->vertex_location);
    if (!entry || entry->rule->region_count == 0)
        return location.bytes ? location : SLICE("us-central1");
    for (size_t i = 0; location.bytes && i < entry->rule->region_count; i++)
        if (slice_is(location, entry->rule->region[i]))
            return location;
    return slice_of(entry->rule->region[0]);
}

/* Called through another provider, which has no locations (pricing_provider). */
static bool is_only_priced_as_vertex(const struct call *call)
{
    const struct priced_deployment *d = call->plan->deployment;
    struct slice called = facts_text(call->facts, FACT_PROVIDER);
    return d && d->deployment->pricing_provider[0] && called.bytes &&
           !slice_starts(called, SLICE("vertex_ai"));
}

void uplift_vertex(struct call *call, const struct rule *rule)
{
    const struct rate *rate = rule_rate(rule, RATE_UPLIFT_VERTEX, VARIANT_PLAIN);
    if (!rate || is_only_priced_as_vertex(call))
        return;
    struct slice location = vertex_location(call);
    if (location.bytes != 6 || strncasecmp(location.p, "global", 6) != 0)
        uplift_by(call, rate);
}
