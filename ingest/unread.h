/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate for usage that nobody prices: a provider's new unit, or a new name for an old one, must
 * not cost nothing in silence. A mapping says where usage stands (`usage:`) and which names there
 * are known not to be billed (`unbilled:`); any other name that none of its paths leads to is
 * unread.
 */
#ifndef INGEST_UNREAD_H
#define INGEST_UNREAD_H

#include "ingest/eval.h"

/* Whether the record holds a usage number above 0 that the mapping does not read. */
bool usage_unread(struct eval *eval, const struct mapping *mapping);

#endif
