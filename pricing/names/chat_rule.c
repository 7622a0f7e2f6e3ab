/* SPDX-License-Identifier: Apache-2.0 */
/* The rule that chat is billed by (docs/pricing.md 8.1, 8.2): under the name for tokens, but for
 * some providers. */
#include "pricing/names/providers.h"

/* By the name, without its provider, by the class of its size. */
static const struct rule *rule_by_size(const struct resolver *r, struct slice name)
{
    struct found found = names_lookup(r, name, SLICE("fireworks_ai"));
    if (!found.rule)
        found = names_lookup(r, names_without_prefix(name, "fireworks_ai/"), SLICE(""));
    if (!found.rule)
        found = names_lookup(r, names_fireworks_class(r, name), SLICE("fireworks_ai"));
    return found.rule;
}

const struct rule *names_chat_rule(const struct resolver *r, struct slice provider,
                                   struct slice name, struct slice token_name)
{
    switch (names_rules_of(provider)->chat) {
    case CHAT_BY_BARE_NAME:
        return names_lookup(r, names_bare(r, name, provider), provider).rule;
    case CHAT_BY_ENDPOINT:
        return names_lookup(r, names_databricks_endpoint(token_name), provider).rule;
    case CHAT_BY_SIZE:
        return rule_by_size(r, token_name);
    default:
        return names_lookup(r, token_name, provider).rule;
    }
}
