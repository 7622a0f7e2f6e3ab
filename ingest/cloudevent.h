/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CloudEvents in Kafka (CloudEvents 1.0, Kafka protocol binding): in binary mode the attributes are
 * headers, `ce_` in front of their names, and the value is the data; in structured mode all is one
 * JSON object. A mapping written for either reads both: the members of a structured event are
 * headers to what reads its data (mappings/90-wrappers.yaml), and here a binary one gets the form
 * of a structured one, for mappings that want it so.
 */
#ifndef INGEST_CLOUDEVENT_H
#define INGEST_CLOUDEVENT_H

#include "core/arena.h"
#include "core/envelope.h"

/* {"specversion":…,"id":…,…,"data":data}; p == NULL: the headers are not those of a CloudEvent, or
 * the arena is full. */
struct slice cloudevent_structured(const struct envelope *envelope, struct slice data,
                                   struct arena *batch);

#endif
