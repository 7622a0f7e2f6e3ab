/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What single providers do with names, a file for each: bedrock.c, vertex.c, azure.c, fireworks.c,
 * together.c, databricks.c, replicate.c. What all have in common is in lookup.c and qualify.c.
 */
#ifndef PRICING_NAMES_PROVIDERS_H
#define PRICING_NAMES_PROVIDERS_H

#include "pricing/names/text.h"

/* The forms of a name that are looked up, in this order. */
struct name_forms {
    struct slice said; /* the provider that was given, else that the name says; "" */
    struct slice combined, name, region_free, split, combined_stripped, stripped, last;
};

enum free_answer { FREE_NEVER, FREE_UNMAPPED, FREE_ALWAYS };
/* Which name chat is billed by: the one for tokens (4.2), the name without its first segment, that
 * of the endpoint, or the class of its size when the map has none. */
enum chat_name { CHAT_BY_TOKEN_NAME, CHAT_BY_BARE_NAME, CHAT_BY_ENDPOINT, CHAT_BY_SIZE };
enum region_source { REGION_NONE, REGION_OF_BEDROCK, REGION_OF_MANTLE };

/* What is special about a provider's names; all NULL and 0: nothing (names_plain). A row of
 * providers.def says names_<word>; the file of that name defines it. */
struct name_rules {
    const char *as;          /* its names are looked up as another provider's */
    const char *family;      /* map entries of providers that begin with this are its own too */
    const char *const *also; /* ... and of these, NULL-terminated */
    const char *route;       /* ... and of this, in mode merge: LiteLLM's word for one of its APIs,
                              * which gateways other than LiteLLM do not know (4.3) */
    bool any_entry;          /* ... and of anybody */
    enum free_answer free;   /* what costs nothing there */
    enum chat_name chat;
    enum region_source region; /* where a call's region is said */
    bool by_size;              /* what has no price is billed by the class of its size (8.1) */
    bool has_music;            /* music is looked up by its exact name (8.5) */
    /* The name that the map has for it; before all else. */
    struct slice (*renamed)(const struct resolver *r, struct slice name);
    /* Without a version; NULL: without a date, or the fields of a fine-tuned model. */
    struct slice (*stripped)(struct slice name);
    void (*reformed)(const struct resolver *r, struct name_forms *forms);
};

extern const struct name_rules names_plain, names_anthropic, names_any, names_azure, names_azure_ai,
    names_bedrock, names_codestral, names_cohere, names_converse, names_databricks, names_fireworks,
    names_free, names_free_unmapped, names_mantle, names_numbered, names_openai, names_together,
    names_vertex, names_vertex_beta;

/* By an event's word of the provider, or a map's. */
const struct name_rules *names_rules_of(struct slice provider);

/* A Bedrock model as events and configurations have it, in one form: without "bedrock/", routes and
 * region path; of an ARN its last segment. */
struct slice names_bedrock_id(struct slice name);
/* The region an ARN within the name is of, "" when there is none. */
struct slice names_arn_region(struct slice name);

/* A Mantle model's id: without provider and region. */
struct slice names_mantle_id(struct slice name);
/* The region of "bedrock-mantle.<region>.api.aws", "" of other hosts. */
struct slice names_mantle_host_region(struct slice host);

/* Billed by tokens whatever its entry says (8.2). */
bool names_vertex_bills_tokens(struct slice name);

/* LiteLLM's name for one that it renames first (4.3), else the name itself. */
struct slice names_azure_alias(struct slice name);
bool names_is_azure_router(struct slice name);
/* The router's entry, whose input rate is the fee. */
const struct rule *names_azure_router(const struct resolver *r, struct slice name);

struct slice names_databricks_endpoint(struct slice name);
/* The class of a model's size. */
struct slice names_fireworks_class(const struct resolver *r, struct slice name);

/* What chat is billed by, under a name and under its name for tokens; NULL: unmapped. */
const struct rule *names_chat_rule(const struct resolver *r, struct slice provider,
                                   struct slice name, struct slice token_name);

/* Whether the name says Together; the name that is billed: itself where it has a price, else the
 * class of its size. */
bool names_is_together(struct slice name);
struct slice names_together_class(const struct resolver *r, struct slice name, bool embedding);

/* Hardware that is not known by name: billed by the second (8.1). */
bool names_is_replicate(const struct resolver *r, struct slice name);

#endif
