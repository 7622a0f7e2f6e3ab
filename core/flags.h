/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags of a row: what reading an event and pricing it remarked. One word, event.flags |
 * charge.flags; the table is flags.def.
 */
#ifndef CORE_FLAGS_H
#define CORE_FLAGS_H

#include <stdbool.h>

enum flag {
#define FLAG(id, bit, name, side, doubt, doc) FLAG_##id = 1 << (bit),
#include "core/flags.def"
#undef FLAG
};

enum flag_side { FLAG_SIDE_READ, FLAG_SIDE_PRICE };

struct flag_info {
    unsigned bit; /* 1 << n */
    const char *name;
    enum flag_side side;
    bool doubt;
    const char *doc;
};

extern const struct flag_info flag_info[];
extern const unsigned flag_count;

/* All flags that pricing sets, or that cast doubt on the amount. */
extern const unsigned flags_of_price, flags_of_doubt;

/*
 * Whether parts stand inside their total differs by who wrote the event. For the cache and for
 * reasoning the row keeps which way they were read, and on what ground.
 */
enum reading_ground { GROUND_NONE, GROUND_DECLARED, GROUND_EMITTER, GROUND_NUMBERS };

struct reading {
    enum reading_ground ground; /* GROUND_NONE: there was nothing to decide */
    bool outside;               /* the parts were beside the total, and were added to it */
};

enum { READING_CACHE_BIT = 16, READING_REASONING_BIT = 19 };
#define READING_MASK (077u << READING_CACHE_BIT)

extern const char *const reading_ground_name[4];

static inline unsigned reading_flags(struct reading reading, unsigned bit)
{
    return ((unsigned)reading.ground | (unsigned)reading.outside << 2) << bit;
}

static inline struct reading reading_of(unsigned flags, unsigned bit)
{
    return (struct reading){(enum reading_ground)(flags >> bit & 3), flags >> bit & 4};
}

#endif
