/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Avro's logical types, which libavro 1.11 passes over: `decimal` is an exact number, `date` is
 * "2026-11-24", `uuid` of 16 bytes is its text, `duration` an object of months, days and
 * milliseconds. Times stay the numbers they are stored as: mappings say their unit. What does not
 * keep to the specification is read as what it is stored as, as the specification asks for.
 *
 * Before the library sees a schema, each such type gets a record of one field around it, whose
 * name says which it is: in Avro's encoding a record is its fields and nothing else.
 */
#ifndef INGEST_AVRO_LOGICAL_H
#define INGEST_AVRO_LOGICAL_H

#include "core/buf.h"

enum logical_type { LOGICAL_DECIMAL, LOGICAL_DATE, LOGICAL_UUID, LOGICAL_DURATION };

struct logical {
    enum logical_type type;
    unsigned scale; /* of a decimal */
};

/* The schema with its logical types marked, for free(); NULL: not JSON, or out of memory. */
char *avro_logical_mark(struct slice schema);
/* Whether a field's name is a mark. */
bool avro_logical_marked(const char *field, struct logical *logical);
/* A value: of numbers `v`, else `bytes`. */
void avro_logical_json(struct buf *out, const struct logical *logical, int64_t v,
                       struct slice bytes);

#endif
