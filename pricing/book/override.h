/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a custom-priced deployment costs: what it sets, laid over the map's entry (mode merge,
 * docs/pricing.md 5.4) or on its own with five inheritances (mode litellm, 5.3).
 */
#ifndef PRICING_BOOK_OVERRIDE_H
#define PRICING_BOOK_OVERRIDE_H

#include "pricing/names/names.h"

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

#endif
