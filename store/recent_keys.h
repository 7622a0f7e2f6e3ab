/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of the rows written last: (start time, identity). A producer that sends twice mostly
 * does so within minutes. A key found here is asked for before the COPY, which would otherwise be
 * refused and begun again; whether its row is there, the database says in the batch's own
 * transaction.
 *
 * Bounded: two generations of RECENT_GENERATION keys; when the younger is full the older is
 * forgotten. It holds the last 98,304 to 196,608 keys in 6 MiB.
 */
#ifndef STORE_RECENT_KEYS_H
#define STORE_RECENT_KEYS_H

#include "core/err.h"

#include <stddef.h>
#include <stdint.h>

/* One less than there are slots, a power of two; tests that want few set it before there are keys.
 */
extern size_t recent_keys_mask;

#define RECENT_SLOTS (recent_keys_mask + 1)
#define RECENT_GENERATION (RECENT_SLOTS / 4 * 3)

struct recent_entry {
    uint8_t identity[16];
    int64_t start_time_us;
};

struct recent_generation {
    struct recent_entry *slot; /* identity and time all 0 = free */
    size_t count;
};

struct recent_keys {
    struct recent_generation generation[2]; /* [0] is the younger */
};

bool recent_keys_init(struct recent_keys *recent) MUST_CHECK;
void recent_keys_free(struct recent_keys *recent);

bool recent_keys_has(const struct recent_keys *recent, int64_t start_time_us,
                     const uint8_t identity[16]);
void recent_keys_learn(struct recent_keys *recent, int64_t start_time_us,
                       const uint8_t identity[16]);
void recent_keys_forget(struct recent_keys *recent); /* all of it */

#endif
