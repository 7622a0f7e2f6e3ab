/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole numbers as the wire has them, most significant byte first: PostgreSQL's protocol, COPY
 * rows, frames of a schema registry. No alignment is asked for; the caller has looked that the
 * bytes are there.
 */
#ifndef CORE_BIG_ENDIAN_H
#define CORE_BIG_ENDIAN_H

#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the bytes are swapped");

/* Writes v at p; returns where the next field starts. */
static inline char *put_be16(char *p, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(p, &v, sizeof(v));
    return p + sizeof(v);
}

static inline char *put_be32(char *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, sizeof(v));
    return p + sizeof(v);
}

static inline char *put_be64(char *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, sizeof(v));
    return p + sizeof(v);
}

static inline uint16_t get_be16(const char *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return __builtin_bswap16(v);
}

static inline uint32_t get_be32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return __builtin_bswap32(v);
}

static inline uint64_t get_be64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return __builtin_bswap64(v);
}

#endif
