/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From names to rules (docs/pricing.md section 4). Everything here runs once per distinct
 * combination of names and is then remembered (plan.h); texts live in the resolver's scratch arena.
 */
#ifndef PRICING_NAMES_NAMES_H
#define PRICING_NAMES_NAMES_H

#include "pricing/book.h"
#include "pricing/map/catalog.h"

/* A name that LiteLLM puts into its table of models, at a price of 0, because a deployment has it
 * and no map has. `provider` may be "". */
struct registered {
    const char *model, *provider;
};

struct registry {
    struct registered *name;
    size_t count;
};

struct resolver {
    const struct catalog *catalog;
    const struct registry *registered;
    enum overrides_mode overrides;
    struct arena *scratch;
    const struct trace *trace;
    /* A custom-priced deployment that answers to names: in mode merge to every name, in mode
     * litellm to its id, with and without provider. */
    const struct rule *fixed;
    struct slice fixed_name, fixed_full;
};

struct found {
    const struct rule *rule;   /* NULL: unmapped */
    const struct entry *entry; /* the map's entry; NULL for deployments and for free answers */
};

/* Section 4.3. An empty provider is the one the name itself says, else any. */
struct found names_lookup(const struct resolver *r, struct slice name, struct slice provider);
/* Whether LiteLLM's table of models has that very key. */
bool names_is_key(const struct resolver *r, struct slice name);
/* Section 4.1: the provider before a name that has none, unknown segments dropped. */
struct slice names_qualify(const struct resolver *r, struct slice name, struct slice provider,
                           struct slice region);
/* Whether the map's row that a name finds under a provider prices anything (4.1). */
bool names_is_priced(const struct resolver *r, struct slice name, struct slice provider);
/* What LiteLLM takes for the model of an answer (4.1): the answered one, unless only the requested
 * one has rates. */
struct slice names_served(const struct resolver *r, struct slice answered, struct slice requested,
                          struct slice provider, struct slice region);
/* Section 4.2. */
struct slice names_token_name(const struct resolver *r, struct slice name, struct slice provider,
                              struct slice region);
/* The name without its first path segment, doubled prefixes collapsed. */
struct slice names_bare(const struct resolver *r, struct slice name, struct slice provider);

/* The provider a name starts with, "" when its first segment is not one. */
struct slice names_provider(struct slice name);
/* A map entry's provider in the vocabulary of events: bedrock_converse -> bedrock. */
struct slice names_canonical_provider(struct slice provider);

/* A line for `explain`; nothing without a trace. */
void trace_line(const struct trace *trace, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Answers of price 0. */
extern const struct rule rule_capability, rule_free_provider, rule_registered;

#endif
