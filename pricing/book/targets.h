/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups of deployments that LiteLLM cannot tell apart: those of one model_info.id, or without one
 * those of one alias and model. Checks that look for another of the same target ask here instead of
 * at all deployments before it, of which there may be a hundred thousand.
 */
#ifndef PRICING_BOOK_TARGETS_H
#define PRICING_BOOK_TARGETS_H

#include "pricing/book/config.h"

struct targets;

struct targets *targets_new(size_t deployments); /* NULL: no memory */
void targets_free(struct targets *targets);
/* The number of the deployment's group, from 0 in the order of first sight. */
size_t targets_group(struct targets *targets, const struct deployment *deployment);

#endif
