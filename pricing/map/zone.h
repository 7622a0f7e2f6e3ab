/* SPDX-License-Identifier: Apache-2.0 */
/* UTC offsets of a named time zone, read once from the system's zone files (TZif, RFC 8536). */
#ifndef PRICING_MAP_ZONE_H
#define PRICING_MAP_ZONE_H

#include "core/arena.h"

#include <stdint.h>

struct zone {
    size_t count;
    const int64_t *from_s;   /* ascending */
    const int32_t *offset_s; /* offset_s[i] holds from from_s[i] on */
    int32_t first_offset_s;  /* before from_s[0] */
};

/* NULL: no such zone on this machine. */
const struct zone *zone_load(struct arena *arena, const char *name);
/* Seconds east of UTC at that time; `zone` NULL is UTC. */
int32_t zone_offset_s(const struct zone *zone, int64_t time_s);

#endif
