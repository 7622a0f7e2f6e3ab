/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each fact and the charge is held against its limit; the first that is beyond it is named with its
 * value.
 */
#include "core/sanity.h"

#include <stdio.h>

#define ATTO ((i128)1000000000000000000)

static bool fact_is_cost(enum fact fact)
{
    return FACT_BIT(fact) & (FACT_BIT(FACT_GATEWAY_COST) | FACT_BIT(FACT_UPSTREAM_COST) |
                             FACT_BIT(FACT_PROVIDER_COST) | FACT_BIT(FACT_VIDEO_COST) |
                             FACT_BIT(FACT_GUARDRAIL_COST) | FACT_BIT(FACT_TOOL_COST));
}

static bool beyond(struct implausible *why, const char *field, const char *value, int64_t limit,
                   bool cost)
{
    why->field = field;
    snprintf(why->detail, sizeof why->detail, "%.48s%s, limits.%s is %lld", value,
             cost ? " USD" : "", cost ? "cost" : "tokens", (long long)limit);
    return false;
}

static bool count_holds(const struct sanity_limits *limits, enum fact fact, int64_t count,
                        struct implausible *why)
{
    char text[24];
    if (count <= limits->tokens)
        return true;
    snprintf(text, sizeof text, "%lld", (long long)count);
    return beyond(why, fact_info[fact].name, text, limits->tokens, false);
}

static bool decimal_holds(const struct sanity_limits *limits, enum fact fact,
                          const struct decimal *d, struct implausible *why)
{
    char text[DECIMAL_TEXT_MAX];
    bool cost = fact_is_cost(fact);
    struct decimal limit = decimal_from_int(cost ? limits->cost : limits->tokens), size = *d;
    size.negative = false;
    if (decimal_cmp(&size, &limit) <= 0)
        return true;
    text[decimal_format(d, text)] = '\0';
    return beyond(why, fact_info[fact].name, text, (int64_t)limit.coef, cost);
}

static bool charge_holds(const struct sanity_limits *limits, const struct charge *charge,
                         struct implausible *why)
{
    char text[DECIMAL_TEXT_MAX];
    i128 most = limits->cost * ATTO;
    if (!charge->has_spend || (charge->spend.atto <= most && charge->spend.atto >= -most))
        return true;
    text[money_format(charge->spend, text)] = '\0';
    return beyond(why, NULL, text, limits->cost, true);
}

bool sanity_holds(const struct sanity_limits *limits, const struct facts *facts,
                  const struct charge *charge, struct implausible *why)
{
    for (unsigned word = 0; word < FACT_WORDS; word++)
        for (uint64_t present = facts->present[word]; present; present &= present - 1) {
            enum fact fact = (enum fact)(word * 64 + (unsigned)__builtin_ctzll(present));
            if (fact_info[fact].kind == KIND_COUNT &&
                !count_holds(limits, fact, facts->v[fact].i, why))
                return false;
            if (fact_info[fact].kind == KIND_DECIMAL &&
                !decimal_holds(limits, fact, facts->v[fact].d, why))
                return false;
        }
    return !charge || charge_holds(limits, charge, why);
}
