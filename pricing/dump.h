/* SPDX-License-Identifier: Apache-2.0 */
/* A book's canonical text: its id is the SHA-256 of it, without the places rates come from. */
#ifndef PRICING_DUMP_H
#define PRICING_DUMP_H

#include "pricing/edition.h"

bool dump_id(const struct book *book, char id[65], struct err *err) MUST_CHECK;

#endif
