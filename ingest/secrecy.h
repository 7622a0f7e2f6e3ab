/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must not get any further than the reader: keys that could be used, words of people in the
 * operator's metadata, credentials in a URL.
 *
 * The virtual key is stored as a hash. What is not a 64-digit hash is hashed, whatever it looks
 * like, unless the mapping says that it holds names (`keys: named`). In all other texts keys are
 * found by their known forms.
 */
#ifndef INGEST_SECRECY_H
#define INGEST_SECRECY_H

#include "ingest/field.h"

/* A key that was found is replaced by its SHA-256, as LiteLLM stores virtual keys, and the event is
 * flagged key_hashed. When the batch has no room the label is dropped, never kept in clear. */
void secrecy_apply(struct eval *eval, const struct mapping *mapping, struct event *event);

/* The first key in a text: its bytes; empty when there is none. For tests. */
struct slice secrecy_find(struct slice text);

#endif
