/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Borrowed text: a pointer and a length, not NUL-terminated. Who made it says how long it lives:
 * a slice of a Kafka message dies with the message, one in a batch arena with the batch.
 */
#ifndef CORE_SLICE_H
#define CORE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *p;
    size_t bytes;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_FMT "%.*s"
#define SLICE_ARG(s) (int)(s).bytes, (s).bytes ? (s).p : ""

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.p, b.p, a.bytes) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_eq(a, slice_of(text));
}

static inline bool slice_starts(struct slice a, struct slice prefix)
{
    return a.bytes >= prefix.bytes && memcmp(a.p, prefix.p, prefix.bytes) == 0;
}

#endif
