/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a custom-priced deployment costs: what it sets, laid over the map's entry (mode merge,
 * docs/pricing.md 5.4) or on its own with five inheritances (mode litellm, 5.3).
 */
#ifndef PRICING_BOOK_OVERRIDE_H
#define PRICING_BOOK_OVERRIDE_H

#include "pricing/book/config.h"
#include "pricing/names/names.h"

/* What a deployment costs. */
struct override {
    const struct rule *entry; /* the deployment's own entry, merged or whole (5.3, 5.4) */
    const struct rule *set;   /* only what it sets: images and OCR lay it over the map (8.3, 8.5) */
    const struct rule *image; /* the map's entry with `set` laid over it, nothing dropped */
    bool sets_job_price;      /* mode litellm: batch jobs are billed by it at all */
    const struct entry *base; /* B: the map entry it stands on, or NULL */
};

/* Section 5.2; mode merge also counts keys LiteLLM's list does not know. */
bool override_is_custom(const struct deployment *deployment, enum overrides_mode mode,
                        const struct variants *variants);

/* What the deployment sets, litellm_params over model_info. */
bool override_set_fields(const struct deployment *deployment, struct fields *set,
                         struct err *err) MUST_CHECK;

/* The raw entry a deployment is billed by: `base` is B, NULL when its model is in no map. */
bool override_fields(struct arena *arena, const struct deployment *deployment,
                     enum overrides_mode mode, const struct variants *variants,
                     const struct entry *base, struct fields *out, struct err *err) MUST_CHECK;

/* Compiles all of it into `arena`; `model` is the name actually called where the deployment's holds
 * *. */
bool override_build(struct arena *arena, const struct resolver *r,
                    const struct deployment *deployment, struct slice model, struct override *out,
                    struct err *err) MUST_CHECK;

/* Mode litellm: what a job's lines are billed by. `published` is the map's entry of the job's
 * model, looked up as LiteLLM does, without its provider, and so not always B; NULL: in no map. */
const struct rule *override_job_rule(struct arena *arena, const struct resolver *r,
                                     const struct deployment *deployment,
                                     const struct override *own, const struct entry *published);

#endif
