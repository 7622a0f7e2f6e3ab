/* SPDX-License-Identifier: Apache-2.0 */
/* The identity of an event in which nothing else is unique: its place in Kafka. */
#ifndef RUN_PLACE_H
#define RUN_PLACE_H

#include "core/event.h"
#include "store/batch.h"

/* The group is not part of it: another group that reads the topic finds the same rows. */
void place_identity(struct event *event, struct slice cluster_id,
                    const struct partition_state *state, int64_t kafka_offset,
                    unsigned record_index);

#endif
