/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows written last, exactly: (start time, identity) to content hash. A producer that sends
 * twice mostly does so within minutes; a duplicate found here costs the database nothing.
 *
 * Bounded: two generations of RECENT_GENERATION entries; when the younger is full the older is
 * forgotten. It holds the last 98,304 to 196,608 rows in 8 MiB.
 * It must learn only what has been committed.
 */
#ifndef STORE_RECENT_H
#define STORE_RECENT_H

#include "core/err.h"

#include <stddef.h>
#include <stdint.h>

#define RECENT_SLOTS (1u << 17)
#define RECENT_GENERATION (RECENT_SLOTS / 4 * 3)

struct recent_entry {
    uint8_t identity[16];
    int64_t start_time_us;
    uint64_t content_hash;
};

struct recent_generation {
    struct recent_entry *slot; /* identity and time all 0 = free */
    size_t count;
};

struct recent {
    struct recent_generation generation[2]; /* [0] is the younger */
};

bool recent_init(struct recent *recent) MUST_CHECK;
void recent_free(struct recent *recent);

/* The content hash stored under a key; NULL when it is not known. */
const uint64_t *recent_find(const struct recent *recent, int64_t start_time_us,
                            const uint8_t identity[16]);
void recent_learn(struct recent *recent, int64_t start_time_us, const uint8_t identity[16],
                  uint64_t content_hash);

#endif
