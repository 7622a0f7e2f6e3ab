/* SPDX-License-Identifier: Apache-2.0 */
/* Counters that every thread with a connection adds to. */
#include "store/pg_count.h"

#include "core/must.h"

#include <stdatomic.h>
#include <string.h>

/* PostgreSQL's classes that we tell apart; "other" is the rest. */
static const char *const classes[] = {"none", "08", "22", "23", "25", "26", "28", "3D",   "40",
                                      "42",   "53", "54", "55", "57", "58", "XX", "other"};

#define CLASSES (sizeof(classes) / sizeof(classes[0]))

static _Atomic int64_t failures[CLASSES], connects;

void pg_count_connect(void)
{
    atomic_fetch_add_explicit(&connects, 1, memory_order_relaxed);
}

void pg_count_failure(const char *sqlstate)
{
    size_t i = 0;
    if (*sqlstate)
        for (i = 1; i < CLASSES - 1 && strncmp(classes[i], sqlstate, 2) != 0; i++)
            ;
    MUST(i < CLASSES, i);
    atomic_fetch_add_explicit(&failures[i], 1, memory_order_relaxed);
}

int64_t pg_count_connects(void)
{
    return atomic_load(&connects);
}

void pg_count_each(void (*each)(const char *class, int64_t failed, void *context), void *context)
{
    for (size_t i = 0; i < CLASSES; i++)
        each(classes[i], atomic_load(&failures[i]), context);
}
