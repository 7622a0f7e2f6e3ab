/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Price keys of LiteLLM's config.yaml that stand where nobody reads them: beside model_info, within
 * litellm_params.model_info, in litellm_settings, under a name that is nearly model_info, or in
 * other letters. LiteLLM passes them over in silence, and the call costs the map's price.
 */
#ifndef PRICING_BOOK_MISPLACED_H
#define PRICING_BOOK_MISPLACED_H

#include "pricing/book/config.h"

/* Adds what is found in a file's tree to the configuration. */
bool misplaced_collect(struct arena *book, const struct yaml_node *root,
                       struct litellm_config *config) MUST_CHECK;

#endif
