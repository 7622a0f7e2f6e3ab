/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf's encoding of one field: a tag, and what its wire type says. */
#ifndef INGEST_VARINT_H
#define INGEST_VARINT_H

#include "core/slice.h"

#include <stdint.h>

enum wire_type { WIRE_VARINT, WIRE_I64, WIRE_BYTES, WIRE_GROUP, WIRE_GROUP_END, WIRE_I32 };

struct field_bytes {
    const char *start; /* its tag */
    uint32_t number;
    unsigned type; /* enum wire_type: VARINT, I64, BYTES or I32 */
    uint64_t v;    /* VARINT, I64, I32 */
    struct slice bytes;
};

/* At most ten bytes; false when it does not end in time. */
static inline bool varint_take(const char **p, const char *end, uint64_t *v)
{
    const char *at = *p;
    *v = 0;
    for (unsigned shift = 0; at < end && shift < 70; shift += 7) {
        unsigned char c = (unsigned char)*at++;
        *v |= shift < 64 ? (uint64_t)(c & 0x7f) << shift : 0;
        if (c < 0x80) {
            *p = at;
            return true;
        }
    }
    return false;
}

static inline uint64_t little_endian(const char *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)(unsigned char)p[i] << 8 * i;
    return v;
}

/* The next field, stepped over; NULL, or what is wrong with it: then *p is at its first byte. */
static inline const char *field_take(const char **p, const char *end, struct field_bytes *field)
{
    const char *at = *p;
    uint64_t tag, bytes = 0;
    field->start = at;
    field->number = 0;
    if (!varint_take(&at, end, &tag))
        return "a tag is cut";
    field->number = (uint32_t)(tag >> 3);
    field->type = tag & 7;
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return "a field cannot have this number";
    switch (field->type) {
    case WIRE_VARINT:
        if (!varint_take(&at, end, &field->v))
            return "its varint does not end";
        break;
    case WIRE_BYTES:
        if (!varint_take(&at, end, &bytes) || bytes > (uint64_t)(end - at))
            return "it is longer than what is left";
        field->bytes = (struct slice){at, (size_t)bytes};
        break;
    case WIRE_I64:
    case WIRE_I32:
        bytes = field->type == WIRE_I64 ? 8 : 4;
        if ((uint64_t)(end - at) < bytes)
            return "it is longer than what is left";
        field->v = little_endian(at, (unsigned)bytes);
        break;
    default:
        return "its wire type is not one of protobuf 3";
    }
    *p = at + bytes;
    return NULL;
}

#endif
