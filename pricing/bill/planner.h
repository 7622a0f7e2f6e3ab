/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan in the making: for the files plan*.c alone. A planner lives as long as one plan_make();
 * what it makes lives in `memo`, which is the plan's, or in the resolver's scratch arena, which is
 * garbage afterwards.
 */
#ifndef PRICING_BILL_PLANNER_H
#define PRICING_BILL_PLANNER_H

#include "pricing/bill/plan.h"
#include "pricing/names/providers.h"

struct planner {
    struct resolver r;
    const struct edition *edition;
    const struct facts *facts;
    struct arena *memo;
    struct plan *plan;
    struct slice region; /* Bedrock's: prices of a region come first */
    /* Whose rows price the name at hand: the plan's provider, or that of a base_model's own row. */
    struct slice provider_name;
    enum provider_id provider;
    const struct name_rules *names;
};

/* ---- plan_names.c ------------------------------------------------------------------------------
 */

struct slice find_provider(const struct planner *p);
void find_region(struct planner *p);
/* What the provider says it served; empty when absent. */
struct slice answered_name(const struct planner *p);
bool is_mantle(const struct planner *p);

/* ---- plan_rules.c ------------------------------------------------------------------------------
 */

void fill(const struct planner *p, struct slice name, struct candidate *out);

/* ---- plan_candidates.c -------------------------------------------------------------------------
 */

void use_own_provider(struct planner *p);
void add_candidate(struct planner *p, struct slice name);
void add_candidates(struct planner *p);
void add_merged(struct planner *p);

/* ---- plan_lists.c ------------------------------------------------------------------------------
 */

void plan_realtime(struct planner *p);
void plan_job(struct planner *p);
void plan_image_tool(struct planner *p);

#endif
