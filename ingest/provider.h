/* SPDX-License-Identifier: Apache-2.0 */
/* Providers in LiteLLM's vocabulary: by the names gateways use, and by the model. */
#ifndef INGEST_PROVIDER_H
#define INGEST_PROVIDER_H

#include "core/slice.h"

/* LiteLLM's word where it is known to be meant, else the name as it is. Case does not matter. */
struct slice provider_canonical(struct slice name);

/* Whether it is a library's name, which OpenLLMetry, Strands and others write where the provider
 * should stand: it says nothing of who is paid. */
bool provider_is_framework(struct slice name);

/* Whose the model is, by the family its name begins with, where only one provider uses such names;
 * empty otherwise. "ft:" in front does not matter. Bedrock's ids are Bedrock's. */
struct slice provider_of_model(struct slice model);

/* Whether the model's thoughts stand outside the output that its provider counts: Gemini
 * (thoughtsTokenCount), Grok (xAI's chat completions). */
bool provider_thinks_aside(struct slice provider, struct slice model);

/* The vendor that Bedrock's id of this model begins with, when the name comes without it
 * ("claude-3-5-haiku-20241022-v1:0", as OpenLLMetry writes it); empty otherwise. */
struct slice provider_bedrock_vendor(struct slice model);

/* What is missing at its end, when it is a model's own name and not an id; empty otherwise. */
struct slice provider_bedrock_version(struct slice model);

#endif
