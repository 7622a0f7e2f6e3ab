/* SPDX-License-Identifier: Apache-2.0 */
/* What makes an event unique, and what tells a resend of it from a conflict. */
#ifndef INGEST_IDENTITY_H
#define INGEST_IDENTITY_H

#include "ingest/field.h"

/*
 * Sets event->identity (XXH3-128 of the mapping's namespace and the values of its `identity`, each
 * with its length before it), has_identity and content_hash. An identity is usable when a value or
 * a label of the list is there: a fact (status, model) tells two events of one id apart, but it is
 * no id. Without one, the caller derives it from the message's place.
 */
void identity_set(struct eval *eval, const struct mapping *mapping, struct event *event);

#endif
