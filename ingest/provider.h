/* SPDX-License-Identifier: Apache-2.0 */
/* Names of providers as gateways write them, in LiteLLM's vocabulary. */
#ifndef INGEST_PROVIDER_H
#define INGEST_PROVIDER_H

#include "core/slice.h"

/* LiteLLM's word where it is known to be meant, else the name as it is. Case does not matter. */
struct slice provider_canonical(struct slice name);

#endif
