/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear probing, at most three quarters full. An identity is a hash already:
 * its first bytes, with the time mixed in, are the slot. */
#include "store/recent_keys.h"

#include "core/must.h"

#include <stdlib.h>
#include <string.h>

size_t recent_keys_mask = (1u << 17) - 1;

bool recent_keys_init(struct recent_keys *recent)
{
    for (int g = 0; g < 2; g++) {
        recent->generation[g].count = 0;
        recent->generation[g].slot = calloc(RECENT_SLOTS, sizeof(struct recent_entry));
    }
    return recent->generation[0].slot && recent->generation[1].slot;
}

void recent_keys_free(struct recent_keys *recent)
{
    free(recent->generation[0].slot);
    free(recent->generation[1].slot);
}

static bool is_free(const struct recent_entry *entry)
{
    static const struct recent_entry none;
    return memcmp(entry, &none, sizeof(none)) == 0;
}

/* The entry of a key, or the free slot where it would stand. */
static struct recent_entry *probe(const struct recent_generation *generation, int64_t time_us,
                                  const uint8_t identity[16])
{
    uint64_t hash;
    memcpy(&hash, identity, sizeof(hash));
    MUST(generation->count <= RECENT_GENERATION,
         generation->count); /* a free one ends the search */
    hash ^= (uint64_t)time_us * UINT64_C(0x9E3779B97F4A7C15);
    for (size_t i = hash ^ hash >> 32;; i++) {
        struct recent_entry *entry = &generation->slot[i & recent_keys_mask];
        if ((entry->start_time_us == time_us && memcmp(entry->identity, identity, 16) == 0) ||
            is_free(entry))
            return entry;
    }
}

bool recent_keys_has(const struct recent_keys *recent, int64_t start_time_us,
                     const uint8_t identity[16])
{
    for (int g = 0; g < 2; g++)
        if (!is_free(probe(&recent->generation[g], start_time_us, identity)))
            return true;
    return false;
}

static void generation_clear(struct recent_generation *generation)
{
    memset(generation->slot, 0, RECENT_SLOTS * sizeof(*generation->slot));
    generation->count = 0;
}

static void turn_over(struct recent_keys *recent)
{
    struct recent_generation older = recent->generation[1];
    recent->generation[1] = recent->generation[0];
    generation_clear(&older);
    recent->generation[0] = older;
    MUST(older.count == 0 && older.slot != recent->generation[1].slot);
}

void recent_keys_forget(struct recent_keys *recent)
{
    for (int g = 0; g < 2; g++)
        if (recent->generation[g].count > 0)
            generation_clear(&recent->generation[g]);
}

void recent_keys_learn(struct recent_keys *recent, int64_t start_time_us,
                       const uint8_t identity[16])
{
    if (recent->generation[0].count >= RECENT_GENERATION)
        turn_over(recent);
    struct recent_entry *entry = probe(&recent->generation[0], start_time_us, identity);
    if (is_free(entry))
        recent->generation[0].count++;
    memcpy(entry->identity, identity, 16);
    entry->start_time_us = start_time_us;
}
