/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648 section 4), padded or not. */
#ifndef INGEST_BASE64_H
#define INGEST_BASE64_H

#include "core/err.h"
#include "core/slice.h"

/* Room that is enough for what so many characters stand for. */
static inline size_t base64_room(size_t characters)
{
    return characters / 4 * 3 + 3;
}

/* Into `out`, of base64_room(). false: it is not base64. */
bool base64_decode(struct slice text, char *out, size_t *bytes) MUST_CHECK;

#endif
