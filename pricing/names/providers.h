/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What single providers do with names, a file for each: bedrock.c, vertex.c, azure.c, fireworks.c,
 * together.c, databricks.c, replicate.c. What all have in common is in lookup.c and qualify.c.
 */
#ifndef PRICING_NAMES_PROVIDERS_H
#define PRICING_NAMES_PROVIDERS_H

#include "pricing/names/text.h"

/* A Bedrock model as events and configurations have it, in one form: without "bedrock/", routes and
 * region path; of an ARN its last segment. */
struct slice names_bedrock_id(struct slice name);
/* LiteLLM's base id: without throughput and a cross-region prefix either. */
struct slice names_bedrock_base(struct slice name);
/* Without its region's path; of an ARN the last segment, of others what is behind the routes. */
struct slice names_bedrock_split(struct slice name);
/* The region an ARN within the name is of, "" when there is none. */
struct slice names_arn_region(struct slice name);

/* A Mantle model's id: without provider and region. */
struct slice names_mantle_id(struct slice name);
struct slice names_mantle_bare(struct slice name);
/* The region of "bedrock-mantle.<region>.api.aws", "" of other hosts. */
struct slice names_mantle_host_region(struct slice host);

/* The name that the map has for a partner's model. */
struct slice names_vertex_alias(const struct resolver *r, struct slice name);
/* Billed by tokens whatever its entry says (8.2). */
bool names_vertex_bills_tokens(struct slice name);

/* LiteLLM's name for one that it renames first (4.3), else the name itself. */
struct slice names_azure_alias(struct slice name);
bool names_is_azure_router(struct slice name);
/* The router's entry, whose input rate is the fee. */
const struct rule *names_azure_router(const struct resolver *r, struct slice name);

/* "fireworks_ai/accounts/fireworks/..." of a short name. */
struct slice names_fireworks_key(const struct resolver *r, struct slice name);
/* By name, without provider, by the class of its size. */
const struct rule *names_fireworks_rule(const struct resolver *r, struct slice name);

/* Whether the name says Together; the name that is billed: itself where it has a price, else the
 * class of its size. */
bool names_is_together(struct slice name);
struct slice names_together(const struct resolver *r, struct slice name, bool embedding);

struct slice names_databricks(struct slice name);

/* Hardware that is not known by name: billed by the second (8.1). */
bool names_is_replicate(const struct resolver *r, struct slice name);

#endif
