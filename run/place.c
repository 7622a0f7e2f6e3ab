/* SPDX-License-Identifier: Apache-2.0 */
/* The order of what is hashed is part of what databases hold: it never changes. */
#include "run/place.h"

#include "core/hash.h"

void place_identity(struct event *event, struct slice cluster_id,
                    const struct partition_state *state, int64_t kafka_offset,
                    unsigned record_index)
{
    struct hash128 hash;
    hash128_init(&hash);
    hash128_add(&hash, SLICE("kafka"));
    hash128_add(&hash, cluster_id);
    hash128_add(&hash, slice_of(state->topic));
    hash128_add_int(&hash, state->incarnation);
    hash128_add_int(&hash, state->partition);
    hash128_add_int(&hash, kafka_offset);
    hash128_add_int(&hash, record_index);
    hash128_final(&hash, event->identity);
    event->has_identity = true;
}
