/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of ingest/ know of a mapper beyond ingest/mapping.h. */
#ifndef INGEST_MAPPER_H
#define INGEST_MAPPER_H

#include "ingest/field.h"
#include "ingest/mapping.h"

/* Asks this mapping alone, whatever else the set has; NULL: all of them. */
void mapper_only(struct mapper *mapper, const struct mapping *mapping);

#endif
