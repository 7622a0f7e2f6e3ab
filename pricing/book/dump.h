/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A book as one JSON object that stands alone: all models with the members that matter to prices,
 * deployments, discounts, margins, policies; never other litellm_params. Its canonical text without
 * the places rates come from is what the book's id is the SHA-256 of.
 */
#ifndef PRICING_BOOK_DUMP_H
#define PRICING_BOOK_DUMP_H

#include "pricing/book/editions.h"

bool dump_id(const struct book *book, char id[65], struct err *err) MUST_CHECK;

/* Cost maps, configuration and policies of an empty book, from what book_dump() wrote. */
bool dump_read(struct book *book, const struct node *dump, struct err *err) MUST_CHECK;

#endif
