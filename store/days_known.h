/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The days whose partition is known to be there, for as long as the database is believed. When
 * there is no room for another one all are forgotten: they are asked for again, which is right at
 * any time.
 */
#ifndef STORE_DAYS_KNOWN_H
#define STORE_DAYS_KNOWN_H

#include "core/must.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DAYS_KNOWN_MAX 4096

struct days_known {
    int32_t day[DAYS_KNOWN_MAX]; /* since 1970, in any order */
    size_t count;
};

static inline void days_known_forget(struct days_known *known)
{
    known->count = 0;
}

static inline bool days_known_has(const struct days_known *known, int32_t day)
{
    for (size_t i = known->count; i > 0; i--) /* the last ones are the likely ones */
        if (known->day[i - 1] == day)
            return true;
    return false;
}

static inline void days_known_add(struct days_known *known, int32_t day)
{
    MUST(known->count <= DAYS_KNOWN_MAX, known->count);
    if (known->count == DAYS_KNOWN_MAX)
        days_known_forget(known);
    known->day[known->count++] = day;
}

#endif
