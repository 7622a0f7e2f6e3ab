/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Borrowed text: a pointer and a length, not NUL-terminated. Who made it says how long it lives:
 * a slice of a Kafka message dies with the message, one in a batch arena with the batch.
 */
#ifndef CORE_SLICE_H
#define CORE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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

/* The text before the next `mark`, and *list without both; all of it when there is none. */
static inline struct slice slice_cut(struct slice *list, char mark)
{
    const char *at = list->bytes ? memchr(list->p, mark, list->bytes) : NULL;
    struct slice first = {list->p, at ? (size_t)(at - list->p) : list->bytes};
    size_t used = first.bytes + (at != NULL);
    *list = (struct slice){list->p + used, list->bytes - used};
    return first;
}

/* Digits that are a count. */
static inline bool slice_count(struct slice text, int64_t *count)
{
    *count = 0;
    for (size_t i = 0; i < text.bytes; i++)
        if (text.p[i] < '0' || text.p[i] > '9' || __builtin_mul_overflow(*count, 10, count) ||
            __builtin_add_overflow(*count, text.p[i] - '0', count))
            return false;
    return text.bytes > 0;
}

#endif
