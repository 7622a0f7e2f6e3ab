/* SPDX-License-Identifier: Apache-2.0 */
/* Prices of a deployment that no formula of a kind of call reads (docs/pricing.md 5.4): told, so
 * that an operator's own price is never passed over in silence. */
#ifndef PRICING_BOOK_UNREAD_H
#define PRICING_BOOK_UNREAD_H

#include "pricing/book/config.h"
#include "pricing/names/call_types.h"

/* The next set key above 0, from `*at` on, that calls of that class do not read; NULL: none left.
 * `entry` is what the deployment is billed by; NULL: nothing that it sets, and they read none. */
const char *unread_next(const struct deployment *deployment, const struct rule *entry,
                        enum call_class class, const struct variants *variants, size_t *at);

/* Whether a rule has a price above 0 that such calls are not billed by without a count of its own:
 * then rates of 0 do not prove that a call is free. */
bool unread_beside(const struct rule *rule, enum call_class class);

/* The class of calls that a map's mode is of; false for one that is not known. */
bool unread_class_of_mode(const char *mode, enum call_class *class);

#endif
